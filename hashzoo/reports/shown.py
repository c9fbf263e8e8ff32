"""Runs as figures and the page show them: by row of the leaderboard and code length, with what their folders add."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hashzoo import retrieval
from hashzoo.errors import InvalidInput
from hashzoo.evaluators.base import CodeSet, Evaluation
from hashzoo.evaluators.bit_statistics import BitUse, bit_use
from hashzoo.evaluators.pair_distances import PairDistances
from hashzoo.experiments.store import Run, codes_of, curves_of, read_log
from hashzoo.reports.grouping import Record, labelled_rows, latest
from hashzoo.reports.leaderboard import boards

PLACES = 10  # nearest images that are shown of a query


@dataclass(frozen=True)
class Answers:
    """The nearest database rows of some queries; equal distances in database order, excluded rows left out."""

    queries: np.ndarray  # (q,) positions in the query split
    rows: np.ndarray  # (q, places) positions in the database split
    distances: np.ndarray  # (q, places) bits
    relevant: np.ndarray  # (q, places) bool


@dataclass(frozen=True)
class FromCodes:
    """What only the codes tell."""

    pairs: Evaluation
    bits: BitUse
    answers: Answers | None


@dataclass(frozen=True)
class Shown:
    """A run, and what was found beside its record."""

    record: Record
    curves: Mapping[str, Mapping[str, Sequence[float]]] = field(default_factory=dict)  # by name and axis
    codes: FromCodes | None = None
    log: tuple[dict[str, Any], ...] = ()  # a line for each epoch
    missing: tuple[str, ...] = ()  # what of this was looked for in vain

    @property
    def name(self) -> str:
        return f"{self.record['method']} {self.record['bits']} bits, seed {self.record['seed']}"


ShownRows = dict[str, dict[int, Shown]]  # by label, best first, then by code length


def shown_rows(
    runs: Sequence[Run], *, curves: bool = False, codes: bool = False, log: bool = False, queries: int = 0
) -> ShownRows:
    """Of comparable runs, the one with the lowest seed of each row and code length.

    Args:
        runs: with records that one leaderboard may hold.
        curves: whether to take the curves of the records.
        codes: whether to measure the codes files.
        log: whether to read the logs of training.
        queries: how many to answer, evenly spaced over the query split; with `codes` only.
    """
    folders = {id(run.record): run for run in runs}
    (board,) = boards([run.record for run in runs])
    parts = labelled_rows([run.record for run in runs])
    return {
        label: {
            bits: _shown(folders[id(record)], curves, codes, log, queries)
            for bits, record in sorted(_lowest_seeds(parts[label]).items())
        }
        for label in board.rows
    }


def every(rows: ShownRows) -> list[Shown]:
    """All of them, in order."""
    return [shown for row in rows.values() for shown in row.values()]


def lengths(rows: ShownRows) -> list[int]:
    """The code lengths that any row has."""
    return sorted({bits for row in rows.values() for bits in row})


def spaced(count: int, total: int) -> np.ndarray:
    """At most `count` different positions in 0..total-1, evenly spaced."""
    return np.arange(min(count, total)) * total // max(1, min(count, total))


def _lowest_seeds(records: Sequence[Record]) -> dict[int, Record]:
    return {record["bits"]: record for record in sorted(latest(records), key=lambda r: -r["seed"])}


def _shown(run: Run, curves: bool, codes: bool, log: bool, queries: int) -> Shown:
    missing: list[str] = []
    drawn, found, lines = {}, None, []
    if curves:
        try:
            drawn = curves_of(run)
            missing += [] if drawn else ["result.json: no curves"]
        except InvalidInput as reason:
            missing.append(_without_folder(reason, run))
    if codes:
        try:
            found = _measured(codes_of(run), queries)
        except InvalidInput as reason:
            missing.append(_without_folder(reason, run))
    if log:
        try:
            lines = read_log(run)
            if not lines and "epochs" in run.record["config"]:
                missing.append("log.jsonl: missing or empty")
        except InvalidInput as reason:
            missing.append(_without_folder(reason, run))
    return Shown(run.record, drawn, found, tuple(lines), tuple(missing))


def _measured(codes: CodeSet, queries: int) -> FromCodes:
    answers = _answers(codes, spaced(queries, len(codes.query_codes))) if queries else None
    return FromCodes(PairDistances().evaluate(codes), bit_use(codes), answers)


def _answers(codes: CodeSet, queries: np.ndarray) -> Answers:
    places = min(PLACES, len(codes.database_codes) - (codes.exclude is not None))
    asked = codes.query_codes[queries]
    distances, rows = retrieval.top_k(asked, codes.database_codes, k=PLACES + 1, bits=codes.bits)
    kept = np.tile(np.arange(rows.shape[1]), (len(queries), 1))
    if codes.exclude is not None:
        kept = np.argsort(rows == codes.exclude[queries, None], axis=1, kind="stable")  # the excluded row goes last
    kept = kept[:, :places]
    rows, distances = np.take_along_axis(rows, kept, axis=1), np.take_along_axis(distances, kept, axis=1)
    wanted, found = codes.query_labels[queries], codes.database_labels[rows]
    relevant = found == wanted[:, None] if wanted.ndim == 1 else (found & wanted[:, None]).any(axis=2)
    return Answers(queries, rows, distances, relevant)


def _without_folder(reason: InvalidInput, run: Run) -> str:
    """For a page that is read elsewhere."""
    return " ".join(str(reason).replace(f"{run.folder}/", "").split())
