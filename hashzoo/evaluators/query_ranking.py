"""Mean average precision of the queries ranked against themselves, as part of the field measures it."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from hashzoo.evaluators.base import EVALUATORS, CodeSet, Evaluation
from hashzoo.evaluators.hamming_ranking import HammingRanking


@EVALUATORS.register("query_ranking")
class QueryRanking(HammingRanking):
    """mAP over the queries alone, in the place of the database; no image that was trained on is among the answers.

    From the same codes as `hamming_ranking` and with the same knobs. It finds nothing where the queries are the
    database already.
    """

    meanings: ClassVar = {
        "map_among_queries": "mean average precision of the queries ranked against all queries, each itself included",
        "map_among_other_queries": "the same, each query left out of its own ranking",
    }

    def evaluate(self, codes: CodeSet) -> Evaluation:
        if np.array_equal(codes.query_codes, codes.database_codes):  # they are the database
            return Evaluation(metrics={}, definition={})
        among = replace(codes, database_codes=codes.query_codes, database_labels=codes.query_labels, exclude=None)
        every = super().evaluate(among)
        others = super().evaluate(replace(among, exclude=np.arange(len(codes.query_codes))))
        metrics = {
            "map_among_queries": every.metrics["map"],
            "map_among_other_queries": others.metrics["map"],
        }
        return Evaluation(metrics=metrics, definition=every.definition)
