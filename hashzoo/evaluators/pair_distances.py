"""How well Hamming distance tells similar pairs from dissimilar ones."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from hashzoo import retrieval
from hashzoo.evaluators.base import EVALUATORS, CodeSet, Evaluation, Evaluator


@EVALUATORS.register("pair_distances")
class PairDistances(Evaluator):
    """Distances of similar and dissimilar pairs of a query and a database row; exact, over all pairs.

    Curve: `pair_distances`, the number of pairs of either kind at each distance.
    """

    meanings: ClassVar = {
        "similar_pairs": "pairs of a query and a relevant row",
        "dissimilar_pairs": "pairs of a query and another row",
        "similar_mean": "their mean distance in bits; 0 where there are none",
        "dissimilar_mean": "that of the others",
        "overlap": "share of their distributions over distances that both have: 0 is apart, 1 is alike",
    }

    def evaluate(self, codes: CodeSet) -> Evaluation:
        distance, similar, dissimilar = retrieval.pair_distances(
            codes.query_codes,
            codes.query_labels,
            codes.database_codes,
            codes.database_labels,
            bits=codes.bits,
            exclude=codes.exclude,
            threads=self.threads,
        )
        shares = [counts / max(1, counts.sum()) for counts in (similar, dissimilar)]
        return Evaluation(
            metrics={
                "similar_pairs": float(similar.sum()),
                "dissimilar_pairs": float(dissimilar.sum()),
                "similar_mean": float(shares[0] @ distance),
                "dissimilar_mean": float(shares[1] @ distance),
                "overlap": float(np.minimum(*shares).sum()),
            },
            curves={
                "pair_distances": {
                    "distance": distance.tolist(),
                    "similar": similar.tolist(),
                    "dissimilar": dissimilar.tolist(),
                }
            },
            definition={
                "pairs": "every query with every database row",
                "similar": "same class id" if codes.query_labels.ndim == 1 else "at least one shared label",
                "queries": len(codes.query_codes),
                "database": len(codes.database_codes),
                "excluded_rows": 0 if codes.exclude is None else int((codes.exclude >= 0).sum()),
            },
        )
