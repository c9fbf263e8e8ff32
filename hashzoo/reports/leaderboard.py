"""Records of several seeds as a leaderboard: mean and spread, the best of each code length, the distance to a paper."""

from __future__ import annotations

import csv
import io
import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from hashzoo.methods.base import Method
from hashzoo.methods.paper_tables import PaperTable
from hashzoo.reports.grouping import Record, comparable, groups, labelled_rows
from hashzoo.reports.wording import map_in_words, map_name


@dataclass(frozen=True)
class Score:
    """Of one method at one code length."""

    mean: float
    std: float | None  # over seeds, with n - 1 in the denominator; None of a single one
    seeds: int
    best: bool  # of its code length, by the mean as printed
    published: float | None  # the value of a paper

    def text(self, plus_minus: str = "±") -> str:
        return f"{self.mean:.4f}" if self.std is None else f"{self.mean:.4f} {plus_minus} {self.std:.4f}"

    def delta(self) -> str:
        """The difference to the paper's value in brackets, if there is one."""
        return "" if self.published is None else f" ({self.mean - self.published:+.4f})"


@dataclass(frozen=True)
class Board:
    """One table: equal data, protocol, split and definition."""

    title: str
    definition: str
    bits: tuple[int, ...]
    seeds: tuple[int, ...]
    rows: dict[str, dict[int, Score]]  # by label, then code length
    published_source: str | None


def printed_by(methods: Sequence[type[Method]]) -> list[PaperTable]:
    """The tables of the papers of these methods that print mAP."""
    return [table for method in methods for table in method.tables if table.measure == "map"]


def boards(records: Sequence[Record], papers: Sequence[PaperTable] = ()) -> list[Board]:
    """A board for each set of comparable records.

    Args:
        papers: where to look for published values, the first that fits data, protocol and cut-off first.
    """
    return [_board(part, papers) for part in groups(records, comparable)]


def caption(board: Board) -> str:
    """What the numbers are, over how many seeds, and whose the ones in brackets."""
    scores = [score for row in board.rows.values() for score in row.values()]
    most = max(score.seeds for score in scores)
    seeds = f"seed{'s' * (len(board.seeds) > 1)} {', '.join(map(str, board.seeds))}"
    spread = f" Mean and standard deviation over up to {most} seeds ({seeds})." if most > 1 else f" One seed ({seeds})."
    source = ""
    if any(score.published is not None for score in scores):
        source = f" In brackets the difference to the value in {board.published_source}."
    return f"{board.definition}.{spread}{source}"


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
    writer.writerow(("board", "definition", "method", "bits", "mean", "std", "seeds", "best", "published", "source"))
    for board in found:
        for label, scores in board.rows.items():
            for bits, score in scores.items():
                numbers = (bits, score.mean, score.std, score.seeds, score.best, score.published)
                writer.writerow((board.title, board.definition, label, *numbers, board.published_source))
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


def _board(records: Sequence[Record], papers: Sequence[PaperTable]) -> Board:
    first = records[0]
    source, published = _published(first, papers)
    rows = labelled_rows(records)
    bits = tuple(sorted({r["bits"] for r in records}))
    maps = {
        label: {length: found for length in bits if (found := [_map(r) for r in part if r["bits"] == length])}
        for label, part in rows.items()
    }
    methods = {label: part[0]["method"] for label, part in rows.items()}
    highest = {length: max(_printed(of[length]) for of in maps.values() if length in of) for length in bits}
    scores = {
        label: {
            length: Score(
                mean=statistics.fmean(found),
                std=statistics.stdev(found) if len(found) > 1 else None,
                seeds=len(found),
                best=_printed(found) == highest[length],
                published=published.get((methods[label], length)),
            )
            for length, found in of.items()
        }
        for label, of in maps.items()
    }
    return Board(
        title=f"{first['title']} @{first['protocol']}: {map_name(first['metric_definition'])} (expected)",
        definition=f"{map_in_words(first['metric_definition'])}; split {first['split_sha256'][:12]}",
        bits=bits,
        seeds=tuple(sorted({r["seed"] for r in records})),
        rows=dict(sorted(scores.items(), key=lambda item: _overall(item[1]), reverse=True)),
        published_source=source,
    )


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


def _map(record: Record) -> float:
    return float(record["metrics"]["map_expected"])


def _printed(found: Sequence[float]) -> float:
    return round(statistics.fmean(found), 4)


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
    return (bold(text) if score.best else text) + score.delta()
