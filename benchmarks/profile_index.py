"""What `MultiIndex.top_k` does for a query: instructions and missed cache lines by function, under valgrind.

python benchmarks/profile_index.py

An index over clustered codes is saved, and loaded by two further processes under valgrind, one of which searches; what
both do is taken off.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
from index import clustered_codes

from hashzoo import retrieval

EVENTS = "Ir,D1mr"  # instructions, data reads that miss the first-level cache
PARTS = {  # by what stands in a function's name
    "MultiIndex const&, unsigned long, int*": "probing, gathering and sorting candidates",
    "row_": "distances",
    "top_k(hashzoo::Codes const&, hashzoo::Codes": "linear scans for queries that gave up",
}


def search(folder: Path, queries: int) -> None:
    query = np.load(folder / "query.npy")[:queries]
    retrieval.MultiIndex.load(folder / "index").top_k(query, 10, threads=1)


def counted(folder: Path, queries: int) -> Counter[tuple[str, int]]:
    """Of each part, its events by their position in EVENTS."""
    out = folder / "callgrind"
    command = [sys.executable, __file__, "--search", str(folder), "--queries", str(queries)]
    callgrind = ["valgrind", "--tool=callgrind", "--cache-sim=yes", f"--callgrind-out-file={out}"]
    subprocess.run([*callgrind, *command], check=True, capture_output=True)
    show = ["callgrind_annotate", f"--show={EVENTS}", "--threshold=100", "--auto=no", str(out)]
    events: Counter[tuple[str, int]] = Counter()
    for line in subprocess.run(show, check=True, capture_output=True, text=True).stdout.splitlines():
        part = next((part for word, part in PARTS.items() if "hashzoo::" in line and word in line), None)
        numbers = [word for word in line.split() if word.replace(",", "").isdigit()]
        for position, number in enumerate(numbers[:2] if part else []):
            events[str(part), position] += int(number.replace(",", ""))
    return events


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--search", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.search:
        search(arguments.search, arguments.queries)
        return
    if shutil.which("valgrind") is None:
        print("skipped: valgrind is not installed")
        return
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        make = clustered_codes(np.random.default_rng(0), 64)
        retrieval.MultiIndex.build(make(arguments.database), bits=64).save(folder / "index")
        np.save(folder / "query.npy", make(arguments.queries))
        events = counted(folder, arguments.queries)
        events.subtract(counted(folder, 0))
    print(f"| a query among {arguments.database:,} clustered codes of 64 bits, k=10 | instructions | missed reads |")
    print("|---|---:|---:|")
    for part in PARTS.values():
        instructions, missed = (events[part, position] / arguments.queries for position in (0, 1))
        print(f"| {part} | {instructions:,.0f} | {missed:,.0f} |")


if __name__ == "__main__":
    main()
