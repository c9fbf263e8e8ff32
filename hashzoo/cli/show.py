"""`hashzoo show`: all about one thing."""

from __future__ import annotations

import argparse
import sys

from hashzoo.cli.types import Commands, add_command


def add_to(commands: Commands) -> None:
    parser = add_command(
        commands,
        "show",
        "show paper, settings and deviations of a method, or all about a dataset, loss, evaluator or backbone",
        "hashzoo show dsh",
        show,
    )
    parser.add_argument("name", metavar="NAME", help="any name of `hashzoo list`, or FILE.py:CLASS")


def show(arguments: argparse.Namespace) -> None:
    from hashzoo.plugins import class_in_file, is_file_reference
    from hashzoo.reports.catalogue import page, page_of

    name = arguments.name
    sys.stdout.write(page_of(class_in_file(name)) if is_file_reference(name) else page(name))
