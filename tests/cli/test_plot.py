from __future__ import annotations

import json
import shutil

import pytest

from hashzoo.cli import main


@pytest.fixture
def records(finished_runs):
    """The folder of one run."""
    (folder,) = finished_runs.glob("*/*/dsh/4b-s0-*")
    return folder


def refused(capsys, *words):
    """Exit 2 with one line on stderr; returns the line."""
    capsys.readouterr()
    try:
        status = main([str(word) for word in words])
    except SystemExit as stop:  # argparse
        status = stop.code
    captured = capsys.readouterr()
    assert (status, captured.out) == (2, "")
    (line,) = captured.err.splitlines()
    return line


@pytest.mark.parametrize("kind", ["pr", "bits", "distances", "training"])
def test_each_kind_in_each_format(records, tmp_path, capsys, kind):
    for ending, start in (("png", b"\x89PNG"), ("SVG", b"<?xml")):
        file = tmp_path / f"picture.{ending}"
        assert main(["plot", kind, str(records), "-o", str(file)]) == 0
        assert file.read_bytes().startswith(start)
    assert capsys.readouterr().err == ""


def test_bad_input_is_one_line(records, tmp_path, capsys):
    picture = tmp_path / "picture.png"
    assert "expected a file that ends in .png or .svg, got" in refused(
        capsys, "plot", "pr", records, "-o", tmp_path / "a.pdf"
    )
    assert "found no folder" in refused(capsys, "plot", "pr", tmp_path / "nowhere", "-o", picture)
    assert "expected records, found none" in refused(capsys, "plot", "pr", tmp_path, "-o", picture)
    assert "invalid choice: 'map'" in refused(capsys, "plot", "map", records, "-o", picture)
    assert "cannot write" in refused(capsys, "plot", "pr", records, "-o", tmp_path / "no" / "picture.png")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        ("bits", "codes.npz", "none of 1 records has codes (codes.npz)"),
        ("distances", "codes.npz", "none of 1 records has codes (codes.npz)"),
        ("training", "log.jsonl", "none of 1 records has a log of training (log.jsonl)"),
    ],
)
def test_records_without_the_needed_part(records, tmp_path, capsys, kind, name, message):
    shutil.copytree(records, tmp_path / "runs" / "one")
    (file,) = tmp_path.rglob(name)
    file.unlink()
    assert message in refused(capsys, "plot", kind, tmp_path / "runs", "-o", tmp_path / "picture.png")
    assert not (tmp_path / "picture.png").exists()


def test_a_part_that_one_record_lacks_is_named_and_the_rest_drawn(records, tmp_path, capsys):
    shutil.copytree(records, tmp_path / "runs" / "one")
    (file,) = tmp_path.rglob("result.json")
    record = json.loads(file.read_text())
    other = tmp_path / "runs" / "copy"
    other.mkdir()
    (other / "result.json").write_text(json.dumps({**record, "bits": 8}))
    assert main(["plot", "bits", str(tmp_path / "runs"), "-o", str(tmp_path / "picture.png")]) == 0
    assert capsys.readouterr().err == "hashzoo: left out: dsh 8 bits, seed 0: codes.npz: no such file\n"


def test_what_cannot_be_compared_is_not_in_one_picture(records, tmp_path, capsys):
    shutil.copytree(records, tmp_path / "runs" / "one")
    (file,) = tmp_path.rglob("result.json")
    other = tmp_path / "runs" / "copy"
    other.mkdir()
    (other / "result.json").write_text(json.dumps({**json.loads(file.read_text()), "protocol": "other"}))
    line = refused(capsys, "plot", "pr", tmp_path / "runs", "-o", tmp_path / "picture.png")
    assert "found 2 different data, protocols or definitions (tree0 (folder) @folder, tree0 (folder) @other)" in line
