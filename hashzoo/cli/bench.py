"""`hashzoo bench`: a grid of runs and its leaderboard."""

from __future__ import annotations

import argparse
import sys

from hashzoo.cli.grid_options import (
    add_grid_options,
    budget_of,
    filed,
    parted,
    planned_with,
    preset_by_method,
    refuse_failures,
    run_jobs,
    settings_by_method,
    source_of,
)
from hashzoo.cli.types import Commands, add_command, code_lengths, names

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
        "--methods", required=True, type=names, metavar="NAME[,NAME...]", help="of `hashzoo list methods`"
    )
    parser.add_argument(
        "--datasets", required=True, type=names, metavar="NAME[@PROTOCOL][,...]", help="of `hashzoo list datasets`"
    )
    parser.add_argument("--bits", required=True, type=code_lengths, metavar="K[,K...]", help="code lengths, 1 to 4096")
    parser.add_argument("--preset", metavar="NAME", help="of each method that has it (`hashzoo show METHOD`)")
    add_grid_options(parser)
    parser.add_argument("--format", choices=_FORMATS, default="md", help="of the leaderboard (default: md)")


def bench(arguments: argparse.Namespace) -> None:
    from hashzoo.experiments.cell import plan
    from hashzoo.experiments.grid import Job
    from hashzoo.methods.base import METHODS
    from hashzoo.reports.leaderboard import FORMATS, boards, printed_by
    from hashzoo.reports.progress import ErrorStream

    reporter = ErrorStream()
    methods = list(dict.fromkeys(METHODS.get(name).name for name in arguments.methods))
    sources = {filed(*parted(words)): source_of(*parted(words), arguments) for words in arguments.datasets}
    settings = settings_by_method(arguments.set, methods)
    presets = preset_by_method(arguments.preset, methods)
    for method in methods:
        if arguments.preset and presets[method] is None:
            reporter.note(f"{method} has no preset {arguments.preset}: it runs with its defaults")
    jobs = [
        Job(source, cell)
        for source in sources.values()
        for seed in arguments.seeds
        for method in methods
        for cell in plan(
            method,
            arguments.bits,
            settings[method],
            seed=seed,
            preset=presets[method],
            budget_s=budget_of(method, arguments.budget),
            **planned_with(arguments, reporter),
        )
    ]
    done = run_jobs(jobs, arguments, reporter)
    papers = printed_by([METHODS.get(method) for method in methods])
    found = boards([outcome.record for outcome in done if outcome.record], papers, arguments.seeds)
    sys.stdout.write(FORMATS[arguments.format](found))
    refuse_failures(done, reporter)
