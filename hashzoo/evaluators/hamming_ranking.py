"""Mean average precision and its companions, over the ranking by Hamming distance."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal

from hashzoo import retrieval
from hashzoo.evaluators.base import EVALUATORS, CodeSet, Evaluation, Evaluator
from hashzoo.retrieval.definitions import Rules
from hashzoo.settings import require

_PLACES = tuple(digit * 10**power for power in range(7) for digit in (1, 2, 5))
_REPORTED = (100, 1000)


@EVALUATORS.register("hamming_ranking")
class HammingRanking(Evaluator):
    """mAP under every order of ties, precision and recall by radius and by place; exact, over all pairs.

    Precision and recall in the first n places are given for n = 100 and 1000 where the database has as many rows.
    Curves: `precision_recall` by Hamming radius, `at_place` by the number of rows looked at.
    """

    meanings: ClassVar = {
        "map": "mean average precision, equal distances as `ties` says",
        "map_expected": "the same, mean over all orders of equal distances",
        "map_stable": "the same, equal distances in database order",
        "map_worst": "the same, equal distances in the worst order",
        "map_best": "the same, equal distances in the best order",
        "precision_radius2": "precision of the rows within Hamming distance 2; nothing there counts 0",
        **{f"precision_at_{n}": f"share of relevant rows in the first {n} places, over all orders" for n in _REPORTED},
        **{f"recall_at_{n}": f"share of all relevant rows in the first {n} places, over all orders" for n in _REPORTED},
    }

    @dataclass(frozen=True)
    class Config(Evaluator.Config):
        topk: int | None = None  # places that count for mAP; none is all
        ties: Literal["expected", "stable", "worst", "best"] | None = None  # order of equal distances; none is expected
        denominator: Literal["relevant", "hits"] | None = None  # all relevant rows (none too), or those in the top k
        empty: Literal["zero", "skip"] | None = None  # a query with nothing relevant; none is zero
        definition: Literal["deephash-pytorch", "fire", "hashnet", "pml"] | None = None  # what another code computes

        def __post_init__(self) -> None:
            require(self.topk is None or self.topk >= 1, "topk", "at least 1, or none", self.topk)
            self.rules()

        def rules(self) -> Rules:
            return Rules.of(self.definition, self.topk, self.ties, self.denominator, self.empty)

        def to_dict(self) -> dict[str, Any]:
            """The knobs as they are settled, so that a default and the same value given by hand are one."""
            knobs = self.rules().to_dict()
            return {name: value for name, value in knobs.items() if name != "definition_note"}

    def evaluate(self, codes: CodeSet) -> Evaluation:
        m = retrieval.evaluate(
            codes.query_codes,
            codes.query_labels,
            codes.database_codes,
            codes.database_labels,
            bits=codes.bits,
            threads=self.threads,
            exclude=codes.exclude,
            **asdict(self.config),
        )
        rows = len(codes.database_codes)
        metrics = {
            "map": m.map,
            "map_expected": m.map_expected,
            "map_stable": m.map_stable,
            "map_worst": m.map_worst,
            "map_best": m.map_best,
            "precision_radius2": m.precision_radius2,
        }
        for n in _REPORTED:
            if n <= rows:
                metrics |= {f"precision_at_{n}": m.precision_at(n), f"recall_at_{n}": m.recall_at(n)}
        places = [n for n in _PLACES if n < rows] + [rows]
        curves = {
            "precision_recall": {
                "radius": [float(radius) for radius in m.pr_curve.radius],
                "precision": m.pr_curve.precision.tolist(),
                "recall": m.pr_curve.recall.tolist(),
            },
            "at_place": {
                "n": [float(n) for n in places],
                "precision": [m.precision_at(n) for n in places],
                "recall": [m.recall_at(n) for n in places],
            },
        }
        return Evaluation(metrics=metrics, curves=curves, definition=m.definition)
