"""`hashzoo new`: a project for a method, dataset, loss, evaluator or backbone of one's own."""

from __future__ import annotations

import argparse
from typing import Any

from hashzoo.cli.types import Commands, add_command
from hashzoo.errors import InvalidInput

_KINDS = ("method", "dataset", "loss", "evaluator", "backbone")


def add_to(commands: Commands) -> None:
    parser = add_command(
        commands,
        "new",
        "make a project of your own: a module that works, its test, packaging and a workflow",
        "hashzoo new method tribit && pip install -e tribit && hashzoo run tribit --dataset digits --bits 12,24",
        new,
    )
    parser.add_argument("what", metavar="KIND", choices=_KINDS, help=", ".join(_KINDS))
    parser.add_argument("name", metavar="NAME", help="what it will be called; the folder NAME is made")
    parser.add_argument("--kind", choices=("deep", "shallow"), help="of method: with a network or without")
    parser.add_argument("--losses", metavar="A[,B...]", help="of a deep method: registered losses to start from")


def new(arguments: argparse.Namespace) -> None:
    what, losses = arguments.what, (arguments.losses or "").split(",") if arguments.losses is not None else []
    if what != "method" and (arguments.kind or losses):
        raise InvalidInput(f"--kind and --losses belong to a method, not to a {what}")
    if losses and arguments.kind == "shallow":
        raise InvalidInput("--losses: a shallow method trains no network, so it has none")

    from hashzoo import BACKBONES, DATASETS, EVALUATORS, LOSSES, METHODS
    from hashzoo.registry import Registry
    from hashzoo.scaffold.project import new_project, usage

    registries: dict[str, Registry[Any]] = dict(
        zip(_KINDS, (METHODS, DATASETS, LOSSES, EVALUATORS, BACKBONES), strict=True)
    )
    template = arguments.kind or "deep" if what == "method" else what
    for file in new_project(registries[what], arguments.name, template=template, losses=losses):
        print(file)
    print(f"\nnext:\n  pip install -e '{arguments.name}[test]'")
    print(f"  pytest {arguments.name}\n  {usage(what, arguments.name)}")
