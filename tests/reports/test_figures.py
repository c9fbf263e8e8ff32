from __future__ import annotations

import io
import json
import re
import shutil
from dataclasses import replace

import matplotlib.image
import numpy as np
import pytest

from hashzoo import retrieval
from hashzoo.evaluators.base import CodeSet
from hashzoo.evaluators.bit_statistics import BitStatistics
from hashzoo.experiments.store import Run, codes_of, codes_sha256, find_runs, write_codes
from hashzoo.reports import figures
from hashzoo.reports.figures import Figure, Heat, Line, Panel, look
from hashzoo.reports.leaderboard import boards
from hashzoo.reports.plots import picture
from hashzoo.reports.shown import every, lengths, shown_rows, spaced


@pytest.fixture(scope="module")
def rows(finished_runs):
    return shown_rows(find_runs(finished_runs), curves=True, codes=True, log=True, queries=3)


def run_of(finished_runs, method, bits, seed=0):
    (file,) = finished_runs.glob(f"*/*/{method}/{bits}b-s{seed}-*/result.json")
    return Run(file.parent, json.loads(file.read_text()))


def line_of(figure, title, label):
    (panel,) = [panel for panel in figure.panels if panel and panel.title == title]
    (line,) = [line for line in panel.lines if line.label == label]
    return line


def test_the_lowest_seed_of_each_row_and_length_is_shown(rows):
    assert lengths(rows) == [4, 12]
    assert set(rows) == {"lsh", "dsh"}
    assert {shown.record["seed"] for shown in every(rows)} == {0}
    assert not [shown.missing for shown in every(rows) if shown.missing]


def test_curves_are_those_of_the_record(rows, finished_runs):
    record = run_of(finished_runs, "dsh", 12).record
    line = line_of(figures.precision_recall(rows), "12 bits", "dsh")
    assert line.x == record["curves"]["precision_recall"]["recall"]
    assert line.y == record["curves"]["precision_recall"]["precision"]
    line = line_of(figures.precision_at_place(rows), "12 bits", "dsh")
    assert line.y == record["curves"]["at_place"]["precision"]


def test_map_has_its_mean_and_spread_over_seeds(finished_runs):
    runs = find_runs(finished_runs)
    (board,) = boards([run.record for run in runs])
    figure = figures.map_by_bits(board)
    (panel,) = figure.panels
    for line in panel.lines:
        found = [run_of(finished_runs, line.label, 4, s).record["metrics"]["map_expected"] for s in (0, 1)]
        assert (line.x[0], line.y[0]) == (4, pytest.approx(np.mean(found)))
        assert line.spread[0] == pytest.approx(np.std(found, ddof=1))


def test_distances_are_shares_of_the_pairs_of_the_codes(rows, finished_runs):
    figure = figures.distances(rows)
    codes = codes_of(run_of(finished_runs, "lsh", 4))
    away = retrieval.distances(codes.query_codes, codes.database_codes)
    similar = codes.query_labels[:, None] == codes.database_labels
    for kind, chosen in (("similar", similar), ("dissimilar", ~similar)):
        expected = np.bincount(away[chosen], minlength=5) / chosen.sum()
        np.testing.assert_allclose(line_of(figure, "lsh, 4 bits", kind).y, expected)


def test_bits_are_balanced_and_correlated_as_measured(rows, finished_runs):
    figure = figures.bits(rows)
    found = BitStatistics().evaluate(codes_of(run_of(finished_runs, "lsh", 12))).metrics
    share = line_of(figure, "12 bits", "lsh").y
    assert (share[0], share[-1]) == (found["bit_activity_min"], found["bit_activity_max"])
    (heat,) = [panel for panel in figure.panels if isinstance(panel, Heat) and panel.title == "lsh, 12 bits"]
    away = ~np.eye(12, dtype=bool)
    live = np.diag(heat.values) > 0.5
    assert np.abs(heat.values[np.ix_(live, live)][away[np.ix_(live, live)]]).mean() == pytest.approx(
        found["bit_correlation"]
    )


def test_training_has_a_panel_for_each_term_and_none_for_what_does_not_train(rows, finished_runs):
    figure = figures.training(rows)
    run = run_of(finished_runs, "dsh", 4)
    log = [json.loads(line) for line in (run.folder / "log.jsonl").read_text().splitlines()]
    line = line_of(figure, "dsh: contrastive", "4 bits")
    assert line.x == (1, 2)
    assert list(line.y) == [entry["losses"]["contrastive"] for entry in log]
    assert not [panel for panel in figure.panels if panel and panel.title.startswith("lsh")]


def test_code_lengths_are_in_order_where_a_row_lacks_one(rows):
    dsh = rows["dsh"]
    figure = figures.training({"first": {12: dsh[12]}, "second": dsh})
    assert list(figure.legend.items()) == [("4 bits", 0), ("12 bits", 1)]


