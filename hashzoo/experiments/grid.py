"""Grids of cells: methods x datasets x code lengths x seeds, here, in local processes or on a Dask cluster.

A cell that has its record is not run again, and one that was cut off goes on from its checkpoint; so a grid that was
stopped, by whatever, is finished by starting it again.
"""

from __future__ import annotations

import os
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from hashzoo.datasets.base import DATASETS, LoadedDataset
from hashzoo.errors import HashzooError, InvalidInput, UnsuitableData
from hashzoo.experiments.cell import Cell, Reporter
from hashzoo.experiments.runner import RunOptions, run_cell, stored_record
from hashzoo.experiments.store import Record
from hashzoo.training.trainer import Observer


@dataclass(frozen=True)
class Source:
    """A dataset in words, so that any process can load it: its name and the arguments of its class."""

    name: str
    arguments: tuple[tuple[str, Any], ...] = ()

    @property
    def title(self) -> str:
        protocol = dict(self.arguments).get("protocol")
        return f"{self.name}@{protocol}" if protocol else self.name


@dataclass(frozen=True)
class Job:
    """One cell of a grid and the data it runs on."""

    source: Source
    cell: Cell

    @property
    def title(self) -> str:
        return f"{self.cell.title}, seed {self.cell.seed}, {self.source.title}"


@dataclass(frozen=True)
class Outcome:
    """What became of a job: a record, or one line that says why there is none."""

    job: Job
    record: Record | None
    failure: str
    unsuitable: bool = False  # the data is not for this method, so running it again changes nothing
    left_s: float | None = None  # what the jobs not done by then will take, once there is a record to tell by

    @property
    def pending(self) -> bool:
        """Only what is finished was asked for, and this is not."""
        return self.record is None and not self.failure


def run_grid(
    jobs: Sequence[Job], options: RunOptions, reporter: Reporter, *, workers: int = 1, cluster: str | None = None
) -> Iterator[Outcome]:
    """Run every job; yield what became of each as soon as it is known. A job that fails leaves the others alone.

    Args:
        options: for each cell; it always goes on from a checkpoint unless `force` is set.
        reporter: told about training if there is one process, this one.
        workers: local processes; the cores are shared out among them.
        cluster: address of a Dask scheduler, "tcp://host:8786", whose workers see the same files.

    Raises:
        InvalidInput: `workers` is not positive, the cluster cannot be reached, or its package is not installed.
    """
    from joblib import Parallel, delayed, effective_n_jobs

    if workers < 1:
        raise InvalidInput(f"jobs: expected a whole number from 1, got {workers}")
    options = replace(options, resume=not options.force)
    alone = cluster is None and workers == 1
    told: Reporter = reporter if alone else _Silent()
    threads = None if alone or cluster else max(1, (os.cpu_count() or 1) // workers)
    with _backend(cluster):
        beside = effective_n_jobs(-1) if cluster else workers
        pool = Parallel(n_jobs=-1 if cluster else workers, return_as="generator_unordered", batch_size=1)
        done: list[Outcome] = []
        try:
            for outcome in pool(delayed(_run)(job, options, told, threads) for job in jobs):
                done.append(outcome)
                yield replace(outcome, left_s=seconds_left(jobs, done, beside))
        except BrokenExecutor:
            finished = {outcome.job for outcome in done}
            why = "not finished when the system ended a process of this grid, for want of memory perhaps"
            yield from (Outcome(job, None, why) for job in jobs if job not in finished)


def finished(jobs: Sequence[Job], out: Path) -> list[Outcome]:
    """What is known of every job from the records below `out`; nothing is run."""
    return [_attempted(job, lambda cell, data: stored_record(cell, data, out)) for job in jobs]


def seconds_left(jobs: Sequence[Job], done: Sequence[Outcome], workers: int = 1) -> float | None:
    """What the jobs not done will take: the mean of the records of the same method and data, else of all.

    None as long as there is no record; how soon something failed says nothing of the others.
    """
    took = [(o.job, float(sum(o.record["timings"].values()))) for o in done if o.record]
    if not took:
        return None

    def expected(job: Job) -> float:
        kind = (job.cell.method, job.source)
        alike = [seconds for other, seconds in took if (other.cell.method, other.source) == kind]
        known = alike or [seconds for _, seconds in took]
        return sum(known) / len(known)

    finished = {outcome.job for outcome in done}
    return sum(expected(job) for job in jobs if job not in finished) / workers


def _run(job: Job, options: RunOptions, reporter: Reporter, threads: int | None) -> Outcome:
    if threads:
        _use_threads(threads)
    return _attempted(job, lambda cell, data: run_cell(cell, data, options, reporter))


def _attempted(job: Job, attempt: Callable[[Cell, LoadedDataset], Record | None]) -> Outcome:
    record, failure, unsuitable = None, "", False
    try:
        record = attempt(job.cell, _load(job.source))
    except HashzooError as mistake:
        failure, unsuitable = " ".join(str(mistake).split()), isinstance(mistake, UnsuitableData)
    except Exception as bug:  # of a method: it must not cost the other cells
        frame = traceback.extract_tb(bug.__traceback__)[-1]
        reason = " ".join(str(bug).split())
        failure = f"{type(bug).__name__}: {reason} ({os.path.basename(frame.filename)}, line {frame.lineno})"
    return Outcome(job, record, failure, unsuitable)


@lru_cache(maxsize=1)  # jobs come dataset by dataset
def _load(source: Source) -> LoadedDataset:
    return DATASETS.get(source.name)(**dict(source.arguments)).load()


def _use_threads(threads: int) -> None:
    import torch

    torch.set_num_threads(threads)
    os.environ["HASHZOO_THREADS"] = str(threads)


@contextmanager
def _backend(cluster: str | None) -> Iterator[None]:
    if cluster is None:
        with warnings.catch_warnings():  # joblib replaces a worker whose memory grew; no cell is lost by it
            warnings.filterwarnings("ignore", "A worker stopped while some jobs")
            yield
        return
    try:
        from distributed import Client
    except ImportError:
        raise InvalidInput("--cluster needs Dask: pip install 'hashzoo[cluster]'") from None
    from joblib import parallel_config

    try:
        client = Client(cluster, timeout="10s", set_as_default=False)
    except (OSError, ValueError) as cause:
        raise InvalidInput(f"no Dask scheduler answers at {cluster} ({cause})") from None
    with client, parallel_config(backend="dask", client=client):
        yield


class _Silent:
    """A reporter for other processes: the grid tells what becomes of each cell."""

    def note(self, text: str) -> None:
        """Nothing."""

    def training(self, title: str, epochs: int) -> AbstractContextManager[Observer]:
        return nullcontext(_Unobserved())


class _Unobserved:
    def on_step(self, done: int, total: int, terms: dict[str, float], images_per_second: float) -> None:
        """Nothing."""
