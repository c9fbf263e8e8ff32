"""What makes a step quicker and changes at most the rounding of what is learned."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

import torch
from torch import Tensor, nn

from hashzoo.errors import InvalidSetting

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


def compiled(network: nn.Module) -> Callable[[Tensor], Tensor]:
    """The network through torch.compile, for batches of one shape; parameters stay those of `network`.

    Raises, when first called:
        InvalidSetting: torch cannot compile here.
    """
    from torch._dynamo.exc import TorchDynamoException

    quick = torch.compile(network, dynamic=False)

    def call(images: Tensor) -> Tensor:
        try:
            return quick(images)  # type: ignore[no-any-return]
        except TorchDynamoException as cause:
            why = str(cause).strip().splitlines()[0]
            raise InvalidSetting(
                f"compile: expected a C++ compiler, and a network that torch can compile; got {why}"
            ) from cause

    return call
