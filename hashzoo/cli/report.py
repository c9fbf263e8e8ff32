"""`hashzoo report`: the records of a folder as one page."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from hashzoo.cli.data_options import add_reading_options, reading_options
from hashzoo.cli.types import Commands, add_command, count

_MOST_BYTES = 10_000_000


def add_to(commands: Commands) -> None:
    parser = add_command(
        commands,
        "report",
        "make one HTML page of the records below a folder: leaderboard, curves, training, retrieval explorer",
        "hashzoo report runs -o report.html",
        report,
    )
    parser.add_argument("folder", nargs="?", type=Path, default=Path("runs"), metavar="RUNS", help="default: runs")
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="FILE", help="where the page goes")
    parser.add_argument(
        "--queries", type=count, default=20, metavar="N", help="images to choose from in the explorer (default: 20)"
    )
    data = parser.add_argument_group("images of the explorer")
    add_reading_options(data)
    data.add_argument(
        "--split-files",
        type=Path,
        metavar="DIR",
        help="train.txt, query.txt, database.txt that the runs were made with",
    )


def report(arguments: argparse.Namespace) -> None:
    from hashzoo.experiments.store import find_runs
    from hashzoo.files import write_atomically
    from hashzoo.reports.page.build import page
    from hashzoo.reports.page.explorer import ImageSource
    from hashzoo.reports.progress import ErrorStream

    reporter = ErrorStream()
    root = arguments.data_root or Path(os.environ.get("HASHZOO_DATA") or "data")
    source = ImageSource(root, arguments.split_files, reading_options(arguments))
    data = page(find_runs(arguments.folder), source, arguments.queries, reporter.note)
    write_atomically(arguments.out, data)
    if len(data) > _MOST_BYTES:
        reporter.note(f"the page has {len(data) / 1e6:.1f} MB; with fewer --queries it is smaller")
    print(f"{arguments.out}: {len(data) / 1e6:.1f} MB")
