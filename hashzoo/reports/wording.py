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
_EMPTY = {
    "zero": "a query with nothing relevant counts 0",
    "skip": "queries with nothing relevant left out",
    "skip_missed": "queries without a hit in the ranks that count left out",
}
_CUT = {"pml": "each query cut at its number of relevant rows"}
_CUT_WITHOUT_TOPK = {"deephash-pytorch": "the last rank does not count"}


def map_name(definition: Mapping[str, Any]) -> str:
    """mAP@all, mAP@5000, or mAP@R where each query has a cut-off of its own."""
    if definition.get("definition") in _CUT:
        return "mAP@R"
    topk = definition.get("topk")
    return f"mAP@{'all' if topk is None else topk}"


def map_in_words(definition: Mapping[str, Any]) -> str:
    """Every knob of a mean average precision, in one sentence."""
    name = str(definition.get("definition"))
    cut = _CUT.get(name) or (_CUT_WITHOUT_TOPK.get(name) if definition.get("topk") is None else None)
    parts = (
        *([cut] if cut else []),
        *(["a query is not among its own answers"] if definition.get("excluded_rows") else []),
        _TIES.get(str(definition.get("ties")), str(definition.get("ties"))),
        _DENOMINATORS.get(str(definition.get("denominator")), str(definition.get("denominator"))),
        _EMPTY.get(str(definition.get("empty")), str(definition.get("empty"))),
        f"relevant: {definition.get('relevance')}",
    )
    return f"{map_name(definition)} by Hamming distance ({'; '.join(parts)})"


def machine(record: Mapping[str, Any]) -> str:
    """What a record was made on: processor or GPU, threads, precision."""
    environment = record["environment"]
    threads = environment.get("threads")
    return f"{environment.get('device')}, {threads} thread{'' if threads == 1 else 's'}, {record.get('precision')}"


def labels_held(multi_label: bool | None) -> str:
    """How many labels an image of a dataset has; None is one or several, as the files say."""
    return "one or several" if multi_label is None else "several" if multi_label else "one"
