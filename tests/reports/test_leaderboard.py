import csv
import io
import json
import statistics

import pytest

from hashzoo import METHODS, PaperRow, PaperTable
from hashzoo.reports.leaderboard import FORMATS, boards, markdown, printed_by


def record(method="dsh", bits=12, seed=0, score=0.5, **changed):
    whole = {
        "method": method,
        "dataset": "cifar10",
        "protocol": "full",
        "title": "CIFAR-10",
        "split_sha256": "ab" * 32,
        "images_sha256": "cd" * 32,
        "bits": bits,
        "seed": seed,
        "precision": "fp32",
        "config": {"lr": 0.001},
        "metrics": {"map_expected": score},
        "metric_definition": {"topk": None, "ties": "expected", "denominator": "relevant", "empty": "zero"},
        "environment": {"device_type": "cpu", "device": "A machine, 2 cores", "threads": 2},
        "hashzoo": "0.1.0",
        "created": f"2026-11-2{4 + seed}T12:00:00+00:00",
        **changed,
    }
    return {"series": f"{method}-{seed}-{whole['config']}", **whole}


PAPER = PaperTable(
    name="map",
    title="mAP",
    source="A. Author, A Venue 2020, table 2",
    rows=(
        PaperRow("DSH", "dsh", printed={"cifar10": {12: 0.48}}),
        PaperRow("LSH, fewer", "lsh", {"features": "pixels"}, printed={"cifar10": {12: 0.1}}),
    ),
    bits=(12,),
    protocols={"cifar10": ("full", "dsh")},
)


def test_seeds_become_mean_and_spread():
    (board,) = boards([record(seed=seed, score=score) for seed, score in enumerate((0.5, 0.52, 0.57))])
    score = board.rows["dsh"][12]
    assert score.mean == pytest.approx(0.53)
    assert score.std == pytest.approx(statistics.stdev((0.5, 0.52, 0.57)))
    assert score.seeds == 3
    assert "0.5300 ± 0.0361" in markdown([board])
    assert "Mean and standard deviation over 3 seeds (seeds 0, 1, 2)." in markdown([board])


def test_a_mean_over_fewer_seeds_says_so():
    found = [record(seed=seed) for seed in (0, 1)] + [record("lsh", seed=0, score=0.4)]
    (board,) = boards(found, [PAPER], seeds=(0, 1, 2))
    assert "| dsh | **0.5000 ± 0.0000** (+0.0200) (2 of 3 seeds) |" in markdown([board])
    assert "| lsh | 0.4000 (1 of 3 seeds) |" in markdown([board])
    assert "over up to 3 seeds (seeds 0, 1, 2)" in markdown([board])
    assert "(2 of 3 seeds)" in FORMATS["latex"]([board])
    assert "; a mean alone is of one seed" in markdown([board])


def test_nobody_asked_a_row_for_the_seeds_of_another():
    single = [record("lsh", bits=bits, score=0.4) for bits in (12, 24)]
    several = [record(), *(record(bits=24, seed=seed) for seed in (0, 1))]
    text = markdown(boards([*single, *several]))
    assert "| lsh | 0.4000 | 0.4000 |" in text
    assert "| dsh | **0.5000** (1 of 2 seeds) | **0.5000 ± 0.0000** |" in text
    assert "over up to 2 seeds (seeds 0, 1); a mean alone is of one seed" in text
    assert "alone" not in markdown(boards(several[1:]))


def test_a_seed_counts_once():
    (board,) = boards([record(score=0.5), record(score=0.7, created="2026-11-23T12:00:00+00:00"), record(seed=1)])
    score = board.rows["dsh"][12]
    assert (score.seeds, score.mean) == (2, 0.5)


def test_versions_of_a_file_are_not_seeds():
    made = [
        record(environment={"device_type": "cpu", "versions": {"python": "3.11", "my.py": f"sha256:{12 * letter}"}})
        for letter in "ab"
    ]
    (board,) = boards(made)
    assert [row[12].seeds for row in board.rows.values()] == [1, 1]


def test_seeds_and_lengths_of_a_budget_are_one_row():
    made = [
        record(bits=bits, seed=seed, config={"epochs": 12 + seed}, budget={"seconds": 600.0})
        for bits in (12, 24)
        for seed in (0, 1)
    ]
    (board,) = boards(made)
    assert {label: [score.seeds for score in row.values()] for label, row in board.rows.items()} == {"dsh": [2, 2]}
    assert "no preset, 12 epochs in 600 s (dsh); no preset, 13 epochs in 600 s (dsh)" in markdown([board]).lower()
    rows = list(csv.DictReader(io.StringIO(FORMATS["csv"]([board]))))
    assert [(row["epochs"], row["budget_s"]) for row in rows] == [("12; 13", "600.0")] * 2
    runs = json.loads(FORMATS["json"]([board]))[0]["rows"]["dsh"]["12"]["runs"]
    assert [(run["seed"], run["epochs"]) for run in runs] == [(0, 12), (1, 13)]


