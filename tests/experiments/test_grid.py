import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from hashzoo.errors import InvalidInput
from hashzoo.experiments import store
from hashzoo.experiments.cell import plan
from hashzoo.experiments.grid import Job, Outcome, Source, finished, run_grid, seconds_left
from hashzoo.experiments.runner import RunOptions


def jobs_of(tree, reporter, method="lsh", bits=(12, 24), seeds=(0,), settings=None):
    source = Source("folder", (("root", tree),))
    cells = [
        cell
        for seed in seeds
        for cell in plan(method, bits, settings or {}, seed=seed, device="cpu", precision="fp32", reporter=reporter)
    ]
    return [Job(source, cell) for cell in cells]


def test_every_job_gets_its_record(tmp_path, tree, reporter):
    jobs = jobs_of(tree, reporter, seeds=(0, 1))
    outcomes = list(run_grid(jobs, RunOptions(tmp_path), reporter))
    assert [outcome.job for outcome in outcomes] == jobs
    assert {(o.record["bits"], o.record["seed"]) for o in outcomes} == {(12, 0), (24, 0), (12, 1), (24, 1)}
    assert len(store.find_records(tmp_path)) == 4
    assert not any(outcome.failure for outcome in outcomes)


def test_a_finished_job_is_not_run_again(tmp_path, tree, reporter):
    jobs = jobs_of(tree, reporter)
    first = list(run_grid(jobs, RunOptions(tmp_path), reporter))
    again = list(run_grid(jobs, RunOptions(tmp_path), reporter))
    assert [outcome.record for outcome in again] == [outcome.record for outcome in first]


def test_what_is_finished_is_found_and_nothing_is_run(tmp_path, tree, reporter):
    first, second = jobs_of(tree, reporter)
    (ran,) = run_grid([first], RunOptions(tmp_path), reporter)
    found = finished([first, second], tmp_path)
    assert found == [Outcome(first, ran.record, ""), Outcome(second, None, "")]
    assert [outcome.pending for outcome in found] == [False, True]
    assert len(store.find_records(tmp_path)) == 1


def test_a_budget_not_begun_is_not_probed(tmp_path, tree, reporter, monkeypatch):
    from hashzoo.experiments import budget

    def probe(*arguments, **named):
        raise AssertionError("probed")

    (job,) = jobs_of(tree, reporter, "dsh", bits=(12,), settings={"batch_size": "9"})
    job = replace(job, cell=replace(job.cell, budget_s=1.0))
    with monkeypatch.context() as patched:
        patched.setattr(budget, "measure_pace", probe)
        assert finished([job], tmp_path) == [Outcome(job, None, "")]
    (ran,) = run_grid([job], RunOptions(tmp_path), reporter)
    assert finished([job], tmp_path)[0].record == ran.record


def test_a_damaged_record_is_a_failure(tmp_path, tree, reporter):
    jobs = jobs_of(tree, reporter, bits=(12,))
    list(run_grid(jobs, RunOptions(tmp_path), reporter))
    (file,) = tmp_path.rglob("result.json")
    file.write_text("{")
    (outcome,) = finished(jobs, tmp_path)
    assert "is not a record" in outcome.failure
    assert not outcome.pending


def test_a_failure_leaves_the_others(tmp_path, tree, reporter):
    broken = Job(Source("folder", (("root", tmp_path / "nowhere"),)), jobs_of(tree, reporter)[0].cell)
    outcomes = list(run_grid([broken, *jobs_of(tree, reporter)], RunOptions(tmp_path / "runs"), reporter))
    assert [bool(outcome.record) for outcome in outcomes] == [False, True, True]
    assert "nowhere" in outcomes[0].failure


def test_a_bug_in_a_method_leaves_the_others(tmp_path, tree, reporter, monkeypatch):
    from hashzoo.methods.dsh import DSH

    def loss(self, codes, batch):
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr(DSH, "loss", loss)
    jobs = [*jobs_of(tree, reporter, "dsh", bits=(12,), settings={"epochs": "1"}), *jobs_of(tree, reporter)]
    bug, *others = run_grid(jobs, RunOptions(tmp_path), reporter)
    assert bug.failure.startswith("ZeroDivisionError: by nothing (test_grid.py, line ")
    assert all(outcome.record for outcome in others)


def test_local_processes_give_the_same_records(tmp_path, tree, reporter):
    jobs = jobs_of(tree, reporter, bits=(12, 24, 36))
    here = {o.job.cell.bits: o.record for o in run_grid(jobs, RunOptions(tmp_path / "one"), reporter)}
    there = {o.job.cell.bits: o.record for o in run_grid(jobs, RunOptions(tmp_path / "two"), reporter, workers=2)}
    for bits in (12, 24, 36):
        assert there[bits]["codes_sha256"] == here[bits]["codes_sha256"]
        assert there[bits]["metrics"] == here[bits]["metrics"]


