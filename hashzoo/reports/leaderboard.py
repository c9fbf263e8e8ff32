"""Records of several seeds as a leaderboard: mean and spread, the best of each code length, the distance to a paper."""

from __future__ import annotations

import csv
import io
import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from hashzoo.methods.base import Method
from hashzoo.methods.paper_tables import PaperTable
from hashzoo.reports.grouping import Record, comparable, groups, labelled_rows, latest
from hashzoo.reports.wording import few_seeds, machine, made_in_words, map_in_words, map_name, training_in_words

_OF_RUNS = ("preset", "preset_changes", "epochs", "budget_s", "precision", "machine", "created")  # columns of CSV


@dataclass(frozen=True)
class Made:
    """What one record adds to a score, and how it came about."""

    seed: int
    map: float
    preset: str | None
    preset_changes: dict[str, Any]
    epochs: int | None  # None where no network was trained
    budget_s: float | None
    precision: str | None
    machine: str
    created: str  # date


@dataclass(frozen=True)
class Score:
    """Of one method at one code length."""

    mean: float
    std: float | None  # over seeds, with n - 1 in the denominator; None of a single one
    seeds: int
    asked: int  # seeds asked for, or of any code length of the row
    best: bool  # of its code length, by the mean as printed
    published: float | None  # the value of a paper
    runs: tuple[Made, ...]  # by seed

    def text(self, plus_minus: str = "±") -> str:
        return f"{self.mean:.4f}" if self.std is None else f"{self.mean:.4f} {plus_minus} {self.std:.4f}"

    def beside(self) -> str:
        """In brackets the difference to the paper's value, if there is one, and the seeds, if not all asked for."""
        delta = "" if self.published is None else f" ({self.mean - self.published:+.4f})"
        return delta + few_seeds(self.seeds, self.asked)


@dataclass(frozen=True)
class Board:
    """One table: equal data, protocol, split and definition."""

    title: str
    definition: str
    bits: tuple[int, ...]
    seeds: tuple[int, ...]  # asked for, or of any record
    made: str  # how the methods were trained, when and on what
    rows: dict[str, dict[int, Score]]  # by label, then code length
    published_source: str | None


def printed_by(methods: Sequence[type[Method]]) -> list[PaperTable]:
    """The tables of the papers of these methods that print mAP."""
    return [table for method in methods for table in method.tables if table.measure == "map"]


def boards(records: Sequence[Record], papers: Sequence[PaperTable] = (), seeds: Sequence[int] = ()) -> list[Board]:
    """A board for each set of comparable records.

    Args:
        papers: where to look for published values, the first that fits data, protocol and cut-off first.
        seeds: those asked for, whether or not there is a record of each.
    """
    return [_board(part, papers, seeds) for part in groups(records, comparable)]


def caption(board: Board) -> str:
    """What the numbers are, over how many seeds, how they were made, and whose the ones in brackets."""
    scores = [score for row in board.rows.values() for score in row.values()]
    several = len(board.seeds) > 1
    fewer = "up to " if any(score.seeds < len(board.seeds) for score in scores) else ""
    single = "; a mean alone is of one seed" if several and any(score.seeds == 1 for score in scores) else ""
    spread = f"Mean and standard deviation over {fewer}{len(board.seeds)} seeds" if several else "One seed"
    seeds = f"seed{'s' * several} {', '.join(map(str, board.seeds))}"
    source = ""
    if any(score.published is not None for score in scores):
        source = f" In brackets the difference to the value in {board.published_source}."
    return f"{board.definition}. {spread} ({seeds}){single}. {board.made}.{source}"


def markdown(found: Sequence[Board]) -> str:
    """GitHub's tables, the best in bold."""
    return "\n".join(_markdown(board) for board in found)


def latex(found: Sequence[Board]) -> str:
    """For `booktabs`, the best in bold."""
    return "\n".join(_latex(board) for board in found)


