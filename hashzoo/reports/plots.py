"""Figures as files, drawn by matplotlib."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hashzoo.errors import InvalidInput
from hashzoo.experiments.store import Run
from hashzoo.files import write_atomically
from hashzoo.reports import figures
from hashzoo.reports.figures import Figure, Heat, Panel
from hashzoo.reports.grouping import comparable, groups
from hashzoo.reports.shown import ShownRows, every, shown_rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FORMATS = ("png", "svg")

# Which figure, what of a run's folder it needs, and what to say where that is nowhere.
KINDS: dict[str, tuple[Callable[[ShownRows], Figure], dict[str, bool], str]] = {
    "pr": (figures.precision_recall, {"curves": True}, "a precision-recall curve"),
    "bits": (figures.bits, {"codes": True}, "codes (codes.npz)"),
    "distances": (figures.distances, {"codes": True}, "codes (codes.npz)"),
    "training": (figures.training, {"log": True}, "a log of training (log.jsonl)"),
}
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#6a5acd", "#666666")
_PANEL = (3.2, 2.5)  # inches


def layout_of(file: Path) -> str:
    """ "png" or "svg", by the file's ending.

    Raises:
        InvalidInput: another one.
    """
    ending = file.suffix.lower().removeprefix(".")
    if ending not in FORMATS:
        raise InvalidInput(f"expected a file that ends in .png or .svg, got {file}")
    return ending


def plot(kind: str, runs: Sequence[Run], file: Path) -> list[str]:
    """Draw one of `KINDS` into `file`; returns a line for each run of which something was missing.

    Raises:
        InvalidInput: no runs, or of several data sets, protocols or definitions, or none has what is needed; another
            ending of the file's name.
        StorageError: the file cannot be written.
    """
    layout = layout_of(file)
    draw, needs, what = KINDS[kind]
    sets = groups([run.record for run in runs], comparable)
    if len(sets) > 1:
        titles = sorted({f"{part[0]['title']} @{part[0]['protocol']}" for part in sets})
        raise InvalidInput(
            f"expected records that can be compared, found {len(sets)} different data, protocols or definitions "
            f"({', '.join(titles)}); name the folder of one"
        )
    if not runs:
        raise InvalidInput("expected records, found none; hashzoo run makes them")
    rows = shown_rows(runs, **needs)
    figure = draw(rows)
    if figure.empty:
        raise InvalidInput(f"none of {len(runs)} records has {what}, which this picture needs")
    write_atomically(file, picture(figure, layout))
    return [f"{shown.name}: {reason}" for shown in every(rows) for reason in shown.missing]


def picture(figure: Figure, layout: str) -> bytes:
    """The figure as "png" or "svg"; the same numbers give the same bytes."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Sheet
    from matplotlib.lines import Line2D

    columns = figure.columns
    rows = -(-len(figure.panels) // columns)
    sheet = Sheet(figsize=(max(6.4, _PANEL[0] * columns), _PANEL[1] * rows + 1.4), dpi=120, layout="constrained")
    FigureCanvasAgg(sheet)
    for place, panel in enumerate(figure.panels, 1):
        if isinstance(panel, Panel):
            _draw_panel(sheet.add_subplot(rows, columns, place), panel)
        elif isinstance(panel, Heat):
            _draw_heat(sheet.add_subplot(rows, columns, place), panel)
    handles = [Line2D([], [], label=label, **_drawn_as(colour)) for label, colour in figure.legend.items()]
    legend = sheet.legend(
        handles=handles, loc="outside upper center", ncols=min(4, len(handles)), frameon=False, fontsize=9
    )
    for label in legend.get_texts():
        label.set_parse_math(False)
    width = int(sheet.get_figwidth() * 17)
    sheet.supxlabel(textwrap.fill(figure.definition, width), fontsize=7, color="#555555")
    buffer = io.BytesIO()
    metadata: dict[str, Any] = {"Software": None} if layout == "png" else {"Date": None}
    with matplotlib.rc_context({"svg.hashsalt": figure.name}):
        sheet.savefig(buffer, format=layout, metadata=metadata)
    return buffer.getvalue()


def _draw_panel(axes: Axes, panel: Panel) -> None:
    from matplotlib.ticker import MaxNLocator

    for line in panel.lines:
        look = _drawn_as(line.colour)
        if panel.filled:
            axes.fill_between(line.x, line.y, step="mid", alpha=0.25, color=look["color"], linewidth=0)
            axes.step(line.x, line.y, where="mid", linewidth=1.2, **look)
        else:
            marker = "o" if panel.marked else None
            axes.plot(line.x, line.y, marker=marker, markersize=2.5, linewidth=1.3, **look)
    axes.set_title(panel.title, fontsize=9, parse_math=False)
    axes.set_xlabel(panel.x_label, fontsize=8)
    axes.set_ylabel(panel.y_label, fontsize=8)
    axes.tick_params(labelsize=7)
    axes.grid(alpha=0.3)
    if panel.log_x:
        axes.set_xscale("log")
    elif panel.few_x:
        axes.set_xticks(panel.few_x)
    elif panel.whole_x:
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    if panel.x_range:
        axes.set_xlim(panel.x_range[0] - 0.02, panel.x_range[1] + 0.02)
    if panel.y_range:
        axes.set_ylim(panel.y_range[0] - 0.02, panel.y_range[1] + 0.02)
    else:
        axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))


def _draw_heat(axes: Axes, heat: Heat) -> None:
    image = axes.imshow(heat.values, cmap="RdBu_r", vmin=-1, vmax=1, interpolation="nearest")
    axes.set_title(heat.title, fontsize=9, parse_math=False)
    axes.tick_params(labelsize=7)
    axes.figure.colorbar(image, ax=axes, shrink=0.8).ax.tick_params(labelsize=7)


def _drawn_as(number: int) -> dict[str, Any]:
    colour, style = figures.look(number)
    return {"color": _COLOURS[colour], "linestyle": style}
