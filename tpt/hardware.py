"""What this machine's processors are made for."""

import os
from pathlib import Path

GPUS = ("/dev/nvidiactl", "/dev/kfd")  # of NVIDIA's driver and of AMD's


def has_gpu() -> bool:
    """Whether there is a GPU; told without the driver, which would tie it to this process."""
    return any(Path(device).exists() for device in GPUS)


def cpu_threads() -> int:
    """Threads to compute with on the CPU: what OMP_NUM_THREADS says, or all cores that this process may use.

    More threads than there are free cores wait for each other most of the time.
    """
    asked = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    return int(asked) if asked.isdecimal() and int(asked) else len(os.sched_getaffinity(0))


def cpu_has_bfloat16() -> bool:
    """Whether the CPU multiplies in bfloat16; one that only imitates it takes many times as long as in float32."""
    import torch

    return bool(torch.cpu._is_avx512_bf16_supported())
