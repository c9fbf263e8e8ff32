"""The mean over only those queries that have a hit in the first places, where ties decide which ones have.

Then the number of queries that the mean divides by is open too: the mean over all orders is not the mean of means.
Derived in docs/metrics.md; tested against every joint order of several queries.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hashzoo.retrieval.ties import Floats, Groups, ratio


class Kept(NamedTuple):
    """Whether each query has a relevant row in the first places, `(Q,)` each."""

    chance: Floats  # over all orders of equal distances
    certain: NDArray[np.bool_]  # under every order

    @classmethod
    def of(cls, groups: Groups, queries: int, topk: int) -> Kept:
        first = groups.take((groups.before < topk) & (groups.hits_before == 0))  # at most one group a query
        places = np.minimum(first.size, topk - first.before)
        fewer, more = np.minimum(places, first.relevant), np.maximum(places, first.relevant)
        none = np.ones(len(places))
        for i in range(int(fewer.max(initial=0))):  # a row after the other escapes the first places
            escape = ratio(first.size - more - i, first.size - i)
            none *= np.where(i < fewer, escape.clip(0), 1)
        chance, certain = np.zeros(queries), np.zeros(queries, bool)
        chance[first.query] = 1 - none
        certain[first.query] = first.relevant > first.size - places
        return cls(chance, certain)


def mean_of_kept(values: tuple[Floats, Floats, Floats], kept: Kept, topk: int) -> tuple[float, float, float]:
    """Mean, least and greatest, over all joint orders, of the mean average precision of the queries with a hit.

    Orders that leave no query are left out; some order must leave one.

    Args:
        values: mean, least and greatest average precision of each query over its hits, `(Q,)` each, 0 without a hit.
        kept: of the same queries.
        topk: the places that `kept` is about.
    """
    expected, least, greatest = values
    open_ = ~kept.certain & (kept.chance > 0)
    certain = int(kept.certain.sum())

    # chances[c], sums[c]: the chance that c of the open queries stay, and the mean sum of values then, times it.
    chances, sums = np.ones(1), np.array([expected[kept.certain].sum()])
    for stays, value in zip(kept.chance[open_], expected[open_], strict=True):
        sums = _shifted(sums, stays) + np.append(0, chances * value)
        chances = _shifted(chances, stays)
    count = certain + np.arange(len(chances))
    some = count > 0
    mean = float((sums[some] / count[some]).sum() / chances[some].sum())

    # No average precision over hits is below 1 / topk, and a lone hit in the last place has it: the more, the worse.
    worst = (least[kept.certain].sum() + open_.sum() / topk) / (certain + open_.sum())
    sums = greatest[kept.certain].sum() + np.append(0, np.sort(greatest[open_])[::-1].cumsum())
    best = (sums[some] / count[some]).max()
    return mean, float(worst), float(best)


def _shifted(values: Floats, stays: float) -> Floats:
    result: Floats = np.append(values * (1 - stays), 0) + np.append(0, values * stays)
    return result
