"""What a paper prints, and the runs that stand for it: data for `hashzoo reproduce` and for leaderboards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from hashzoo.errors import UnknownName

if TYPE_CHECKING:
    from hashzoo.methods.base import Method

Figures = Mapping[str, Mapping[int, float]]  # by dataset, then code length


@dataclass(frozen=True)
class PaperRow:
    """A row of a paper's table, and the run that stands for it."""

    label: str
    method: str  # a registered name; a row whose method is not installed is printed without a run
    settings: Mapping[str, str] = field(default_factory=dict)  # words as after `--set`, on top of the table's preset
    printed: Figures = field(default_factory=dict)  # what the paper prints; empty where nothing is known


@dataclass(frozen=True)
class PaperTable:
    """A table of a paper.

    A row without settings, in a table of mAP, prints what the paper says of a method as such: leaderboards show the
    difference to it.
    """

    name: str  # the word after `--table`
    title: str
    source: str  # the paper, and how to read its figures
    rows: Sequence[PaperRow]
    bits: Sequence[int]
    measure: Literal["map", "time"] = "map"
    preset: str = "paper"  # of the methods that have it
    protocols: Mapping[str, Sequence[str]] = field(default_factory=dict)  # by dataset: those its figures may be from
    topk: int | None = None  # ranks that its mAP counts; None is all
    among_queries: bool = False  # whether the paper may have ranked the queries against themselves
    notes: Sequence[str] = ()  # what it leaves open, a sentence each

    def may_be(self, dataset: str, protocol: str, topk: int | None) -> bool:
        """Whether its figures may have been measured like that."""
        return protocol in self.protocols.get(dataset, ()) and topk == self.topk


def paper_table(cls: type[Method], name: str) -> PaperTable:
    """A table of a method by name.

    Raises:
        UnknownName: the method states no such table.
    """
    found = next((table for table in cls.tables if table.name == name), None)
    if found is None:
        raise UnknownName(f"table of {cls.name!r}", name, [table.name for table in cls.tables])
    return found
