"""`hashzoo results`: the records of a folder as tables."""

from __future__ import annotations

import argparse
from pathlib import Path

from hashzoo.cli.types import Commands, add_command


def add_to(commands: Commands) -> None:
    parser = add_command(
        commands,
        "results",
        "put the records below a folder into tables, one per dataset, protocol and definition",
        "hashzoo results runs --format md",
        results,
    )
    parser.add_argument("folder", nargs="?", type=Path, default=Path("runs"), metavar="DIR", help="default: runs")
    parser.add_argument(
        "--format",
        choices=("plain", "md", "csv", "json"),
        default="plain",
        help="csv: numbers and settings, a line for each record; json: the records as they are (default: plain)",
    )


def results(arguments: argparse.Namespace) -> None:
    from hashzoo.experiments.store import find_records
    from hashzoo.reports.table import write_records

    write_records(find_records(arguments.folder), arguments.format)
