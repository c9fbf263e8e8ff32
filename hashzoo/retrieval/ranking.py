"""Search by Hamming distance. Equal distances keep database order, on every backend and thread count."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashzoo.errors import InvalidInput
from hashzoo.retrieval.backend import backend, thread_count
from hashzoo.retrieval.codes import code_pair


def distances(query: Any, database: Any, *, bits: int | None = None, threads: int | None = None) -> NDArray[np.uint16]:
    """Hamming distances in bits: `(Q, N)` uint16.

    Args:
        query: `(Q, W)` packed uint64 or `(Q, K)` codes, see `pack`.
        database: `(N, W)` or `(N, K)`, of the same code length.
        bits: code length K, checked if given.
        threads: default `HASHZOO_THREADS`, else every core of this process.

    Raises:
        InvalidInput: bad codes, or two sides of different length.
    """
    count = thread_count(threads)
    q, d, _ = code_pair(query, database, bits, count)
    return backend().distances(q, d, count)


def rank(query: Any, database: Any, *, bits: int | None = None, threads: int | None = None) -> NDArray[np.int32]:
    """Database rows of each query, nearest first, equal distances by row: `(Q, N)` int32. Arguments as `distances`.

    Raises:
        InvalidInput: bad codes, or two sides of different length.
    """
    count = thread_count(threads)
    q, d, _ = code_pair(query, database, bits, count)
    return backend().rank(q, d, count)


def top_k(
    query: Any, database: Any, k: int, *, bits: int | None = None, threads: int | None = None
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """The k nearest database rows of each query, by distance, then row. Other arguments as `distances`.

    Returns:
        Distances `(Q, k)` int32 in bits and rows `(Q, k)` int64; N columns if the database has N < k rows.

    Raises:
        InvalidInput: k < 1, bad codes, or two sides of different length.
    """
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or k < 1:
        raise InvalidInput(f"k: expected a whole number from 1, got {k!r}")
    count = thread_count(threads)
    q, d, _ = code_pair(query, database, bits, count)
    return backend().top_k(q, d, int(k), count)
