import csv
import io
import json
import os
import sys

import numpy as np
import pytest

import hashzoo
from hashzoo.cli import main

COMMANDS = ("run", "bench", "reproduce", "list", "show", "eval", "results", "report", "plot", "data", "new", "doctor")


@pytest.fixture(scope="module")
def records(tree, environment, tmp_path_factory):
    out = tmp_path_factory.mktemp("records")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HASHZOO_CACHE", environment["HASHZOO_CACHE"])
        assert (
            main(["run", "lsh", "--dataset", "folder", "--data-root", str(tree), "--bits", "12,24", "--out", str(out)])
            == 0
        )
    return out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_help_ends_with_an_example(capsys, command):
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    assert f"example:\n  hashzoo {command}" in capsys.readouterr().out


def test_version(capsys):
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"hashzoo {hashzoo.__version__}\n"


def modules_after(python, *words):
    program = (
        "import sys\nfrom hashzoo.cli import main\n"
        "try:\n    status = main(sys.argv[1:])\nexcept SystemExit as stop:\n    status = stop.code\n"
        "print('\\nLOADED', *sorted(sys.modules))\nsys.exit(status)"
    )
    done = python("-c", program, *words)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.rpartition("LOADED")[2].split())


@pytest.mark.parametrize("words", [["--help"], *([command, "--help"] for command in COMMANDS)])
def test_help_imports_nothing_heavy(python, words):
    heavy = {"torch", "numpy", "rich", "matplotlib", "importlib.metadata", "sklearn", "torchvision"}
    assert not modules_after(python, *words) & heavy


def test_results_and_eval_start_without_torch(python, records):
    for words in (
        ["results", records],
        ["results", records, "--format", "json"],
        ["eval", next(records.rglob("codes.npz"))],
    ):
        assert not modules_after(python, *map(str, words)) & {"torch", "torchvision", "matplotlib", "sklearn"}


def test_the_module_can_be_run(python):
    done = python("-m", "hashzoo", "results", "nowhere")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "hashzoo: expected a folder with records, found no folder nowhere\n"


def test_a_reader_that_stops_early_is_no_error(records, environment):
    import subprocess

    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "hashzoo", "results", str(records)],
        env=environment,
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
    )
    os.close(writer)
    assert done.returncode == 1
    assert done.stderr == ""


