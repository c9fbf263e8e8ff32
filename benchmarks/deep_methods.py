"""The table of methods that train a network: each gets the same time, data, network and code length.

    python benchmarks/deep_methods.py --data-root DIR --out runs

Runs `hashzoo run METHOD --preset fast --budget 10m` for each, one after the other, and prints the table of the
records. What is in --out already is not run again, so an interrupted table goes on where it stopped. The column
"learned" is mAP of training images that ask, each left out of its own answers: what lies above `mAP` was learned by
heart.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from hashzoo import DATASETS, METHODS, DeepMethod, retrieval
from hashzoo.cli.types import duration
from hashzoo.experiments.cell import plan
from hashzoo.experiments.runner import RunOptions, run_cell
from hashzoo.experiments.store import Record, codes_of, find_runs
from hashzoo.reports.progress import ErrorStream
from hashzoo.settings import merge_assignments

ASKING = 2000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", help="names with commas between (default: all that train a network, but compose)")
    parser.add_argument("--dataset", default="cifar10")
    parser.add_argument("--data-root", type=Path, default=Path("data"))
    parser.add_argument("--backbone", default="dsh_cnn")
    parser.add_argument("--preset", default="fast", help="how all are trained (default %(default)s)")
    parser.add_argument("--set", action="append", default=[], metavar="K=V", help="a setting of all methods")
    parser.add_argument("--bits", type=int, default=24)
    parser.add_argument("--budget", type=duration, default=600.0, help="for each method (default 10m)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs"))
    arguments = parser.parse_args()

    deep = [name for name in METHODS.names() if issubclass(METHODS.get(name), DeepMethod) and name != "compose"]
    names = arguments.methods.split(",") if arguments.methods else deep
    reporter = ErrorStream()
    name, _, protocol = arguments.dataset.partition("@")
    data = DATASETS.get(name)(arguments.data_root, protocol=protocol or None).load()
    options = RunOptions(arguments.out, resume=True)
    records: dict[str, Record] = {}
    for method in names:
        (cell,) = plan(
            method,
            [arguments.bits],
            merge_assignments(arguments.set, {"backbone": arguments.backbone}),
            seed=arguments.seed,
            preset=arguments.preset,
            budget_s=arguments.budget,
            reporter=reporter,
        )
        records[method] = run_cell(cell, data, options, reporter)
    (lsh,) = plan("lsh", [arguments.bits], {}, seed=arguments.seed, reporter=reporter)
    floor = run_cell(lsh, data, options, reporter)["metrics"]["map"]

    how = f"{arguments.backbone}, preset {arguments.preset}, {arguments.budget:g} s each"
    print(f"{data.title} @{data.protocol}, {arguments.bits} bits, {how}\n")
    print("| method | mAP | learned | epochs | images/s | training, s |\n|---|---:|---:|---:|---:|---:|")
    for method in sorted(names, key=lambda method: -records[method]["metrics"]["map"]):
        record = records[method]
        epochs, seconds = record["config"]["epochs"], record["timings"]["train_s"]
        speed = epochs * record["training"]["images"] / seconds
        found = f"{record['metrics']['map']:.4f} | {learned(record, arguments.out):.4f}"
        print(f"| `{method}` | {found} | {epochs} | {speed:.0f} | {seconds:.0f} |")
    print(f"| `lsh` | {floor:.4f} | | | | |")


def learned(record: Record, out: Path) -> float:
    """mAP of some of the database's images, each against all others."""
    codes = next(codes_of(run) for run in find_runs(out) if run.record["config_hash"] == record["config_hash"])
    asking = np.linspace(0, len(codes.database_codes) - 1, ASKING).astype(int)
    return retrieval.evaluate(
        codes.database_codes[asking],
        codes.database_labels[asking],
        codes.database_codes,
        codes.database_labels,
        bits=codes.bits,
        exclude=asking,
    ).map


if __name__ == "__main__":
    main()
