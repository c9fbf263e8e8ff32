"""`hashzoo reproduce`: the tables of a paper beside ours."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from hashzoo.experiments.cell import Reporter
    from hashzoo.experiments.reproduction import Wanted
    from hashzoo.methods.base import Method
    from hashzoo.methods.paper_tables import PaperTable
    from hashzoo.reports.table import Table


def add_to(commands: Commands) -> None:
    parser = add_command(
        commands,
        "reproduce",
        "run what stands for the tables of a method's paper and print both side by side; a second start does what is "
        "missing",
        "hashzoo reproduce dfeh --table loss --dataset cifar10 --data-root DIR -o loss.md",
        reproduce,
    )
    parser.add_argument("method", metavar="METHOD", help="one whose `hashzoo show METHOD` lists tables")
    parser.add_argument("--table", metavar="NAME", help="default: all of them")
    parser.add_argument(
        "--dataset",
        type=names,
        metavar="NAME[@PROTOCOL][,...]",
        help="default: the first that the paper prints figures for, under the first protocol that they may be from",
    )
    parser.add_argument(
        "--bits", type=code_lengths, default=[], metavar="K[,K...]", help="default: those of each table"
    )
    parser.add_argument("--rows", type=names, default=[], metavar="LABEL[,...]", help="default: every row")
    parser.add_argument("--preset", metavar="NAME", help="in place of each table's own")
    parser.add_argument("--epochs", metavar="N", help="in place of the preset's, for each network")
    add_grid_options(parser)
    parser.add_argument("-o", "--output", type=Path, metavar="FILE.md", help="write the tables as Markdown, too")


def reproduce(arguments: argparse.Namespace) -> None:
    from hashzoo.errors import StorageError
    from hashzoo.experiments.reproduction import plan_table, tables_of
    from hashzoo.methods.base import METHODS
    from hashzoo.reports.progress import ErrorStream
    from hashzoo.reports.reproduction import side_by_side
    from hashzoo.reports.table import show

    reporter = ErrorStream()
    cls = METHODS.get(arguments.method)
    tables = tables_of(cls, arguments.table)
    if arguments.output and not arguments.output.resolve().parent.is_dir():
        raise StorageError(f"{arguments.output}: there is no folder {arguments.output.parent}")
    wanted = _wanted(arguments, tables, reporter)
    planned = [
        plan_table(table, source_of(*filed(name, protocol or _protocol(table, name)), arguments), wanted)
        for name, protocol in map(parted, arguments.dataset or [_dataset(tables)])
        for table in tables
    ]
    jobs = list(dict.fromkeys(job for table in planned for job in table.jobs))
    done = run_jobs(jobs, arguments, reporter)
    results = {outcome.job: outcome for outcome in done}
    found = [side_by_side(table, results) for table in planned]
    show(found)
    if arguments.output:
        _write(arguments, cls, found)
        reporter.note(f"written to {arguments.output}")
    refuse_failures(done, reporter)


def _wanted(arguments: argparse.Namespace, tables: Sequence[PaperTable], reporter: Reporter) -> Wanted:
    from hashzoo.errors import InvalidSetting
    from hashzoo.experiments.reproduction import Wanted, methods_in
    from hashzoo.methods.base import METHODS, DeepMethod

    methods = methods_in(tables)
    preset_by_method(arguments.preset, methods)
    settings = settings_by_method(arguments.set, methods)
    if arguments.epochs is not None:
        for method in methods:
            if "epochs" in settings[method]:
                raise InvalidSetting("epochs: expected either --epochs or --set epochs=, got both")
            if issubclass(METHODS.get(method), DeepMethod):
                settings[method]["epochs"] = arguments.epochs
    return Wanted(
        bits=arguments.bits,
        seeds=arguments.seeds,
        rows=arguments.rows,
        preset=arguments.preset,
        settings=settings,
        budgets={method: budget_of(method, arguments.budget) for method in methods},
        planning=planned_with(arguments, reporter),
    )


def _dataset(tables: Sequence[PaperTable]) -> str:
    """The first that the paper prints figures for."""
    return next(name for table in tables for row in table.rows for name in (*row.printed, *table.protocols))


def _protocol(table: PaperTable, dataset: str) -> str | None:
    """The first that the table's figures may be from; None leaves it to the dataset."""
    return next(iter(table.protocols.get(dataset, ())), None)


def _write(arguments: argparse.Namespace, cls: type[Method], found: Sequence[Table]) -> None:
    from hashzoo.experiments.runner import without_paths
    from hashzoo.files import write_atomically
    from hashzoo.reports.table import markdown

    head = f"# Tables of the paper of {cls.name}, beside ours\n\n{cls.paper}.\n\n"
    head += f"Made by `{without_paths(arguments.command)}`; `hashzoo show {cls.name}` lists what differs by design.\n\n"
    write_atomically(arguments.output, (head + markdown(found)).encode())