def test_the_time_left_is_that_of_cells_alike(tree, reporter):
    lsh, dsh = jobs_of(tree, reporter, bits=(12, 24, 36)), jobs_of(tree, reporter, "dsh", bits=(12, 24))
    done = [
        Outcome(lsh[0], {"timings": {"train_s": 0.5, "encode_s": 1.0, "evaluate_s": 0.5}}, ""),
        Outcome(dsh[0], {"timings": {"train_s": 29.0, "encode_s": 1.0, "evaluate_s": 0.0}}, ""),
        Outcome(lsh[1], None, "no memory"),
    ]
    assert seconds_left([*lsh, *dsh], done) == 2.0 + 30.0
    assert seconds_left([*lsh, *dsh], done, workers=2) == 16.0
    assert seconds_left([*lsh, *dsh], done[:1]) == 8.0
    assert seconds_left([*lsh, *dsh], done[2:]) is None


def test_what_was_finished_before_tells_the_time_left(tmp_path, tree, reporter):
    """A record that is only found takes no time, and says how long the others take all the same."""
    jobs = jobs_of(tree, reporter, "dsh", bits=(12, 24), settings={"epochs": "1", "batch_size": "9"})
    (first,) = run_grid(jobs[:1], RunOptions(tmp_path), reporter)
    found, _ = run_grid(jobs, RunOptions(tmp_path), reporter)
    assert found.left_s == sum(first.record["timings"].values())


class Fatal:
    """Ends the process that it is sent to."""

    def __reduce__(self):
        return signal.raise_signal, (signal.SIGKILL,)


def test_a_process_that_the_system_ends_is_a_failure(tmp_path, tree, reporter):
    good = jobs_of(tree, reporter, bits=(12, 24))
    fatal = Job(Source("folder", (("root", Fatal()),)), good[0].cell)
    outcomes = {o.job: o for o in run_grid([*good, fatal], RunOptions(tmp_path), reporter, workers=2)}
    assert set(outcomes) == {*good, fatal}
    assert "the system ended a process" in outcomes[fatal].failure
    assert all(outcomes[job].record or outcomes[job].failure for job in good)


def test_no_process_and_no_scheduler(tmp_path, tree, reporter):
    with pytest.raises(InvalidInput, match="jobs: expected a whole number from 1, got 0"):
        list(run_grid(jobs_of(tree, reporter), RunOptions(tmp_path), reporter, workers=0))


@pytest.fixture
def cluster(tmp_path):
    """A real scheduler and two real workers on the loopback; yields its address and the workers."""
    pytest.importorskip("distributed", reason="needs the extra [cluster]")
    dask = [sys.executable, "-m", "dask"]
    contact = tmp_path / "scheduler.json"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    scheduler = subprocess.Popen(
        [*dask, "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", contact],
        **quiet,
    )
    workers = [
        subprocess.Popen(
            [*dask, "worker", "--scheduler-file", contact, "--no-nanny", "--nthreads", "1", "--no-dashboard"],
            env=environment,
            **quiet,
        )
        for _ in range(2)
    ]
    try:
        import json

        deadline = time.monotonic() + 60
        while not contact.exists():
            assert time.monotonic() < deadline, "the scheduler did not start"
            time.sleep(0.1)
        yield json.loads(contact.read_text())["address"], workers
    finally:
        for process in (*workers, scheduler):
            process.kill()
            process.wait()


@pytest.mark.slow
def test_a_cluster_that_loses_a_worker_finishes_the_grid(tmp_path, tree, reporter, cluster):
    address, workers = cluster
    jobs = jobs_of(tree, reporter, "dsh", bits=(12, 16, 24, 32, 36, 48), settings={"epochs": "40", "batch_size": "9"})
    out = tmp_path / "runs"
    finished = {}
    for outcome in run_grid(jobs, RunOptions(out), reporter, cluster=address):
        assert outcome.failure == ""
        assert outcome.job.cell.bits not in finished
        (folder,) = out.glob(f"folder/folder/dsh/{outcome.job.cell.bits}b-*")
        finished[outcome.job.cell.bits] = (folder / "result.json").stat().st_mtime_ns
        if len(finished) == 2:
            workers[0].send_signal(signal.SIGKILL)
    assert sorted(finished) == [12, 16, 24, 32, 36, 48]
    for bits, written in finished.items():
        (folder,) = out.glob(f"folder/folder/dsh/{bits}b-*")
        assert (folder / "result.json").stat().st_mtime_ns == written
