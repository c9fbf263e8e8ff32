"""How well the bits of a code are used."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from hashzoo import retrieval
from hashzoo.evaluators.base import EVALUATORS, CodeSet, Evaluation, Evaluator

_DEAD = 0.02  # a bit that is rarer than this, or its complement, tells next to nothing
_BLOCK = 8192


@EVALUATORS.register("bit_statistics")
class BitStatistics(Evaluator):
    """Balance and independence of the bits over the database, and how many codes differ."""

    meanings: ClassVar = {
        "bit_activity_min": "share of +1 of the bit that has the fewest",
        "bit_activity_max": "share of +1 of the bit that has the most",
        "bit_correlation": "mean absolute correlation of two bits, without bits that never change",
        "dead_bits": f"bits with a share of +1 outside {_DEAD} to {1 - _DEAD}",
        "distinct_codes": "different codes in the database",
    }

    def evaluate(self, codes: CodeSet) -> Evaluation:
        rows, bits = len(codes.database_codes), codes.bits
        ones = np.zeros(bits, np.int64)
        both = np.zeros((bits, bits), np.float64)
        for start in range(0, rows, _BLOCK):
            block = retrieval.unpack(codes.database_codes[start : start + _BLOCK], bits, threads=self.threads) > 0
            ones += block.sum(axis=0)
            as_float = block.astype(np.float32)  # counts up to 2**24 are exact
            both += as_float.T @ as_float
        activity = ones / rows
        metrics = {
            "bit_activity_min": float(activity.min()),
            "bit_activity_max": float(activity.max()),
            "bit_correlation": _mean_correlation(activity, both / rows),
            "dead_bits": float(((activity < _DEAD) | (activity > 1 - _DEAD)).sum()),
            "distinct_codes": float(len(np.unique(codes.database_codes, axis=0))),
        }
        return Evaluation(metrics=metrics, definition={"over": "database codes", "dead_outside": [_DEAD, 1 - _DEAD]})


def _mean_correlation(activity: np.ndarray, both: np.ndarray) -> float:
    """From the share of each bit `(K,)` and of each pair of bits `(K, K)`; 0 where fewer than two bits change."""
    deviation = np.sqrt(activity * (1 - activity))
    live = np.flatnonzero(deviation)
    if len(live) < 2:
        return 0.0
    covariance = (both - np.outer(activity, activity))[np.ix_(live, live)]
    correlation = np.abs(covariance / np.outer(deviation[live], deviation[live]))
    return float((correlation.sum() - np.trace(correlation)) / (len(live) * (len(live) - 1)))
