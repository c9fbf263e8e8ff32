"""`hashzoo eval`: measure a codes file of any origin."""

from __future__ import annotations

import argparse
from pathlib import Path

from hashzoo.cli.types import Commands, add_command, positive


def add_to(commands: Commands) -> None:
    parser = add_command(
        commands,
        "eval",
        "measure a codes file, hashzoo's or any other tool's",
        "hashzoo eval codes.npz --topk 5000 --denominator hits",
        evaluate,
    )
    parser.add_argument(
        "file",
        metavar="FILE",
        type=Path,
        help=".npz with {query,database}_{codes,labels} and, if they are packed, bits; or a run's folder",
    )
    parser.add_argument("--evaluator", default="hamming_ranking", metavar="NAME", help="default: hamming_ranking")
    parser.add_argument("--topk", metavar="N", help="ranks that count for mAP (default: all)")
    parser.add_argument("--ties", metavar="ORDER", help="expected, stable, worst or best (default: expected)")
    parser.add_argument("--denominator", metavar="WHICH", help="relevant or hits (default: relevant)")
    parser.add_argument("--empty", metavar="WHAT", help="zero or skip (default: zero)")
    parser.add_argument(
        "--definition",
        metavar="NAME",
        help="mAP as another code computes it: deephash-pytorch, fire, hashnet or pml (docs/metrics.md)",
    )
    parser.add_argument("--set", action="append", default=[], metavar="K=V", help="a knob of the evaluator")
    parser.add_argument("--threads", type=positive, metavar="N", help="default: $HASHZOO_THREADS, else all cores")
    parser.add_argument("--json", action="store_true", help="print numbers, curves and definition as JSON")


def evaluate(arguments: argparse.Namespace) -> None:
    from hashzoo.evaluators.base import EVALUATORS
    from hashzoo.experiments.store import read_codes
    from hashzoo.reports.evaluation import write
    from hashzoo.settings import configure, merge_assignments

    flags = {name: getattr(arguments, name) for name in ("topk", "ties", "denominator", "empty", "definition")}
    evaluator = EVALUATORS.get(arguments.evaluator)
    config = configure(evaluator.Config, merge_assignments(arguments.set, flags), owner=evaluator.name)
    codes = read_codes(arguments.file)
    result = evaluator(config, threads=arguments.threads).evaluate(codes)
    write(result, codes, evaluator, as_json=arguments.json)
