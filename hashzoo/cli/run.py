"""`hashzoo run`: train, encode, measure, record."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from hashzoo.cli.data_options import add_reading_options, reading_options
from hashzoo.cli.grid_options import COMPILE
from hashzoo.cli.types import Commands, add_command, code_lengths, duration, positive, seed, split_seed


def add_to(commands: Commands) -> None:
    parser = add_command(
        commands,
        "run",
        "train a method at some code lengths, measure it and store the records",
        "hashzoo run dsh --dataset digits --bits 12,24,36,48 --set margin=24",
        run,
    )
    parser.add_argument("method", metavar="METHOD", help="one of `hashzoo list methods`, or FILE.py:CLASS")
    parser.add_argument("--dataset", required=True, metavar="NAME[@PROTOCOL]", help="one of `hashzoo list datasets`")
    parser.add_argument("--bits", required=True, type=code_lengths, metavar="K[,K...]", help="code lengths, 1 to 4096")
    data = parser.add_argument_group("data")
    add_reading_options(data)
    data.add_argument("--download", action="store_true", help="fetch missing data or pretrained weights")
    data.add_argument("--image-size", type=positive, metavar="N", help="resize images to N x N pixels")
    data.add_argument(
        "--split-seed", type=split_seed, default=0, metavar="N", help="of protocols that draw their images (default: 0)"
    )
    data.add_argument(
        "--split-files", type=Path, metavar="DIR", help="train.txt, query.txt, database.txt in place of the protocol's"
    )
    learning = parser.add_argument_group("learning")
    learning.add_argument("--seed", type=seed, default=0, metavar="N", help="of everything random (default: 0)")
    learning.add_argument(
        "--features",
        metavar="NAME",
        help="of a shallow method: gist, pixels, deep:BACKBONE (with --weights) or deep:RUN_FOLDER",
    )
    learning.add_argument(
        "--preset", metavar="NAME", help="settings of the method under one name; --set and other flags go on top"
    )
    learning.add_argument("--backbone", metavar="NAME", help="the network under the codes")
    learning.add_argument("--weights", metavar="NAME", help="pretrained weights of the backbone, or a file")
    learning.add_argument("--epochs", metavar="N", help="passes over the training images")
    learning.add_argument(
        "--budget",
        type=duration,
        metavar="TIME",
        help="train for about 90s, 10m or 2h: a probe of 2 %% of that time, thrown away, measures the speed and sets "
        "the number of whole epochs, which is recorded; --epochs with that number gives the same codes",
    )
    learning.add_argument(
        "--validate", metavar="N", help="hold out N training images, and keep the epoch that ranks them best"
    )
    learning.add_argument(
        "--set", action="append", default=[], metavar="K=V", help="a setting of the method (`hashzoo show METHOD`)"
    )
    learning.add_argument(
        "--device", choices=("auto", "cpu", "cuda"), default="auto", help="default: a GPU if there is one"
    )
    learning.add_argument(
        "--precision", choices=("auto", "fp32", "bf16"), default="auto", help="default: bf16 where it trains quicker"
    )
    learning.add_argument("--compile", action="store_true", help=COMPILE)
    results = parser.add_argument_group("results")
    results.add_argument(
        "--topk", type=positive, metavar="N", help="ranks that count for mAP (default: the protocol's)"
    )
    results.add_argument(
        "--out", type=Path, default=Path("runs"), metavar="DIR", help="where records go (default: runs)"
    )
    results.add_argument("--checkpoint-every", type=positive, default=1, metavar="N", help="epochs (default: 1)")
    results.add_argument("--resume", action="store_true", help="go on with what was interrupted")
    results.add_argument("--force", action="store_true", help="start over, and replace finished records")
    results.add_argument("--json", action="store_true", help="print the records instead of a table")
    results.add_argument("--profile", action="store_true", help="print where the time went, on standard error")


def run(arguments: argparse.Namespace) -> None:
    from hashzoo.datasets.base import DATASETS
    from hashzoo.experiments.cell import plan
    from hashzoo.experiments.runner import RunOptions, run_cells
    from hashzoo.methods.base import METHODS
    from hashzoo.plugins import class_in_file, is_file_reference
    from hashzoo.reports import table
    from hashzoo.reports.progress import ErrorStream
    from hashzoo.settings import merge_assignments
    from hashzoo.training.profile import Profile

    reporter = ErrorStream()
    method = arguments.method
    if is_file_reference(method):
        method = METHODS.name_of(class_in_file(method))
    flags = {name: getattr(arguments, name) for name in ("features", "backbone", "weights", "epochs", "validate")}
    name, _, protocol = arguments.dataset.partition("@")
    dataset = DATASETS.get(name)(
        arguments.data_root or Path(os.environ.get("HASHZOO_DATA") or "data"),
        protocol=protocol or None,
        download=arguments.download,
        image_size=arguments.image_size,
        split_seed=arguments.split_seed,
        split_files=arguments.split_files,
        **reading_options(arguments),
    )
    cells = plan(
        method,
        arguments.bits,
        merge_assignments(arguments.set, flags),
        seed=arguments.seed,
        device=arguments.device,
        precision=arguments.precision,
        image_size=arguments.image_size,
        topk=arguments.topk,
        preset=arguments.preset,
        budget_s=arguments.budget,
        reporter=reporter,
    )
    options = RunOptions(
        out=arguments.out,
        resume=arguments.resume,
        force=arguments.force,
        download=arguments.download,
        compile=arguments.compile,
        checkpoint_every=arguments.checkpoint_every,
        command=arguments.command,
        profile=Profile(cells[0].device) if arguments.profile else None,
    )
    records = run_cells(cells, dataset.load(), options, reporter)
    if options.profile:
        sys.stderr.write(table.plain([table.profile_table(options.profile)]))
    if arguments.json:
        sys.stdout.write(table.records_json(records))
    else:
        table.show(table.run_tables(records))
