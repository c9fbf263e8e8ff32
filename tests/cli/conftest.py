import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def environment(tmp_path_factory):
    """For subprocesses: this source tree, no plugins, a cache of their own, one thread."""
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "HASHZOO_CACHE": str(tmp_path_factory.mktemp("cache")),
        "HASHZOO_DISABLE_PLUGINS": "1",
        "OMP_NUM_THREADS": "1",
    }


@pytest.fixture
def python(environment, tmp_path):
    """Runs a Python program in an empty folder."""

    def run(*words):
        return subprocess.run(
            [sys.executable, *words], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120
        )

    return run


@pytest.fixture
def here(tmp_path, tree, environment, monkeypatch):
    """An empty working folder, with the tiny tree as data root."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HASHZOO_DATA", str(tree))
    monkeypatch.setenv("HASHZOO_CACHE", environment["HASHZOO_CACHE"])
    return tmp_path
