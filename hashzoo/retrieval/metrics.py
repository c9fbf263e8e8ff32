"""Retrieval measures from packed codes and labels, each with its definition. See docs/metrics.md."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashzoo.errors import InvalidInput
from hashzoo.retrieval.backend import query_blocks, thread_count
from hashzoo.retrieval.curves import Curves, PRCurve
from hashzoo.retrieval.definitions import SKIP_MISSED, TIES, Rules
from hashzoo.retrieval.devices import core_for
from hashzoo.retrieval.kept import Kept, mean_of_kept
from hashzoo.retrieval.labels import Labels, checked_codes, excluded_rows
from hashzoo.retrieval.ranking import whole_number
from hashzoo.retrieval.reference import ALL_BUT_LAST, AT_RELEVANT
from hashzoo.retrieval.ties import Floats, Groups, Integers, average_precision, ratio


@dataclass(frozen=True, eq=False)
class Metrics:
    """What `evaluate` returns. Means are over all queries, or over those with a relevant row if `empty` is "skip"."""

    map: float
    """Mean average precision under the chosen `ties`; one of the next four."""
    map_expected: float
    map_stable: float
    """NaN, and not in `to_dict()`, if it was left out."""
    map_worst: float
    map_best: float
    precision_radius2: float
    pr_curve: PRCurve
    average_precision: Floats
    """`(Q,)` under the chosen `ties`; NaN where a query is skipped."""
    expected_hits: Floats
    """`(N + 1,)` mean number of relevant rows in the first n places, over all orders of equal distances."""
    expected_recall: Floats
    """`(N + 1,)` the same, each query's divided by its relevant rows."""
    definition: dict[str, Any]

    def precision_at(self, n: int) -> float:
        """Expected share of relevant rows in the first n places (places beyond the database hold none)."""
        return float(self.expected_hits[self._place(n)]) / n

    def recall_at(self, n: int) -> float:
        """Expected share of a query's relevant rows that stand in the first n places."""
        return float(self.expected_recall[self._place(n)])

    def precision_within(self, radius: int) -> float:
        """Mean precision of the rows within a Hamming radius in bits; a query that retrieves nothing counts 0."""
        radius = whole_number(radius, "radius", 0)
        return float(self.pr_curve.precision[min(radius, len(self.pr_curve.precision) - 1)])

    def to_dict(self) -> dict[str, Any]:
        """All but the per-query and per-place arrays, in types that JSON has."""
        return {
            "map": self.map,
            "map_expected": self.map_expected,
            **({} if np.isnan(self.map_stable) else {"map_stable": self.map_stable}),
            "map_worst": self.map_worst,
            "map_best": self.map_best,
            "precision_radius2": self.precision_radius2,
            "pr_curve": {name: values.tolist() for name, values in self.pr_curve._asdict().items()},
            "definition": dict(self.definition),
        }

    def _place(self, n: int) -> int:
        return min(whole_number(n, "n", 1), len(self.expected_hits) - 1)


