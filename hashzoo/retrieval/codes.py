"""Binary codes as arrays: what is accepted, and how bits are laid out."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashzoo.errors import InvalidInput
from hashzoo.retrieval.backend import backend, thread_count
from hashzoo.retrieval.devices import is_elsewhere, outline, packed_there
from hashzoo.retrieval.reference import Packed

MOST_BITS = 4096
_PACKABLE = {"f": (np.float32, np.float64), "i": (np.int8, np.int32, np.int64), "u": (np.uint8,), "b": (np.bool_,)}


def pack(codes: Any, *, threads: int | None = None) -> Packed:
    """Packs one bit per value: `(N, K)` to `(N, W)` uint64 with `W = ceil(K / 64)`.

    Bit j of a code is bit `j % 64` of word `j // 64`; spare bits are zero. Floats set it iff the value is >= 0, so
    sgn(0) is +1; integers must be all in {0, 1} or all in {-1, 1}; booleans are taken as they are.

    Args:
        codes: `(N, K)` array or CPU tensor of float, int or bool, K from 1 to 4096.
        threads: default `HASHZOO_THREADS`, else every core of this process.

    Raises:
        InvalidInput: NaN, other integers, a wrong shape or dtype.
    """
    return _pack(as_array(codes, "codes"), "codes", thread_count(threads))


def unpack(packed: Any, bits: int, *, threads: int | None = None) -> NDArray[np.int8]:
    """Undoes `pack`: `(N, W)` uint64 to `(N, bits)` int8 of -1 and +1.

    Raises:
        InvalidInput: not packed codes of that many bits.
    """
    return backend().unpack(checked_packed(as_array(packed, "packed"), "packed", bits), bits, thread_count(threads))


def as_array(values: Any, name: str) -> NDArray[Any]:
    """An array over the memory of `values` where it has any (numpy, CPU tensors, DLPack); lists are converted.

    A copy is made of foreign byte order, and of tensors on other devices, only.

    Raises:
        InvalidInput: not readable as an array of numbers.
    """
    try:
        if is_elsewhere(values):
            values = values.cpu()
        if not hasattr(values, "__array__") and hasattr(values, "__dlpack__"):
            array = np.from_dlpack(values)
        else:
            array = np.asarray(values)
    except (TypeError, ValueError, RuntimeError, BufferError) as error:
        reason = str(error).splitlines()[0]
        raise InvalidInput(
            f"{name}: expected an array or a CPU tensor, got {type(values).__name__} ({reason})"
        ) from None
    if array.dtype.kind not in "fiub":
        raise InvalidInput(f"{name}: expected float, int, bool or packed uint64, got dtype {array.dtype}")
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def code_pair(
    query: Any, database: Any, bits: int | None, threads: int, core: Any = None
) -> tuple[Packed, Packed, int | None]:
    """Both sides packed, and their common length in bits: None if both came packed and `bits` is None.

    A tensor on another device stays there, packed, if a `core` of a device is to read it.

    Raises:
        InvalidInput: bad codes, or two sides of different length.
    """
    if bits is not None:
        check_bits(bits)
    given = {"query": query, "database": database}
    there = {name: core is not None and is_elsewhere(codes) for name, codes in given.items()}
    arrays = {name: (outline if there[name] else as_array)(codes, name) for name, codes in given.items()}
    for name, array in arrays.items():
        bits = _length(array, name, bits)
    q, d = (
        _packed_there(given[name], array, name, bits) if there[name] else _packed(array, name, bits, threads)
        for name, array in arrays.items()
    )
    if q.shape[1] != d.shape[1]:
        raise InvalidInput(f"query has {q.shape[1]} words a code, database has {d.shape[1]}: lengths must be equal")
    return q, d, bits


def packed_codes(values: Any, name: str, bits: int | None, threads: int) -> tuple[Packed, int]:
    """Codes packed, and their length in bits: all of their words if they came packed and `bits` is None.

    Raises:
        InvalidInput: bad codes, or not of `bits` bits.
    """
    if bits is not None:
        check_bits(bits)
    array = as_array(values, name)
    bits = _length(array, name, bits)
    packed = _packed(array, name, bits, threads)
    return packed, 64 * packed.shape[1] if bits is None else bits


def checked_packed(array: NDArray[Any], name: str, bits: int | None) -> Packed:
    """The array, contiguous, if it can hold packed codes of `bits` bits (of any length if None).

    Raises:
        InvalidInput: wrong dtype, shape or width, or a spare bit is set.
    """
    _check_words(array, name, bits)
    if bits is not None and bits % 64 and (array[:, -1] >> np.uint64(bits % 64)).any():
        raise InvalidInput(f"{name}: a bit beyond the first {bits} is set; spare bits must be zero")
    return contiguous(array)


def check_bits(bits: int) -> None:
    """Raises InvalidInput unless `bits` is a whole number from 1 to 4096."""
    if isinstance(bits, bool) or not isinstance(bits, (int, np.integer)) or not 1 <= bits <= MOST_BITS:
        raise InvalidInput(f"bits: expected a whole number from 1 to {MOST_BITS}, got {bits!r}")


def contiguous(array: NDArray[Any]) -> NDArray[Any]:
    """The array itself, or a copy that is C-contiguous and aligned: what the native core reads."""
    return np.require(array, requirements=["C", "A"])


def _length(array: NDArray[Any], name: str, bits: int | None) -> int | None:
    """`bits`, or what the array tells: nothing if it is packed."""
    if array.ndim != 2:
        raise InvalidInput(f"{name}: expected (N, K) codes or (N, W) packed uint64, got shape {array.shape}")
    if array.dtype == np.uint64:
        return bits
    if bits is not None and array.shape[1] != bits:
        raise InvalidInput(f"{name}: expected codes of {bits} bits, got {array.shape[1]}")
    return int(array.shape[1])


def _packed(array: NDArray[Any], name: str, bits: int | None, threads: int) -> Packed:
    return checked_packed(array, name, bits) if array.dtype == np.uint64 else _pack(array, name, threads)


def _packed_there(tensor: Any, shape: NDArray[Any], name: str, bits: int | None) -> Any:
    if shape.dtype == np.uint64:
        _check_words(shape, name, bits)
    else:
        _check_columns(shape, name)
    return packed_there(tensor, name, bits)


def _check_words(array: NDArray[Any], name: str, bits: int | None) -> None:
    if array.dtype != np.uint64 or array.ndim != 2:
        raise InvalidInput(f"{name}: expected packed (N, W) uint64, got {array.dtype} of shape {array.shape}")
    if not 1 <= array.shape[1] <= MOST_BITS // 64:
        raise InvalidInput(f"{name}: expected 1 to {MOST_BITS // 64} words a code, got {array.shape[1]}")
    if bits is not None:
        check_bits(bits)
        if array.shape[1] != -(-bits // 64):
            raise InvalidInput(f"{name}: {bits} bits take {-(-bits // 64)} words a code, got {array.shape[1]}")


def _check_columns(array: NDArray[Any], name: str) -> None:
    if array.ndim != 2:
        raise InvalidInput(f"{name}: expected (N, K) codes, got shape {array.shape}")
    if array.dtype == np.uint64:
        raise InvalidInput(f"{name}: expected codes to pack, got uint64, which is the packed form already")
    if not 1 <= array.shape[1] <= MOST_BITS:
        raise InvalidInput(f"{name}: expected 1 to {MOST_BITS} bits a code, got {array.shape[1]}")


def _pack(array: NDArray[Any], name: str, threads: int) -> Packed:
    _check_columns(array, name)
    # float16 and the like: the narrowest type that the core reads and that loses nothing; of long double, the sign.
    wide_enough = [t for t in _PACKABLE[array.dtype.kind] if np.dtype(t).itemsize >= array.dtype.itemsize]
    target = np.int64 if array.dtype.kind == "u" and not wide_enough else (wide_enough or [np.float64])[0]
    if array.dtype.kind == "f" and not wide_enough:
        array = np.sign(array)
    core = backend()
    try:
        return core.pack(contiguous(array.astype(target, copy=False)), threads)
    except ValueError as error:
        raise InvalidInput(f"{name}: {error}") from None
