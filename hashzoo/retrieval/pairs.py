"""How far apart similar and dissimilar pairs are, counted over all pairs of a query and a database row."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hashzoo.retrieval.backend import query_blocks, thread_count
from hashzoo.retrieval.devices import core_for
from hashzoo.retrieval.labels import Labels, checked_codes, excluded_rows


class PairDistances(NamedTuple):
    """Numbers of pairs at each Hamming distance, `(bits + 1,)` int64 each."""

    distance: NDArray[np.int64]
    similar: NDArray[np.int64]
    dissimilar: NDArray[np.int64]


def pair_distances(
    query: Any,
    query_labels: Any,
    database: Any,
    database_labels: Any,
    *,
    bits: int | None = None,
    exclude: Any = None,
    threads: int | None = None,
    device: Any = None,
) -> PairDistances:
    """Counts the pairs of a query and a database row by Hamming distance; exact, over all pairs.

    A pair is similar if both have the same class, or share at least one label. All arguments as `evaluate`.

    Raises:
        InvalidInput: bad codes or labels, two sides that do not fit, or an empty one.
    """
    workers = thread_count(threads)
    labels = Labels.of(query_labels, database_labels, workers)
    core = core_for(device, query, database)
    q, d, length = checked_codes(query, database, bits, labels, workers, core)
    excluded = excluded_rows(exclude, len(q), len(d))
    pairs, similar = np.zeros((2, length + 1), np.int64)
    for rows in query_blocks(q, d, length + 1, least=512):
        everything, relevant, _, _ = labels.count(q[rows], d, rows, length, len(d), workers, excluded, False, core)
        pairs += everything.sum(axis=0, dtype=np.int64)
        similar += relevant.sum(axis=0, dtype=np.int64)
    return PairDistances(np.arange(length + 1), similar, pairs - similar)
