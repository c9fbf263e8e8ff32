"""Runs in, the page out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from string import Template
from typing import Any
from xml.etree.ElementTree import Element

import hashzoo
from hashzoo.errors import HashzooError, InvalidInput
from hashzoo.experiments.store import Run
from hashzoo.reports import figures
from hashzoo.reports.figures import Figure
from hashzoo.reports.grouping import comparable, groups, labelled_rows
from hashzoo.reports.leaderboard import Board, boards, caption
from hashzoo.reports.page.charts import figure_html
from hashzoo.reports.page.explorer import ImageSource, explorer_data
from hashzoo.reports.page.markup import Content, element, html, script_json, table
from hashzoo.reports.shown import ShownRows, every, shown_rows

Note = Callable[[str], None]


@dataclass(frozen=True)
class _Part:
    """What there is to say about the runs that one leaderboard holds."""

    number: int
    board: Board
    rows: ShownRows
    runs: list[Run]
    explorer: dict[str, Any] | None
    left_out: list[str]

    @property
    def drawn(self) -> list[Figure]:
        made = (
            figures.map_by_bits(self.board),
            *(draw(self.rows) for draw in (figures.precision_recall, figures.precision_at_place)),
            *(draw(self.rows) for draw in (figures.distances, figures.bits, figures.training)),
        )
        return [figure for figure in made if not figure.empty]


def page(runs: Sequence[Run], source: ImageSource, queries: int, note: Note) -> bytes:
    """The whole page, UTF-8; the same runs give the same bytes.

    Args:
        runs: any; a part of the page for each set of them that can be compared.
        source: of the images that the explorer shows.
        queries: how many the explorer has, of each part; 0 leaves it out.
        note: is told in a line what is left out.

    Raises:
        InvalidInput: there are no runs.
    """
    if not runs:
        raise InvalidInput("expected records, found none; hashzoo run makes them")
    by_record = {id(run.record): run for run in runs}
    sets = groups([run.record for run in runs], comparable)
    parts = [
        _part(number, [by_record[id(record)] for record in records], source, queries, note)
        for number, records in enumerate(sets)
    ]
    folder = files(__package__)
    template = Template((folder / "page.html").read_text(encoding="utf-8"))
    text = template.substitute(
        version=hashzoo.__version__,
        summary=html(_summary(parts)),
        parts="\n".join(html(_part_html(part)) for part in parts),
        style=(folder / "page.css").read_text(encoding="utf-8"),
        script=(folder / "page.js").read_text(encoding="utf-8"),
        records=script_json([run.record for run in runs]),
        explorers=script_json({f"explorer-{part.number}": part.explorer for part in parts if part.explorer}),
    )
    return text.encode()


def _part(number: int, runs: list[Run], source: ImageSource, queries: int, note: Note) -> _Part:
    (board,) = boards([run.record for run in runs])
    rows = shown_rows(runs, curves=True, codes=True, log=True, queries=queries)
    left_out = [f"{shown.name}: {reason}" for shown in every(rows) for reason in shown.missing]
    explorer = None
    if not queries:
        left_out.append("retrieval explorer: it was not asked for")
    else:
        try:
            explorer = explorer_data(rows, source.load(runs[0].record))
            if explorer is None:
                left_out.append("retrieval explorer: no run has codes")
        except HashzooError as reason:
            note(" ".join(str(reason).split()))
            left_out.append("retrieval explorer: the images of these records were not at hand")
    for line in left_out:
        note(f"left out: {line}")
    return _Part(number, board, rows, runs, explorer, left_out)


def _summary(parts: Sequence[_Part]) -> Element:
    entries = [
        element("li", element("a", part.board.title, href=f"#part-{part.number}"), f", {_count(part.runs)}")
        for part in parts
    ]
    return element("ul", *entries, class_="contents")


def _part_html(part: _Part) -> Element:
    drawn = part.drawn
    sections: list[Content] = [
        element("h2", part.board.title),
        _contents(part, drawn),
        *([_left_out(part)] if part.left_out else []),
        _leaderboard(part),
        *([_explorer(part)] if part.explorer else []),
        *(figure_html(figure, f"{figure.name}-{part.number}") for figure in drawn),
        element("h3", "Numbers", id=f"numbers-{part.number}"),
        _pair_table(part),
        _bit_table(part),
        _run_table(part),
    ]
    return element("section", *sections, id=f"part-{part.number}", class_="part")


def _contents(part: _Part, drawn: Sequence[Figure]) -> Element:
    targets = [("leaderboard", "Leaderboard")]
    if part.explorer:
        targets.append(("explorer", "Retrieval explorer"))
    targets += [(figure.name, figure.title) for figure in drawn] + [("numbers", "Numbers")]
    entries = [element("li", element("a", title, href=f"#{name}-{part.number}")) for name, title in targets]
    return element("nav", element("ul", *entries), aria_label=f"Parts of {part.board.title}")


def _left_out(part: _Part) -> Element:
    entries = [element("li", line) for line in part.left_out]
    return element("aside", element("h3", "Left out"), element("ul", *entries), class_="left-out")


def _leaderboard(part: _Part) -> Element:
    header = ("method", *(f"{bits} bits" for bits in part.board.bits))
    rows: list[list[Content]] = []
    for label, scores in part.board.rows.items():
        cells: list[Content] = [label]
        for bits in part.board.bits:
            score = scores.get(bits)
            text = f"{score.text()}{score.beside()}" if score else ""
            cells.append(element("strong", text) if score and score.best else text)
        rows.append(cells)
    made = table(header, rows, f"{caption(part.board)} Bold: the best of a code length.")
    return element("div", element("h3", "Leaderboard"), made, id=f"leaderboard-{part.number}")


def _explorer(part: _Part) -> Element:
    explorer = part.explorer or {}
    relevance = part.runs[0].record["metric_definition"].get("relevance")
    words = (
        f"{len(explorer['queries'])} queries, evenly spaced over their split, and the {explorer['places']} images "
        f"nearest to each by Hamming distance (d, in bits), equal distances in database order. Relevant: {relevance}. "
        f"{figures.origin(part.rows)}"
    )
    return element(
        "section",
        element("h3", "Retrieval explorer"),
        element("p", words, class_="definition"),
        element("noscript", "The retrieval explorer needs JavaScript; nothing else on this page does."),
        id=f"explorer-{part.number}",
        class_="explorer",
    )


def _pair_table(part: _Part) -> Element | None:
    rows: list[list[Content]] = [
        [label, f"{bits}", *(f"{shown.codes.pairs.metrics[name]:.4f}" for name in _PAIR_METRICS)]
        for label, row in part.rows.items()
        for bits, shown in row.items()
        if shown.codes
    ]
    words = "Distances of pairs, in bits: means, and the share of the two distributions that both have."
    header = ("method", "bits", "similar", "dissimilar", "overlap")
    return table(header, rows, f"{words} {figures.origin(part.rows)}") if rows else None


def _bit_table(part: _Part) -> Element:
    rows: list[list[Content]] = [
        [label, f"{bits}", *(_number(shown.record["metrics"].get(name), form) for name, form in _BIT_METRICS.items())]
        for label, row in part.rows.items()
        for bits, shown in row.items()
    ]
    header = ("method", "bits", "least share of +1", "greatest", "mean |correlation|", "dead bits", "different codes")
    return table(header, rows, f"Use of the bits over the database codes, as recorded. {figures.origin(part.rows)}")


def _run_table(part: _Part) -> Element:
    rows: list[list[Content]] = [
        [
            label,
            f"{record['bits']}",
            f"{record['seed']}",
            *(f"{record['metrics'][name]:.4f}" for name in _MAP_METRICS),
            _number(record["timings"].get("train_s"), ".1f"),
            record["config_hash"],
            str(record.get("created", ""))[:10],
        ]
        for label, records in labelled_rows([run.record for run in part.runs]).items()
        for record in sorted(records, key=lambda record: (record["bits"], record["seed"]))
    ]
    scores = ("mAP, expected", "worst ties", "best ties", "precision, radius 2")
    header = ("method", "bits", "seed", *scores, "training, s", "config", "made")
    return table(header, rows, f"Every record. {part.board.title}: {part.board.definition}.")


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def _count(runs: Sequence[Run]) -> str:
    return f"{len(runs):,} record{'' if len(runs) == 1 else 's'}"


_PAIR_METRICS = ("similar_mean", "dissimilar_mean", "overlap")
_BIT_METRICS = {
    "bit_activity_min": ".4f",
    "bit_activity_max": ".4f",
    "bit_correlation": ".4f",
    "dead_bits": ",.0f",
    "distinct_codes": ",.0f",
}
_MAP_METRICS = ("map_expected", "map_worst", "map_best", "precision_radius2")
