"""Average precision over every order of equal distances, in closed form from two histograms a query.

A group is the `size` rows at one distance, `relevant` of them relevant, behind `before` nearer rows with `hits_before`
relevant ones. Only the order inside groups is open, so sums over a group need harmonic numbers H and nothing else
(derived in docs/metrics.md). The mean over random orders follows McSherry and Najork, "Computing information retrieval
performance measures efficiently in the presence of tied scores", ECIR 2008; the exact treatment of a cut group is ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Sums = NDArray[np.longdouble]
_CHUNK = 1 << 18  # most entries of a temporary


@dataclass(frozen=True)
class Groups:
    """The groups that hold a relevant row, of all queries in one list; the others add nothing. All arrays `(G,)`."""

    query: Integers
    size: Integers
    relevant: Integers
    before: Integers
    hits_before: Integers

    @classmethod
    def of(cls, everything: NDArray[Any], relevant: NDArray[Any]) -> Groups:
        """From `(Q, bits + 1)` rows and relevant rows at each distance."""
        query, distance = np.nonzero(relevant)
        size, hits = (counts[query, distance].astype(np.int64) for counts in (everything, relevant))
        size_to, hits_to = (counts.cumsum(axis=1, dtype=np.int64)[query, distance] for counts in (everything, relevant))
        return cls(query, size, hits, size_to - size, hits_to - hits)

    def take(self, chosen: NDArray[np.bool_]) -> Groups:
        parts = (self.query, self.size, self.relevant, self.before, self.hits_before)
        return Groups(*(part[chosen] for part in parts))


def average_precision(
    groups: Groups, total: Integers, topk: int | Integers, denominator: str
) -> tuple[Floats, Floats, Floats]:
    """Mean, least and greatest average precision at `topk` over all orders of equal distances.

    Args:
        groups: of Q queries.
        total: `(Q,)` relevant rows of each query.
        topk: places that count, for all queries or `(Q,)` for each.
        denominator: "relevant" divides by `total`, "hits" by the relevant rows in the first `topk` places.

    Returns:
        Three `(Q,)` arrays; 0 where the denominator is 0.
    """
    cut_off = np.broadcast_to(topk, len(total))
    groups = groups.take(groups.before < cut_off[groups.query])
    before, hits_before = groups.before, groups.hits_before
    harmonics = harmonic(int((before + groups.size).max(initial=0)))
    places = np.minimum(groups.size, cut_off[groups.query] - before)
    fewest = np.maximum(0, groups.relevant - (groups.size - places))  # relevant rows that the cut can leave in
    most = np.minimum(groups.relevant, places)
    sums = (
        random_order(harmonics, places, groups.size, groups.relevant, before, hits_before),
        _hits_last(harmonics, places, fewest, before, hits_before),
        _hits_first(harmonics, places, most, before, hits_before),
    )

    def by_query(values: NDArray[Any]) -> Floats:
        return np.bincount(groups.query, weights=values, minlength=len(total)).astype(np.float64, copy=False)

    if denominator == "relevant":
        mean, least, greatest = (ratio(by_query(part), total) for part in sums)
        return mean, least, greatest

    whole = places == groups.size
    hits = by_query(groups.relevant * whole)
    mean, least, greatest = (by_query(part * whole) for part in sums)
    cut = groups.take(~whole)  # at most one group a query
    results = _cut_by_hits(
        harmonics, cut, cut_off[cut.query], *(part[cut.query] for part in (hits, mean, least, greatest))
    )
    for values, result in zip((mean, least, greatest), results, strict=True):
        values[:] = ratio(values, hits)
        values[cut.query] = result
    return mean, least, greatest


def ratio(numerator: NDArray[Any], denominator: NDArray[Any]) -> Floats:
    """The quotient; 0 where the denominator is 0."""
    result: Floats = np.zeros(np.broadcast_shapes(np.shape(numerator), np.shape(denominator)))
    np.divide(numerator, denominator, out=result, where=denominator != 0)
    return result


@lru_cache(maxsize=4)
def harmonic(n: int) -> Sums:
    """1 + 1/2 + ... + 1/x for x from 0 to n; in long double.

    Late places take the difference of two of them times their number, which costs the digits that float64 has not.
    """
    terms = np.arange(1, n + 1, dtype=np.longdouble)
    return np.concatenate([np.zeros(1, np.longdouble), np.cumsum(1 / terms)])


def random_order(harmonics: Sums, places: Any, size: Any, hits: Any, before: Any, hits_before: Any) -> Floats:
    """Mean over all orders of the sum, over relevant rows in the first `places` of a group, of hits / place."""
    slope = (hits - 1) / np.maximum(size - 1, 1)
    reciprocals = harmonics[before + places] - harmonics[before]
    result: Sums = hits / size * (slope * places + (hits_before + 1 - slope * (before + 1)) * reciprocals)
    return result.astype(np.float64)


def _hits_first(harmonics: Sums, places: Any, hits: Any, before: Any, hits_before: Any) -> Floats:
    """The same sum with `hits` relevant rows at the head of `places`: no order gives more."""
    result: Sums = hits + (hits_before - before) * (harmonics[before + hits] - harmonics[before])
    return result.astype(np.float64)


def _hits_last(harmonics: Sums, places: Any, hits: Any, before: Any, hits_before: Any) -> Floats:
    """The same sum with `hits` relevant rows at the end of `places`: no order gives less."""
    misses = before + places - hits
    result: Sums = hits + (hits_before - misses) * (harmonics[before + places] - harmonics[misses])
    return result.astype(np.float64)


def _cut_by_hits(
    harmonics: Sums, cut: Groups, topk: Integers, hits: Floats, mean: Floats, least: Floats, greatest: Floats
) -> tuple[Floats, Floats, Floats]:
    """Average precision over hits where `topk` falls inside a group: each possible number of hits in turn.

    The relevant rows that the cut leaves in follow the hypergeometric law, and they are in the denominator too: neither
    the mean nor the extremes can be had from the mean or the extremes of the sum alone. `hits`, `mean`, `least` and
    `greatest` `(G,)` come from the whole groups before each cut one.
    """
    result = np.empty((3, len(topk)))
    for part, places, inside, chance in possible_hits(cut, topk):
        before, hits_before = cut.before[part, None], cut.hits_before[part, None]
        found = hits[part, None] + inside
        by_chance = mean[part, None] + random_order(harmonics, places, places, inside, before, hits_before)
        result[0, part] = (chance * ratio(by_chance, found)).sum(axis=1)
        last = least[part, None] + _hits_last(harmonics, places, inside, before, hits_before)
        result[1, part] = ratio(last, found).min(axis=1)
        first = greatest[part, None] + _hits_first(harmonics, places, inside, before, hits_before)
        result[2, part] = ratio(first, found).max(axis=1)
    return result[0], result[1], result[2]


def possible_hits(cut: Groups, topk: Integers) -> Iterator[tuple[slice, Integers, Integers, Floats]]:
    """What `topk` can leave of the relevant rows of groups that it cuts, a bounded number of groups at a time.

    Yields:
        The groups; `(g, 1)` places of each within `topk`; `(g, width)` numbers of relevant rows in them; their chances.
        Rows are padded with their greatest number at chance 0.
    """
    places = topk - cut.before
    fewest = np.maximum(0, cut.relevant - (cut.size - places))
    most = np.minimum(cut.relevant, places)
    width = int((most - fewest).max(initial=0)) + 1
    for start in range(0, len(places), max(1, _CHUNK // width)):
        part = slice(start, start + max(1, _CHUNK // width))
        inside = fewest[part, None] + np.arange(width)
        chance = _hypergeometric(inside, places[part, None], cut.relevant[part, None], cut.size[part, None])
        yield part, places[part, None], np.minimum(inside, most[part, None]), chance


def _hypergeometric(inside: Integers, places: Integers, relevant: Integers, size: Integers) -> Floats:
    """Chance of `inside` (consecutive along axis 1, from the least possible) of `relevant` in `places` of `size`.

    From the ratio of neighbours, in logarithms: factorials would overflow or lose digits.
    """
    left = inside[:, :-1]
    up = np.maximum((relevant - left) * (places - left), 0)
    down = (left + 1) * (size - relevant - places + left + 1)
    with np.errstate(divide="ignore"):
        steps = np.log(up / down)
    logs = np.concatenate([np.zeros((len(inside), 1)), steps.cumsum(axis=1)], axis=1)
    chances = np.exp(logs - logs.max(axis=1, keepdims=True))
    result: Floats = chances / chances.sum(axis=1, keepdims=True)
    return result
