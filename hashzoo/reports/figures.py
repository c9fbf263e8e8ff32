"""Figures as numbers, from records and what lies beside them; `plots` and `page.charts` draw them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hashzoo.reports.leaderboard import Board, caption
from hashzoo.reports.shown import FromCodes, Shown, ShownRows, every, lengths

COLOURS = 8  # of `plots` and of page.css
STYLES = ("solid", "dashed", "dotted")
_FEW = 6
_SQUARE = 256  # bits; the correlations of longer codes would be more pixels than a page has
_VALIDATION = "validation mAP"


@dataclass(frozen=True)
class Line:
    """Points in order."""

    label: str
    x: Sequence[float]
    y: Sequence[float]
    colour: int  # for `look`; lines of one colour mean the same in every panel of a figure
    spread: Sequence[float] = ()  # standard deviation of each point, 0 for none


@dataclass(frozen=True)
class Panel:
    """Lines over common axes."""

    title: str
    x_label: str
    y_label: str
    lines: tuple[Line, ...]
    x_range: tuple[float, float] | None = None  # None: from the least value to the greatest
    y_range: tuple[float, float] | None = None  # None: from 0, or from the least value below it, to the greatest
    log_x: bool = False
    filled: bool = False  # the area below each line, for distributions
    marked: bool = True  # each point is to be seen

    @property
    def whole_x(self) -> bool:
        """Whether only whole numbers make sense on the x axis."""
        return all(float(x).is_integer() for line in self.lines for x in line.x)

    @property
    def few_x(self) -> list[float]:
        """The values on the x axis if there are few whole ones, else none: they are its ticks then."""
        values = sorted({float(x) for line in self.lines for x in line.x})
        return values if self.whole_x and not self.log_x and len(values) <= _FEW else []


@dataclass(frozen=True)
class Heat:
    """A square of correlations, -1 to 1."""

    title: str
    values: np.ndarray  # (K, K)


@dataclass(frozen=True)
class Figure:
    """Panels in rows of `columns`; None leaves a place empty."""

    name: str
    title: str
    definition: str  # what the numbers are, and of which data, protocol, split and seed
    panels: tuple[Panel | Heat | None, ...]
    columns: int

    @property
    def empty(self) -> bool:
        return not any(self.panels)

    @property
    def legend(self) -> dict[str, int]:
        """The colour of each label, in order of the colours: a panel need not have a line of each."""
        lines = (line for panel in self.panels if isinstance(panel, Panel) for line in panel.lines)
        return {line.label: line.colour for line in sorted(lines, key=lambda line: line.colour)}


def look(colour: int) -> tuple[int, str]:
    """Number of a colour and style of a line: those of the first 24 numbers are different."""
    return colour % COLOURS, STYLES[colour // COLOURS % len(STYLES)]


def map_by_bits(board: Board) -> Figure:
    """Mean average precision against code length, a line for each row of the leaderboard."""
    lines = tuple(
        Line(
            label,
            list(scores),
            [score.mean for score in scores.values()],
            colour,
            [score.std or 0.0 for score in scores.values()],
        )
        for colour, (label, scores) in enumerate(
            (label, dict(sorted(row.items()))) for label, row in board.rows.items()
        )
    )
    title = board.title.rpartition(": ")[2]
    panel = Panel(title, "code length, bits", title, tuple(lines), y_range=(0, 1))
    where = board.title.removesuffix(f": {title}")
    return Figure("map", f"{title} against code length", f"{where}, {caption(board)}", (panel,), 1)


def precision_recall(rows: ShownRows) -> Figure:
    """Precision against recall by Hamming radius, a panel for each code length."""
    panels = tuple(
        _panel(rows, bits, "precision_recall", "recall", "recall", "precision within the radius", x_range=(0, 1))
        for bits in lengths(rows)
    )
    what = (
        "A point for each Hamming radius, 0 on the left: mean over queries of precision and recall of the rows "
        "within it; a query that finds nothing there counts as precision 0."
    )
    return Figure("pr", "Precision and recall by radius", f"{what} {origin(rows)}", panels, len(panels))


def precision_at_place(rows: ShownRows) -> Figure:
    """Precision in the first n places, a panel for each code length."""
    panels = tuple(
        _panel(rows, length, "at_place", "n", "rows looked at, n", "precision@n", log_x=True)
        for length in lengths(rows)
    )
    what = "Share of relevant rows in the first n places, mean over queries and over all orders of equal distances."
    return Figure("precision-at", "Precision@n", f"{what} {origin(rows)}", panels, len(panels))


def distances(rows: ShownRows) -> Figure:
    """Shares of similar and dissimilar pairs at each distance, a panel for each row and code length."""
    panels = tuple(
        _distances(f"{label}, {length} bits", found) if (found := _codes(row, length)) else None
        for label, row in rows.items()
        for length in lengths(rows)
    )
    relevance = every(rows)[0].record["metric_definition"].get("relevance")
    what = (
        f"All pairs of a query and a database row; similar: {relevance}. "
        "Each kind sums to 1 over the distances from 0 to the code length."
    )
    return Figure("distances", "Hamming distances of pairs", f"{what} {origin(rows)}", panels, len(lengths(rows)))


def bits(rows: ShownRows) -> Figure:
    """Share of +1 of each bit, a panel for each code length; then the correlation of bits, a square for each run."""
    activity = tuple(_activity(rows, length) for length in lengths(rows))
    squares = tuple(
        Heat(f"{label}, {length} bits", found.bits.correlation)
        if length <= _SQUARE and (found := _codes(row, length))
        else None
        for label, row in rows.items()
        for length in lengths(rows)
    )
    what = (
        "Over the database codes. Share of +1 of each bit, the bits of a run in order of it: 0.5 is balanced, 0 and 1 "
        "are dead. Squares: correlation of each two bits, in the order of the code; a bit that never changes has none, "
        f"nor have codes of more than {_SQUARE} bits."
    )
    return Figure(
        "bits", "Balance and correlation of bits", f"{what} {origin(rows)}", activity + squares, len(activity)
    )


def training(rows: ShownRows) -> Figure:
    """Each loss term by epoch, and mAP of held-out images: a row of panels for each method, a line for each length."""
    found = {
        label: list(dict.fromkeys(term for shown in row.values() for line in shown.log for term in _terms(line)))
        for label, row in rows.items()
    }
    columns = max((len(terms) for terms in found.values()), default=0)
    colours = {length: colour for colour, length in enumerate(lengths(rows))}
    panels = tuple(
        _term(label, terms[i], rows[label], colours) if i < len(terms) else None
        for label, terms in found.items()
        if terms
        for i in range(columns)
    )
    what = "Mean of each term of the loss, with its weight, over the batches of an epoch."
    if any(_VALIDATION in terms for terms in found.values()):
        what += " Validation mAP: of the held-out training images, after the epoch."
    return Figure("training", "Training", f"{what} {origin(rows)}", panels, columns)


def origin(rows: ShownRows) -> str:
    """Data, protocol, sizes, split and seeds of what is shown."""
    records = [shown.record for shown in every(rows)]
    first, definition = records[0], records[0]["metric_definition"]
    seeds = sorted({record["seed"] for record in records})
    return (
        f"{first['title']} @{first['protocol']}, {definition['queries']:,} queries against {definition['database']:,}, "
        f"split {first['split_sha256'][:12]}, seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}."
    )


def _panel(rows: ShownRows, length: int, curve: str, x: str, x_label: str, y_label: str, **axes: Any) -> Panel | None:
    lines = []
    for colour, (label, row) in enumerate(rows.items()):
        found = row[length].curves.get(curve) if length in row else None
        if found:
            lines.append(Line(label, found[x], found["precision"], colour))
    return Panel(f"{length} bits", x_label, y_label, tuple(lines), y_range=(0, 1), **axes) if lines else None


def _distances(title: str, found: FromCodes) -> Panel:
    curve = found.pairs.curves["pair_distances"]
    lines = tuple(
        Line(kind, curve["distance"], (np.array(curve[kind]) / max(1, sum(curve[kind]))).tolist(), colour)
        for colour, kind in enumerate(("similar", "dissimilar"))
    )
    return Panel(title, "Hamming distance, bits", "share of pairs", lines, filled=True, marked=False)


def _activity(rows: ShownRows, length: int) -> Panel | None:
    lines = [
        Line(label, range(1, length + 1), np.sort(found.bits.activity).tolist(), colour)
        for colour, (label, row) in enumerate(rows.items())
        if (found := _codes(row, length))
    ]
    return Panel(f"{length} bits", "bit, by its share", "share of +1", tuple(lines), y_range=(0, 1)) if lines else None


def _codes(row: dict[int, Shown], length: int) -> FromCodes | None:
    return row[length].codes if length in row else None


def _terms(line: Mapping[str, Any]) -> dict[str, float]:
    """What a line of the log has to draw."""
    validation = line.get("validation_map")
    return {**line["losses"], **({_VALIDATION: validation} if isinstance(validation, float) else {})}


def _term(label: str, term: str, row: dict[int, Shown], colours: dict[int, int]) -> Panel:
    lines = []
    for length, shown in row.items():
        points = [(line["epoch"], _terms(line)[term]) for line in shown.log if term in _terms(line)]
        if points:
            epochs, losses = zip(*points, strict=True)
            lines.append(Line(f"{length} bits", epochs, losses, colours[length]))
    return Panel(f"{label}: {term}", "epoch", term, tuple(lines))
