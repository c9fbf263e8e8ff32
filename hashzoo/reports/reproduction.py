"""The tables of a paper beside ours."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence

from hashzoo.evaluators.query_ranking import QueryRanking
from hashzoo.experiments.grid import Job, Outcome
from hashzoo.experiments.reproduction import (
    PlannedRow,
    PlannedTable,
    records_of,
    set_otherwise,
)
from hashzoo.experiments.store import Record
from hashzoo.reports.grouping import groups
from hashzoo.reports.table import Table
from hashzoo.reports.wording import few_seeds, made_in_words, map_in_words, map_name, typed

_AMONG = "queries among themselves"
_AMONG_OTHERS = "the same, each query left out"

Results = Mapping[Job, Outcome]


def side_by_side(planned: PlannedTable, results: Results) -> Table:
    """A table of a paper with our runs below each of its rows.

    Args:
        results: what became of every job of the table.
    """
    records = [record for row in planned.rows for bits in planned.bits for _, record in records_of(row, results, bits)]
    lines = [line for row in planned.rows for line in _lines(planned, row, results)]
    return Table(
        title=_title(planned, records),
        header=("row", "", *(f"{bits} bits" for bits in planned.bits)),
        rows=tuple(lines),
        caption=tuple(_caption(planned, results, records)),
    )


def _title(planned: PlannedTable, records: Sequence[Record]) -> str:
    data = f"{records[0]['title']} @{records[0]['protocol']}" if records else planned.source.title
    if planned.table.measure == "time" or not records:
        return f"{planned.table.title}, {data}"
    return f"{planned.table.title}, {data}: {map_name(records[0]['metric_definition'])} (expected)"


def _lines(planned: PlannedTable, row: PlannedRow, results: Results) -> list[tuple[str, ...]]:
    printed = row.row.printed.get(planned.source.name, {})
    lines: list[tuple[str, ...]] = []
    if printed:
        shown = f"{{:.{3 if planned.table.measure == 'time' else 4}f}}"
        cells = [shown.format(printed[bits]) if bits in printed else "" for bits in planned.bits]
        lines.append(("as printed", *cells))
    if not row.jobs:
        lines.append((f"here: no method {row.row.method} is installed", *("" for _ in planned.bits)))
    elif all(results[job].unsuitable for job in row.jobs):
        lines.append((f"here: {row.row.method} cannot take this data", *("" for _ in planned.bits)))
    elif planned.table.measure == "time":
        lines += _times(planned, row, results)
    else:
        lines += _maps(planned, row, results, printed)
    return [(row.row.label if number == 0 else "", *line) for number, line in enumerate(lines)]


def _maps(
    planned: PlannedTable, row: PlannedRow, results: Results, printed: Mapping[int, float]
) -> list[tuple[str, ...]]:
    found = {bits: [record for _, record in records_of(row, results, bits)] for bits in planned.bits}
    absent = {bits: _absent(row, results, bits) for bits in planned.bits}
    first = next((record for records in found.values() for record in records), None)
    if first is None:
        return [("here", *absent.values())]
    compared = printed if _comparable(planned, first) else {}
    cells = [
        _score([record["metrics"]["map_expected"] for record in records], _asked(row, bits), compared.get(bits))
        or absent[bits]
        for bits, records in found.items()
    ]
    lines = [(f"here @{first['protocol']}", *cells)]
    if planned.table.among_queries:
        among = [_among(records, _asked(row, bits), absent[bits]) for bits, records in found.items()]
        if any(any(cell) for cell in among):
            lines += [(name, *(cell[part] for cell in among)) for part, name in enumerate((_AMONG, _AMONG_OTHERS))]
    return lines


def _among(records: Sequence[Record], asked: int, absent: str) -> tuple[str, str]:
    """Of one code length: with each query among its answers, and without; empty if the protocol does so already."""
    if not records:
        return absent, absent
    maps = ([r["metrics"][name] for r in records if name in r["metrics"]] for name in QueryRanking.meanings)
    with_itself, others = (_score(values, asked) for values in maps)
    return with_itself, others


def _times(planned: PlannedTable, row: PlannedRow, results: Results) -> list[tuple[str, ...]]:
    measures: list[tuple[str, Callable[[Record], float], int]] = [
        ("training, s", lambda r: r["timings"]["train_s"], 1),
        ("encoding queries and database, s", lambda r: r["timings"]["encode_s"], 2),
        ("evaluation, s", lambda r: r["timings"]["evaluate_s"], 3),
        ("training, images/s", _trained_per_second, 0),
        ("encoding, images/s", _encoded_per_second, 0),
    ]
    found = {bits: [record for _, record in records_of(row, results, bits)] for bits in planned.bits}
    absent = {bits: _absent(row, results, bits) for bits in planned.bits}
    lines = []
    for name, measure, digits in measures:
        values = {bits: [measure(record) for record in records] for bits, records in found.items()}
        means = (_mean(values[bits], _asked(row, bits), digits) or absent[bits] for bits in planned.bits)
        lines.append((name, *means))
    return lines


def _trained_per_second(record: Record) -> float:
    """Images of all epochs by the seconds of training."""
    return float(record["training"]["images"] * record["config"].get("epochs", 1) / record["timings"]["train_s"])


def _encoded_per_second(record: Record) -> float:
    definition = record["metric_definition"]
    return float((definition["queries"] + definition["database"]) / record["timings"]["encode_s"])


def _asked(row: PlannedRow, bits: int) -> int:
    """How many seeds."""
    return sum(job.cell.bits == bits for job in row.jobs)


def _absent(row: PlannedRow, results: Results, bits: int) -> str:
    """Why there is no record of a code length."""
    return "not run" if any(results[job].pending for job in row.jobs if job.cell.bits == bits) else "failed"


def _score(values: Sequence[float], asked: int, printed: float | None = None) -> str:
    if not values:
        return ""
    spread = f" ± {statistics.stdev(values):.4f}" if len(values) > 1 else ""
    delta = "" if printed is None else f" ({statistics.fmean(values) - printed:+.4f})"
    return f"{statistics.fmean(values):.4f}{spread}{delta}{few_seeds(len(values), asked)}"


def _mean(values: Sequence[float], asked: int, digits: int) -> str:
    return f"{statistics.fmean(values):,.{digits}f}{few_seeds(len(values), asked)}" if values else ""


def _comparable(planned: PlannedTable, record: Record) -> bool:
    return planned.table.may_be(record["dataset"], record["protocol"], record["metric_definition"].get("topk"))


def _caption(planned: PlannedTable, results: Results, records: Sequence[Record]) -> list[str]:
    table = planned.table
    lines = [f"Printed values: {table.source}."] if any(row.row.printed for row in planned.rows) else []
    lines += [f"{note[0].upper()}{note[1:]}." for note in table.notes]
    if not records:
        return lines
    if table.measure == "map":
        lines += _definition(planned, records)
    lines += [_settings(planned, results), _made(records)]
    return lines


def _definition(planned: PlannedTable, records: Sequence[Record]) -> list[str]:
    first = records[0]
    lines = [f"{map_in_words(first['metric_definition'])}."]
    if not any(planned.source.name in row.row.printed for row in planned.rows):
        lines.append(f"Nothing is printed for {planned.source.name}.")
    elif _comparable(planned, first):
        lines.append(f"In brackets the difference of @{first['protocol']} to the printed value.")
    else:
        lines.append(f"No difference is given: the paper did not measure like @{first['protocol']}.")
    if planned.table.among_queries:
        lines.append(
            f'"{_AMONG.capitalize()}": the same codes, the queries ranked against themselves; no difference is '
            "taken of these rows."
        )
    return lines


def _settings(planned: PlannedTable, results: Results) -> str:
    """Which cells are not as the table has them."""
    changes: dict[str, list[str]] = {}
    for row in planned.rows:
        for bits in planned.bits:
            for job, record in records_of(row, results, bits):
                for name, (meant, ran) in set_otherwise(job, row.row, planned.preset, record).items():
                    rows = changes.setdefault(f"{name}={typed(ran)} in place of {typed(meant)}", [])
                    rows += [] if row.row.label in rows else [row.row.label]
    preset = f"Preset {planned.preset}"
    if planned.preset != planned.table.preset:
        preset += f", where the table has {planned.table.preset}"
    if not changes:
        return f"{preset}; every cell runs as preset and row say."
    every = [row.row.label for row in planned.rows]
    listed = [f"{what} ({'all rows' if rows == every else ', '.join(rows)})" for what, rows in changes.items()]
    return f"{preset}; set otherwise: {'; '.join(listed)}."


def _made(records: Sequence[Record]) -> str:
    """Split, seeds, dates and machines."""
    seeds = sorted({record["seed"] for record in records})
    splits = [part[0]["split_sha256"][:12] for part in groups(records, lambda record: record["split_sha256"])]
    return (
        f"Split {', '.join(splits)}; seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}; "
        f"{made_in_words(records)}."
    )
