"""NDCG, ACG and weighted average precision: how many labels the rows at the head of the ranking share."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import ClassVar, Literal

from hashzoo import retrieval
from hashzoo.evaluators.base import EVALUATORS, CodeSet, Evaluation, Evaluator
from hashzoo.settings import require


@EVALUATORS.register("graded_ranking")
class GradedRanking(Evaluator):
    """Ranking by Hamming distance, weighed by the number of labels shared with the query; exact, over all pairs.

    For data with several labels an image. With class ids a row shares one label or none: ACG is then precision, and WAP
    is average precision over the hits.
    """

    meanings: ClassVar = {
        "ndcg": "normalised discounted cumulative gain, mean over all orders of equal distances",
        "acg": "shared labels a place, mean over all orders",
        "wap": "mean ACG at the places of the rows that share a label, mean over all orders",
        "ndcg_stable": "ndcg with equal distances in database order",
        "acg_stable": "acg with equal distances in database order",
        "wap_stable": "wap with equal distances in database order",
    }

    @dataclass(frozen=True)
    class Config(Evaluator.Config):
        topk: int | None = None  # places that count; none is all
        gain: Literal["linear", "exponential"] = "linear"  # of r shared labels, in ndcg: r, or 2^r - 1

        def __post_init__(self) -> None:
            require(self.topk is None or self.topk >= 1, "topk", "at least 1, or none", self.topk)

    def evaluate(self, codes: CodeSet) -> Evaluation:
        m = retrieval.evaluate_graded(
            codes.query_codes,
            codes.query_labels,
            codes.database_codes,
            codes.database_labels,
            bits=codes.bits,
            threads=self.threads,
            exclude=codes.exclude,
            **asdict(self.config),
        )
        return Evaluation(metrics={name: getattr(m, name) for name in self.meanings}, definition=m.definition)
