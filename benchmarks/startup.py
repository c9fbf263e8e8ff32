"""How long commands take to start: the median of several runs, each in a new process.

python benchmarks/startup.py
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

import numpy as np

from hashzoo.experiments.environment import describe


def seconds(command: list[str], runs: int) -> float:
    """Median wall-clock time; the first run warms the file cache and does not count."""
    times = []
    for _ in range(runs + 1):
        started = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - started)
    return statistics.median(times[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=7, help="timed runs of each command (default 7)")
    runs = parser.parse_args().runs

    hashzoo = [sys.executable, "-m", "hashzoo"]
    with tempfile.TemporaryDirectory() as folder:
        codes = Path(folder) / "codes.npz"
        rng = np.random.default_rng(0)
        np.savez(
            codes,
            bits=48,
            query_codes=rng.integers(0, 2, (100, 48)).astype(bool),
            query_labels=rng.integers(0, 10, 100),
            database_codes=rng.integers(0, 2, (1000, 48)).astype(bool),
            database_labels=rng.integers(0, 10, 1000),
        )
        commands = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "import hashzoo": [sys.executable, "-c", "import hashzoo"],
            "hashzoo --help": [*hashzoo, "--help"],
            "hashzoo results (no records)": [*hashzoo, "results", folder],
            "hashzoo eval codes.npz": [*hashzoo, "eval", str(codes)],
            "hashzoo list": [*hashzoo, "list"],
        }
        machine = describe("cpu", owner={})["device"]
        print(f"median of {runs} runs, {machine}, {date.today().isoformat()}")
        for name, command in commands.items():
            print(f"  {name:<30} {seconds(command, runs):6.3f} s")


if __name__ == "__main__":
    main()
