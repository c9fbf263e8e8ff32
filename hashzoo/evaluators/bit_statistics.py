"""How well the bits of a code are used."""

from __future__ import annotations

from dataclasses import dataclass
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
        use = bit_use(codes, threads=self.threads)
        activity = use.activity
        metrics = {
            "bit_activity_min": float(activity.min()),
            "bit_activity_max": float(activity.max()),
            "bit_correlation": use.mean_correlation(),
            "dead_bits": float(((activity < _DEAD) | (activity > 1 - _DEAD)).sum()),
            "distinct_codes": float(len(np.unique(codes.database_codes, axis=0))),
        }
        return Evaluation(metrics=metrics, definition={"over": "database codes", "dead_outside": [_DEAD, 1 - _DEAD]})


@dataclass(frozen=True)
class BitUse:
    """The bits of the database codes, one by one and two by two."""

    activity: np.ndarray  # (K,) share of +1
    correlation: np.ndarray  # (K, K); 0 with a bit that never changes

    def mean_correlation(self) -> float:
        """Mean absolute correlation of two bits that change; 0 where fewer than two do."""
        live = np.flatnonzero(self.activity * (1 - self.activity))
        if len(live) < 2:
            return 0.0
        correlation = np.abs(self.correlation[np.ix_(live, live)])
        return float((correlation.sum() - np.trace(correlation)) / (len(live) * (len(live) - 1)))


def bit_use(codes: CodeSet, *, threads: int | None = None) -> BitUse:
    """Share of +1 of each bit and the correlation of each two, over the database codes."""
    rows, bits = len(codes.database_codes), codes.bits
    ones = np.zeros(bits, np.int64)
    both = np.zeros((bits, bits), np.float64)
    for start in range(0, rows, _BLOCK):
        block = retrieval.unpack(codes.database_codes[start : start + _BLOCK], bits, threads=threads) > 0
        ones += block.sum(axis=0)
        as_float = block.astype(np.float32)  # counts up to 2**24 are exact
        both += as_float.T @ as_float
    activity = ones / rows
    deviation = np.sqrt(activity * (1 - activity))
    scale = np.outer(deviation, deviation)
    covariance = both / rows - np.outer(activity, activity)
    correlation = np.divide(covariance, scale, out=np.zeros_like(scale), where=scale > 0)
    return BitUse(activity, correlation)