@pytest.mark.parametrize("layout", ["md", "latex"])
def test_the_caption_says_how_the_numbers_were_made(layout):
    fast = {"preset": "fast", "preset_changes": {"epochs": 1, "augment": False}, "config": {"epochs": 1}}
    text = FORMATS[layout](boards([record(**fast), record(seed=1, **fast), record("lsh"), record("lsh", seed=1)]))
    assert "Preset fast, 1 epoch, augment=false (dsh); no preset (lsh); run on 2026-11-24 to 2026-11-25" in text
    assert "on A machine, 2 cores, 2 threads, fp32." in text
    assert " No preset; run on 2026-11-24 on A machine" in FORMATS[layout](boards([record("lsh")]))


def test_a_single_seed_has_no_spread():
    (board,) = boards([record()])
    assert board.rows["dsh"][12].std is None
    assert "±" not in markdown([board])


def test_the_best_of_each_length_is_bold_and_rows_go_by_quality():
    (board,) = boards(
        [record("dsh", 12, score=0.5), record("dsh", 24, score=0.6), record("lsh", 12, score=0.51), record("lsh", 24)]
    )
    lines = markdown([board]).splitlines()
    assert "| dsh | 0.5000 | **0.6000** |" in lines
    assert "| lsh | **0.5100** | 0.5000 |" in lines
    assert list(board.rows) == ["dsh", "lsh"]


def test_means_that_print_alike_are_both_best():
    (board,) = boards([record("dsh", score=0.50001), record("lsh", score=0.50002)])
    assert all(row[12].best for row in board.rows.values())


def test_a_missing_length_is_an_empty_cell():
    (board,) = boards([record("dsh", 12), record("dsh", 24), record("lsh", 24)])
    assert "| lsh |  | **0.5000** |" in markdown([board]).splitlines()


def test_other_settings_are_another_row():
    (board,) = boards([record(), record(config={"lr": 0.01})])
    assert set(board.rows) == {"dsh lr=0.001", "dsh lr=0.01"}


@pytest.mark.parametrize(
    "other",
    [
        {"protocol": "59k"},
        {"split_sha256": "00" * 32},
        {"metric_definition": {"topk": 5000, "ties": "expected", "denominator": "relevant", "empty": "zero"}},
    ],
)
def test_what_cannot_be_compared_has_a_board_of_its_own(other):
    assert len(boards([record(), record("lsh", **other)])) == 2


def test_a_published_value_is_named_with_its_source_and_never_mixed_in():
    (board,) = boards([record(), record("lsh")], [PAPER])
    text = markdown([board])
    assert "**0.5000** (+0.0200)" in text
    assert "difference to the value in A. Author, A Venue 2020, table 2" in text
    assert board.rows["dsh"][12].mean == 0.5
    assert board.rows["lsh"][12].published is None


@pytest.mark.parametrize(
    "changed",
    [
        {"dataset": "digits"},
        {"protocol": "59k"},
        {"metric_definition": {"topk": 5000, "ties": "expected", "denominator": "relevant", "empty": "zero"}},
    ],
)
def test_a_paper_on_other_data_or_of_another_protocol_or_cut_off_says_nothing(changed):
    (board,) = boards([record(**changed)], [PAPER])
    assert board.rows["dsh"][12].published is None
    assert "difference" not in markdown([board])


def test_a_paper_without_figures_leaves_it_to_the_next():
    empty = PaperTable("map", "mAP", "another", rows=(), bits=(12,), protocols=PAPER.protocols)
    (board,) = boards([record()], [empty, PAPER])
    assert (board.rows["dsh"][12].published, board.published_source) == (0.48, PAPER.source)


def test_methods_bring_the_tables_of_their_papers(monkeypatch):
    dsh, lsh = METHODS.get("dsh"), METHODS.get("lsh")
    seconds = PaperTable("time", "time", "the same", rows=(), bits=(12,), measure="time")
    monkeypatch.setattr(dsh, "tables", (PAPER, seconds))
    assert printed_by([lsh, dsh]) == [PAPER]


def test_latex_escapes_and_emphasises():
    text = FORMATS["latex"](boards([record("cca_itq"), record("dsh", score=0.4)]))
    assert r"cca\_itq & \textbf{0.5000} \\" in text
    assert text.count(r"\toprule") == text.count(r"\bottomrule") == 1


def test_csv_has_a_line_per_score():
    found = boards([record(bits=bits, seed=seed) for bits in (12, 24) for seed in (0, 1)], [PAPER])
    rows = list(csv.DictReader(io.StringIO(FORMATS["csv"](found))))
    assert [(row["bits"], row["seeds"], row["published"]) for row in rows] == [("12", "2", "0.48"), ("24", "2", "")]
    made = ("preset", "preset_changes", "epochs", "precision", "machine", "created")
    dates = "2026-11-24; 2026-11-25"
    assert [rows[0][name] for name in made] == ["", "", "", "fp32", "A machine, 2 cores, 2 threads, fp32", dates]


def test_json_is_the_boards():
    (board,) = json.loads(FORMATS["json"](boards([record()])))
    assert board["rows"]["dsh"]["12"]["mean"] == 0.5
