"""Where the work is done: which core serves a device, and tensors that are on one."""

from __future__ import annotations

import sys
import warnings
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashzoo.errors import InvalidInput
from hashzoo.retrieval.backend import backend


def core_for(device: Any, *codes: Any) -> Any:
    """The core of a device other than the CPU; None for the CPU.

    Args:
        device: "cpu", "cuda", "cuda:1" or any other device of torch; "auto" is a GPU if there is one; None is where the
            codes are.
        codes: what the caller was given.

    Raises:
        InvalidInput: no such device, or codes on several ones and no `device`.
    """
    if device is None:
        places = {str(values.device) for values in codes if is_elsewhere(values)}
        if len(places) > 1:
            raise InvalidInput(f"device: the codes are on {' and '.join(sorted(places))}; pass device= to choose one")
        device = places.pop() if places else "cpu"
    name = str(device)
    if name == "auto":
        name = "cuda" if cuda_devices() else "cpu"
    kind, colon, number = name.partition(":")
    if kind == "cpu":
        return None
    if kind != "cuda":
        return _torch_core(name)
    if colon and not number.isdecimal():
        raise InvalidInput(f"device: expected cpu, cuda, cuda:N, auto or a device of torch, got {name!r}")
    return _cuda_core(int(number) if colon else _current_cuda_device())


def is_elsewhere(values: Any) -> bool:
    """Whether this is a tensor outside of the CPU's memory."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(values, torch.Tensor) and values.device.type != "cpu"


def outline(tensor: Any, name: str) -> NDArray[Any]:
    """An array with the shape and dtype of a tensor, and nothing in it.

    Raises:
        InvalidInput: a dtype that numpy lacks and that holds no integers.
    """
    if tensor.is_floating_point():  # bfloat16 too
        dtype = np.dtype(np.float32)
    else:
        try:
            dtype = np.dtype(str(tensor.dtype).removeprefix("torch."))
        except TypeError:
            raise InvalidInput(
                f"{name}: expected float, int, bool or packed uint64, got dtype {tensor.dtype}"
            ) from None
    if dtype.kind not in "fiub":
        raise InvalidInput(f"{name}: expected float, int, bool or packed uint64, got dtype {dtype}")
    return np.broadcast_to(np.zeros((), dtype), tuple(tensor.shape))


def packed_there(tensor: Any, name: str, bits: int | None) -> Any:
    """(N, K) codes or (N, W) packed ones -> contiguous (N, W) uint64, on the device where they are.

    Raises:
        InvalidInput: NaN, other integers, or a spare bit is set.
    """
    import torch

    if tensor.dtype != torch.uint64:
        try:
            return _torch_core(str(tensor.device)).pack_there(tensor)
        except ValueError as error:
            raise InvalidInput(f"{name}: {error}") from None
    words = tensor.contiguous()
    if bits is not None and bits % 64:
        spare = words.view(torch.int64)[:, -1] >> bits % 64
        if (spare != 0).any():
            raise InvalidInput(f"{name}: a bit beyond the first {bits} is set; spare bits must be zero")
    return words


def cuda_devices() -> int:
    """How many GPUs `_native_cuda` or torch sees."""
    native = native_module()
    if native is not None and native.device_count() > 0:
        return int(native.device_count())
    try:
        import torch
    except ImportError:
        return 0
    return int(torch.cuda.device_count())


def native_module() -> Any:
    """`hashzoo._native_cuda`, or None where it was not built."""
    try:
        from hashzoo import _native_cuda
    except ImportError:
        return None
    return _native_cuda


@cache
def _cuda_core(index: int) -> Any:
    if index >= cuda_devices():
        raise InvalidInput(
            f"device: expected a CUDA GPU, got cuda:{index}, found {cuda_devices()}; device='cpu' needs none"
        )
    try:
        import torch

        otherwise = _torch_core(f"cuda:{index}") if torch.cuda.is_available() else backend()
    except ImportError:
        otherwise = backend()
    native = native_module()
    if native is not None and index < native.device_count():
        from hashzoo.retrieval.cuda_core import CudaCore, disagreement

        problem = disagreement(CudaCore(native, index, None))
        if not problem:
            return CudaCore(native, index, otherwise)
        warnings.warn(
            f"hashzoo._native_cuda is not used on cuda:{index} in this process: {problem}", RuntimeWarning, stacklevel=3
        )
    return None if otherwise is backend() else otherwise


@cache
def _torch_core(device: str) -> Any:
    try:
        from hashzoo.retrieval.torch_core import TorchCore
    except ImportError:
        raise InvalidInput(f"device: {device!r} needs torch, which is not installed; device='cpu' does not") from None
    return TorchCore(device)


def _current_cuda_device() -> int:
    torch = sys.modules.get("torch")
    return int(torch.cuda.current_device()) if torch is not None and torch.cuda.is_available() else 0
