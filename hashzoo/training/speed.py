"""What makes a step quicker on this machine and changes nothing that is computed."""

from __future__ import annotations

import ctypes

from torch import nn

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
_LARGEST_MMAP_THRESHOLD = 32 << 20  # bytes; glibc refuses more on 64 bits
_NEVER = 2**31 - 1  # bytes


def keep_freed_memory() -> bool:
    """Let this process keep what it frees; whether the system's allocator can be told so, which is glibc's alone.

    By default glibc hands large blocks back to the system, so that each step of training asks for the memory of its
    activations anew and waits until the system has cleared it.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, _LARGEST_MMAP_THRESHOLD) and mallopt(_M_TRIM_THRESHOLD, _NEVER))


def can_compile(network: nn.Module) -> bool:
    """Whether torch.compile can be trusted with the network.

    Its gradient of average pooling in ceil mode is wrong (torch 2.14, pytorch issue 198119).
    """
    pools = (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)
    return not any(isinstance(module, pools) and module.ceil_mode for module in network.modules())