def as_csv(found: Sequence[Board]) -> str:
    """A line per score."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    numbers = ("bits", "mean", "std", "seeds", "best", "published", "source")
    writer.writerow(("board", "definition", "method", *numbers, *_OF_RUNS))
    for board in found:
        for label, scores in board.rows.items():
            for bits, score in scores.items():
                values = (bits, score.mean, score.std, score.seeds, score.best, score.published, board.published_source)
                made = [_of_runs(score, name) for name in _OF_RUNS]
                writer.writerow((board.title, board.definition, label, *values, *made))
    return buffer.getvalue()


def as_json(found: Sequence[Board]) -> str:
    """The boards themselves, as a list."""
    return json.dumps([asdict(board) for board in found], indent=1, ensure_ascii=False) + "\n"


FORMATS: dict[str, Callable[[Sequence[Board]], str]] = {
    "md": markdown,
    "csv": as_csv,
    "latex": latex,
    "json": as_json,
}


def _board(records: Sequence[Record], papers: Sequence[PaperTable], seeds: Sequence[int]) -> Board:
    first = records[0]
    source, published = _published(first, papers)
    rows = {label: latest(part) for label, part in labelled_rows(records).items()}
    bits = tuple(sorted({r["bits"] for r in records}))
    runs = {
        label: {length: found for length in bits if (found := _runs([r for r in part if r["bits"] == length]))}
        for label, part in rows.items()
    }
    methods = {label: part[0]["method"] for label, part in rows.items()}
    highest = {length: max(_printed(of[length]) for of in runs.values() if length in of) for length in bits}
    scores = {
        label: {
            length: Score(
                mean=_mean(found),
                std=statistics.stdev(run.map for run in found) if len(found) > 1 else None,
                seeds=len(found),
                asked=len({*seeds} or {r["seed"] for r in rows[label]}),
                best=_printed(found) == highest[length],
                published=published.get((methods[label], length)),
                runs=found,
            )
            for length, found in of.items()
        }
        for label, of in runs.items()
    }
    return Board(
        title=f"{first['title']} @{first['protocol']}: {map_name(first['metric_definition'])} (expected)",
        definition=f"{map_in_words(first['metric_definition'])}; split {first['split_sha256'][:12]}",
        bits=bits,
        seeds=tuple(sorted({*seeds, *(r["seed"] for r in records)})),
        made=f"{_trained(rows)}; {made_in_words([record for part in rows.values() for record in part])}",
        rows=dict(sorted(scores.items(), key=lambda item: _overall(item[1]), reverse=True)),
        published_source=source,
    )


def _runs(records: Sequence[Record]) -> tuple[Made, ...]:
    return tuple(
        Made(
            seed=record["seed"],
            map=float(record["metrics"]["map_expected"]),
            preset=record.get("preset"),
            preset_changes=dict(record.get("preset_changes") or {}),
            epochs=record["config"].get("epochs"),
            budget_s=(record.get("budget") or {}).get("seconds"),
            precision=record.get("precision"),
            machine=machine(record),
            created=str(record.get("created") or "")[:10],
        )
        for record in sorted(records, key=lambda record: record["seed"])
    )


def _trained(rows: Mapping[str, Sequence[Record]]) -> str:
    """Presets and epochs, with the rows that each is of."""
    found: dict[str, list[str]] = {}
    for label, records in rows.items():
        for record in records:
            labels = found.setdefault(training_in_words(record), [])
            labels += [] if label in labels else [label]
    parts = list(found) if len(found) == 1 else [f"{words} ({', '.join(labels)})" for words, labels in found.items()]
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}"


def _published(record: Record, papers: Sequence[PaperTable]) -> tuple[str | None, dict[tuple[str, int], float]]:
    """The first paper with values for methods as such on such data: its source, and values by method and length."""
    for table in papers:
        if not table.may_be(record["dataset"], record["protocol"], record["metric_definition"].get("topk")):
            continue
        printed = {
            (row.method, length): value
            for row in table.rows
            if not row.settings
            for length, value in row.printed.get(record["dataset"], {}).items()
        }
        if printed:
            return table.source, printed
    return None, {}


def _of_runs(score: Score, name: str) -> str:
    """What the runs have under one name; what differs between seeds is named once each."""
    values = [getattr(run, name) for run in score.runs]
    words = [json.dumps(value) if isinstance(value, dict) else str(value) for value in values if value]
    return "; ".join(dict.fromkeys(words))


def _mean(runs: Sequence[Made]) -> float:
    return statistics.fmean(run.map for run in runs)


def _printed(runs: Sequence[Made]) -> float:
    return round(_mean(runs), 4)


def _overall(scores: dict[int, Score]) -> float:
    return statistics.fmean(score.mean for score in scores.values())


def _markdown(board: Board) -> str:
    lines = [
        f"**{board.title}**\n",
        f"| method | {' | '.join(f'{length} bits' for length in board.bits)} |",
        f"|---|{'---:|' * len(board.bits)}",
    ]
    for label, scores in board.rows.items():
        cells = [_cell(scores.get(length), "±", lambda text: f"**{text}**") for length in board.bits]
        lines.append(f"| {label} | {' | '.join(cells)} |")
    return "\n".join([*lines, f"\n{caption(board)}\n"])


def _latex(board: Board) -> str:
    columns = " & ".join(("method", *(f"{length} bits" for length in board.bits)))
    lines = [f"% {board.title}. {caption(board)}", f"\\begin{{tabular}}{{l{'r' * len(board.bits)}}}", "\\toprule"]
    lines += [f"{columns} \\\\", "\\midrule"]
    for label, scores in board.rows.items():
        cells = [_cell(scores.get(length), "$\\pm$", lambda text: f"\\textbf{{{text}}}") for length in board.bits]
        lines.append(f"{' & '.join((label.replace('_', chr(92) + '_'), *cells))} \\\\")
    return "\n".join([*lines, "\\bottomrule", "\\end{tabular}\n"])


def _cell(score: Score | None, plus_minus: str, bold: Callable[[str], str]) -> str:
    if score is None:
        return ""
    text = score.text(plus_minus)
    return (bold(text) if score.best else text) + score.beside()
