import json
from dataclasses import replace

import pytest

from hashzoo import METHODS, PaperRow, PaperTable
from hashzoo.cli import main

ROWS = (
    PaperRow("pixels", "lsh", {"features": "pixels"}, printed={"folder": {12: 0.5}}),
    PaperRow("network", "dsh"),
)
TABLE = PaperTable("features", "what is hashed", "A. Author 2020", ROWS, bits=(12,), protocols={"folder": ("folder",)})
WORDS = ["reproduce", "lsh", "--epochs", "1", "--set", "batch_size=9"]


@pytest.fixture
def paper(monkeypatch):
    again = replace(TABLE, name="lengths", rows=ROWS[:1], bits=(12, 24), among_queries=True)
    monkeypatch.setattr(METHODS.get("lsh"), "tables", (TABLE, again))


def fails(capsys, *words):
    """Exit 2 with one line on stderr and nothing on stdout; returns the line."""
    try:
        status = main(words)
    except SystemExit as stop:  # argparse
        status = stop.code
    captured = capsys.readouterr()
    assert status == 2
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1
    return captured.err


def test_all_tables_and_a_file(here, capsys, paper):
    assert main([*WORDS, "-o", "tables.md"]) == 0
    captured = capsys.readouterr()
    assert "[3/3] " in captured.err, "a cell of two tables runs once"
    assert len(list(here.rglob("result.json"))) == 3
    assert captured.out.count("as printed") == 2
    assert "queries among themselves" in captured.out
    text = (here / "tables.md").read_text()
    assert text.startswith("# Tables of the paper of lsh, beside ours\n")
    assert "Made by `hashzoo reproduce lsh --epochs 1 --set batch_size=9 -o tables.md`" in text
    assert "| pixels | as printed | 0.5000 |" in text
    assert "set otherwise: epochs=1 in place of 24 (network); batch_size=9 in place of 200 (network)." in text
    assert "AMD" in text or "thread" in text


def test_a_protocol_by_its_name_and_by_default_is_one_cell(here, capsys, paper):
    words = ["--table", "features", "--rows", "pixels", "--dataset", "digits,digits@standard"]
    assert main([*WORDS, *words]) == 0
    assert "[1/1] " in capsys.readouterr().err


def test_started_again_it_runs_what_is_missing(here, capsys, paper):
    words = [*WORDS, "--table", "features", "--rows", "pixels"]
    assert main(words) == 0
    (first,) = here.rglob("result.json")
    written = first.stat().st_mtime_ns
    assert main([*words, "--bits", "12,16", "--seeds", "0,1"]) == 0
    assert first.stat().st_mtime_ns == written
    records = [json.loads(file.read_text()) for file in here.rglob("result.json")]
    assert {(r["bits"], r["seed"]) for r in records} == {(12, 0), (12, 1), (16, 0), (16, 1)}
    assert " ± " in capsys.readouterr().out


def test_stored_shows_what_is_finished(here, capsys, paper):
    assert main(["reproduce", "lsh", "--table", "lengths", "--bits", "12"]) == 0
    capsys.readouterr()
    assert main([*WORDS, "--stored", "-o", "tables.md"]) == 0
    captured = capsys.readouterr()
    assert "2 of 3 cells are not run; without --stored the same command runs them" in captured.err
    assert len(list(here.rglob("result.json"))) == 1
    text = (here / "tables.md").read_text()
    assert "| network | here | not run |" in text
    assert sum("here @folder" in line and line.endswith("| not run |") for line in text.splitlines()) == 1
    assert "failed" not in text


def test_a_failure_leaves_the_others_and_the_file(here, capsys, paper, monkeypatch):
    monkeypatch.setenv("HASHZOO_DATA", str(here / "nowhere"))
    words = ["reproduce", "lsh", "--table", "features", "--rows", "pixels", "--dataset", "folder,digits", "-o", "a.md"]
    assert main(words) == 2
    captured = capsys.readouterr()
    assert captured.err.splitlines()[-1] == "hashzoo: 1 of 2 cells failed; the same command runs them again"
    text = (here / "a.md").read_text()
    assert "| here | failed |" in text.replace("|  |", "|")
    assert "here @standard" in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["reproduce", "dpsh"], "dpsh states no table of its paper (these do: "),
        (["reproduce", "dpshh"], "did you mean 'dpsh'"),
        ([*WORDS, "--table", "feature"], "no table of 'lsh' named 'feature'; did you mean 'features'"),
        ([*WORDS, "--rows", "pixel"], "no row of table 'features' named 'pixel'; did you mean 'pixels'"),
        ([*WORDS, "--dataset", "folder@half"], "no protocol of 'folder' named 'half'"),
        ([*WORDS, "--preset", "papre"], "no preset of lsh, dsh named 'papre'; did you mean 'paper'"),
        ([*WORDS, "--set", "epochs=3"], "epochs: expected either --epochs or --set epochs=, got both"),
        ([*WORDS, "--budget", "9s"], "expected either a budget or epochs, got both"),
        ([*WORDS, "-o", "no/where.md"], "no/where.md: there is no folder no"),
        ([*WORDS, "--bits", "0"], "--bits: expected"),
    ],
)
def test_mistakes(here, capsys, paper, words, message):
    assert message in fails(capsys, *words)
    assert list(here.iterdir()) == []
