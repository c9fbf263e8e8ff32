"""`hashzoo bench`: a grid of runs and its leaderboard."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from hashzoo.cli.types import Commands, add_command, code_lengths, positive, seed, split_seed

_FORMATS = ("md", "csv", "latex", "json")


def add_to(commands: Commands) -> None:
    parser = add_command(
        commands,
        "bench",
        "run methods x datasets x code lengths x seeds and rank the methods; a second start does what is missing",
        "hashzoo bench --methods dsh,dpsh,lsh --datasets digits --bits 12,24 --seeds 0,1,2",
        bench,
    )
    parser.add_argument(
        "--methods", required=True, type=_words, metavar="NAME[,NAME...]", help="of `hashzoo list methods`"
    )
    parser.add_argument(
        "--datasets", required=True, type=_words, metavar="NAME[@PROTOCOL][,...]", help="of `hashzoo list datasets`"
    )
    parser.add_argument("--bits", required=True, type=code_lengths, metavar="K[,K...]", help="code lengths, 1 to 4096")
    parser.add_argument("--seeds", type=_seeds, default=[0], metavar="N[,N...]", help="default: 0")
    parser.add_argument("--data-root", type=Path, metavar="DIR", help="default: $HASHZOO_DATA, else data")
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
        "--device", choices=("auto", "cpu", "cuda"), default="auto", help="default: a GPU if there is one"
    )
    parser.add_argument("--precision", choices=("auto", "fp32", "bf16"), default="auto")
    parser.add_argument("--jobs", type=positive, default=1, metavar="N", help="local processes (default: 1)")
    parser.add_argument("--cluster", metavar="ADDRESS", help="of a Dask scheduler, such as tcp://host:8786")
    parser.add_argument(
        "--out", type=Path, default=Path("runs"), metavar="DIR", help="where records go (default: runs)"
    )
    parser.add_argument("--force", action="store_true", help="run again what is finished")
    parser.add_argument("--format", choices=_FORMATS, default="md", help="of the leaderboard (default: md)")


def bench(arguments: argparse.Namespace) -> None:
    from hashzoo.errors import HashzooError
    from hashzoo.experiments.grid import Job, Outcome, Source, run_grid, seconds_left
    from hashzoo.experiments.runner import RunOptions, plan
    from hashzoo.methods.base import METHODS
    from hashzoo.reports.leaderboard import FORMATS, boards
    from hashzoo.reports.progress import ErrorStream, duration

    reporter = ErrorStream()
    methods = [METHODS.get(name).name for name in arguments.methods]
    settings = _settings(arguments.set, methods)
    sources = [
        Source(name, _arguments(name, protocol, arguments)) for name, protocol in map(_parted, arguments.datasets)
    ]
    jobs = [
        Job(source, cell)
        for source in sources
        for one in arguments.seeds
        for method in methods
        for cell in plan(
            method,
            arguments.bits,
            settings[method],
            seed=one,
            device=arguments.device,
            precision=arguments.precision,
            image_size=arguments.image_size,
            reporter=reporter,
        )
    ]
    options = RunOptions(out=arguments.out, force=arguments.force, command=arguments.command)
    done: list[Outcome] = []
    for outcome in run_grid(jobs, options, reporter, workers=arguments.jobs, cluster=arguments.cluster):
        done.append(outcome)
        what = (
            f"mAP {outcome.record['metrics']['map_expected']:.4f}" if outcome.record else f"failed: {outcome.failure}"
        )
        left = duration(seconds_left(jobs, done, arguments.jobs))
        reporter.note(f"[{len(done)}/{len(jobs)}] {outcome.job.title}: {what}; about {left} left")
    sys.stdout.write(FORMATS[arguments.format](boards([outcome.record for outcome in done if outcome.record])))
    failed = [outcome for outcome in done if outcome.failure]
    for outcome in failed:
        reporter.note(f"failed: {outcome.job.title}: {outcome.failure}")
    if failed:
        raise HashzooError(f"{len(failed)} of {len(jobs)} cells failed; the same command runs them again")


def _arguments(name: str, protocol: str | None, arguments: argparse.Namespace) -> tuple[tuple[str, object], ...]:
    """Of the dataset's class, which is made once here, so that a wrong name or protocol is known before all else."""
    from hashzoo.datasets.base import DATASETS

    made = {
        "root": arguments.data_root or Path(os.environ.get("HASHZOO_DATA") or "data"),
        "protocol": protocol,
        "image_size": arguments.image_size,
        "split_seed": arguments.split_seed,
    }
    DATASETS.get(name)(**made)
    return tuple(made.items())


def _settings(words: Sequence[str], methods: Sequence[str]) -> dict[str, dict[str, str]]:
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


def _parted(words: str) -> tuple[str, str | None]:
    name, _, protocol = words.partition("@")
    return name, protocol or None


def _words(text: str) -> list[str]:
    words = [word.strip() for word in text.split(",")]
    if not all(words) or len(set(words)) < len(words):
        raise argparse.ArgumentTypeError(f"expected different names with commas between them, got {text!r}")
    return words


def _seeds(text: str) -> list[int]:
    seeds = [seed(word.strip()) for word in text.split(",")]
    if len(set(seeds)) < len(seeds):
        raise argparse.ArgumentTypeError(f"expected each seed once, got {text!r}")
    return seeds
