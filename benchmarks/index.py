"""Times `MultiIndex` against linear scans, ours and faiss's, on random and on clustered codes, as one table."""

from __future__ import annotations

import argparse
import datetime
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from hashzoo import _native, retrieval
from hashzoo.retrieval.backend import thread_count

CLASSES = 10
EPILOG = """example:
  python benchmarks/index.py --database 1000000 --queries 1000 --bits 64
Clustered codes: each class has a centre, and each bit of a code leaves it with a probability of its own, for most bits
near nothing and for a few near a half, as in the codes of a trained network."""


def seconds(work: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    """The least of `repeats` runs, since other programs can only add to it, and what the last one gave."""
    times = []
    for _ in range(repeats):
        begun = time.perf_counter()
        result = work()
        times.append(time.perf_counter() - begun)
    return min(times), result


def random_codes(rng: np.random.Generator, bits: int) -> Callable[[int], np.ndarray]:
    return lambda rows: retrieval.pack(rng.integers(0, 2, (rows, bits), dtype=np.int8))


def clustered_codes(rng: np.random.Generator, bits: int) -> Callable[[int], np.ndarray]:
    centres = rng.integers(0, 2, (CLASSES, bits), dtype=np.int8)
    leaves = rng.beta(0.25, 4, (CLASSES, bits)).astype(np.float32)

    def make(rows: int) -> np.ndarray:
        classes = rng.integers(0, CLASSES, rows)
        return retrieval.pack(centres[classes] ^ (rng.random((rows, bits), np.float32) < leaves[classes]))

    return make


def faiss_searches(
    options: argparse.Namespace, query: np.ndarray, database: np.ndarray, threads: int
) -> dict[str, Any]:
    """Searches by faiss, by name; none where it is not installed or cannot hold such codes."""
    try:
        import faiss
    except ImportError:
        print("faiss is not installed: left out", file=sys.stderr)
        return {}
    if options.bits % 8:
        print("faiss takes multiples of 8 bits only: left out", file=sys.stderr)
        return {}
    faiss.omp_set_num_threads(threads)
    q, d = (np.ascontiguousarray(c.view(np.uint8)[:, : options.bits // 8]) for c in (query, database))
    flat = faiss.IndexBinaryFlat(options.bits)
    flat.add(d)
    hashes = max(options.bits // 16, 1)
    several = faiss.IndexBinaryMultiHash(options.bits, hashes, options.bits // hashes)
    several.nflip = 1
    several.add(d)
    return {
        "faiss IndexBinaryFlat": lambda: flat.search(q, options.k),
        "faiss IndexBinaryMultiHash, 1 flip (not exact)": lambda: several.search(q, options.k),
    }


def measure(options: argparse.Namespace, kind: str, make: Callable[[int], np.ndarray], threads: int) -> dict[str, Any]:
    database, query = make(options.database), make(options.queries)
    built, index = seconds(lambda: retrieval.MultiIndex.build(database, options.bits, threads=threads), 1)
    searches = {
        "MultiIndex.top_k": lambda: index.top_k(query, options.k, threads=threads),
        "top_k, linear": lambda: retrieval.top_k(query, database, options.k, threads=threads),
        **faiss_searches(options, query, database, threads),
        "MultiIndex.within_radius": lambda: index.within_radius(query, options.radius, threads=threads),
        "within_radius, linear": lambda: retrieval.within_radius(query, database, options.radius, threads=threads),
    }
    rows, results, base = [], {}, 0.0
    for name, work in searches.items():
        taken, results[name] = seconds(work, options.repeats)
        base = taken if name.startswith("MultiIndex") else base
        rows.append({"codes": kind, "name": name, "seconds": taken, "index_times_faster": taken / base})
    for ours, linear in (("MultiIndex.top_k", "top_k, linear"), ("MultiIndex.within_radius", "within_radius, linear")):
        if not all(map(np.array_equal, results[ours], results[linear])):
            raise AssertionError(f"{ours} differs from {linear}")
    hits = len(results["within_radius, linear"][1]) / max(options.queries, 1)
    distinct = len(np.unique(database, axis=0))
    note = f"{distinct} distinct codes, {index.substrings} substrings, built in {built:.2f} s, {hits:.1f} hits a query"
    return {"codes": kind, "note": note, "rows": rows}


def table(result: dict[str, Any]) -> str:
    lines = [result["work"], result["machine"], ""]
    lost = []
    for part in result["parts"]:
        lines.append(f"{part['codes']} codes: {part['note']}")
        for r in part["rows"]:
            ratio = "" if r["name"].startswith("MultiIndex") else f"{r['index_times_faster']:9.2f} x the index"
            lines.append(f"  {r['name']:<48}{r['seconds']:9.4f} s{ratio}")
            if r["index_times_faster"] < 1:
                lost.append(f"{r['name']} on {r['codes']} codes")
    return "\n".join([*lines, "", "the index loses to: " + ("; ".join(lost) or "none of these")])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--database", type=int, default=1_000_000)
    parser.add_argument("--bits", type=int, default=64)
    parser.add_argument("--k", type=int, default=10)
    parser.add_argument("--radius", type=int, default=2)
    parser.add_argument("--threads", type=int, help="default: HASHZOO_THREADS, else every core")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each search, of which the fastest counts")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    options = parser.parse_args()
    threads, rng = thread_count(options.threads), np.random.default_rng(0)
    makers = {"random": random_codes(rng, options.bits), "clustered": clustered_codes(rng, options.bits)}
    result = {
        "work": f"top {options.k} and radius {options.radius} of {options.queries} queries among {options.database} "
        f"codes of {options.bits} bits",
        "machine": f"{os.cpu_count()} cores, {threads} threads used, instruction set {_native.isa()}; "
        f"{datetime.date.today().isoformat()}",
        "parts": [measure(options, kind, make, threads) for kind, make in makers.items()],
    }
    print(json.dumps(result, indent=2) if options.json else table(result))


if __name__ == "__main__":
    main()
