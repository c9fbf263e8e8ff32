"""Times `hashzoo.retrieval` against what people use instead, on the same codes, in one run, as one table."""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rivals

from hashzoo import _native, retrieval
from hashzoo.retrieval.backend import thread_count

CLASSES = 10
SLOW_QUERIES = 200
EPILOG = """example:
  python benchmarks/ranking.py --bits 12,48,64
The slow procedures run on a part of the queries and are scaled to all of them, as the table says. "Trained" codes leave
the centre of their class in each bit with a probability of its own, near nothing for most bits: they repeat.
"Clustered" ones leave it four times as often, as in benchmarks/index.py."""

Work = Callable[[], Any]


@dataclass(frozen=True)
class Row:
    section: str
    name: str
    seconds: float
    ratio: float | None = None
    than: str = ""


def fastest(works: dict[str, Work], rounds: int) -> dict[str, float]:
    """The least time of each over rounds in which all take turns: other programs can only add to it."""
    times: dict[str, float] = {}
    for _ in range(rounds):
        for name, work in works.items():
            begun = time.perf_counter()
            work()
            times[name] = min(times.get(name, np.inf), time.perf_counter() - begun)
    return times


def compared(section: str, works: dict[str, Work], base: str, rounds: int) -> list[Row]:
    """A row for each, as multiples of `base`."""
    times = fastest(works, rounds)
    return [
        Row(section, name, taken, None if name == base else taken / times[base], "" if name == base else base)
        for name, taken in times.items()
    ]


@dataclass(frozen=True)
class Task:
    """Codes and classes of both sides."""

    query: np.ndarray
    database: np.ndarray
    query_ids: np.ndarray
    database_ids: np.ndarray
    bits: int

    @classmethod
    def make(cls, kind: str, queries: int, rows: int, bits: int) -> Task:
        random = np.random.default_rng(bits)
        ids = random.integers(0, CLASSES, queries), random.integers(0, CLASSES, rows)
        centres = random.random((CLASSES, bits)) < 0.5
        leaves = random.beta(0.25, 4, (CLASSES, bits)).astype(np.float32) / (4 if kind == "trained" else 1)

        def codes(classes: np.ndarray) -> np.ndarray:
            uniform = random.random((len(classes), bits), np.float32)
            return retrieval.pack(uniform < 0.5 if kind == "random" else centres[classes] ^ (uniform < leaves[classes]))

        return cls(codes(ids[0]), codes(ids[1]), *ids, bits)

    def evaluate(self, threads: int, *, stable: bool) -> retrieval.Metrics:
        return retrieval.evaluate(
            self.query,
            self.query_ids,
            self.database,
            self.database_ids,
            bits=self.bits,
            stable=stable,
            threads=threads,
        )

    def distances_alone(self, threads: int) -> None:
        for start in range(0, len(self.query), 16):  # a buffer that stays in the cache
            _native.distances(self.query[start : start + 16], self.database, threads)


def memory_beyond_inputs(work: Callable[[], Any]) -> float | None:
    """Peak of resident memory during `work` above that before it, in MB; None where Linux's /proc is missing."""
    status = Path("/proc/self/status")
    try:
        Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    except OSError:
        return None

    def kilobytes(field: str) -> int:
        return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith(field))

    before = kilobytes("VmRSS")
    work()
    return (kilobytes("VmHWM") - before) / 1024


def machine(threads: int) -> str:
    names = [
        line.split(":", 1)[1].strip()
        for line in (Path("/proc/cpuinfo").read_text().splitlines() if sys.platform == "linux" else [])
        if line.startswith("model name")
    ]
    name = names[0] if names else platform.processor() or platform.machine()
    return f"{name}, {os.cpu_count()} cores, {threads} threads used, instruction set {_native.isa()}"


def evaluations(options: argparse.Namespace, threads: int) -> list[Row]:
    rows = []
    for bits in options.bits:
        for kind in ("random", "trained"):
            task = Task.make(kind, options.queries, options.database, bits)
            works: dict[str, Work] = {
                "floor: distances alone": lambda t=task: t.distances_alone(threads),
                "evaluate, stable=False": lambda t=task: t.evaluate(threads, stable=False),
                "evaluate": lambda t=task: t.evaluate(threads, stable=True),
            }
            distinct = len(np.unique(task.database, axis=0))
            section = f"{bits} bits, {kind}, {distinct} distinct codes"
            rows += compared(section, works, "floor: distances alone", options.rounds)
    return rows


def against_procedures(options: argparse.Namespace, threads: int) -> list[Row]:
    task = Task.make("random", options.queries, options.database, 48)
    part = min(options.queries, SLOW_QUERIES)
    signs = [retrieval.unpack(codes, 48).astype(np.float32) for codes in (task.query[:part], task.database)]
    sets = [np.eye(CLASSES, dtype=np.int64)[ids] for ids in (task.query_ids[:part], task.database_ids)]
    section, base = "mAP at 48 bits, random", "evaluate, stable=False"
    rows = compared(
        section,
        {
            base: lambda: task.evaluate(threads, stable=False),
            "evaluate": lambda: task.evaluate(threads, stable=True),
        },
        base,
        options.rounds,
    )
    slow = rivals.mean_average_precisions(threads, (signs[0], sets[0], signs[1], sets[1]))
    for name, taken in fastest(slow, 2).items():
        scaled = taken * options.queries / part
        rows.append(Row(section, f"{name} (from {part} queries)", scaled, scaled / rows[0].seconds, base))
    return rows


