"""What relevant means: the same class id, or at least one shared label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashzoo.errors import InvalidInput
from hashzoo.retrieval.backend import backend
from hashzoo.retrieval.codes import MOST_BITS, as_array, code_pair, contiguous
from hashzoo.retrieval.reference import Counts, GradedCounts, Packed


@dataclass(frozen=True)
class Labels:
    """Class ids `(rows,)` int64, or label sets as bit masks `(rows, words)` uint64, of both sides."""

    query: NDArray[Any]
    database: NDArray[Any]

    @classmethod
    def of(cls, query: Any, database: Any, threads: int) -> Labels:
        """Checks and converts labels of one kind.

        Raises:
            InvalidInput: one side has class ids and the other label sets, or either is malformed.
        """
        arrays = [as_array(values, name) for name, values in _named(query, database)]
        for name, array in _named(*arrays):
            if array.ndim not in (1, 2):
                raise InvalidInput(f"{name}: expected class ids (N,) or multi-hot (N, C), got shape {array.shape}")
        if arrays[0].ndim != arrays[1].ndim:
            kinds = ["class ids (N,)" if array.ndim == 1 else "multi-hot (N, C)" for array in arrays]
            raise InvalidInput(f"query_labels are {kinds[0]} and database_labels {kinds[1]}: expected one kind")
        if arrays[0].ndim == 1:
            return cls(*(_class_ids(name, array) for name, array in _named(*arrays)))
        if arrays[0].shape[1] != arrays[1].shape[1]:
            raise InvalidInput(
                f"query_labels has {arrays[0].shape[1]} labels, database_labels {arrays[1].shape[1]}: expected the same"
            )
        return cls(*(_masks(name, array, threads) for name, array in _named(*arrays)))

    @property
    def relevance(self) -> str:
        return "same class id" if self.query.ndim == 1 else "at least one shared label"

    def check_lengths(self, queries: int, rows: int) -> None:
        """Raises InvalidInput unless there is one label (set) per code."""
        for name, codes, labels in (("query", queries, self.query), ("database", rows, self.database)):
            if len(labels) != codes:
                raise InvalidInput(f"{name}_labels: expected one per code ({codes}), got {len(labels)}")

    def count(
        self,
        query: Packed,
        database: Packed,
        chosen: slice,
        bits: int,
        topk: int,
        threads: int,
        exclude: NDArray[np.int64] | None,
        stable: bool,
        core: Any,
    ) -> Counts:
        """`reference.count` for the queries `chosen`, whose codes are `query`; `exclude` is for all queries.

        `core` is of a device, None for the CPU's.
        """
        core = core or backend()
        count = core.count_classes if self.query.ndim == 1 else core.count_masks
        excluded = None if exclude is None else exclude[chosen]
        given = (query, database, self.query[chosen], self.database, bits, topk, threads, excluded, stable)
        counts: Counts = count(*given)
        return counts

    def most(self) -> int:
        """The greatest number of labels of a query, at least 1: no row shares more with one."""
        if self.query.ndim == 1:
            return 1
        return int(np.bitwise_count(self.query).sum(axis=1, dtype=np.int64).max(initial=1))

    def count_graded(
        self,
        query: Packed,
        database: Packed,
        chosen: slice,
        bits: int,
        gain: NDArray[np.float64],
        discount: NDArray[np.float64],
        threads: int,
        exclude: NDArray[np.int64] | None,
        core: Any,
    ) -> GradedCounts:
        """`reference.count_graded` for the queries `chosen`, whose codes are `query`; `exclude` is for all queries.

        `core` is of a device, None for the CPU's.
        """
        core = core or backend()
        count = core.count_graded_classes if self.query.ndim == 1 else core.count_graded_masks
        excluded = None if exclude is None else exclude[chosen]
        given = (query, database, self.query[chosen], self.database, bits, gain, discount, threads, excluded)
        counts: GradedCounts = count(*given)
        return counts


def checked_codes(
    query: Any, database: Any, bits: int | None, labels: Labels, threads: int, core: Any
) -> tuple[Packed, Packed, int]:
    """Both sides packed, with at least one code each and one label (set) per code, and their length in bits.

    `core` is of the device that is to read them, None for the CPU's; the database is then in its memory if it fits.

    Raises:
        InvalidInput: codes or labels do not fit.
    """
    q, d, length = code_pair(query, database, bits, threads, core)
    if length is None:
        raise InvalidInput("bits: packed codes do not tell their length; pass bits=")
    for name, codes in (("query", q), ("database", d)):
        if len(codes) == 0:
            raise InvalidInput(f"{name}: expected at least one code, got none")
    labels.check_lengths(len(q), len(d))
    return q, d if core is None else core.resident(d), length


def excluded_rows(exclude: Any, queries: int, rows: int) -> NDArray[np.int64] | None:
    """`(Q,)` int64 rows of the database, or -1 for none; None stays None.

    Raises:
        InvalidInput: not one integer a query, or not a row.
    """
    if exclude is None:
        return None
    array = as_array(exclude, "exclude")
    if array.dtype.kind not in "iu" or array.shape != (queries,):
        raise InvalidInput(
            f"exclude: expected one integer per query ({queries}), got {array.dtype} of shape {array.shape}"
        )
    wrong = (array < -1) | (array >= rows)
    if wrong.any():
        raise InvalidInput(f"exclude: expected rows of the database, 0 to {rows - 1}, or -1, got {array[wrong][0]}")
    return contiguous(array.astype(np.int64, copy=False))


def _named(query: Any, database: Any) -> tuple[tuple[str, Any], tuple[str, Any]]:
    return ("query_labels", query), ("database_labels", database)


def _class_ids(name: str, array: NDArray[Any]) -> NDArray[np.int64]:
    if array.dtype.kind not in "iu":
        raise InvalidInput(f"{name}: expected integer class ids, got dtype {array.dtype}")
    return contiguous(array.astype(np.int64, copy=False))


def _masks(name: str, array: NDArray[Any], threads: int) -> Packed:
    if not 1 <= array.shape[1] <= MOST_BITS:
        raise InvalidInput(f"{name}: expected 1 to {MOST_BITS} labels, got {array.shape[1]}")
    if not ((array == 0) | (array == 1)).all():
        raise InvalidInput(f"{name}: expected multi-hot labels of 0 and 1; other values found")
    return backend().pack(contiguous(array.astype(np.bool_)), threads)
