"""Every error hashzoo raises on purpose.

A message says what was expected, what came and what exists, in one line; the command line prints it and exits with 2.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class HashzooError(Exception):
    """Base class; catch this to catch all of ours."""


class UnknownName(HashzooError, KeyError):
    """Nothing of that kind has that name."""

    def __init__(self, kind: str, name: str, known: Iterable[str], *, note: str = "") -> None:
        known = sorted(known)
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        self.message = f"no {kind} named {name!r}{hint} (known: {_short_list(known)}){note}"
        super().__init__(self.message)

    def __str__(self) -> str:  # KeyError would print the message quoted
        return self.message


class DuplicateName(HashzooError, ValueError):
    """Two classes claim one name."""


class PluginError(HashzooError, ImportError):
    """A plugin failed while it was imported; the cause is chained."""


class InvalidInput(HashzooError, ValueError):
    """An argument, an array or a file does not hold what is needed."""


class UnsuitableData(InvalidInput):
    """A method cannot learn from data of this kind, whatever its settings."""


class InvalidSetting(InvalidInput):
    """A value given with `--set` does not fit its setting."""


class DataError(HashzooError):
    """A dataset is missing, incomplete or unreadable."""


class CheckpointError(HashzooError):
    """A checkpoint is damaged or belongs to another run."""


class FailedCheck(HashzooError):
    """Something that was checked is not right."""


class StorageError(HashzooError, OSError):
    """A result could not be written."""


def _short_list(names: list[str], most: int = 24) -> str:
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return ", ".join(names) or "none"
