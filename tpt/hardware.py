"""What this machine's processors are made for."""


def cpu_has_bfloat16() -> bool:
    """Whether the CPU multiplies in bfloat16; one that only imitates it takes many times as long as in float32."""
    import torch

    return bool(torch.cpu._is_avx512_bf16_supported())
