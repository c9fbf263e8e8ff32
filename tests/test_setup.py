"""setup.py with a compiler and an nvcc that only make empty files: which modules it builds, and which it removes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from importlib.util import find_spec
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the stand-ins are shell scripts"),
    pytest.mark.skipif(
        not (find_spec("setuptools") and find_spec("pybind11")), reason="needs setuptools and pybind11 to build"
    ),
]

ROOT = Path(__file__).parents[1]
COMPILER = """#!/bin/sh
while [ $# -gt 0 ]; do
    if [ "$1" = -o ]; then : > "$2"; fi
    shift
done
"""
NVCC = f"""{COMPILER}
echo "#$ TOP=$(dirname "$0")" >&2
exit ${{NVCC_STATUS:-0}}
"""


def executable(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of what a build needs, a compiler, and an nvcc that has to be put on PATH."""
    for name in ("setup.py", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "csrc", tmp_path / "csrc")
    (tmp_path / "hashzoo").mkdir()
    (tmp_path / "hashzoo" / "__init__.py").touch()
    executable(tmp_path / "cc", COMPILER)
    (tmp_path / "cuda" / "lib64").mkdir(parents=True)
    (tmp_path / "cuda" / "lib64" / "libcudart_static.a").touch()
    executable(tmp_path / "cuda" / "nvcc", NVCC)
    return tmp_path


def run(tree: Path, *words: str, nvcc: bool, **environment: str) -> subprocess.CompletedProcess[str]:
    path = f"{tree / 'cuda'}:/usr/bin:/bin" if nvcc else f"{tree / 'no_cuda'}:/usr/bin:/bin"
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("HASHZOO_", "CUDA_HOME"))}
    compiler = str(tree / "cc")
    return subprocess.run(
        [sys.executable, "setup.py", *words],
        cwd=tree,
        env={**plain, "PATH": path, "CC": compiler, "CXX": compiler, "LDSHARED": compiler, "LDCXXSHARED": compiler}
        | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def built(tree: Path) -> list[str]:
    return sorted(path.name.partition(".")[0] for path in (tree / "hashzoo").glob("*.so"))


def build(tree: Path, *, nvcc: bool, **environment: str) -> str:
    done = run(tree, "build_ext", "--inplace", nvcc=nvcc, **environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stderr


def test_a_cuda_build_can_be_undone(tree: Path) -> None:
    build(tree, nvcc=True)
    assert built(tree) == ["_native", "_native_cuda"]
    build(tree, nvcc=True, HASHZOO_CUDA="0")
    assert built(tree) == ["_native"]
    assert not list((tree / "build").rglob("_native_cuda*.so"))


def test_without_nvcc_nothing_is_missed(tree: Path) -> None:
    assert "_native_cuda" not in build(tree, nvcc=False)
    assert built(tree) == ["_native"]


def test_a_failing_nvcc_is_a_warning_unless_cuda_was_asked_for(tree: Path) -> None:
    said = build(tree, nvcc=True, NVCC_STATUS="1")
    assert 'building extension "hashzoo._native_cuda" failed: nvcc failed' in said
    assert built(tree) == ["_native"]
    asked = run(tree, "build_ext", "--inplace", nvcc=True, NVCC_STATUS="1", HASHZOO_CUDA="1")
    assert asked.returncode != 0
    assert "nvcc failed" in asked.stderr


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("1", "HASHZOO_CUDA=1: expected nvcc on PATH or in $CUDA_HOME/bin, found none"),
        ("yes", "HASHZOO_CUDA: expected 0, 1 or auto, got 'yes'"),
    ],
)
def test_what_cannot_be_had(tree: Path, wanted: str, message: str) -> None:
    done = run(tree, "build_ext", "--inplace", nvcc=False, HASHZOO_CUDA=wanted)
    assert done.returncode != 0
    assert message in done.stderr
    assert built(tree) == []


def test_the_source_distribution_has_the_kernels(tree: Path) -> None:
    done = run(tree, "-q", "sdist", nvcc=False)
    assert done.returncode == 0, done.stderr
    (archive,) = (tree / "dist").glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        names = {name.partition("/")[2] for name in packed.getnames()}
    for source in (ROOT / "csrc" / "cuda").iterdir():
        assert f"csrc/cuda/{source.name}" in names
