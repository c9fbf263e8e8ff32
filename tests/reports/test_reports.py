import csv
import io
import json
import re

import matplotlib
import matplotlib.image
import pytest

from hashzoo.methods.base import DeepMethod
from hashzoo.reports import progress, table
from hashzoo.reports.catalogue import setting_comments
from hashzoo.reports.curves import pr_curve_png
from hashzoo.reports.table import markdown, plain, records_csv, results_tables, run_tables
from hashzoo.reports.wording import map_in_words, map_name
from hashzoo.retrieval import evaluate


def record(**changed):
    bits = changed.get("bits", 12)
    config = {"lr": 0.001, "epochs": 5, **changed.pop("config", {})}
    definition = {
        "topk": None,
        "ties": "expected",
        "denominator": "relevant",
        "empty": "zero",
        "relevance": "same class id",
        "bits": bits,
        "queries": 1000,
        "database": 50000,
        **changed.pop("metric_definition", {}),
    }
    whole = {
        "method": "dsh",
        "dataset": "cifar10",
        "protocol": "full",
        "title": "CIFAR-10",
        "split_sha256": "ab" * 32,
        "images_sha256": "cd" * 32,
        "bits": bits,
        "seed": 0,
        "precision": "fp32",
        "image_size": None,
        "config": config,
        "config_hash": "0123",
        "metrics": {"map": 0.5, "map_expected": 0.5, "map_worst": 0.4, "map_best": 0.62, "precision_radius2": 0.33},
        "metric_definition": definition,
        "timings": {"train_s": 75.25, "encode_s": 1.5, "evaluate_s": 0.25},
        "environment": {"device": "A CPU, 2 cores", "threads": 2, "device_type": "cpu"},
        "curves": {
            "precision_recall": {"radius": [0.0, 1.0, 2.0], "precision": [1, 0.7, 0.4], "recall": [0.1, 0.5, 1]}
        },
        "codes_sha256": "ef",
        "hashzoo": "0.1.0",
        "created": "2025-01-01T00:00:00+00:00",
        **changed,
    }
    key = (whole["method"], whole["seed"], whole["precision"], str(config), whole["split_sha256"], definition["topk"])
    return {"series": repr(key), **whole}


def test_a_run_is_a_table_with_a_column_per_length():
    (made,) = run_tables([record(bits=24), record(bits=12)])
    assert made.header == ("", "12 bits", "24 bits")
    rows = {row[0].strip(): row[1:] for row in made.rows}
    assert rows["mAP@all (expected)"] == ("0.5000", "0.5000")
    assert rows["tie range"] == ("[0.4000, 0.6200]",) * 2
    assert rows["precision, radius 2"] == ("0.3300",) * 2
    assert rows["train, s"] == ("75.2", "75.2")
    assert rows["evaluate, s"] == ("0.250",) * 2
    caption = " ".join(made.caption)
    for part in (
        "mean over all orders",
        "divided by all relevant",
        "split abababababab",
        "seed 0",
        "A CPU, 2 cores, 2 threads",
    ):
        assert part in caption


def test_lengths_with_other_epochs_of_one_budget_are_a_table_that_says_which():
    within = {"series": "one", "budget": {"seconds": 600.0, "probe": {}}}
    found = [record(bits=12, config={"epochs": 13}, **within), record(bits=24, config={"epochs": 12}, **within)]
    (made,) = run_tables(found)
    assert {row[0]: row[1:] for row in made.rows}["epochs, by budget"] == ("13", "12")
    (made,) = results_tables(found)
    assert made.rows == (("dsh", "0", "0.5000", "0.5000"),)


@pytest.mark.parametrize(
    "other",
    [
        {"protocol": "dsh"},
        {"dataset": "digits"},
        {"title": "CIFAR-10 (JPEG)"},
        {"split_sha256": "00"},
        {"images_sha256": "00"},
        {"metric_definition": {"topk": 5000}},
        {"metric_definition": {"denominator": "hits"}},
    ],
)
def test_what_cannot_be_compared_is_never_in_one_table(other):
    made = results_tables([record(), record(**other)])
    assert len(made) == 2
    assert [len(one.rows) for one in made] == [1, 1]


def test_rows_of_one_method_are_told_apart_by_what_differs():
    (made,) = results_tables(
        [
            record(),
            record(bits=24),
            record(config={"lr": 0.1}),
            record(seed=1),
            record(method="lsh", config={}),
            record(precision="bf16"),
        ]
    )
    assert made.header == ("method", "seed", "12 bits", "24 bits")
    assert [row[:2] for row in made.rows] == [
        ("dsh", "1"),
        ("dsh lr=0.001 precision=bf16", "0"),
        ("dsh lr=0.001 precision=fp32", "0"),
        ("dsh lr=0.1 precision=fp32", "0"),
        ("lsh", "0"),
    ]
    assert made.rows[0][2:] == ("0.5000", "")
    assert made.rows[2][2:] == ("0.5000", "0.5000")


