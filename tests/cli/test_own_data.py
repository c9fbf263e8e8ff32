"""From lists of made images with several labels to records and manifests, as a user would go."""

import json

import pytest

from hashzoo import METHODS
from hashzoo.cli import main

SMALL = ["--set", "batch_size=60", "--set", "augment=false"]


@pytest.fixture(scope="module")
def scenes(tmp_path_factory, coloured_set):
    root = tmp_path_factory.mktemp("data") / "scenes"
    coloured_set(root, 240, 60, side=12)
    return root


def record_of(capsys, *words):
    assert main([*words, "--json"]) == 0
    captured = capsys.readouterr()
    (record,) = json.loads(captured.out)
    return record, captured.err


@pytest.mark.parametrize("method", ["dsh", "dpsh", "dfeh"])
def test_several_labels_are_learned(here, capsys, scenes, method):
    if method == "dfeh":
        pytest.importorskip("hashzoo_dfeh")
    assert METHODS.get(method).multi_label
    words = ["run", method, "--dataset", "list", "--data-root", str(scenes), "--bits", "12", *SMALL]
    record, notes = record_of(capsys, *words, "--epochs", "6", "--set", "sampler=label_balanced")
    assert record["title"] == "scenes (list)"
    assert record["sampler"] == "label_balanced"
    assert record["data_notes"] == []
    assert "shuffled" not in notes
    untrained, notes = record_of(capsys, *words, "--epochs", "1", "--set", "lr=1e-9", "--set", "sampler=class_aware")
    assert untrained["sampler"] == "shuffled"
    assert f"{method}: images have several labels, so batches are shuffled" in notes
    chance = untrained["metrics"]["map_worst"]
    assert record["metrics"]["map_expected"] > 1.15 * chance > 0


def test_a_grid_leaves_out_methods_that_cannot_take_the_data(here, capsys, scenes):
    words = ["bench", "--datasets", "list", "--data-root", str(scenes), "--bits", "12", "--format", "json"]
    assert main([*words, "--methods", "lsh,dlbhc"]) == 0
    captured = capsys.readouterr()
    (board,) = json.loads(captured.out)
    assert list(board["rows"]) == ["lsh"]
    assert "left out: dlbhc 12 bits, seed 0, list: dlbhc needs one label an image" in captured.err
    assert main([*words, "--methods", "dlbhc,greedyhash"]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == "hashzoo: no cell ran: none of the methods can take this data"


def test_import_then_run(here, capsys, scenes):
    manifest = here / "scenes.jsonl"
    assert main(["data", "import", "list", "--data-root", str(scenes), "--out", str(manifest)]) == 0
    assert capsys.readouterr().out == f"{manifest}: 300 images, 21 classes, 240 train, 60 query, 240 database\n"
    words = ["run", "dsh", "--bits", "12", "--epochs", "1", *SMALL]
    listed, _ = record_of(capsys, *words, "--dataset", "list", "--data-root", str(scenes))
    imported, _ = record_of(capsys, *words, "--dataset", "manifest", "--data-root", str(manifest))
    assert imported["images_sha256"] == listed["images_sha256"]
    assert imported["codes_sha256"] == listed["codes_sha256"]
    with (scenes / "images" / "query 0003.png").open("ab") as file:
        file.write(b"\0")
    try:
        assert main([*words, "--dataset", "manifest", "--data-root", str(manifest)]) == 2
        assert "1 of 300 images changed since" in (err := capsys.readouterr().err)
        assert "images/query 0003.png" in err
    finally:
        with (scenes / "images" / "query 0003.png").open("r+b") as file:
            file.truncate(file.seek(-1, 2))


def test_images_without_a_label_are_counted_in_the_record(here, capsys, scenes):
    lists = here / "lists"
    lists.mkdir()
    for part in ("train", "query"):
        lines = (scenes / f"{part}.txt").read_text().splitlines()
        lines[0] = " ".join([*lines[0].split(" ")[:2], *["0"] * 21])
        (lists / f"{part}.txt").write_text("\n".join(lines))
    words = ["run", "dsh", "--dataset", "list", "--data-root", "lists", "--image-root", str(scenes), "--bits", "12"]
    assert main([*words, *SMALL]) == 2
    assert "list: 2 of 300 images without a label: images/train 0000.png, images/query 0000.png; --empty-labels" in (
        capsys.readouterr().err
    )
    record, notes = record_of(capsys, *words, *SMALL, "--epochs", "1", "--empty-labels", "drop", "--memory", "64MiB")
    assert record["data_notes"] == ["2 images without a label dropped"]
    assert "lists (list): 2 images without a label dropped" in notes


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["run", "dsh", "--dataset", "digits", "--bits", "12", "--memory", "4"],
            "--memory: expected an amount",
        ),
        (["run", "dsh", "--dataset", "digits", "--bits", "12", "--empty-labels", "drop"], "every image has one label"),
        (["run", "dsh", "--dataset", "list", "--bits", "12", "--data-root", "away"], "found no folder away"),
        (["data", "import", "digits"], "digits holds no list of your own images; expected csv, folder or list"),
        (["data", "import", "manifest"], "manifest holds no list of your own images"),
        (["data", "import", "lst"], "no dataset named 'lst'; did you mean 'list'"),
        (["data", "import", "csv", "--data-root", "away"], "csv: expected a .csv file or a folder with one"),
    ],
)
def test_mistakes_cost_one_line(here, capsys, words, message):
    try:
        status = main(words)
    except SystemExit as stop:  # argparse
        status = stop.code
    captured = capsys.readouterr()
    assert (status, captured.out) == (2, "")
    assert message in captured.err
    assert len(captured.err.splitlines()) == 1
    assert list(here.iterdir()) == []


def test_an_output_that_cannot_be_written(here, capsys, scenes):
    (here / "taken").touch()
    assert main(["data", "import", "list", "--data-root", str(scenes), "--out", "taken/manifest.jsonl"]) == 2
    assert "cannot write taken/manifest.jsonl" in capsys.readouterr().err
