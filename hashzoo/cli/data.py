"""`hashzoo data`: everything about data that is no run."""

from __future__ import annotations

import argparse

from hashzoo.cli import data_import
from hashzoo.cli.types import Commands

_ACTIONS = (data_import,)


def add_to(commands: Commands) -> None:
    summary = "turn your own images into a checked manifest"
    parser: argparse.ArgumentParser = commands.add_parser("data", help=summary, description=f"{summary.capitalize()}.")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    for action in _ACTIONS:
        action.add_to(actions)