def test_results_in_every_format(records, capsys):
    assert main(["results", str(records)]) == 0
    plain = capsys.readouterr().out
    assert "lsh" in plain
    assert "12 bits" in plain
    assert main(["results", str(records), "--format", "md"]) == 0
    assert "| method | seed | 12 bits | 24 bits |" in capsys.readouterr().out
    assert main(["results", str(records), "--format", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["bits"] for row in rows] == ["12", "24"]
    assert main(["results", str(records), "--format", "json"]) == 0
    loaded = json.loads(capsys.readouterr().out)
    assert float(rows[0]["map_expected"]) == loaded[0]["metrics"]["map_expected"]


def test_an_empty_folder_has_no_results(tmp_path, capsys):
    for layout in ("plain", "md"):
        assert main(["results", str(tmp_path), "--format", layout]) == 0
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err == "no records yet; hashzoo run makes them\n"
    assert main(["results", str(tmp_path), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_a_damaged_record_is_skipped_with_a_line(tmp_path, capsys):
    (tmp_path / "result.json").write_text("{")
    assert main(["results", str(tmp_path)]) == 0
    assert str(tmp_path / "result.json") in capsys.readouterr().err.splitlines()[0]


@pytest.mark.parametrize("kind", ["methods", "datasets", "losses", "evaluators", "backbones"])
def test_list(capsys, kind):
    assert main(["list", kind]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{kind}\n")
    assert "built in" in out


def test_torchvision_takes_one_line_of_the_list(capsys):
    assert main(["list"]) == 0
    out = capsys.readouterr().out
    assert [line for line in out.splitlines() if "torchvision" in line and "networks" in line]
    assert "vit_l_32" not in out
    assert main(["list", "backbones"]) == 0
    assert "vit_l_32" in capsys.readouterr().out


def test_list_names_broken_plugins(capsys, monkeypatch):
    monkeypatch.setattr("hashzoo.registry.broken_plugins", lambda: {"bad": ImportError("no\nmodule")})
    assert main(["list", "evaluators"]) == 0
    assert capsys.readouterr().err == "hashzoo: plugin 'bad' failed to import: ImportError: no module\n"


def test_show_a_method(capsys):
    assert main(["show", "dsh"]) == 0
    out = capsys.readouterr().out
    for part in (
        "Fast Image Retrieval",
        "2016",
        "pairs",
        "deviations",
        "hashzoo run dsh",
        "weight of the quantization term",
    ):
        assert part in out
    (margin,) = [line for line in out.splitlines() if line.strip().startswith("margin ")]
    assert margin.split()[:4] == ["margin", "float", "or", "none"]


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("digits", "protocols"),
        ("contrastive", "loss, built in"),
        ("resnet-cifar", "--backbone resnet_cifar"),
        ("hamming_ranking", "map_worst"),
    ],
)
def test_show_other_things(capsys, name, part):
    assert main(["show", name]) == 0
    assert part in capsys.readouterr().out


def test_show_nothing(capsys):
    assert main(["show", "dssh"]) == 2
    assert "did you mean 'dsh'" in capsys.readouterr().err


@pytest.fixture
def codes(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {
        "query_codes": rng.choice([-1, 1], (5, 12)),
        "query_labels": rng.integers(0, 3, 5),
        "database_codes": rng.choice([-1, 1], (40, 12)),
        "database_labels": rng.integers(0, 3, 40),
    }
    np.savez(tmp_path / "codes.npz", **arrays)
    return tmp_path / "codes.npz"


def test_eval_prints_numbers_and_every_knob(codes, capsys):
    assert main(["eval", str(codes), "--topk", "10", "--ties", "worst", "--denominator", "hits", "--threads", "1"]) == 0
    out = capsys.readouterr().out
    for part in ("12 bits, 5 queries against 40", "map_expected", "topk", "worst", "hits", "same class id"):
        assert part in out


def test_eval_under_a_named_definition(codes, capsys):
    assert main(["eval", str(codes), "--definition", "deephash-pytorch", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["metrics"]["map"] == found["metrics"]["map_stable"]
    assert found["definition"]["definition"] == "deephash-pytorch"
    assert found["definition"]["denominator"] == "hits"
    assert main(["eval", str(codes), "--definition", "pml"]) == 0
    assert "MAP@R" in capsys.readouterr().out


def test_eval_of_graded_relevance(codes, capsys):
    words = ["eval", str(codes), "--evaluator", "graded-ranking", "--topk", "10", "--set", "gain=exponential", "--json"]
    assert main(words) == 0
    found = json.loads(capsys.readouterr().out)
    assert 0 < found["metrics"]["ndcg"] <= 1
    assert found["definition"]["gain"] == "exponential"


def test_eval_as_json(codes, capsys):
    assert main(["eval", str(codes), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found) == {"evaluator", "bits", "metrics", "definition", "curves"}
    assert found["definition"]["topk"] is None
    assert main(["eval", str(codes), "--evaluator", "bit-statistics", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["metrics"]["distinct_codes"] > 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--topk", "0"], "topk: expected at least 1"),
        (["--topk", "few"], "topk: expected a whole number"),
        (["--ties", "random"], "ties: expected one of expected, stable, worst, best"),
        (["--denominator", "all"], "denominator: expected one of"),
        (["--definition", "dhp"], "definition: expected one of deephash-pytorch, fire, hashnet, pml"),
        (["--definition", "fire", "--ties", "best"], "ties: the definition 'fire' sets it to 'stable', got 'best'"),
        (["--evaluator", "haming_ranking"], "did you mean 'hamming_ranking'"),
        (["--evaluator", "bit_statistics", "--topk", "5"], "no setting of 'bit_statistics' named 'topk'"),
        (["--set", "tipk=5"], "did you mean 'topk'"),
    ],
)
def test_eval_refuses(codes, capsys, words, message):
    assert main(["eval", str(codes), *words]) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert len(captured.err.splitlines()) == 1


def test_eval_names_file_and_key(tmp_path, capsys):
    np.savez(
        tmp_path / "bad.npz",
        query_codes=np.full((2, 3), np.nan),
        query_labels=[0, 1],
        database_codes=np.ones((2, 3)),
        database_labels=[0, 1],
    )
    assert main(["eval", str(tmp_path / "bad.npz")]) == 2
    assert f"{tmp_path / 'bad.npz'}: query_codes: 2 codes contain NaN" in capsys.readouterr().err


def test_show_lists_presets_and_tables(capsys, monkeypatch):
    from hashzoo import METHODS, PaperTable

    table = PaperTable("map", "mAP of all methods", "A. Author 2020", rows=(), bits=(12,))
    monkeypatch.setattr(METHODS.get("dsh"), "tables", (table,))
    assert main(["show", "dsh"]) == 0
    page = capsys.readouterr().out
    for name, preset in METHODS.get("dsh").presets.items():
        assert f"  {name}: {preset.summary}" in page
        assert all(f"{key}={value}" in page for key, value in preset.settings.items())
    assert "tables of its paper (hashzoo reproduce dsh --table NAME)\n  map  mAP of all methods\n" in page
    assert main(["show", "lsh"]) == 0
    assert "presets" not in capsys.readouterr().out
