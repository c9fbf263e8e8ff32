"""What the commands that run grids of cells have in common: flags, settings by method, and the run itself."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hashzoo.cli.data_options import add_reading_options, reading_options
from hashzoo.cli.types import duration, positive, seeds, split_seed

if TYPE_CHECKING:
    from hashzoo.experiments.cell import Reporter
    from hashzoo.experiments.grid import Job, Outcome, Source

COMPILE = "train with torch.compile where it can be trusted; pays for residual networks of narrow layers"


def add_grid_options(parser: argparse.ArgumentParser) -> None:
    """Seeds, data, learning, and where and how cells run."""
    parser.add_argument("--seeds", type=seeds, default=[0], metavar="N[,N...]", help="default: 0")
    add_reading_options(parser)
    parser.add_argument("--split-seed", type=split_seed, default=0, metavar="N", help="default: 0")
    parser.add_argument("--image-size", type=positive, metavar="N", help="resize images to N x N pixels")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="[METHOD.]K=V",
        help="a setting of one method, or of each that has it",
    )
    parser.add_argument(
        "--budget",
        type=duration,
        metavar="TIME",
        help="train each network for about 90s, 10m or 2h (`hashzoo run --help`)",
    )
    parser.add_argument(
        "--device", choices=("auto", "cpu", "cuda"), default="auto", help="default: a GPU if there is one"
    )
    parser.add_argument("--precision", choices=("auto", "fp32", "bf16"), default="auto")
    parser.add_argument("--compile", action="store_true", help=COMPILE)
    parser.add_argument("--jobs", type=positive, default=1, metavar="N", help="local processes (default: 1)")
    parser.add_argument("--cluster", metavar="ADDRESS", help="of a Dask scheduler, such as tcp://host:8786")
    parser.add_argument(
        "--out", type=Path, default=Path("runs"), metavar="DIR", help="where records go (default: runs)"
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--force", action="store_true", help="run again what is finished")
    which.add_argument("--stored", action="store_true", help="show what is finished, run nothing")


def filed(name: str, protocol: str | None) -> tuple[str, str]:
    """Dataset and protocol by the names they are filed under: "digits" is "digits@standard"."""
    from hashzoo.datasets.base import DATASETS

    dataset = DATASETS.get(name)
    return dataset.name, protocol or next(iter(dataset.protocols))


def planned_with(arguments: argparse.Namespace, reporter: Reporter) -> dict[str, Any]:
    """What these flags say to `plan`, but for the seed and what depends on the method."""
    return {
        "device": arguments.device,
        "precision": arguments.precision,
        "image_size": arguments.image_size,
        "reporter": reporter,
    }


def source_of(name: str, protocol: str | None, arguments: argparse.Namespace) -> Source:
    """The dataset, whose class is made once here, so that a wrong name or protocol is known before all else."""
    from hashzoo.datasets.base import DATASETS
    from hashzoo.experiments.grid import Source

    made = {
        "root": arguments.data_root or Path(os.environ.get("HASHZOO_DATA") or "data"),
        "protocol": protocol,
        "image_size": arguments.image_size,
        "split_seed": arguments.split_seed,
        **reading_options(arguments),
    }
    if arguments.cluster:  # workers start in folders of their own
        made = {key: value.absolute() if isinstance(value, Path) else value for key, value in made.items()}
    DATASETS.get(name)(**made)
    return Source(name, tuple(made.items()))


def parted(words: str) -> tuple[str, str | None]:
    """ "cifar10@full" -> ("cifar10", "full"); without a protocol, None."""
    name, _, protocol = words.partition("@")
    return name, protocol or None


def settings_by_method(words: Sequence[str], methods: Sequence[str]) -> dict[str, dict[str, str]]:
    """For each method the settings meant for it."""
    from dataclasses import fields

    from hashzoo.errors import UnknownName
    from hashzoo.methods.base import METHODS
    from hashzoo.settings import parse_assignments

    known = {method: [field.name for field in fields(METHODS.get(method).Config)] for method in methods}
    chosen: dict[str, dict[str, str]] = {method: {} for method in methods}
    for key, value in parse_assignments(list(words)).items():
        owner, _, name = key.rpartition(".")
        if owner and owner not in chosen:
            raise UnknownName("method of this grid", owner, methods)
        takers = [owner] if owner else [method for method in methods if name in known[method]]
        if not takers:
            raise UnknownName(
                f"setting of {', '.join(methods)}", name, sorted({n for ns in known.values() for n in ns})
            )
        for method in takers:
            chosen[method][name] = value
    return chosen


def preset_by_method(name: str | None, methods: Sequence[str]) -> dict[str, str | None]:
    """For each method the preset if it has one of that name, else None; some method must have it."""
    from hashzoo.errors import UnknownName
    from hashzoo.methods.base import METHODS

    chosen = {method: name if name in METHODS.get(method).presets else None for method in methods}
    if name is not None and not any(chosen.values()):
        known = {preset for method in methods for preset in METHODS.get(method).presets}
        raise UnknownName(f"preset of {', '.join(methods)}", name, known)
    return chosen


def budget_of(method: str, budget_s: float | None) -> float | None:
    """The budget if the method trains a network."""
    from hashzoo.methods.base import METHODS, DeepMethod

    return budget_s if issubclass(METHODS.get(method), DeepMethod) else None


def run_jobs(jobs: Sequence[Job], arguments: argparse.Namespace, reporter: Reporter) -> list[Outcome]:
    """Run all jobs, with a line for each and the time left; with --stored, look for their records."""
    from hashzoo.experiments.grid import finished, run_grid
    from hashzoo.experiments.runner import RunOptions
    from hashzoo.reports.progress import duration as shown

    if arguments.stored:
        return finished(jobs, arguments.out)
    out = arguments.out.absolute() if arguments.cluster else arguments.out  # workers start in folders of their own
    options = RunOptions(out=out, force=arguments.force, compile=arguments.compile, command=arguments.command)
    done: list[Outcome] = []
    for outcome in run_grid(jobs, options, reporter, workers=arguments.jobs, cluster=arguments.cluster):
        done.append(outcome)
        what = f"{'left out' if outcome.unsuitable else 'failed'}: {outcome.failure}"
        if outcome.record:
            what = f"mAP {outcome.record['metrics']['map_expected']:.4f}"
        left = "" if outcome.left_s is None else f"; about {shown(outcome.left_s)} left"
        reporter.note(f"[{len(done)}/{len(jobs)}] {outcome.job.title}: {what}{left}")
    return done


def refuse_failures(done: Sequence[Outcome], reporter: Reporter) -> None:
    """Once everything else has been shown: list what failed or is not finished, and what the data is not for.

    Raises:
        HashzooError: something failed, or there is nothing but what was left out.
    """
    from hashzoo.errors import HashzooError

    left_out = [outcome for outcome in done if outcome.unsuitable]
    failed = [outcome for outcome in done if outcome.failure and not outcome.unsuitable]
    for word, outcomes in (("left out", left_out), ("failed", failed)):
        for outcome in outcomes:
            reporter.note(f"{word}: {outcome.job.title}: {outcome.failure}")
    pending = [outcome for outcome in done if outcome.pending]
    for outcome in pending:
        reporter.note(f"not run: {outcome.job.title}")
    if pending:
        reporter.note(f"{len(pending)} of {len(done)} cells are not run; without --stored the same command runs them")
    if len(left_out) == len(done):
        raise HashzooError("no cell ran: none of the methods can take this data")
    if failed:
        raise HashzooError(f"{len(failed)} of {len(done)} cells failed; the same command runs them again")
