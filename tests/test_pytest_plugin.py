"""`pytest --hashzoo MODULE`, in a process of its own, as an author would call it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]

MODULE = '''\
"""Two losses, one of them wrong."""

from hashzoo import LOSSES, Loss


@LOSSES.register("mean_bit")
class MeanBit(Loss):
    """Distance of the batch mean from 0."""

    def forward(self, codes, batch):
        return {"mean": codes.mean(0).square().sum()}


@LOSSES.register("first_image")
class FirstImage(MeanBit):
    """Looks at the first image alone."""

    def forward(self, codes, batch):
        return {"first": codes[0].square().sum()}
'''


def pytest_run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    (folder / "pair_of_losses.py").write_text(MODULE)
    environment = {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}", "HASHZOO_DISABLE_PLUGINS": "1"}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *words]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)


def test_each_class_of_the_module_is_an_item(tmp_path):
    done = pytest_run(tmp_path, "--hashzoo", "pair_of_losses", "-v")
    assert done.returncode == 1, done.stdout
    assert "pair_of_losses::loss::mean_bit PASSED" in done.stdout
    assert "pair_of_losses::loss::first_image FAILED" in done.stdout
    assert "pair_of_losses.FirstImage breaks rule 'permutation'" in done.stdout
    assert "docs/conformance.md#permutation" in done.stdout
    assert "Traceback" not in done.stdout
    assert "1 failed, 1 passed" in done.stdout


def test_a_module_that_is_not_there_or_registers_nothing(tmp_path):
    absent = pytest_run(tmp_path, "--hashzoo", "no_such_module")
    assert absent.returncode == 4
    assert "--hashzoo no_such_module: No module named 'no_such_module'" in absent.stderr + absent.stdout
    empty = pytest_run(tmp_path, "--hashzoo", "json")
    assert empty.returncode == 4
    assert "--hashzoo json: it registers no method" in empty.stderr + empty.stdout
