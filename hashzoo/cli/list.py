"""`hashzoo list`: what is there."""

from __future__ import annotations

import argparse
import sys

from hashzoo.cli.types import Commands, add_command

_KINDS = ("methods", "datasets", "losses", "evaluators", "backbones")


def add_to(commands: Commands) -> None:
    parser = add_command(
        commands, "list", "list what is there, built in or from plugins", "hashzoo list methods", list_names
    )
    parser.add_argument("kind", nargs="?", choices=_KINDS, help="one kind (default: all)")


def list_names(arguments: argparse.Namespace) -> None:
    from hashzoo.registry import broken_plugins
    from hashzoo.reports import catalogue, table

    kinds = [arguments.kind] if arguments.kind else _KINDS
    table.show([catalogue.listing(kind, every_name=arguments.kind is not None) for kind in kinds])
    for name, cause in broken_plugins().items():
        reason = " ".join(str(cause).split())
        print(f"hashzoo: plugin {name!r} failed to import: {type(cause).__name__}: {reason}", file=sys.stderr)
