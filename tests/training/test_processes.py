"""Real processes, really killed: what is on disk is all that is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

WORDS = (
    "run", "dsh", "--dataset", "digits", "--bits", "12", "--epochs", "6", "--precision", "fp32", "--device", "cpu",
    "--image-size", "16", "--set", "batch_size=200",
)  # fmt: skip
PATIENCE = 600  # seconds until a process counts as hung, on a machine however busy
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "HASHZOO_THREADS": "1", "HASHZOO_DISABLE_PLUGINS": "1"}


def start(out: Path, *more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "hashzoo", *WORDS, "--out", str(out), *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | ENVIRONMENT,
    )


def finish(process: subprocess.Popen[str]) -> str:
    """What it said; it must have ended well."""
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, said
    return said


def stop_in_training(out: Path, sign: signal.Signals) -> tuple[int, str]:
    """Start a run, send the signal once an epoch is behind it; exit status and what it said."""
    process = start(out)
    deadline = time.monotonic() + PATIENCE
    while not list(out.rglob("checkpoint.json")):
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(sign)
    _, said = process.communicate(timeout=PATIENCE)
    return process.returncode, said


def folder(out: Path) -> Path:
    (log,) = out.rglob("log.jsonl")
    return log.parent


@pytest.fixture
def unbroken(tmp_path):
    """A run that nobody disturbs, beside the one that is; `finish` it before its folder is read."""
    process = start(tmp_path / "unbroken")
    yield process
    process.kill()
    process.communicate()


def test_a_killed_run_resumes_to_the_same_codes(unbroken, tmp_path):
    returned, said = stop_in_training(tmp_path / "killed", signal.SIGKILL)
    assert returned == -signal.SIGKILL, said
    killed = folder(tmp_path / "killed")
    assert not (killed / "result.json").exists()
    assert 0 < json.loads((killed / "checkpoint.json").read_text())["position"]["epoch"] < 6

    finish(start(tmp_path / "killed", "--resume"))
    finish(unbroken)
    whole = folder(tmp_path / "unbroken")
    assert killed.name == whole.name
    with np.load(whole / "codes.npz") as expected, np.load(killed / "codes.npz") as got:
        assert set(expected) == set(got)
        for name in expected:
            assert np.array_equal(expected[name], got[name]), name
    results = [json.loads((at / "result.json").read_text()) for at in (whole, killed)]
    for key in ("codes_sha256", "model_sha256", "metrics"):
        assert results[0][key] == results[1][key]
    logs = [[json.loads(line) for line in (at / "log.jsonl").read_text().splitlines()] for at in (whole, killed)]
    assert [entry["epoch"] for entry in logs[1]] == [1, 2, 3, 4, 5, 6]
    assert [entry["losses"] for entry in logs[0]] == [entry["losses"] for entry in logs[1]]
    assert not list(killed.glob("checkpoint*"))


@pytest.mark.parametrize(("sign", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ctrl_c_and_sigterm_leave_a_checkpoint_and_a_status(sign, status, tmp_path):
    returned, said = stop_in_training(tmp_path, sign)
    assert returned == status, said
    assert said.splitlines()[-1] == "interrupted; --resume goes on"
    assert "Traceback" not in said
    stopped = folder(tmp_path)
    assert not (stopped / "result.json").exists()
    index = json.loads((stopped / "checkpoint.json").read_text())
    assert 0 < index["position"]["epoch"] < 6
    assert [file.name for file in stopped.glob("*.safetensors")] == [index["file"]]


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="the system does not list the children of a process")
def test_sigterm_ends_the_workers_of_a_grid(tmp_path):
    words = ("--methods", "dsh", "--datasets", "digits", "--bits", "12,24", "--jobs", "2", "--out", str(tmp_path))
    grid = subprocess.Popen(
        [sys.executable, "-m", "hashzoo", "bench", *words, "--set", "epochs=1000", "--device", "cpu"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | ENVIRONMENT,
    )
    deadline = time.monotonic() + PATIENCE
    while len(list(tmp_path.rglob("checkpoint.json"))) < 2:
        assert grid.poll() is None, grid.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.005)
    workers = [pid for pid in children(grid.pid) if running(pid)]
    assert len(workers) >= 2
    grid.send_signal(signal.SIGTERM)
    said = grid.communicate(timeout=PATIENCE)[1]
    assert grid.returncode == 143, said
    assert "interrupted" in said.splitlines()  # joblib's tracker of resources may have a line to say after it
    while any(running(pid) for pid in workers):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    assert not list(tmp_path.rglob("result.json"))


def children(pid: int) -> list[int]:
    return [int(child) for task in Path(f"/proc/{pid}/task").glob("*/children") for child in task.read_text().split()]


def running(pid: int) -> bool:
    """Whether the process is there, and not a dead one that nobody has asked about."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
