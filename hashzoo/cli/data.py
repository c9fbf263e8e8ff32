"""`hashzoo data`: what is known of a dataset, and what of it lies on disk."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from hashzoo.cli import data_import
from hashzoo.cli.types import Commands, add_command, split_seed

if TYPE_CHECKING:
    from hashzoo.datasets.base import Dataset


def add_to(commands: Commands) -> None:
    parser = add_command(
        commands,
        "data",
        "show datasets and protocols, check files, import your own",
        "hashzoo data show cifar10@59k",
        None,
    )
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    showing = add_command(
        actions, "show", "show protocols, sizes and splits of a dataset", "hashzoo data show cifar10@59k", show
    )
    showing.add_argument("name", nargs="?", metavar="NAME[@PROTOCOL]", help="default: a line for each that there is")
    verifying = add_command(
        actions,
        "verify",
        "read all files of a dataset and say what is missing or damaged",
        "hashzoo data verify cifar10",
        verify,
    )
    verifying.add_argument("name", metavar="NAME[@PROTOCOL]", help="one of `hashzoo list datasets`")
    data_import.add_to(actions)
    for action in (showing, verifying):
        action.add_argument("--data-root", type=Path, metavar="DIR", help="default: $HASHZOO_DATA, else data")
        action.add_argument("--split-seed", type=split_seed, default=0, metavar="N", help="default: 0")
        action.add_argument("--split-files", type=Path, metavar="DIR", help="lists in place of the protocol's division")


def show(arguments: argparse.Namespace) -> None:
    from hashzoo.reports import datasets, table

    if arguments.name is None:
        table.show([datasets.protocols()])
    else:
        sys.stdout.write(datasets.page(_opened(arguments)))


def verify(arguments: argparse.Namespace) -> None:
    from hashzoo.reports import datasets

    sys.stdout.write(datasets.verified(_opened(arguments)))


def _opened(arguments: argparse.Namespace) -> Dataset:
    from hashzoo.reports.datasets import opened

    return opened(arguments.name, arguments.data_root, arguments.split_seed, arguments.split_files)
