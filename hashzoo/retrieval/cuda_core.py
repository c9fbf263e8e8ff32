"""Ranking with the kernels of `_native_cuda`, and the check that they must pass before they are used."""

from __future__ import annotations

import sys
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashzoo.retrieval.backend import backend
from hashzoo.retrieval.reference import Counts, Packed


class CudaCore:
    """Counts and the k nearest by `_native_cuda`, all else by another core.

    Args:
        native: the module.
        index: of the device.
        otherwise: for what the module does not do, and where the device's memory is too small; None where only the
            module itself is to answer.
    """

    def __init__(self, native: Any, index: int, otherwise: Any) -> None:
        self._native, self._index, self._otherwise = native, index, otherwise

    def __getattr__(self, name: str) -> Any:
        return getattr(self._otherwise, name)

    def resident(self, packed: Any) -> Any:
        """The same codes in the device's memory if torch can put them there and they leave half of it free."""
        torch = sys.modules.get("torch")
        if torch is None or not torch.cuda.is_available():
            return packed
        size = packed.nbytes
        return self._otherwise.resident(packed) if 2 * size < torch.cuda.mem_get_info(self._index)[0] else packed

    def top_k(
        self, query: Packed, database: Packed, k: int, threads: int = 1
    ) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        q, d = self._readable(query), self._readable(database)
        try:
            found: tuple[NDArray[np.int32], NDArray[np.int64]] = self._native.top_k(**self._codes(q, d), k=k)
        except MemoryError:
            self._warn_of_memory()
            found = self._otherwise.top_k(query, database, k, threads)
        return found

    def count_classes(
        self,
        query: Packed,
        database: Packed,
        query_classes: NDArray[np.int64],
        database_classes: NDArray[np.int64],
        bits: int,
        topk: int,
        threads: int = 1,
        exclude: NDArray[np.int64] | None = None,
        stable: bool = True,
    ) -> Counts:
        given = (query, database, query_classes, database_classes, bits, topk, threads, exclude, stable)
        return self._count("count_classes", given)

    def count_masks(
        self,
        query: Packed,
        database: Packed,
        query_masks: Packed,
        database_masks: Packed,
        bits: int,
        topk: int,
        threads: int = 1,
        exclude: NDArray[np.int64] | None = None,
        stable: bool = True,
    ) -> Counts:
        given = (query, database, query_masks, database_masks, bits, topk, threads, exclude, stable)
        return self._count("count_masks", given)

    def _count(self, name: str, given: tuple[Any, ...]) -> Counts:
        query, database, query_labels, database_labels, bits, topk, _, exclude, stable = given
        q, d, ours, theirs = (self._readable(array) for array in (query, database, query_labels, database_labels))
        left_out = None if exclude is None else self._readable(exclude)
        masks = name == "count_masks"
        try:
            counts: Counts = self._native.count(
                **self._codes(q, d),
                query_labels=_address(ours),
                database_labels=_address(theirs),
                exclude=0 if left_out is None else _address(left_out),
                label_words=theirs.shape[1] if masks else 1,
                masks=masks,
                bits=bits,
                topk=topk,
                stable=stable,
            )
        except MemoryError:
            self._warn_of_memory()
            counts = getattr(self._otherwise, name)(*given)
        return counts

    def _codes(self, query: Any, database: Any) -> dict[str, int]:
        """Arguments that both functions of the module have. The caller keeps the arrays alive."""
        return {
            "query": _address(query),
            "database": _address(database),
            "queries": len(query),
            "rows": len(database),
            "words": database.shape[1],
            "device": self._index,
            "stream": self._stream(),
        }

    def _stream(self) -> int:
        torch = sys.modules.get("torch")
        if torch is None or not torch.cuda.is_initialized():
            return 0
        return int(torch.cuda.current_stream(self._index).cuda_stream)

    def _readable(self, array: Any) -> Any:
        """The array, contiguous; a tensor on this device."""
        if isinstance(array, np.ndarray):
            return np.require(array, requirements=["C", "A"])
        return array.to(f"cuda:{self._index}").contiguous()

    def _warn_of_memory(self) -> None:
        lacking = f"cuda:{self._index} has too little free memory for hashzoo's kernels"
        if self._otherwise is None:
            raise MemoryError(lacking)
        warnings.warn(
            f"{lacking}: a slower way is taken",
            RuntimeWarning,
            stacklevel=4,
        )


def disagreement(core: Any, truth: Any = None) -> str:
    """What differs between two cores on a few thousand pairs of codes; empty if nothing does.

    `truth` is the CPU's core by default.
    """
    rng = np.random.default_rng(0)
    truth = truth or backend()
    for bits, topk in ((12, 100), (64, -1), (200, 1000)):
        query, database = (truth.pack(rng.random((rows, bits)) < 0.5, 1) for rows in (11, 300))
        database[200:] = database[:100]  # ties at every distance
        classes = [rng.integers(0, 5, rows) for rows in (11, 300)]
        masks = [truth.pack(rng.random((rows, 70)) < 0.02, 1) for rows in (11, 300)]
        exclude = rng.integers(-1, 300, 11)
        calls: dict[str, tuple[Any, ...]] = {
            "count_classes": (query, database, *classes, bits, topk, 1),
            "count_masks": (query, database, *masks, bits, topk, 1, exclude),
            "top_k": (query, database, 20, 1),
        }
        for name, given in calls.items():
            try:
                got = getattr(core, name)(*given)
            except (RuntimeError, ValueError, TypeError, AttributeError, MemoryError) as error:
                return f"{name} fails: {' '.join(str(error).split())}"
            if not all(map(_equal, got, getattr(truth, name)(*given))):
                return f"{name} of {bits} bits gives wrong numbers"
    return ""


def _equal(got: NDArray[Any], truth: NDArray[Any]) -> bool:
    if truth.dtype == np.float64:  # sums in another order
        return got.shape == truth.shape and bool(np.allclose(got, truth, rtol=1e-12, atol=0))
    return np.array_equal(got, truth)


def _address(array: Any) -> int:
    return int(array.ctypes.data if isinstance(array, np.ndarray) else array.data_ptr())
