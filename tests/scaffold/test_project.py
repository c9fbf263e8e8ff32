"""What `hashzoo new` makes keeps the rules as it is, for each kind of thing."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

from hashzoo import BACKBONES, DATASETS, EVALUATORS, LOSSES, METHODS, PLUGIN_API, testing
from hashzoo.cli import main
from hashzoo.datasets.digits import Digits
from hashzoo.experiments.cell import plan
from hashzoo.experiments.runner import RunOptions, run_cell
from hashzoo.plugins import class_in_file
from hashzoo.reports.progress import ErrorStream

RUFF = ["check", "--select", "E,F,W,I,UP,B,C4,SIM,RUF,PT,PIE,NPY,RET", "--no-cache"]

KINDS = {
    "deep": (["method", "tribit"], testing.check_method, {"image_size": 16}),
    "losses": (["method", "tribit", "--losses", "contrastive,balance"], testing.check_method, {"image_size": 16}),
    "shallow": (["method", "tribit", "--kind", "shallow"], testing.check_method, {"image_size": 16}),
    "dataset": (["dataset", "tribit"], testing.check_dataset, {}),
    "loss": (["loss", "tribit"], testing.check_loss, {}),
    "evaluator": (["evaluator", "tribit"], testing.check_evaluator, {}),
    "backbone": (["backbone", "tribit"], testing.check_backbone, {}),
}


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    """An empty working folder; what a test registers is forgotten after it."""
    monkeypatch.chdir(tmp_path)
    for registry in (METHODS, LOSSES, EVALUATORS, BACKBONES, DATASETS):
        registry.names()
        monkeypatch.setattr(registry, "_classes", dict(registry._classes))
    return tmp_path


def module_lines(folder):
    return (folder / "tribit" / "hashzoo_tribit.py").read_text().splitlines()


@pytest.mark.parametrize("kind", KINDS)
def test_it_passes_the_kit_and_the_linter(workplace, kind):
    words, check, options = KINDS[kind]
    assert main(["new", *words]) == 0
    check(class_in_file("tribit/hashzoo_tribit.py:Tribit"), **options)
    lines = module_lines(workplace)
    assert 25 <= len(lines) <= 50
    assert any(line.startswith(f"hashzoo_plugin_api = {PLUGIN_API} ") for line in lines)
    for arguments in (RUFF, ["format", "--check", "--no-cache"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *arguments, "tribit"], cwd=workplace, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout


def test_the_files_and_what_to_do_next(workplace, capsys):
    assert main(["new", "method", "tri-bit"]) == 0
    made = sorted(str(path.relative_to(workplace)) for path in workplace.rglob("*") if path.is_file())
    assert made == [
        "tri-bit/.github/workflows/tests.yml",
        "tri-bit/README.md",
        "tri-bit/hashzoo_tri_bit.py",
        "tri-bit/pyproject.toml",
        "tri-bit/tests/test_tri_bit.py",
    ]
    out = capsys.readouterr().out
    assert set(made) <= set(out.splitlines())
    assert "hashzoo run tri_bit --dataset digits --bits 12,24" in out
    project = (workplace / "tri-bit" / "pyproject.toml").read_text()
    assert 'name = "hashzoo-tri-bit"' in project
    assert '[project.entry-points."hashzoo.plugins"]\ntri_bit = "hashzoo_tri_bit"' in project
    module = (workplace / "tri-bit" / "hashzoo_tri_bit.py").read_text()
    assert "class TriBit(DeepMethod)" in module
    assert f"year = {date.today().year}" in module
    assert "python-version: ${{ matrix.python }}" in (workplace / "tri-bit/.github/workflows/tests.yml").read_text()


def test_the_losses_that_were_asked_for_are_in_it(workplace):
    assert main(["new", "method", "tribit", "--losses", "contrastive,pairwise-likelihood"]) == 0
    text = "\n".join(module_lines(workplace))
    assert "A weighted sum of contrastive and pairwise_likelihood." in text
    assert '(self.config.pairwise_likelihood, LOSSES.get("pairwise_likelihood")(self.bits)),' in text


@pytest.mark.parametrize("kind", ["deep", "shallow"])
def test_it_learns_the_digits(workplace, kind):
    """Far better than chance (0.1), in a second or two on 8x8 images."""
    assert main(["new", *KINDS[kind][0]]) == 0
    class_in_file("tribit/hashzoo_tribit.py:Tribit")
    reporter = ErrorStream()
    settings = {"epochs": "4"} if kind == "deep" else {}
    (cell,) = plan("tribit", [24], settings, device="cpu", precision="fp32", reporter=reporter)
    record = run_cell(cell, Digits(image_size=8).load(), RunOptions(out=workplace / "runs"), reporter)
    assert record["metrics"]["map_expected"] > 0.3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["method", "dsh"], "method 'dsh' is already hashzoo.methods.dsh.DSH"),
        (["loss", "balance"], "loss 'balance' is already hashzoo.losses.balance.Balance"),
        (["dataset", "digits"], "dataset 'digits' is already"),
        (["method", "TriBit"], "expected lower-case letters, digits and underscores as a name, got 'TriBit'"),
        (["method", "3bit"], "got '3bit'"),
        (["method", "class"], "got 'class'"),
        (["method", "../tribit"], "got '../tribit'"),
        (["method", ""], "got ''"),
        (["method", "taken"], "taken exists already"),
        (["method", "tribit", "--losses", "contrastiv"], "did you mean 'contrastive'"),
        (["method", "tribit", "--losses", ""], "no loss named ''"),
        (["method", "tribit", "--kind", "shallow", "--losses", "balance"], "a shallow method trains no network"),
        (["loss", "tribit", "--losses", "balance"], "--kind and --losses belong to a method, not to a loss"),
        (["dataset", "tribit", "--kind", "deep"], "belong to a method, not to a dataset"),
    ],
)
def test_mistakes_cost_one_line_and_leave_nothing(workplace, capsys, words, message):
    (workplace / "taken").mkdir()
    assert main(["new", *words]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1
    assert message in captured.err
    assert [path.name for path in workplace.iterdir()] == ["taken"]


def test_a_disk_that_fails_leaves_nothing(workplace, capsys, monkeypatch):
    def fail(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "rename", fail)
    assert main(["new", "method", "tribit"]) == 2
    assert "cannot make tribit: No space left on device" in capsys.readouterr().err
    assert list(workplace.iterdir()) == []


def installed(distribution):
    """The major version, 0 for none. Importing it would not do: setuptools minds who imported distutils first."""
    try:
        return int(version(distribution).partition(".")[0])
    except PackageNotFoundError:
        return 0


def test_it_can_be_built(workplace):
    if not (installed("pip") and installed("setuptools") >= 77):
        pytest.skip("needs pip and setuptools 77, since nothing is fetched")
    assert main(["new", "method", "tribit"]) == 0
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "wheel", *options, "--wheel-dir", str(workplace), "./tribit"]
    done = subprocess.run(command, cwd=workplace, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(workplace / "hashzoo_tribit-0.1.0-py3-none-any.whl") as wheel:
        assert "hashzoo_tribit.py" in wheel.namelist()
        entry_points = wheel.read("hashzoo_tribit-0.1.0.dist-info/entry_points.txt").decode()
    assert entry_points.split() == ["[hashzoo.plugins]", "tribit", "=", "hashzoo_tribit"]
