"""Means over queries of precision and recall, by Hamming radius and by place, gathered block by block."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hashzoo.retrieval.ties import Floats, Groups, ratio


class PRCurve(NamedTuple):
    """Mean precision and recall of the rows within each Hamming radius, `(bits + 1,)` each.

    A query that retrieves nothing within a radius counts as precision 0 there.
    """

    radius: NDArray[np.int64]
    precision: Floats
    recall: Floats


class Curves:
    """Sums over the queries that were added; a mean divides by their number."""

    def __init__(self, rows: int, bits: int) -> None:
        self.queries = 0
        self._precision = np.zeros(bits + 1)
        self._recall = np.zeros(bits + 1)
        # A group spreads its relevant rows evenly over its places: the mean number a place changes where groups start
        # and end, so sums of changes are enough for every cut-off at once.
        self._hits_change = np.zeros(rows + 1)
        self._recall_change = np.zeros(rows + 1)

    def add(self, everything: NDArray[np.uint32], relevant: NDArray[np.uint32], groups: Groups, queries: int) -> None:
        """Adds `queries` queries by their `(Q, bits + 1)` histograms; further rows must have nothing relevant."""
        self.queries += queries
        total = relevant.sum(axis=1, dtype=np.int64)
        found = relevant.cumsum(axis=1, dtype=np.int64)
        self._precision += ratio(found, everything.cumsum(axis=1, dtype=np.int64)).sum(axis=0)
        self._recall += ratio(found, total[:, None]).sum(axis=0)
        a_place = groups.relevant / groups.size
        for change, weights in (
            (self._hits_change, a_place),
            (self._recall_change, a_place / total[groups.query]),
        ):
            change += np.bincount(groups.before, weights, len(change))
            change -= np.bincount(groups.before + groups.size, weights, len(change))

    def by_radius(self) -> PRCurve:
        radius = np.arange(len(self._precision))
        return PRCurve(radius, self._precision / self.queries, self._recall / self.queries)

    def hits_by_place(self) -> Floats:
        """`(rows + 1,)` mean number of relevant rows in the first n places."""
        return np.minimum(self._by_place(self._hits_change), np.arange(len(self._hits_change)))

    def recall_by_place(self) -> Floats:
        """`(rows + 1,)` mean share of a query's relevant rows in the first n places."""
        return np.minimum(self._by_place(self._recall_change), 1)

    def _by_place(self, change: Floats) -> Floats:
        a_place = change.cumsum()[:-1]
        return np.concatenate([[0], a_place.cumsum()]) / self.queries
