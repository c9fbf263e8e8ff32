"""`hashzoo plot`: one picture of the records of a folder."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from hashzoo.cli.types import Commands, add_command

_KINDS = ("pr", "bits", "distances", "training")


def add_to(commands: Commands) -> None:
    parser = add_command(
        commands,
        "plot",
        "draw precision and recall, the use of bits, distances of pairs, or the training of the records below a folder",
        "hashzoo plot pr runs/digits -o pr.svg",
        plot,
    )
    parser.add_argument("kind", choices=_KINDS, help="bits and distances need codes.npz, training needs log.jsonl")
    parser.add_argument("folder", nargs="?", type=Path, default=Path("runs"), metavar="RUNS", help="default: runs")
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="FILE", help="ends in .png or .svg")


def plot(arguments: argparse.Namespace) -> None:
    from hashzoo.experiments.store import find_runs
    from hashzoo.reports import plots

    for line in plots.plot(arguments.kind, find_runs(arguments.folder), arguments.out):
        print(f"hashzoo: left out: {line}", file=sys.stderr)
