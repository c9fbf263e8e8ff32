"""The knobs of mean average precision, and the names under which other code has set them. See docs/metrics.md."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hashzoo.errors import InvalidInput
from hashzoo.retrieval.reference import ALL_BUT_LAST, AT_RELEVANT

TIES = ("expected", "stable", "worst", "best")
DENOMINATORS = ("relevant", "hits")
EMPTY = ("zero", "skip")
SKIP_MISSED = "skip_missed"
_DEFAULTS = {"ties": "expected", "denominator": "relevant", "empty": "zero"}


@dataclass(frozen=True)
class Legacy:
    """How a paper's code computes the number that it calls mean average precision."""

    denominator: str
    empty: str
    note: str  # what is not as in that code, or not as one would guess
    drops_last: bool = False  # without a cut-off
    at_relevant: bool = False  # each query is cut at its own number of relevant rows


LEGACY = {
    "deephash-pytorch": Legacy(
        "hits",
        "zero",
        "without a cut-off the last row of the ranking does not count; its unstable sort is replaced by a stable one",
        drops_last=True,
    ),
    "fire": Legacy("hits", "zero", "its top-k search leaves the order of equal distances open; here it is stable"),
    "hashnet": Legacy(
        "hits",
        SKIP_MISSED,
        "a query without a hit in the top k is left out; its unstable sort is replaced by a stable one",
    ),
    "pml": Legacy(
        "relevant",
        "skip",
        "MAP@R: each query is cut at its number of relevant rows; its search leaves the order of equal distances open, "
        "here it is stable",
        at_relevant=True,
    ),
}


@dataclass(frozen=True)
class Rules:
    """Every choice that mean average precision depends on, settled."""

    topk: int | None
    ties: str
    denominator: str
    empty: str
    definition: str | None

    @classmethod
    def of(
        cls, definition: str | None, topk: int | None, ties: str | None, denominator: str | None, empty: str | None
    ) -> Rules:
        """From what was given, None being what was not.

        Raises:
            InvalidInput: an unknown word, or a knob that contradicts the definition.
        """
        if definition is not None and definition not in tuple(LEGACY):  # a list is not hashable
            raise InvalidInput(f"definition: expected one of {', '.join(LEGACY)}, or None, got {definition!r}")
        known = {"ties": TIES, "denominator": DENOMINATORS, "empty": EMPTY}
        given = {"ties": ties, "denominator": denominator, "empty": empty}
        for name, value in given.items():
            if value is not None and value not in known[name]:
                raise InvalidInput(f"{name}: expected one of {', '.join(known[name])}, got {value!r}")
        if topk is not None and (isinstance(topk, bool) or not isinstance(topk, (int, np.integer)) or topk < 1):
            raise InvalidInput(f"topk: expected a whole number from 1 or None, got {topk!r}")
        settled = dict(_DEFAULTS)
        if definition is not None:
            legacy = LEGACY[definition]
            settled = {"ties": "stable", "denominator": legacy.denominator, "empty": legacy.empty}
            for name, value in given.items():
                if value not in (None, settled[name]):
                    raise InvalidInput(
                        f"{name}: the definition {definition!r} sets it to {settled[name]!r}, got {value!r}"
                    )
            if legacy.at_relevant and topk is not None:
                raise InvalidInput(
                    f"topk: the definition {definition!r} cuts each query at its number of relevant rows, got {topk}"
                )
        settled |= {name: value for name, value in given.items() if value is not None}
        return cls(topk=None if topk is None else int(topk), definition=definition, **settled)

    def places(self, rows: int) -> int:
        """How many places of a ranking of `rows` count; or AT_RELEVANT or ALL_BUT_LAST, which depend on the query."""
        legacy = LEGACY.get(self.definition or "")
        if legacy and legacy.at_relevant:
            return AT_RELEVANT
        if self.topk is None:
            return ALL_BUT_LAST if legacy and legacy.drops_last else rows
        return min(self.topk, rows)

    def to_dict(self) -> dict[str, Any]:
        """For a result; the name and its note only where there is one."""
        knobs = {"topk": self.topk, "ties": self.ties, "denominator": self.denominator, "empty": self.empty}
        if self.definition is None:
            return knobs
        return {"definition": self.definition, "definition_note": LEGACY[self.definition].note, **knobs}
