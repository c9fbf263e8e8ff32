from __future__ import annotations

import base64
import io
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest
from PIL import Image

from hashzoo import retrieval
from hashzoo.datasets.base import Split
from hashzoo.datasets.folder import Folder
from hashzoo.errors import InvalidInput
from hashzoo.experiments.store import Run, codes_of, find_runs
from hashzoo.reports.figures import Figure, Line, Panel
from hashzoo.reports.page.build import page
from hashzoo.reports.page.charts import figure_html, ticks
from hashzoo.reports.page.explorer import ImageSource, explorer_data, thumbnail
from hashzoo.reports.page.markup import element, html, script_json
from hashzoo.reports.shown import Answers, FromCodes, Shown

NASTY = "</script><img src=x onerror=alert(1)> & \"quotes\" <!-- 'single'"


class Document(HTMLParser):
    """Elements with attributes, the text of each, and whether all that was opened was closed."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open = [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes), []))
        if tag not in ("meta", "link", "img", "input", "br"):
            self.open.append((tag, len(self.elements) - 1))

    def handle_endtag(self, tag):
        opened, _ = self.open.pop()
        assert opened == tag

    def handle_data(self, text):
        for _, number in self.open:
            self.elements[number][2].append(text)

    def all(self, tag, **wanted):
        return [
            (attributes, "".join(text))
            for name, attributes, text in self.elements
            if name == tag and all(attributes.get(key) == value for key, value in wanted.items())
        ]

    def json(self, identifier):
        ((_, text),) = self.all("script", id=identifier)
        return json.loads(text)

    def table_below(self, heading):
        """Rows of cells of the first table whose header starts with `heading`."""
        rows = self.text_rows()
        start = rows.index(heading)
        width = len(heading)
        return [row for row in rows[start + 1 :] if len(row) == width]

    def text_rows(self):
        rows = []
        for tag, _, text in self.elements:
            if tag == "tr":
                rows.append([])
            elif tag in ("th", "td"):
                rows[-1].append("".join(text))
        return rows


def made(runs, root, queries=4):
    notes = []
    data = page(runs, ImageSource(root), queries, notes.append)
    return data, Document(data.decode()), notes


@pytest.fixture(scope="module")
def whole(finished_runs, tree):
    runs = find_runs(finished_runs)
    return (runs, *made(runs, tree))


def copied(finished_runs, tmp_path):
    shutil.copytree(finished_runs, tmp_path / "runs")
    return tmp_path / "runs"


def test_the_page_is_whole_and_its_links_lead_somewhere(whole):
    _, _, document, notes = whole
    assert notes == []
    ids = [attributes["id"] for _, attributes, _ in document.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = [attributes["href"] for attributes, _ in document.all("a")]
    assert {target.removeprefix("#") for target in targets} <= set(ids)
    for name in ("leaderboard", "explorer", "map", "pr", "precision-at", "distances", "bits", "training", "numbers"):
        assert f"#{name}-0" in targets
    assert len(document.all("svg")) > 10
    assert all(attributes["aria-label"] for attributes, _ in document.all("svg"))
    assert all(attributes.get("alt") for attributes, _ in document.all("img"))


def test_nothing_is_loaded_from_outside(whole):
    _, data, document, _ = whole
    for _, attributes, _ in document.elements:
        for key in ("src", "href", "srcset", "data", "action", "poster"):
            assert re.match(r"(#|data:|$)", attributes.get(key, "")), attributes
    rest = re.sub(rb'<script type="application/json".*?</script>', b"", data, flags=re.DOTALL)
    assert len(re.findall(rb"<script", rest)) == 1
    assert b"getElementById" in rest
    assert not re.search(rb"url\(|@import|\bfetch\(|XMLHttpRequest|https?://", rest)
    (policy,) = [a["content"] for a, _ in document.all("meta") if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")


def test_the_same_runs_give_the_same_page(whole, tree):
    runs, data, _, _ = whole
    assert made(runs, tree)[0] == data


def test_records_are_in_the_page_as_they_are(whole):
    runs, _, document, _ = whole
    assert document.json("records") == [run.record for run in runs]


def test_the_leaderboard_has_the_means_of_the_records(whole):
    runs, _, document, _ = whole
    rows = {row[0]: row[1:] for row in document.table_below(["method", "4 bits", "12 bits"])[:2]}
    assert set(rows) == {"lsh", "dsh"}
    for method, cells in rows.items():
        for bits, cell in zip((4, 12), cells, strict=True):
            found = [
                run.record["metrics"]["map_expected"]
                for run in runs
                if (run.record["method"], run.record["bits"]) == (method, bits)
            ]
            assert cell.startswith(f"{fmean(found):.4f} ± ")


def test_every_record_has_its_line_of_numbers(whole):
    runs, _, document, _ = whole
    header = next(row for row in document.text_rows() if "mAP, expected" in row)
    lines = {(row[0], row[1], row[2]): row for row in document.table_below(header)}
    for record in (run.record for run in runs):
        line = lines[record["method"], str(record["bits"]), str(record["seed"])]
        for name, cell in zip(("map_expected", "map_worst", "map_best", "precision_radius2"), line[3:7], strict=True):
            assert cell == f"{record['metrics'][name]:.4f}"
        assert record["config_hash"] in line


def test_every_figure_names_protocol_split_and_seed(whole):
    runs, _, document, _ = whole
    captions = [text for _, text in document.all("figcaption")]
    assert len(captions) == 6
    for text in captions:
        for part in ("@folder", f"split {runs[0].record['split_sha256'][:12]}", "seed"):
            assert part in text


def test_the_explorer_answers_as_the_engine_does(whole, tree):
    runs, _, document, _ = whole
    explorer = document.json("explorers")["explorer-0"]
    data = Folder(tree).load()
    assert [query["position"] for query in explorer["queries"]] == [0, 1, 3, 4]
    for method in explorer["methods"]:
        for length in method["lengths"]:
            (run,) = [
                run
                for run in runs
                if [run.record[key] for key in ("method", "bits", "seed")] == [method["label"], length["bits"], 0]
            ]
            codes = codes_of(run)
            distances, rows = retrieval.top_k(
                codes.query_codes[[0, 1, 3, 4]], codes.database_codes, 10, bits=codes.bits
            )
            for q, answers in enumerate(length["answers"]):
                assert [distance for _, distance, _ in answers] == distances[q].tolist()
                asked = codes.query_labels[explorer["queries"][q]["position"]]
                assert [bool(relevant) for _, _, relevant in answers] == (
                    codes.database_labels[rows[q]] == asked
                ).tolist()
                for (image, _, _), row in zip(answers, rows[q], strict=True):
                    np.testing.assert_array_equal(pixels(explorer["images"][image]), data.database.take([row])[0])
                    assert explorer["labels"][image] == data.classes[codes.database_labels[row]]
    assert len(explorer["images"]) <= len(data.query) + len(data.database)


def pixels(uri):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))).convert("RGB"))


def test_whatever_a_record_says_is_text(finished_runs, tree):
    runs = [
        Run(run.folder, {**run.record, "method": NASTY, "title": NASTY, "created": NASTY, "paper": NASTY})
        for run in find_runs(finished_runs)
    ]
    _, document, _ = made(runs, tree)
    assert document.json("records")[0]["paper"] == NASTY
    assert document.json("explorers")["explorer-0"]["methods"][0]["label"].startswith(NASTY)
    assert all(attributes["src"].startswith("data:") for attributes, _ in document.all("img"))
    assert len(document.all("script")) == 3
    assert any(NASTY in text for _, text in document.all("h2"))


def test_runs_without_codes_give_what_the_record_can(finished_runs, tree, tmp_path):
    folder = copied(finished_runs, tmp_path)
    for file in folder.rglob("codes.npz"):
        if "lsh" in str(file):
            file.unlink()
    data, document, notes = made(find_runs(folder), tree)
    (left_out,) = [text for attributes, text in document.all("aside") if attributes["class"] == "left-out"]
    for bits in (4, 12):
        assert f"lsh {bits} bits, seed 0: codes.npz: no such file" in left_out
        assert f"left out: lsh {bits} bits, seed 0: codes.npz: no such file" in notes
    assert [method["label"] for method in document.json("explorers")["explorer-0"]["methods"]] == ["dsh"]
    assert any(row[0] == "lsh" for row in document.table_below(["method", "4 bits", "12 bits"])[:2])
    assert str(tmp_path).encode() not in data


def test_records_alone_make_a_page(finished_runs, tree, tmp_path):
    folder = copied(finished_runs, tmp_path)
    for name in ("codes.npz", "log.jsonl"):
        for file in folder.rglob(name):
            file.unlink()
    _, document, _ = made(find_runs(folder), tree)
    targets = {attributes["href"] for attributes, _ in document.all("a")}
    assert {"#map-0", "#pr-0", "#precision-at-0", "#numbers-0"} <= targets
    assert not {"#explorer-0", "#distances-0", "#bits-0", "#training-0"} & targets
    (left_out,) = [text for _, text in document.all("aside")]
    assert "retrieval explorer: no run has codes" in left_out


def test_a_record_without_curves_says_so(finished_runs, tree):
    runs = [
        Run(run.folder, {key: value for key, value in run.record.items() if key != "curves"})
        for run in find_runs(finished_runs)
    ]
    _, document, notes = made(runs, tree)
    assert "left out: dsh 4 bits, seed 0: result.json: no curves" in notes
    assert not document.all("figure", id="pr-0")
    assert document.all("figure", id="map-0")


DAMAGED = [
    ({"precision_recall": {"recall": [0, 1], "precision": [1, 0]}}, "'radius'"),
    ({"at_place": {"n": [1, 2], "precision": [1], "recall": [0, 1]}}, "at_place: axes of different lengths"),
    ({"at_place": {"n": [1], "precision": ["high"], "recall": [0]}}, "at_place: not all are numbers"),
    ({"at_place": 3}, "object is not subscriptable"),
    (["at_place"], "list indices must be"),
]


@pytest.mark.parametrize(("curves", "reason"), DAMAGED)
def test_damaged_curves_are_left_out(finished_runs, tree, curves, reason):
    runs = [Run(run.folder, {**run.record, "curves": curves}) for run in find_runs(finished_runs)]
    _, document, notes = made(runs, tree)
    (note,) = [note for note in notes if "dsh 4 bits, seed 0: result.json: the curves are damaged" in note]
    assert reason in note
    assert not document.all("figure", id="pr-0")
    assert document.all("figure", id="map-0")


@pytest.mark.parametrize("other", [False, True])
def test_without_the_images_there_is_no_explorer(finished_runs, tree, tmp_path, other):
    if other:
        shutil.copytree(tree, tmp_path / "images")
        first = next((tmp_path / "images").rglob("*.png"))
        Image.fromarray(255 - np.asarray(Image.open(first))).save(first)
    data, document, notes = made(find_runs(finished_runs), tmp_path / "images")
    assert document.json("explorers") == {}
    (left_out,) = [text for _, text in document.all("aside")]
    assert "retrieval explorer: the images of these records were not at hand" in left_out
    assert str(tmp_path).encode() not in data
    assert ("images_sha256 differs" if other else "expected ROOT") in notes[0]


def test_no_queries_is_no_explorer(finished_runs, tmp_path):
    _, document, notes = made(find_runs(finished_runs), tmp_path, queries=0)
    assert document.json("explorers") == {}
    assert notes == ["left out: retrieval explorer: it was not asked for"]


def test_what_cannot_be_compared_is_apart(finished_runs, tree):
    runs = find_runs(finished_runs)
    others = [Run(run.folder, {**run.record, "protocol": "other"}) for run in runs]
    _, document, notes = made([*runs, *others], tree)
    assert [attributes["id"] for attributes, _ in document.all("section") if attributes["class"] == "part"] == [
        "part-0",
        "part-1",
    ]
    assert list(document.json("explorers")) == ["explorer-0"]
    assert "no protocol of 'folder' named 'other'" in notes[0]


def test_no_records_are_no_page():
    with pytest.raises(InvalidInput, match="expected records, found none"):
        page([], ImageSource(Path()), 4, print)


def photograph(rng):
    """(64, 64, 3) uint8 that compresses about as badly as a photograph."""
    coarse = Image.fromarray(rng.integers(0, 256, (12, 12, 3), np.uint8)).resize((64, 64), Image.Resampling.BICUBIC)
    return np.clip(np.asarray(coarse) + rng.normal(0, 6, (64, 64, 3)), 0, 255).astype(np.uint8)


def test_four_methods_at_four_lengths_stay_below_10_mb():
    rng = np.random.default_rng(0)
    few = np.stack([photograph(rng) for _ in range(200)])
    images = few[np.arange(3300) % 200]
    query = Split(images, np.arange(100), np.zeros(100, int))
    database = Split(images, np.arange(100, 3300), np.zeros(3200, int))
    positions = iter(np.arange(3200).reshape(16, 20, 10))  # no image is an answer twice: the worst case

    class Data:
        classes = ("one",)

    data = Data()
    data.query, data.database = query, database
    rows = {
        method: {
            bits: Shown(
                {"bits": bits, "seed": 0},
                codes=FromCodes(
                    None, None, Answers(np.arange(20), next(positions), np.zeros((20, 10)), np.ones((20, 10)))
                ),
            )
            for bits in (12, 24, 36, 48)
        }
        for method in "abcd"
    }
    explorer = explorer_data(rows, data)
    assert len(explorer["images"]) == 3220
    assert len(script_json(explorer)) < 8_000_000


def test_small_images_are_kept_as_they_are_and_large_ones_made_small():
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (16, 12, 3), np.uint8)
    np.testing.assert_array_equal(pixels(thumbnail(small)), small)
    assert pixels(thumbnail(rng.integers(0, 256, (100, 200, 3), np.uint8))).shape == (24, 48, 3)


def test_json_in_a_script_cannot_end_it():
    text = script_json({"a": [NASTY]})
    assert "</" not in text
    assert "<!--" not in text
    assert json.loads(text) == {"a": [NASTY]}


def test_text_and_attributes_are_escaped():
    text = html(element("p", NASTY, element("b", NASTY), NASTY, title=NASTY))
    ((attributes, found),) = Document(text).all("p")
    assert attributes["title"] == NASTY
    assert found == NASTY * 3


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0, 0.31, [0, 0.1, 0.2, 0.3]),
        (1, 48, [10, 20, 30, 40]),
        (-3, 14, [0, 5, 10]),
        (2, 2, [2]),
    ],
)
def test_ticks_are_round(low, high, expected):
    assert ticks(low, high) == expected


def test_a_chart_puts_points_where_they_belong():
    panel = Panel(
        "p",
        "x",
        "y",
        (Line("a", [0, 10], [0, 1], 0, [0, 0.1]), Line("b", [0, 10], [1, 1], 9), Line("c", [0, 1], [0, 1], 17)),
        y_range=(0, 1),
    )
    document = Document(html(figure_html(Figure("f", "F", "what", (panel, None), 2), "f-0")))
    points = [(float(a["cx"]), float(a["cy"])) for a, _ in document.all("circle")]
    assert points[0][0] == points[2][0] < points[1][0] == points[3][0]
    assert points[0][1] > points[1][1] == points[2][1] == points[3][1]
    assert [text for _, text in document.all("title")][1] == "a: x 10, y 1.0000 ± 0.1000"
    assert [a["class"] for a, _ in document.all("span")] == [
        "swatch colour-0",
        "swatch colour-1 dashed",
        "swatch colour-1 dotted",
    ]
