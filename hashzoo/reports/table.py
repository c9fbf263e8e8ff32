"""Records as tables, for a terminal and for other programs."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hashzoo.reports.grouping import Record, comparable, groups, latest, row_labels
from hashzoo.reports.wording import machine, map_in_words, map_name
from hashzoo.training.profile import Profile

_WORD = re.compile("[a-z]{3}")
_CSV_METRICS = (
    "map",
    "map_expected",
    "map_stable",
    "map_worst",
    "map_best",
    "map_among_queries",
    "map_among_other_queries",
    "precision_radius2",
    "precision_at_100",
    "precision_at_1000",
    "recall_at_100",
    "recall_at_1000",
    "bit_activity_min",
    "bit_activity_max",
    "bit_correlation",
    "dead_bits",
    "distinct_codes",
)
_CSV_DEFINITION = ("topk", "ties", "denominator", "empty", "relevance", "queries", "empty_queries", "database")
_CSV_JSON = ("config", "preset_changes", "augmentation", "budget", "selection")


@dataclass(frozen=True)
class Table:
    """Cells as text, ready to be laid out."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: tuple[str, ...] = ()  # lines


def run_tables(records: Sequence[Record]) -> list[Table]:
    """What `hashzoo run` prints: a table per series, a column per code length, all that defines the numbers below."""
    return [_series_table(part) for part in groups(records, lambda record: record["series"])]


def profile_table(profile: Profile) -> Table:
    """Where the time of a run went, stage by stage."""
    rows = tuple((name, f"{seconds:.2f}", f"{share:.0%}") for name, seconds, share in profile.shares())
    total = ("all", f"{profile.total:.2f}", "")
    return Table(title="where the time went", header=("stage", "seconds", "share"), rows=(*rows, total))


def results_tables(records: Sequence[Record]) -> list[Table]:
    """A table per data, protocol, split and definition; a row per method, seed, settings; a column per code length."""
    return [_comparison(part) for part in groups(records, comparable)]


def plain(tables: Sequence[Table]) -> str:
    """For reading in a fixed-width font; as wide as it needs to be."""
    return "\n\n".join(_plain(table) for table in tables) + "\n" if tables else ""


def show(tables: Sequence[Table]) -> None:
    """On standard output: framed by rich if it is a terminal, else plain."""
    if not sys.stdout.isatty():
        sys.stdout.write(plain(tables))
        return
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    console = Console()
    for table in tables:
        framed = RichTable(title=Text(table.title, style="bold"), title_justify="left")
        for i, name in enumerate(table.header):
            framed.add_column(Text(name), justify="right" if i and _numeric(table, i) else "left", overflow="fold")
        for row in table.rows:
            framed.add_row(*(Text(cell) for cell in row))
        console.print(framed)
        for line in table.caption:
            console.print(Text(line, style="dim"))


def markdown(tables: Sequence[Table]) -> str:
    """GitHub's tables."""
    parts = []
    for table in tables:
        rule = ["---:" if i and _numeric(table, i) else "---" for i in range(len(table.header))]
        lines = [_md_row(table.header), "|" + "|".join(rule) + "|", *(_md_row(row) for row in table.rows)]
        caption = "\n\n".join(table.caption)
        parts.append(f"**{table.title}**\n\n" + "\n".join(lines) + (f"\n\n{caption}" if caption else ""))
    return "\n\n".join(parts) + "\n" if parts else ""


def write_tables(tables: Sequence[Table], layout: str) -> None:
    """On standard output as "plain" or "md"."""
    if layout == "plain":
        show(tables)
    else:
        sys.stdout.write(markdown(tables))


def write_records(records: Sequence[Record], layout: str) -> None:
    """On standard output as "plain", "md", "csv" or "json"."""
    if layout == "plain":
        show(results_tables(records))
    else:
        sys.stdout.write(_LAYOUTS[layout](records))
    if not records:
        print("no records yet; hashzoo run makes them", file=sys.stderr)


