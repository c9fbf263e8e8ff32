"""A plugin made in a temporary folder, installed with pip, is found and runs; hashzoo is not touched."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(
    not (importlib.util.find_spec("pip") and importlib.util.find_spec("setuptools")),
    reason="needs pip and setuptools to install a plugin without a network",
)

METHOD = '''\
"""TriBit: batch-hard triplets on relaxed codes, with balanced bits (imaginary)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from hashzoo import METHODS, Batch, DeepMethod


@METHODS.register("tribit")
class TriBit(DeepMethod):
    """max(0, margin + d(a, p) - d(a, n)), hardest p and n of each anchor."""

    paper = "Nobody, An Imaginary Method, Nowhere 2025"
    year = 2025
    supervision = "triplets"
    defaults_from = "ours"

    @dataclass(frozen=True)
    class Config(DeepMethod.Config):
        margin: float = 0.25  # as a fraction of the code length
        balance: float = 0.1  # weight of the mean-bit penalty

    def loss(self, codes: Tensor, batch: Batch) -> dict[str, Tensor]:
        relaxed = torch.tanh(codes)
        distance = (1 - relaxed @ relaxed.T / self.bits) / 2
        same = batch.labels[:, None] == batch.labels[None, :]
        hardest_positive = distance.masked_fill(~same, -1).amax(1)
        hardest_negative = distance.masked_fill(same, 2).amin(1)
        violation = self.config.margin + hardest_positive - hardest_negative
        return {
            "triplet": violation.clamp_min(0).mean(),
            "balance": self.config.balance * relaxed.mean(0).square().mean(),
        }
'''

PROJECT = """\
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "hashzoo-{name}"
version = "0.3.0"

[project.entry-points."hashzoo.plugins"]
{name} = "{module}"

[tool.setuptools]
py-modules = ["{module}"]
"""

BROKEN = "raise RuntimeError('no compiler on this machine')\n"

THIEF = """\
from hashzoo import METHODS, DeepMethod

@METHODS.register("dsh")
class Thief(DeepMethod):
    pass
"""


def python(site: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`python *words` with `site` on the path."""
    path = os.pathsep.join(filter(None, (str(site), os.environ.get("PYTHONPATH"))))
    here = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "HASHZOO_DISABLE_PLUGINS": "", **environment}
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, env=here, cwd=site.parent)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder with a good plugin, one that cannot be imported and one that claims a built-in's name."""
    root = tmp_path_factory.mktemp("plugins")
    for name, code in {"tribit": METHOD, "broken": BROKEN, "thief": THIEF}.items():
        project = root / name
        project.mkdir()
        (project / f"{name}_hashing.py").write_text(code)
        (project / "pyproject.toml").write_text(PROJECT.format(name=name, module=f"{name}_hashing"))
    target = root / "site"
    projects = [str(root / name) for name in ("tribit", "broken", "thief")]
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--disable-pip-version-check"]
    done = python(target, "-m", "pip", "install", *options, "--target", str(target), *projects)
    assert done.returncode == 0, done.stderr
    return target


def test_it_is_listed_and_broken_ones_hide_nothing(site):
    done = python(site, "-m", "hashzoo", "list", "methods")
    assert done.returncode == 0, done.stderr
    for name in ("tribit", "dsh", "dpsh", "lsh"):
        assert name in done.stdout.split()
    lines = done.stderr.splitlines()
    assert len(lines) == 2, done.stderr
    assert "plugin 'broken' failed to import: RuntimeError: no compiler on this machine" in lines[0]
    assert "plugin 'thief' failed to import: DuplicateName: method 'dsh' is already hashzoo.methods.dsh.DSH" in lines[1]
    assert "thief_hashing.Thief needs another name" in lines[1]


def test_it_runs_on_digits_and_its_version_is_recorded(site, tmp_path):
    done = python(
        site, "-m", "hashzoo", "run", "tribit", "--dataset", "digits", "--image-size", "16", "--bits", "12",
        "--epochs", "1", "--set", "margin=0.3", "--precision", "fp32", "--device", "cpu", "--out", str(tmp_path),
        "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (record,) = json.loads(done.stdout)
    assert record["method"] == "tribit"
    assert record["config"]["margin"] == 0.3
    assert record["environment"]["versions"]["hashzoo-tribit"] == "0.3.0"
    assert record["metrics"]["map_expected"] > 0.15
    assert len(list(tmp_path.rglob("result.json"))) == 1


def test_it_passes_the_conformance_kit_and_the_broken_one_says_why(site):
    program = """
from hashzoo import METHODS
from hashzoo.errors import PluginError
from hashzoo.testing import check_method
check_method(METHODS.get("tribit"), image_size=16)
assert METHODS.get("dsh").__module__ == "hashzoo.methods.dsh"
for name in ("broken", "thief"):
    try:
        METHODS.get(name)
    except PluginError as error:
        print(name, "|", error, "|", type(error.__cause__).__name__)
"""
    done = python(site, "-W", "error", "-c", program)
    assert done.returncode == 0, done.stderr
    broken, thief = done.stdout.splitlines()
    assert broken == (
        "broken | plugin 'broken' failed to import: RuntimeError: no compiler on this machine | RuntimeError"
    )
    assert thief.startswith("thief | plugin 'thief' failed to import: DuplicateName: method 'dsh' is already")
    assert "hashzoo.methods.dsh.DSH" in thief
    assert "thief_hashing.Thief" in thief


def test_plugins_can_be_disabled(site):
    program = """
from hashzoo import METHODS
from hashzoo.cli import main
print(*METHODS.names())
raise SystemExit(main(["show", "tribit"]))
"""
    done = python(site, "-c", program, HASHZOO_DISABLE_PLUGINS="1")
    assert done.returncode == 2, done.stderr
    names = done.stdout.split()
    assert "dsh" in names
    assert not {"tribit", "dfeh"} & set(names)
    assert len(done.stderr.splitlines()) == 1
    assert "tribit" in done.stderr