def test_equal_settings_are_told_apart_by_their_hash():
    (made,) = results_tables([record(series="aaaaaaaa"), record(series="bbbbbbbb")])
    assert [row[0] for row in made.rows] == ["dsh aaaaaa", "dsh bbbbbb"]


def test_plain_columns_line_up():
    lines = plain(run_tables([record(), record(bits=4096)])).splitlines()
    rule = next(line for line in lines if line.startswith("---"))
    ends = [match.end() for match in re.finditer("-+", rule)]
    assert all(len(line) == ends[-1] for line in lines[2:10])


def test_markdown_escapes_and_aligns():
    text = markdown(results_tables([record(method="a|b")]))
    assert "| a\\|b | 0 | 0.5000 |" in text
    assert "|---|---:|---:|" in text


def test_csv_has_a_line_per_record_and_every_knob():
    rows = list(csv.DictReader(io.StringIO(records_csv([record(), record(bits=24)]))))
    assert [row["bits"] for row in rows] == ["12", "24"]
    assert rows[0]["denominator"] == "relevant"
    assert json.loads(rows[0]["config"]) == {"lr": 0.001, "epochs": 5}


def test_csv_says_how_a_record_was_made():
    environment = {"device_type": "cpu", "versions": {"torch": "2.9"}, "commit": "ab12", "dirty": True}
    whole = record(preset="fast", budget={"seconds": 60.0}, augmentation={"shift": 2}, environment=environment)
    (row,) = csv.DictReader(io.StringIO(records_csv([{**whole, "image_size": 32}])))
    assert [row[name] for name in ("preset", "image_size", "commit", "dirty")] == ["fast", "32", "ab12", "True"]
    for name, value in (("budget", {"seconds": 60.0}), ("augmentation", {"shift": 2}), ("versions", {"torch": "2.9"})):
        assert json.loads(row[name]) == value
    assert row["selection"] == ""


def test_nothing_is_no_text():
    assert plain([]) == markdown([]) == ""


def test_a_terminal_gets_the_same_numbers(capsys, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "100")
    table.show(run_tables([record()]))
    out = capsys.readouterr().out
    assert "0.5000" in out
    assert "[0.4000, 0.6200]" in out


def test_definitions_in_words():
    definition = {"topk": 5000, "ties": "stable", "denominator": "hits", "empty": "skip", "relevance": "same class id"}
    assert map_name(definition) == "mAP@5000"
    words = map_in_words(definition)
    for part in ("mAP@5000", "database order", "hits", "left out", "same class id"):
        assert part in words


def test_the_picture_is_a_picture_and_changes_no_global_state():
    before = matplotlib.get_backend(auto_select=False)
    png = pr_curve_png(record())
    pixels = matplotlib.image.imread(io.BytesIO(png), format="png")
    assert pixels.shape[:2] == (576, 768)
    assert pixels[..., :3].std() > 0.05
    assert matplotlib.get_backend(auto_select=False) == before


def test_comments_of_settings_are_found_through_the_bases():
    comments = setting_comments(DeepMethod.Config)
    assert comments["momentum"] == "of sgd and nesterov"
    assert comments["epochs"] == "passes over the training images"
    assert setting_comments(type("Config", (), {"__annotations__": {"a": int}})) == {}


def test_lines_of_progress(capsys):
    lines = progress.Lines("dsh 12 bits", epochs=2)
    for done in range(1, 7):
        lines.on_step(done, 6, {"a": 0.5, "b": 1234.5}, 2000.4)
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("dsh 12 bits: epoch 1/2, a 0.5, b 1234, 2,000 images/s, 0:0")
    assert first.endswith(" left")
    assert second == "dsh 12 bits: epoch 2/2, a 0.5, b 1234, 2,000 images/s"


def test_a_terminal_gets_a_bar(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("TERM", "xterm")
    stream = progress.ErrorStream()
    with stream.training("dsh 12 bits", 2) as bar:
        bar.on_step(3, 6, {"a": 0.5}, 2000)
    stream.note("done")
    captured = capsys.readouterr()
    assert captured.out == ""
    for part in ("dsh 12 bits", "epoch 1/2", "a 0.5", "2,000 images/s", "done"):
        assert part in captured.err


@pytest.mark.parametrize(
    ("name", "topk", "title", "words"),
    [
        ("pml", None, "mAP@R", "each query cut at its number of relevant rows"),
        ("hashnet", 1, "mAP@1", "queries without a hit in the ranks that count left out"),
        ("deephash-pytorch", None, "mAP@all", "the last rank does not count"),
        ("fire", None, "mAP@all", "divided by the hits in the ranks that count"),
    ],
)
def test_named_definitions_are_described(name: str, topk: int | None, title: str, words: str) -> None:
    definition = evaluate([[1]], [7], [[1], [0]], [7, 7], definition=name, topk=topk).definition
    assert map_name(definition) == title
    assert words in map_in_words(definition)
    assert ("the last rank" in map_in_words(definition)) == (name == "deephash-pytorch")
