"""Where the time of `hashzoo.retrieval.evaluate` goes: the compiled pass over all pairs, and numpy after it.

python benchmarks/profile_evaluate.py --bits 12,48
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
from datetime import date

import numpy as np

from hashzoo import retrieval
from hashzoo.cli.types import code_lengths
from hashzoo.experiments.environment import describe

QUERIES, DATABASE, CLASSES, ROUNDS = 10_000, 50_000, 10, 20


def seconds_by_function(bits: int, *, stable: bool) -> dict[str, float]:
    """Seconds an `evaluate` of random codes spends in each function itself, the largest first."""
    rng = np.random.default_rng(0)
    codes = [retrieval.pack(rng.integers(0, 2, (rows, bits), np.uint8)) for rows in (QUERIES, DATABASE)]
    labels = [rng.integers(0, CLASSES, rows) for rows in (QUERIES, DATABASE)]
    profile = cProfile.Profile()
    for measured in range(-1, ROUNDS):  # the first call makes threads and tables
        if measured == 0:
            profile.enable()
        retrieval.evaluate(codes[0], labels[0], codes[1], labels[1], bits=bits, stable=stable)
    profile.disable()
    spent: dict[str, float] = {}
    for (file, _, name), (_, _, itself, _, _) in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]
        kind = "the compiled pass" if "count_classes" in name else _place(file, name)
        spent[kind] = spent.get(kind, 0.0) + itself / ROUNDS
    return dict(sorted(spent.items(), key=lambda item: -item[1]))


def _place(file: str, name: str) -> str:
    if "hashzoo/retrieval" in file.replace("\\", "/"):
        return f"{file.replace(chr(92), '/').rpartition('/')[2]}: {name}"
    return f"numpy: {name.strip('<>').removeprefix('built-in method ').removeprefix('method ')}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bits", type=code_lengths, default=[12, 48])
    parser.add_argument("--least", type=float, default=0.03, help="share of the whole from which a line is printed")
    arguments = parser.parse_args()
    print(f"{QUERIES:,} queries, {DATABASE:,} codes, {describe('cpu', owner={})['device']}, {date.today().isoformat()}")
    for bits in arguments.bits:
        for stable in (False, True):
            spent = seconds_by_function(bits, stable=stable)
            whole = sum(spent.values())
            print(f"\n{bits} bits, random, stable={stable}: {1000 * whole:.1f} ms")
            for name, taken in spent.items():
                if taken >= arguments.least * whole:
                    print(f"  {name:<45} {1000 * taken:7.1f} ms  {taken / whole:5.0%}")


if __name__ == "__main__":
    main()
