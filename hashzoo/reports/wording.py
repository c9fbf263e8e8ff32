"""Definitions of measures in words, for captions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_TIES = {
    "expected": "mean over all orders of equal distances",
    "stable": "equal distances in database order",
    "worst": "equal distances in the worst order",
    "best": "equal distances in the best order",
}
_DENOMINATORS = {"relevant": "divided by all relevant", "hits": "divided by the hits in the ranks that count"}
_EMPTY = {"zero": "a query with nothing relevant counts 0", "skip": "queries with nothing relevant left out"}


def map_name(definition: Mapping[str, Any]) -> str:
    """mAP@all or mAP@5000."""
    topk = definition.get("topk")
    return f"mAP@{'all' if topk is None else topk}"


def map_in_words(definition: Mapping[str, Any]) -> str:
    """Every knob of a mean average precision, in one sentence."""
    parts = (
        _TIES.get(str(definition.get("ties")), str(definition.get("ties"))),
        _DENOMINATORS.get(str(definition.get("denominator")), str(definition.get("denominator"))),
        _EMPTY.get(str(definition.get("empty")), str(definition.get("empty"))),
        f"relevant: {definition.get('relevance')}",
    )
    return f"{map_name(definition)} by Hamming distance ({'; '.join(parts)})"
