"""Which code does the work, and on how many threads."""

from __future__ import annotations

import os
import warnings
from functools import lru_cache
from math import prod
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hashzoo.errors import InvalidInput
from hashzoo.retrieval import reference
from hashzoo.retrieval.reference import Counts, GradedCounts, Matches, Packed

MOST_THREADS = 4096


class Backend(Protocol):
    """What `_native` and `reference` both offer; `reference` says what each function means."""

    def pack(self, values: NDArray[Any], threads: int) -> Packed: ...
    def unpack(self, packed: Packed, bits: int, threads: int) -> NDArray[np.int8]: ...
    def distances(self, query: Packed, database: Packed, threads: int) -> NDArray[np.uint16]: ...
    def rank(self, query: Packed, database: Packed, threads: int) -> NDArray[np.int32]: ...
    def top_k(
        self, query: Packed, database: Packed, k: int, threads: int
    ) -> tuple[NDArray[np.int32], NDArray[np.int64]]: ...
    def within_radius(self, query: Packed, database: Packed, radius: int, threads: int) -> Matches: ...
    def count_classes(
        self,
        query: Packed,
        database: Packed,
        query_classes: NDArray[np.int64],
        database_classes: NDArray[np.int64],
        bits: int,
        topk: int,
        threads: int,
        exclude: NDArray[np.int64] | None = None,
        stable: bool = True,
    ) -> Counts: ...
    def count_masks(
        self,
        query: Packed,
        database: Packed,
        query_masks: Packed,
        database_masks: Packed,
        bits: int,
        topk: int,
        threads: int,
        exclude: NDArray[np.int64] | None = None,
        stable: bool = True,
    ) -> Counts: ...
    def count_graded_classes(
        self,
        query: Packed,
        database: Packed,
        query_classes: NDArray[np.int64],
        database_classes: NDArray[np.int64],
        bits: int,
        gain: NDArray[np.float64],
        discount: NDArray[np.float64],
        threads: int,
        exclude: NDArray[np.int64] | None = None,
    ) -> GradedCounts: ...
    def count_graded_masks(
        self,
        query: Packed,
        database: Packed,
        query_masks: Packed,
        database_masks: Packed,
        bits: int,
        gain: NDArray[np.float64],
        discount: NDArray[np.float64],
        threads: int,
        exclude: NDArray[np.int64] | None = None,
    ) -> GradedCounts: ...
    def group(self, database: Packed, threads: int) -> NDArray[np.uint32]: ...
    def build_tables(
        self, database: Packed, bits: int, substrings: int, threads: int
    ) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]: ...
    def MultiIndex(
        self,
        distinct: Packed,
        offsets: NDArray[np.uint32],
        entries: NDArray[np.uint32],
        starts: NDArray[np.uint32],
        members: NDArray[np.uint32],
        bits: int,
        substrings: int,
        threads: int,
    ) -> Searcher: ...


class Searcher(Protocol):
    """An index ready to be searched; raises ValueError when it is made of arrays that do not fit together."""

    def top_k(self, query: Packed, k: int, threads: int) -> tuple[NDArray[np.int32], NDArray[np.int64]]: ...
    def within_radius(self, query: Packed, radius: int, threads: int) -> Matches: ...


@lru_cache(maxsize=1)
def backend() -> Backend:
    """The native core; the numpy reference, with one warning, where it was not built.

    Raises:
        InvalidInput: `HASHZOO_ISA` names an instruction set that this machine lacks.
    """
    try:
        from hashzoo import _native
    except ImportError:
        warnings.warn(
            "hashzoo._native was not built: ranking in numpy, many times slower", RuntimeWarning, stacklevel=2
        )
        return reference
    try:
        _native.isa()
    except ValueError as error:
        raise InvalidInput(f"HASHZOO_ISA: {error}") from None
    return _native


def thread_count(threads: int | None) -> int:
    """`threads`, else `HASHZOO_THREADS`, else every core that this process may use.

    Raises:
        InvalidInput: not a whole number from 1 to 4096.
    """
    if threads is not None:
        if isinstance(threads, bool) or not isinstance(threads, (int, np.integer)) or not 1 <= threads <= MOST_THREADS:
            raise InvalidInput(f"threads: expected a whole number from 1 to {MOST_THREADS}, got {threads!r}")
        return int(threads)
    if wanted := os.environ.get("HASHZOO_THREADS"):
        if not wanted.isascii() or not wanted.isdigit() or not 1 <= int(wanted) <= MOST_THREADS:
            raise InvalidInput(f"HASHZOO_THREADS: expected a whole number from 1 to {MOST_THREADS}, got {wanted!r}")
        return int(wanted)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def query_blocks(query: Packed, database: Packed, cells: int, *, least: int = 1) -> list[slice]:
    """Queries to hold the counts of at a time, `cells` each, so that memory does not grow with their number."""
    step = max(least, 2**18 // cells)
    if backend() is reference:
        step = max(1, 2**22 // prod(database.shape))  # it does hold queries x database
    return [slice(start, start + step) for start in range(0, len(query), step)]