def against_libraries(options: argparse.Namespace, threads: int) -> list[Row]:
    task = Task.make("random", options.queries, options.database, 64)
    rows = []
    for k in (100, 1000):
        works = {"top_k": lambda k=k: retrieval.top_k(task.query, task.database, k, threads=threads)}
        works |= rivals.searches(task.query, task.database, k, threads)
        rows += compared(f"top-{k} at 64 bits, random", works, "top_k", 2)
    return rows


def large(options: argparse.Namespace, threads: int) -> list[Row]:
    rows = []
    loop = rivals.popcount_loop(options.large_queries, options.large_database, threads)
    for kind in ("random", "clustered"):
        task = Task.make(kind, options.large_queries, options.large_database, 64)
        index = retrieval.MultiIndex.build(task.database, bits=64, threads=threads)
        section = f"top-10 of {options.large_queries} among {options.large_database} x 64 bits, {kind}"
        works: dict[str, Work] = {
            "top_k, linear": lambda t=task: retrieval.top_k(t.query, t.database, 10, threads=threads),
            "MultiIndex.top_k": lambda t=task, i=index: i.top_k(t.query, 10, threads=threads),
        }
        found = compared(section, works, "top_k, linear", options.rounds)
        if loop is not None:
            found.append(Row(section, "plain loop: load and popcount", loop, loop / found[0].seconds, "top_k, linear"))
        rows += found
    return rows


def scaling(options: argparse.Namespace, threads: int) -> list[Row]:
    rows = []
    points = [(f, 1.0) for f in (0.25, 0.5, 1, 2)] + [(1.0, f) for f in (0.25, 0.5, 1, 2)]
    works: dict[str, Work] = {}
    for side, (more_queries, more_rows) in enumerate(points):
        queries, database = int(options.queries * more_queries), int(options.database * more_rows)
        task = Task.make("random", queries, database, 48)
        name = f"{'database' if side > 3 else 'queries'}: {queries} x {database}"
        works[name] = lambda t=task: t.evaluate(threads, stable=True)
    previous = None
    for name, taken in fastest(works, options.rounds).items():
        doubled = previous is not None and name.split(":")[0] == previous.name.split(":")[0]
        previous = Row("evaluate at 48 bits, doubling", name, taken, taken / previous.seconds if doubled else None)
        rows.append(previous)
    task = Task.make("random", options.queries, options.database, 48)
    by_threads: dict[str, Work] = {
        f"{n} thread{'s' * (n > 1)}": lambda n=n: task.evaluate(n, stable=True) for n in sorted({1, threads})
    }
    return rows + compared("evaluate at 48 bits, threads", by_threads, "1 thread", options.rounds)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    threads = thread_count(options.threads)
    task = Task.make("random", options.queries, options.database, 48)
    memory = memory_beyond_inputs(lambda: task.evaluate(threads, stable=True))
    parts = (evaluations, against_procedures, against_libraries, large, scaling)
    return {
        "date": datetime.date.today().isoformat(),
        "machine": machine(threads),
        "work": f"{options.queries} queries, {options.database} codes, {CLASSES} classes; best of {options.rounds}",
        "evaluate_memory_mb": memory,
        "rows": [asdict(row) for part in parts for row in part(options, threads)],
    }


def table(result: dict[str, Any]) -> str:
    lines = [result["work"], f"{result['machine']}; {result['date']}"]
    section = None
    for row in result["rows"]:
        if row["section"] != section:
            section = row["section"]
            lines += ["", section]
        ratio = "" if row["ratio"] is None else f"{row['ratio']:8.2f} x {row['than'] or 'the line above'}"
        lines.append(f"  {row['name']:<46}{row['seconds']:9.4f} s{ratio}")
    memory = result["evaluate_memory_mb"]
    lines += ["", "memory of evaluate beyond its inputs: " + ("not measured" if memory is None else f"{memory:.0f} MB")]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--queries", type=int, default=10_000)
    parser.add_argument("--database", type=int, default=50_000)
    parser.add_argument("--bits", type=lambda text: [int(b) for b in text.split(",")], default="12,24,48,64,128,512")
    parser.add_argument("--large-queries", type=int, default=1000)
    parser.add_argument("--large-database", type=int, default=1_000_000)
    parser.add_argument("--threads", type=int, help="default: HASHZOO_THREADS, else every core")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of interleaved runs, of which the least counts")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    options = parser.parse_args()
    result = measure(options)
    print(json.dumps(result, indent=2) if options.json else table(result))


if __name__ == "__main__":
    main()
