"""What this machine has to compute with: GPUs, cores, memory."""

import os
from pathlib import Path

CGROUPS, OWN_CGROUPS = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")  # of version 2, in the line that begins with 0
GPUS = ("/dev/nvidiactl", "/dev/kfd")  # NVIDIA's driver and AMD's


def has_gpu() -> bool:
    """Whether there is a GPU; does not load its driver, which would tie the GPU to this process."""
    return any(Path(device).exists() for device in GPUS)


def cpu_threads() -> int:
    """Threads to compute with on the CPU: OMP_NUM_THREADS, or else all cores that this process may use.

    More threads than free cores wait for each other most of the time.
    """
    asked = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    return int(asked) if asked.isdecimal() and int(asked) else len(os.sched_getaffinity(0))


def free_memory() -> int:
    """Bytes of memory still available on this machine, or in this process's control group if that allows less."""
    lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines())
    free = int(lines["MemAvailable"].split()[0]) * 1024
    groups = OWN_CGROUPS.read_text(encoding="utf-8").splitlines() if OWN_CGROUPS.exists() else []
    own = CGROUPS / next((line[3:].lstrip("/") for line in groups if line.startswith("0::")), "")
    for path in (own, *own.parents):
        if path.is_relative_to(CGROUPS) and (path / "memory.max").exists():
            limit = (path / "memory.max").read_text(encoding="ascii").strip()
            if limit != "max":
                free = min(free, int(limit) - int((path / "memory.current").read_text(encoding="ascii")))
    return free


def cpu_has_bfloat16() -> bool:
    """Whether the CPU multiplies in bfloat16; emulating it takes many times as long as float32."""
    import torch

    return bool(torch.cpu._is_avx512_bf16_supported())