def evaluate(
    query: Any,
    query_labels: Any,
    database: Any,
    database_labels: Any,
    *,
    bits: int | None = None,
    topk: int | None = None,
    ties: str | None = None,
    denominator: str | None = None,
    empty: str | None = None,
    definition: str | None = None,
    exclude: Any = None,
    stable: bool = True,
    threads: int | None = None,
    device: Any = None,
) -> Metrics:
    """Ranks the database for every query by Hamming distance and measures the rankings; exact, nothing is sampled.

    A database row is relevant if it has the query's class, or at least one of its labels.

    Args:
        query: `(Q, W)` packed uint64, or `(Q, K)` codes as `pack` takes them.
        query_labels: class ids `(Q,)`, or multi-hot `(Q, C)` of 0/1, C from 1 to 4096.
        database: `(N, W)` or `(N, K)`.
        database_labels: `(N,)` or `(N, C)`, of the same kind.
        bits: code length K; needed if both sides are packed.
        topk: places that count for average precision; None is all.
        ties: which order of equal distances `Metrics.map` is for: "expected" (mean over all orders; the default),
            "stable" (database order), "worst" or "best". All four are computed.
        denominator: average precision divides by all "relevant" rows of the query (the default), or by the "hits" in
            the top k.
        empty: a query without any relevant row counts as "zero" (the default), or all means "skip" it.
        definition: another code's name for a setting of these knobs ("deephash-pytorch", "fire", "hashnet" or "pml",
            see docs/metrics.md); only `topk` may be given beside it, and to "pml" not even that.
        exclude: `(Q,)` integers: a database row that is not part of the query's database (the query itself, when a
            set is searched with itself), or -1.
        stable: False leaves `map_stable` out (NaN), which is several times faster.
        threads: default `HASHZOO_THREADS`, else every core of this process; results do not depend on it.
        device: as `retrieval.distances` takes it; results do not depend on it either.

    Raises:
        InvalidInput: anything that does not fit the above; an empty query or database; nothing left after "skip".
    """
    rules = Rules.of(definition, topk, ties, denominator, empty)
    if not stable and rules.ties == "stable":
        raise InvalidInput("stable: this ranking takes equal distances in stable order, so it cannot be left out")
    workers = thread_count(threads)
    labels = Labels.of(query_labels, database_labels, workers)
    core = core_for(device, query, database)
    q, d, length = checked_codes(query, database, bits, labels, workers, core)
    excluded = excluded_rows(exclude, len(q), len(d))
    places = rules.places(len(d))

    curves = Curves(len(d), length)
    precisions: dict[str, list[Floats]] = {name: [] for name in TIES}
    totals, found, chances, certain = [], [], [], []
    for rows in query_blocks(q, d, length + 1, least=512):
        everything, relevant, precision, hits = labels.count(
            q[rows], d, rows, length, places, workers, excluded, stable, core
        )
        groups = Groups.of(everything, relevant)
        total = relevant.sum(axis=1, dtype=np.int64)
        cut_off = _cut_off(places, everything, total)
        values = average_precision(groups, total, cut_off, rules.denominator)
        for order, of_order in zip(("expected", "worst", "best"), values, strict=True):
            precisions[order].append(of_order)
        if stable:
            precisions["stable"].append(ratio(precision, total if rules.denominator == "relevant" else hits))
        curves.add(everything, relevant, groups, int((total > 0).sum()) if rules.empty == "skip" else len(total))
        totals.append(total)
        found.append(hits)
        if rules.empty == SKIP_MISSED:
            kept = Kept.of(groups, len(total), places)
            chances.append(kept.chance)
            certain.append(kept.certain)

    has_relevant = np.concatenate(totals) > 0
    used = {"zero": np.ones(len(q), bool), "skip": has_relevant, SKIP_MISSED: np.concatenate(found) > 0}[rules.empty]
    if not used.any():
        lacking = "has a relevant row" if rules.empty == "skip" else f"has a hit in the first {places} places"
        raise InvalidInput(f"empty: {rules.empty!r} leaves none of the {len(q)} queries, for none {lacking}")
    by_query = {name: np.concatenate(parts) for name, parts in precisions.items() if parts}
    means = {name: float(values[used].mean()) for name, values in by_query.items()}
    if rules.empty == SKIP_MISSED:
        kept = Kept(np.concatenate(chances), np.concatenate(certain))
        extremes = (by_query["expected"], by_query["worst"], by_query["best"])
        means["expected"], means["worst"], means["best"] = mean_of_kept(extremes, kept, places)
    pr_curve = curves.by_radius()
    return Metrics(
        map=means[rules.ties],
        map_expected=means["expected"],
        map_stable=means.get("stable", float("nan")),
        map_worst=means["worst"],
        map_best=means["best"],
        precision_radius2=float(pr_curve.precision[min(2, length)]),
        pr_curve=pr_curve,
        average_precision=np.where(used, by_query[rules.ties], np.nan),
        expected_hits=curves.hits_by_place(),
        expected_recall=curves.recall_by_place(),
        definition={
            "metric": "mean average precision over the ranking by Hamming distance",
            **rules.to_dict(),
            "relevance": labels.relevance,
            "sign": "a bit is set iff the output is >= 0",
            "nothing_within_radius": "counts as precision 0",
            "bits": int(length),
            "queries": len(q),
            "empty_queries": len(q) - int(has_relevant.sum()),
            "database": len(d),
            **({} if excluded is None else {"excluded_rows": int((excluded >= 0).sum())}),
        },
    )


def _cut_off(places: int, everything: NDArray[np.uint32], relevant: Integers) -> int | Integers:
    if places == AT_RELEVANT:
        return relevant
    return everything.sum(axis=1, dtype=np.int64) - 1 if places == ALL_BUT_LAST else places
