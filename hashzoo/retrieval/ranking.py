"""Search by Hamming distance. Equal distances keep database order, on every backend, device and thread count."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashzoo.errors import InvalidInput
from hashzoo.retrieval.backend import Backend, backend, thread_count
from hashzoo.retrieval.codes import MOST_BITS, code_pair
from hashzoo.retrieval.devices import core_for
from hashzoo.retrieval.reference import Matches


def distances(
    query: Any, database: Any, *, bits: int | None = None, threads: int | None = None, device: Any = None
) -> NDArray[np.uint16]:
    """Hamming distances in bits: `(Q, N)` uint16.

    Args:
        query: `(Q, W)` packed uint64 or `(Q, K)` codes, see `pack`.
        database: `(N, W)` or `(N, K)`, of the same code length.
        bits: code length K, checked if given.
        threads: default `HASHZOO_THREADS`, else every core of this process.
        device: "cpu", "cuda", "cuda:1" or any device of torch; "auto" is a GPU if there is one; the default is where
            the codes are. The result is the same, and a numpy array, in any case.

    Raises:
        InvalidInput: bad codes, two sides of different length, or no such device.
    """
    count = thread_count(threads)
    core = core_for(device, query, database)
    q, d, _ = code_pair(query, database, bits, count, core)
    return _of(core).distances(q, d, count)


def rank(
    query: Any, database: Any, *, bits: int | None = None, threads: int | None = None, device: Any = None
) -> NDArray[np.int32]:
    """Database rows of each query, nearest first, equal distances by row: `(Q, N)` int32. Arguments as `distances`.

    Raises:
        InvalidInput: bad codes, or two sides of different length.
    """
    count = thread_count(threads)
    core = core_for(device, query, database)
    q, d, _ = code_pair(query, database, bits, count, core)
    return _of(core).rank(q, d, count)


def top_k(
    query: Any, database: Any, k: int, *, bits: int | None = None, threads: int | None = None, device: Any = None
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """The k nearest database rows of each query, by distance, then row. Other arguments as `distances`.

    Returns:
        Distances `(Q, k)` int32 in bits and rows `(Q, k)` int64; N columns if the database has N < k rows.

    Raises:
        InvalidInput: k < 1, bad codes, or two sides of different length.
    """
    k = whole_number(k, "k", 1)
    count = thread_count(threads)
    core = core_for(device, query, database)
    q, d, _ = code_pair(query, database, bits, count, core)
    return _of(core).top_k(q, d, min(k, max(len(d), 1)), count)


def within_radius(
    query: Any,
    database: Any,
    radius: int = 2,
    *,
    bits: int | None = None,
    threads: int | None = None,
    device: Any = None,
) -> Matches:
    """All database rows within `radius` bits of each query, by distance, then row. Other arguments as `distances`.

    Returns:
        Offsets `(Q + 1,)` int64, distances int32 in bits and rows int64: those of query q stand at
        `offsets[q]:offsets[q + 1]` of the two.

    Raises:
        InvalidInput: radius < 0, bad codes, or two sides of different length.
    """
    radius = whole_number(radius, "radius", 0)
    count = thread_count(threads)
    core = core_for(device, query, database)
    q, d, _ = code_pair(query, database, bits, count, core)
    return _of(core).within_radius(q, d, min(radius, MOST_BITS), count)


def _of(core: Any) -> Backend:
    chosen: Backend = backend() if core is None else core
    return chosen


def whole_number(value: Any, name: str, least: int) -> int:
    """`value` as int; raises InvalidInput unless it is a whole number from `least`."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise InvalidInput(f"{name}: expected a whole number from {least}, got {value!r}")
    return int(value)
