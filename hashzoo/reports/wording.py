"""What captions say in words: definitions of measures, and how and where records were made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    """What a record was made on: processor or GPU, threads, precision, and whether its network was compiled."""
    environment = record["environment"]
    threads = environment.get("threads")
    words = f"{environment.get('device')}, {threads} thread{'' if threads == 1 else 's'}, {record.get('precision')}"
    return f"{words}, compiled" if environment.get("compiled") else words


def labels_held(multi_label: bool | None) -> str:
    """How many labels an image of a dataset has; None is one or several, as the files say."""
    return "one or several" if multi_label is None else "several" if multi_label else "one"


def training_in_words(record: Mapping[str, Any]) -> str:
    """ "preset fast, 3 epochs, lr=0.1": the preset, how long a network trained, and what was set otherwise."""
    epochs, budget = record["config"].get("epochs"), record.get("budget")
    parts = [f"preset {record['preset']}" if record.get("preset") else "no preset"]
    if epochs is not None:
        time = f" in {budget['seconds']:g} s" if budget else ""
        parts.append(f"{epochs} epoch{'' if epochs == 1 else 's'}{time}")
    changes = record.get("preset_changes") or {}
    return ", ".join([*parts, *(f"{key}={typed(value)}" for key, value in changes.items() if key != "epochs")])


def made_in_words(records: Sequence[Mapping[str, Any]]) -> str:
    """Dates and machines."""
    dates = sorted({str(record["created"])[:10] for record in records if record.get("created")})
    when = f" on {dates[0]}{f' to {dates[-1]}' if len(dates) > 1 else ''}" if dates else ""
    return f"run{when} on {'; '.join(dict.fromkeys(map(machine, records)))}"


def few_seeds(found: int, asked: int) -> str:
    """ " (2 of 3 seeds)", or nothing if there are all."""
    return f" ({found} of {asked} seeds)" if found < asked else ""


def typed(value: Any) -> str:
    """A setting as one would type it."""
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
