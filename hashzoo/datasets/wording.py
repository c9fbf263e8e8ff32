"""Counts and short lists in messages."""

from __future__ import annotations

from collections.abc import Collection
from itertools import islice

_NAMED = 5


def some(names: Collection[str]) -> str:
    """The first five names, and how many more there are."""
    listed = ", ".join(islice(names, _NAMED))
    return f"{listed} and {len(names) - _NAMED:,} more" if len(names) > _NAMED else listed


def count(number: int, noun: str) -> str:
    """`count(2, "image")` is "2 images"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
