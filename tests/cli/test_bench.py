import json

import pytest

from hashzoo.cli import main

LSH = ["bench", "--methods", "lsh", "--datasets", "folder", "--bits", "12"]


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


def test_a_grid_becomes_a_leaderboard(here, capsys):
    words = ["bench", "--methods", "lsh,dsh", "--datasets", "folder", "--bits", "12,24", "--seeds", "0,1"]
    assert main([*words, "--set", "epochs=1", "--set", "dsh.batch_size=9", "--format", "json"]) == 0
    captured = capsys.readouterr()
    (board,) = json.loads(captured.out)
    assert set(board["rows"]) == {"lsh", "dsh"}
    assert all(score["seeds"] == 2 for row in board["rows"].values() for score in row.values())
    assert "[8/8] " in captured.err
    assert len(list(here.rglob("result.json"))) == 8
    settings = [json.loads(file.read_text())["config"] for file in here.glob("runs/folder/folder/dsh/*/result.json")]
    assert {(s["epochs"], s["batch_size"]) for s in settings} == {(1, 9)}


def test_a_preset_is_for_all_that_have_it(here, capsys):
    words = ["bench", "--methods", "dsh,lsh", "--datasets", "folder", "--bits", "12", "--preset", "fast"]
    assert main([*words, "--set", "epochs=1", "--set", "batch_size=9"]) == 0
    assert "lsh has no preset fast: it runs with its defaults" in capsys.readouterr().err
    records = [json.loads(file.read_text()) for file in here.rglob("result.json")]
    presets = {record["method"]: record["preset"] for record in records}
    assert presets == {"dsh": "fast", "lsh": None}
    (dsh,) = (record["config"] for record in records if record["method"] == "dsh")
    assert (dsh["epochs"], dsh["batch_size"], dsh["lr"]) == (1, 9, 0.002)


def test_a_budget_is_for_networks_and_not_spent_twice(here, capsys):
    words = ["bench", "--methods", "dsh,lsh", "--datasets", "folder", "--bits", "12", "--budget", "1s"]
    assert main([*words, "--set", "batch_size=9"]) == 0
    capsys.readouterr()
    (file,) = here.glob("runs/folder/folder/dsh/*/result.json")
    assert json.loads(file.read_text())["budget"]["seconds"] == 1.0
    written = file.stat().st_mtime_ns
    assert main([*words, "--set", "batch_size=9"]) == 0
    assert "epochs fit into" not in capsys.readouterr().err
    assert [f.stat().st_mtime_ns for f in here.glob("runs/folder/folder/dsh/*/result.json")] == [written]


def test_the_difference_to_a_paper_is_shown_where_it_fits(here, capsys, monkeypatch):
    from hashzoo import METHODS, PaperRow, PaperTable

    rows = (PaperRow("LSH", "lsh", printed={"folder": {12: 0.25}}),)
    paper = PaperTable("map", "mAP", "A. Author 2020", rows, bits=(12,), protocols={"folder": ("folder",)})
    monkeypatch.setattr(METHODS.get("lsh"), "tables", (paper,))
    assert main([*LSH, "--format", "json"]) == 0
    (board,) = json.loads(capsys.readouterr().out)
    assert (board["rows"]["lsh"]["12"]["published"], board["published_source"]) == (0.25, "A. Author 2020")


def test_started_again_it_runs_what_is_missing(here, capsys):
    assert main(LSH) == 0
    (first,) = here.rglob("result.json")
    written = first.stat().st_mtime_ns
    assert main([*LSH[:-1], "12,24"]) == 0
    assert first.stat().st_mtime_ns == written
    assert len(list(here.rglob("result.json"))) == 2


def test_stored_shows_what_is_finished(here, capsys):
    assert main(LSH) == 0
    table = capsys.readouterr().out
    assert main([*LSH[:-1], "12,24", "--stored"]) == 0
    captured = capsys.readouterr()
    assert captured.out == table
    assert captured.err.splitlines() == [
        "not run: lsh 24 bits, seed 0, folder",
        "1 of 2 cells are not run; without --stored the same command runs them",
    ]
    assert len(list(here.rglob("result.json"))) == 1
    assert "not allowed with argument" in fails(capsys, *LSH, "--stored", "--force")


def test_a_cell_that_fails_leaves_the_others_and_is_listed(here, capsys, monkeypatch):
    monkeypatch.setenv("HASHZOO_DATA", str(here / "nowhere"))
    status = main(["bench", "--methods", "lsh", "--datasets", "folder,digits", "--bits", "12"])
    captured = capsys.readouterr()
    assert status == 2
    assert "| lsh | " in captured.out
    assert captured.err.splitlines()[-1] == "hashzoo: 1 of 2 cells failed; the same command runs them again"
    assert "failed: lsh 12 bits, seed 0, folder: folder: expected ROOT" in captured.err


def test_one_cell_under_several_names_runs_once(here, capsys):
    words = ["--methods", "lsh,cca-itq,cca_itq", "--datasets", "folder,folder@folder", "--format", "json"]
    assert main(["bench", "--bits", "12", *words]) == 0
    captured = capsys.readouterr()
    assert "[2/2] " in captured.err
    (board,) = json.loads(captured.out)
    assert {label: row["12"]["seeds"] for label, row in board["rows"].items()} == {"lsh": 1, "cca_itq": 1}


def test_a_seed_that_failed_is_missed(here, capsys, monkeypatch):
    from hashzoo.methods.lsh import LSH as Method

    fit = Method.fit

    def fails_at_first(self, *arguments):
        monkeypatch.setattr(Method, "fit", fit)
        raise MemoryError("no memory")

    monkeypatch.setattr(Method, "fit", fails_at_first)
    assert main([*LSH, "--seeds", "0,1"]) == 2
    assert " (1 of 2 seeds) |" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--methods", "lshh"], "no method named 'lshh'; did you mean 'lsh'"),
        (["--datasets", "folder@half"], "no protocol of 'folder' named 'half'"),
        (["--set", "epocs=3", "--methods", "dsh"], "did you mean 'epochs'"),
        (["--set", "dhs.epochs=3", "--methods", "dsh"], "did you mean 'dsh'"),
        (
            ["--preset", "strnog", "--methods", "dsh,dpsh"],
            "no preset of dsh, dpsh named 'strnog'; did you mean 'strong'",
        ),
        (["--preset", "fast"], "no preset of lsh named 'fast' (known: none)"),
        (["--methods", "lsh,lsh"], "--methods: expected different names"),
        (["--seeds", "0,0"], "--seeds: expected each seed once"),
        (["--seeds", "one"], "--seeds: expected a whole number"),
        (["--jobs", "0"], "--jobs: expected a whole number from 1"),
    ],
)
def test_mistakes(here, capsys, words, message):
    assert message in fails(capsys, *LSH, *words)
    assert list(here.rglob("result.json")) == []