def records_csv(records: Sequence[Record]) -> str:
    """A line per record: what it is, its metrics, every knob of their definition, and what it was made with."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    data = ("dataset", "protocol", "title", "split_sha256", "images_sha256", "image_size")
    what = (*data, "method", "preset", "sampler", "bits", "seed", "precision")
    timings = ("train_s", "encode_s", "evaluate_s")
    place = ("threads", "device", "isa", "commit", "dirty")
    tail = ("config_hash", "codes_sha256", "created")
    writer.writerow([*what, *_CSV_METRICS, *_CSV_DEFINITION, *timings, *place, "versions", *_CSV_JSON, *tail])
    for r in records:
        environment = r["environment"]
        writer.writerow(
            [
                *(r.get(key) for key in what),
                *(r["metrics"].get(key) for key in _CSV_METRICS),
                *(r["metric_definition"].get(key) for key in _CSV_DEFINITION),
                *(r["timings"].get(key) for key in timings),
                *(environment.get(key) for key in place),
                _json(environment.get("versions")),
                *(_json(r.get(key)) for key in _CSV_JSON),
                *(r.get(key) for key in tail),
            ]
        )
    return buffer.getvalue()


def records_json(records: Sequence[Record]) -> str:
    """The records themselves, as a list."""
    return json.dumps(list(records), indent=1, ensure_ascii=False) + "\n"


def _series_table(records: Sequence[Record]) -> Table:
    records = sorted(records, key=lambda r: r["bits"])
    first = records[0]
    name = map_name(first["metric_definition"])
    rows = [
        (f"{name} (expected)", *(_score(r, "map_expected") for r in records)),
        ("  tie range", *(_tie_range(r) for r in records)),
        *_selected(records),
        *_budgeted(records),
        ("precision, radius 2", *(_score(r, "precision_radius2") for r in records)),
        *((f"{part}, s", *(_seconds(r, f"{part}_s") for r in records)) for part in ("train", "encode", "evaluate")),
    ]
    return Table(
        title=f"{first['method']} on {first['title']} @{first['protocol']}",
        header=("", *(f"{r['bits']} bits" for r in records)),
        rows=tuple(rows),
        caption=(
            f"{map_in_words(first['metric_definition'])}.",
            f"{_sizes(first)}, split {first['split_sha256'][:12]}, seed {first['seed']}, {machine(first)}.",
        ),
    )


def _comparison(records: Sequence[Record]) -> Table:
    lengths = sorted({r["bits"] for r in records})
    series = groups(records, lambda r: r["series"])
    labels = row_labels([part[0] for part in series], rivals=_method_and_seed)
    rows = []
    for label, part in sorted(zip(labels, series, strict=True), key=lambda pair: pair[0]):
        by_length = {r["bits"]: _score(r, "map_expected") for r in latest(part)}
        rows.append((label, str(part[0]["seed"]), *(by_length.get(length, "") for length in lengths)))
    first = records[0]
    return Table(
        title=f"{first['title']} @{first['protocol']}: {map_name(first['metric_definition'])} (expected)",
        header=("method", "seed", *(f"{length} bits" for length in lengths)),
        rows=tuple(rows),
        caption=(
            f"{map_in_words(first['metric_definition'])}.",
            f"{_sizes(first)}, split {first['split_sha256'][:12]}.",
        ),
    )


def _method_and_seed(record: Record) -> tuple[str, int]:
    return record["method"], record["seed"]


def _selected(records: Sequence[Record]) -> list[tuple[str, ...]]:
    """The epoch that held-out training images chose, and what the last one would have scored."""
    chosen = [r.get("selection") for r in records]
    if not any(chosen):
        return []
    return [
        ("  of epoch", *(str(found["epoch"]) if found else "" for found in chosen)),
        ("  last epoch", *(f"{found['last']['map_expected']:.4f}" if found else "" for found in chosen)),
    ]


def _budgeted(records: Sequence[Record]) -> list[tuple[str, ...]]:
    """The epochs that each code length had time for."""
    budgets = [r.get("budget") for r in records]
    if not any(budgets):
        return []
    return [("epochs, by budget", *(str(r["config"]["epochs"]) if r.get("budget") else "" for r in records))]


def _json(value: object) -> str:
    return "" if value is None else json.dumps(value, sort_keys=True)


def _score(record: Record, key: str) -> str:
    return f"{record['metrics'][key]:.4f}"


def _tie_range(record: Record) -> str:
    return f"[{_score(record, 'map_worst')}, {_score(record, 'map_best')}]"


def _seconds(record: Record, key: str) -> str:
    seconds = record["timings"].get(key)
    if seconds is None:
        return ""
    return f"{seconds:.3f}" if seconds < 10 else f"{seconds:.1f}"


def _sizes(record: Record) -> str:
    definition = record["metric_definition"]
    return f"{definition.get('queries'):,} queries against {definition.get('database'):,}"


def _numeric(table: Table, column: int) -> bool:
    cells = [row[column] for row in table.rows]
    return all(cell[:1] in ("", "[") or cell[:1].isdigit() for cell in cells) and not any(map(_WORD.search, cells))


def _plain(table: Table) -> str:
    grid = [table.header, *table.rows]
    widths = [max(len(row[i]) for row in grid) for i in range(len(table.header))]
    right = [bool(i) and _numeric(table, i) for i in range(len(widths))]
    lines = [
        "  ".join(cell.rjust(w) if r else cell.ljust(w) for cell, w, r in zip(row, widths, right, strict=True)).rstrip()
        for row in grid
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join([table.title, "", *lines, *(["", *table.caption] if table.caption else [])])


def _md_row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.strip().replace("|", "\\|") for cell in cells) + " |"


_LAYOUTS: dict[str, Callable[[Sequence[Record]], str]] = {
    "md": lambda records: markdown(results_tables(records)),
    "csv": records_csv,
    "json": records_json,
}
