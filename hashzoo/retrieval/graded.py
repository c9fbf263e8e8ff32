"""Measures of graded relevance: how many labels a row shares with the query. Derived in docs/metrics.md."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashzoo.errors import InvalidInput
from hashzoo.retrieval.backend import query_blocks, thread_count
from hashzoo.retrieval.devices import core_for
from hashzoo.retrieval.labels import Labels, checked_codes, excluded_rows
from hashzoo.retrieval.reference import GradedCounts
from hashzoo.retrieval.ties import Floats, Groups, Integers, harmonic, possible_hits, random_order, ratio

GAINS = ("linear", "exponential")
_MOST_EXPONENTIAL = 512  # labels of a query: twice as many would leave the range of a double
_NAMES = ("ndcg", "acg", "wap")


@dataclass(frozen=True, eq=False)
class GradedMetrics:
    """What `evaluate_graded` returns: means over all queries; one that shares no label with any row counts 0."""

    ndcg: float
    """Normalised discounted cumulative gain, mean over all orders of equal distances; so are the next two."""
    acg: float
    """Average cumulative gain: shared labels a place. With class ids this is precision."""
    wap: float
    """Weighted average precision: the mean of ACG at the places of the rows that share a label."""
    ndcg_stable: float
    """The same three with equal distances in database order."""
    acg_stable: float
    wap_stable: float
    query_ndcg: Floats
    """`(Q,)` of each query, mean over all orders; so are the next two."""
    query_acg: Floats
    query_wap: Floats
    definition: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """All but the arrays, in types that JSON has."""
        numbers = [f"{name}{order}" for order in ("", "_stable") for name in _NAMES]
        return {**{name: getattr(self, name) for name in numbers}, "definition": dict(self.definition)}


def evaluate_graded(
    query: Any,
    query_labels: Any,
    database: Any,
    database_labels: Any,
    *,
    bits: int | None = None,
    topk: int | None = None,
    gain: str = "linear",
    exclude: Any = None,
    threads: int | None = None,
    device: Any = None,
) -> GradedMetrics:
    """Ranks the database for every query by Hamming distance and weighs each row by the labels it shares; exact.

    Args:
        query: `(Q, W)` packed uint64, or `(Q, K)` codes as `pack` takes them.
        query_labels: class ids `(Q,)`, which share one label or none, or multi-hot `(Q, C)` of 0/1, C from 1 to 4096.
        database: `(N, W)` or `(N, K)`.
        database_labels: `(N,)` or `(N, C)`, of the same kind.
        bits: code length K; needed if both sides are packed.
        topk: places that count; None is all. Places beyond the database hold nothing.
        gain: of a row that shares r labels, for NDCG: "linear" r, or "exponential" 2^r - 1.
        exclude: `(Q,)` integers: a database row that is not part of the query's database (the query itself, when a
            set is searched with itself), or -1.
        threads: default `HASHZOO_THREADS`, else every core of this process; results do not depend on it.
        device: as `retrieval.distances` takes it; results do not depend on it either.

    Raises:
        InvalidInput: anything that does not fit the above; an empty query or database; an exponential gain for a query
            of more than 512 labels.
    """
    if gain not in GAINS:
        raise InvalidInput(f"gain: expected one of {', '.join(GAINS)}, got {gain!r}")
    if topk is not None and (isinstance(topk, bool) or not isinstance(topk, (int, np.integer)) or topk < 1):
        raise InvalidInput(f"topk: expected a whole number from 1 or None, got {topk!r}")
    workers = thread_count(threads)
    labels = Labels.of(query_labels, database_labels, workers)
    core = core_for(device, query, database)
    q, d, length = checked_codes(query, database, bits, labels, workers, core)
    excluded = excluded_rows(exclude, len(q), len(d))
    most = labels.most()
    if gain == "exponential" and most > _MOST_EXPONENTIAL:
        raise InvalidInput(f"gain: 'exponential' takes at most {_MOST_EXPONENTIAL} labels a query, got {most}")

    level = np.arange(most + 1)
    gains = np.exp2(level) - 1 if gain == "exponential" else level.astype(np.float64)
    cut = _CutOff.of(topk, len(d))
    parts = []
    for rows in query_blocks(q, d, (length + 1) * len(gains)):
        counts = labels.count_graded(q[rows], d, rows, length, gains, cut.discount, workers, excluded, core)
        parts.append(_measured(counts, gains, cut))
    *values, relevant = (np.concatenate(part) for part in zip(*parts, strict=True))
    ndcg, acg, wap, ndcg_stable, acg_stable, wap_stable = (float(value.mean()) for value in values)
    return GradedMetrics(
        ndcg=ndcg,
        acg=acg,
        wap=wap,
        ndcg_stable=ndcg_stable,
        acg_stable=acg_stable,
        wap_stable=wap_stable,
        query_ndcg=values[0],
        query_acg=values[1],
        query_wap=values[2],
        definition={
            "metric": "NDCG, ACG and weighted average precision over the ranking by Hamming distance",
            "topk": None if topk is None else int(topk),
            "gain": gain,
            "discount": "1 / log2(1 + place)",
            "ties": "expected; *_stable: database order",
            "relevance": "number of shared labels" if labels.query.ndim == 2 else "1 for the same class id",
            "wap_denominator": "hits in the top k",
            "empty": "zero",
            "sign": "a bit is set iff the output is >= 0",
            "bits": int(length),
            "queries": len(q),
            "empty_queries": int((relevant == 0).sum()),
            "database": len(d),
            **({} if excluded is None else {"excluded_rows": int((excluded >= 0).sum())}),
        },
    )


@dataclass(frozen=True)
class _CutOff:
    places: int  # of the ranking, at most the database's rows
    divisor: int | None  # of ACG; None is all rows of the query's database
    discount: Floats  # (places,)
    discount_to: Floats  # (places + 1,) sums over the first places

    @classmethod
    def of(cls, topk: int | None, rows: int) -> _CutOff:
        places = rows if topk is None else min(int(topk), rows)
        discount = 1 / np.log2(np.arange(2, places + 2))
        return cls(places, None if topk is None else int(topk), discount, np.append(0, discount.cumsum()))

    def discounts(self, before: Integers, size: Integers) -> Floats:
        """Sum of the discounts of `size` places behind `before` others."""
        after = np.minimum(before + size, self.places)
        result: Floats = self.discount_to[after] - self.discount_to[np.minimum(before, self.places)]
        return result


def _measured(counts: GradedCounts, gains: Floats, cut: _CutOff) -> tuple[NDArray[Any], ...]:
    """`(Q,)` each: NDCG, ACG and WAP, expected, then in database order; and how many rows share a label."""
    rows, stable_gain, stable_weighted, stable_shared, stable_hits = counts
    size, gained = rows.sum(axis=2, dtype=np.int64), rows @ gains
    shared = (rows @ np.arange(len(gains), dtype=np.float64)).astype(np.int64)
    before = size.cumsum(axis=1) - size
    divisor = size.sum(axis=1) if cut.divisor is None else np.float64(cut.divisor)
    within = np.minimum(before + size, cut.places) - np.minimum(before, cut.places)

    levels = rows.sum(axis=1, dtype=np.int64)[:, ::-1]  # the ideal ranking: the greatest gain first
    ideal = (gains[::-1] * cut.discounts(levels.cumsum(axis=1) - levels, levels)).sum(axis=1)
    return (
        ratio((ratio(gained, size) * cut.discounts(before, size)).sum(axis=1), ideal),
        ratio((ratio(shared, size) * within).sum(axis=1), divisor),
        _weighted_precision(size, size - rows[:, :, 0], shared, cut.places),
        ratio(stable_gain, ideal),
        ratio(stable_shared, divisor),
        ratio(stable_weighted, stable_hits),
        levels[:, :-1].sum(axis=1),
    )


def _weighted_precision(size: Integers, relevant: Integers, shared: Integers, topk: int) -> Floats:
    """`(Q,)` expected weighted average precision from `(Q, bits + 1)` rows, relevant rows and labels they share.

    A relevant row of a group shares `worth` labels on average, whichever place it has: so a group gives what it gives
    to average precision with its rows counted in units of `worth`.
    """
    groups = Groups.of(size, relevant)
    inside = groups.before < topk
    groups = groups.take(inside)
    of_group, to_group = (values[relevant > 0][inside] for values in (shared, shared.cumsum(axis=1) - shared))
    worth = of_group / groups.relevant
    found_before = to_group / worth
    harmonics = harmonic(int((groups.before + groups.size).max(initial=0)))
    places = np.minimum(groups.size, topk - groups.before)
    sums = worth * random_order(harmonics, places, groups.size, groups.relevant, groups.before, found_before)
    whole = places == groups.size
    hits = np.bincount(groups.query, groups.relevant * whole, minlength=len(size))
    total = np.bincount(groups.query, sums * whole, minlength=len(size))
    result = ratio(total, hits)

    cut = groups.take(~whole)  # at most one group a query; its hits are in the denominator too
    worth, found_before = worth[~whole, None], found_before[~whole, None]
    for part, in_cut, found, chance in possible_hits(cut, np.full(len(cut.query), topk)):
        query, behind = cut.query[part], cut.before[part, None]
        of_cut = worth[part] * random_order(harmonics, in_cut, in_cut, found, behind, found_before[part])
        result[query] = (chance * ratio(total[query, None] + of_cut, hits[query, None] + found)).sum(axis=1)
    return result
