"""The tables of a paper as cells of a grid: which runs stand for which rows, and what their codes say besides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hashzoo.errors import InvalidInput, UnknownName
from hashzoo.experiments.cell import plan
from hashzoo.experiments.grid import Job, Outcome, Source
from hashzoo.experiments.store import Record
from hashzoo.methods.base import METHODS, Method
from hashzoo.methods.paper_tables import PaperRow, PaperTable, paper_table
from hashzoo.methods.presets import preset_settings
from hashzoo.settings import configure


@dataclass(frozen=True)
class Wanted:
    """What a user wants other than the table has it."""

    bits: Sequence[int] = ()  # none: the table's
    seeds: Sequence[int] = (0,)
    rows: Sequence[str] = ()  # labels; none: all
    preset: str | None = None  # None: the table's
    settings: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # by method; those of a row go on top
    budgets: Mapping[str, float | None] = field(default_factory=dict)  # by method, in seconds
    planning: Mapping[str, Any] = field(default_factory=dict)  # further arguments of `plan`


@dataclass(frozen=True)
class PlannedRow:
    """A row and its jobs; none if its method is not installed."""

    row: PaperRow
    jobs: tuple[Job, ...]


@dataclass(frozen=True)
class PlannedTable:
    """A table on one dataset."""

    table: PaperTable
    source: Source
    preset: str
    bits: tuple[int, ...]
    rows: tuple[PlannedRow, ...]

    @property
    def jobs(self) -> list[Job]:
        return [job for row in self.rows for job in row.jobs]


def tables_of(cls: type[Method], name: str | None) -> list[PaperTable]:
    """One table of a method's paper, or all.

    Raises:
        InvalidInput: the method states none.
        UnknownName: it states none of that name.
    """
    if not cls.tables:
        able = [other for other in METHODS.names() if METHODS.get(other).tables]
        raise InvalidInput(f"{cls.name} states no table of its paper (these do: {', '.join(able) or 'none'})")
    return list(cls.tables) if name is None else [paper_table(cls, name)]


def methods_in(tables: Sequence[PaperTable]) -> list[str]:
    """The installed methods of all rows."""
    installed = METHODS.names()
    return list(dict.fromkeys(row.method for table in tables for row in table.rows if row.method in installed))


def plan_table(table: PaperTable, source: Source, wanted: Wanted) -> PlannedTable:
    """The jobs that make a table.

    Raises:
        UnknownName: the table has no such row.
        HashzooError: as `plan`.
    """
    labels = [row.label for row in table.rows]
    for label in wanted.rows:
        if label not in labels:
            raise UnknownName(f"row of table {table.name!r}", label, labels)
    rows = [row for row in table.rows if not wanted.rows or row.label in wanted.rows]
    preset, bits = wanted.preset or table.preset, tuple(wanted.bits or table.bits)
    return PlannedTable(
        table,
        source,
        preset,
        bits,
        tuple(PlannedRow(row, _jobs(row, table.topk, source, preset, bits, wanted)) for row in rows),
    )


def set_otherwise(job: Job, row: PaperRow, preset: str, record: Record) -> dict[str, tuple[Any, Any]]:
    """Settings in which a run differs from preset and row: name -> as they have it, as it ran."""
    cls = METHODS.get(job.cell.method)
    words = {**preset_settings(cls, _preset(cls, preset)), **row.settings}
    meant = configure(cls.Config, words, owner=cls.name).to_dict()
    ran = job.cell.config.to_dict()
    if record.get("budget"):
        ran["epochs"] = record["config"]["epochs"]
    found = {name: (meant[name], value) for name, value in ran.items() if value != meant[name]}
    return found | ({"image_size": (None, job.cell.image_size)} if job.cell.image_size else {})


def records_of(row: PlannedRow, outcomes: Mapping[Job, Outcome], bits: int) -> list[tuple[Job, Record]]:
    """The finished runs of a row at one code length, seed by seed."""
    found = [(job, outcomes[job].record) for job in row.jobs if job.cell.bits == bits]
    return [(job, record) for job, record in found if record is not None]


def _jobs(
    row: PaperRow, topk: int | None, source: Source, preset: str, bits: Sequence[int], wanted: Wanted
) -> tuple[Job, ...]:
    if row.method not in METHODS.names():
        return ()
    cls = METHODS.get(row.method)
    return tuple(
        Job(source, cell)
        for seed in wanted.seeds
        for cell in plan(
            row.method,
            bits,
            {**wanted.settings.get(row.method, {}), **row.settings},
            seed=seed,
            topk=topk,
            preset=_preset(cls, preset),
            budget_s=wanted.budgets.get(row.method),
            **wanted.planning,
        )
    )


def _preset(cls: type[Method], name: str) -> str | None:
    """The preset if the method has it: one without a network has no way to be trained."""
    return name if name in cls.presets else None
