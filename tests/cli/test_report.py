from __future__ import annotations

import json

import pytest

from hashzoo.cli import main


@pytest.fixture
def words(finished_runs, tree, tmp_path):
    return ["report", str(finished_runs), "-o", str(tmp_path / "report.html"), "--data-root", str(tree)]


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


def test_a_page_is_written_and_its_size_told(words, tmp_path, capsys):
    capsys.readouterr()
    assert main(words) == 0
    captured = capsys.readouterr()
    file = tmp_path / "report.html"
    assert captured.out == f"{file}: {file.stat().st_size / 1e6:.1f} MB\n"
    assert captured.err == ""
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    assert file.stat().st_size < 1_000_000


def test_the_explorer_has_as_many_queries_as_asked_for(words, tmp_path):
    for queries, has in (("2", 2), ("50", 6)):
        assert main([*words, "--queries", queries]) == 0
        text = (tmp_path / "report.html").read_text().partition('id="explorers">')[2].partition("</script>")[0]
        assert len(json.loads(text)["explorer-0"]["queries"]) == has


def test_what_is_left_out_is_told(words, tmp_path, capsys):
    capsys.readouterr()
    assert main([*words[:-1], str(tmp_path / "nowhere")]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert any(str(tmp_path / "nowhere") in line for line in lines)
    assert any("left out: retrieval explorer: the images of these records were not at hand" in line for line in lines)


def test_a_large_page_is_told(words, capsys, monkeypatch):
    monkeypatch.setattr("hashzoo.cli.report._MOST_BYTES", 1000)
    capsys.readouterr()
    assert main(words) == 0
    assert "with fewer --queries it is smaller" in capsys.readouterr().err


def test_bad_input_is_one_line(finished_runs, tmp_path, capsys):
    page = tmp_path / "report.html"
    assert "found no folder" in refused(capsys, "report", tmp_path / "nowhere", "-o", page)
    assert "expected records, found none" in refused(capsys, "report", tmp_path, "-o", page)
    assert "expected a whole number from 0, got '-1'" in refused(capsys, "report", tmp_path, "-o", page, "--queries=-1")
    assert "-o/--out" in refused(capsys, "report", finished_runs)
    assert not list(tmp_path.iterdir())


def test_a_page_that_cannot_be_written_leaves_nothing(words, tmp_path, capsys):
    words[3] = str(tmp_path / "no" / "report.html")
    assert "cannot write" in refused(capsys, *words)
    assert not list(tmp_path.iterdir())