def test_training_has_the_map_of_held_out_images(rows):
    log = tuple({"epoch": epoch, "losses": {"a": 1.0}, "validation_map": 0.2 * epoch} for epoch in (1, 2))
    chosen = {12: replace(rows["dsh"][12], log=log)}
    figure = figures.training({"dsh": chosen})
    line = line_of(figure, "dsh: validation mAP", "12 bits")
    assert (line.x, line.y) == ((1, 2), (0.2, 0.4))
    assert "held-out training images" in figure.definition
    assert "held-out" not in figures.training(rows).definition


@pytest.mark.parametrize("draw", [figures.precision_recall, figures.distances, figures.bits, figures.training])
def test_every_figure_says_what_it_is_of(rows, draw):
    record = every(rows)[0].record
    for part in ("@folder", f"split {record['split_sha256'][:12]}", "seed 0", "6 queries against 12"):
        assert part in draw(rows).definition


def test_what_is_missing_is_named_without_its_folder(finished_runs, tmp_path):
    shutil.copytree(finished_runs, tmp_path / "runs")
    gone, other, damaged = (run_of(tmp_path / "runs", *which) for which in (("lsh", 4), ("lsh", 12), ("dsh", 4)))
    (gone.folder / "codes.npz").unlink()
    shutil.copy(run_of(finished_runs, "dsh", 12).folder / "codes.npz", other.folder)
    (damaged.folder / "log.jsonl").write_text("{")
    (run_of(tmp_path / "runs", "dsh", 12).folder / "log.jsonl").unlink()
    rows = shown_rows(find_runs(tmp_path / "runs"), codes=True, log=True)
    missing = {shown.name: shown.missing for shown in every(rows)}
    assert missing["lsh 4 bits, seed 0"] == ("codes.npz: no such file",)
    assert missing["lsh 12 bits, seed 0"] == ("codes.npz: these are not the codes of its record",)
    assert missing["dsh 4 bits, seed 0"][0].startswith("log.jsonl is not a log of training")
    assert missing["dsh 12 bits, seed 0"] == ("log.jsonl: missing or empty",)
    assert str(tmp_path) not in str(missing)


@pytest.mark.parametrize("excluding", [False, True])
def test_answers_are_the_nearest_rows(excluding, finished_runs, tmp_path):
    rng = np.random.default_rng(0)
    codes = CodeSet.checked(
        query_codes=rng.choice([-1, 1], (9, 6)),
        query_labels=rng.integers(0, 2, (9, 3)),
        database_codes=rng.choice([-1, 1], (40, 6)),
        database_labels=rng.integers(0, 2, (40, 3)),
        exclude=np.array([3, -1, 39, 0, 1, 2, -1, 5, 6]) if excluding else None,
    )
    write_codes(tmp_path / "codes.npz", codes)
    record = {**run_of(finished_runs, "lsh", 4).record, "codes_sha256": codes_sha256(codes)}
    ((shown,),) = [row.values() for row in shown_rows([Run(tmp_path, record)], codes=True, queries=4).values()]
    answers = shown.codes.answers
    np.testing.assert_array_equal(answers.queries, [0, 2, 4, 6])
    away = retrieval.distances(codes.query_codes, codes.database_codes)
    for q, rows, distances, relevant in zip(
        answers.queries, answers.rows, answers.distances, answers.relevant, strict=True
    ):
        order = [row for row in np.argsort(away[q], kind="stable") if not excluding or row != codes.exclude[q]]
        np.testing.assert_array_equal(rows, order[:10])
        np.testing.assert_array_equal(distances, away[q, rows])
        shared = [(codes.query_labels[q] * codes.database_labels[row]).sum() > 0 for row in rows]
        np.testing.assert_array_equal(relevant, shared)


def test_queries_are_evenly_spaced_and_no_more_than_there_are():
    assert spaced(4, 10).tolist() == [0, 2, 5, 7]
    assert spaced(5, 3).tolist() == [0, 1, 2]
    assert spaced(0, 3).tolist() == []


PANEL = Panel("a panel", "x", "y", (Line("one", [0, 1], [0.5, 1], 0), Line("two", [0, 1], [1, 0.5], 9)))


@pytest.mark.parametrize("layout", ["png", "svg"])
def test_a_picture_is_one_and_is_the_same_again(layout):
    figure = Figure("pr", "Title", "what it is", (PANEL, None, Heat("square", np.eye(3))), 2)
    data = picture(figure, layout)
    assert picture(figure, layout) == data
    if layout == "png":
        assert matplotlib.image.imread(io.BytesIO(data), format="png")[..., :3].std() > 0.05
    else:
        assert b"<svg" in data


def test_lines_are_told_apart_beyond_eight():
    assert len({look(number) for number in range(24)}) == 24
    assert [look(number) for number in (0, 9, 17)] == [(0, "solid"), (1, "dashed"), (1, "dotted")]
    lines = tuple(Line(str(number), [0, 1], [0, 1], number) for number in (1, 9, 17))
    drawn = picture(Figure("pr", "Title", "what it is", (Panel("a panel", "x", "y", lines),), 1), "svg")
    patterns = re.findall(rb"stroke-dasharray: ([\d. ,]+)", drawn)
    assert len(patterns) == 4, "two lines, and their handles in the legend"
