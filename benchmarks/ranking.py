"""Times `hashzoo.retrieval` against what people use instead, on the same random codes, in one run, as one table."""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hashzoo import _native, retrieval
from hashzoo.retrieval.backend import thread_count

CLASSES = 10
EPILOG = """example:
  python benchmarks/ranking.py --queries 10000 --database 50000 --bits 48
The slow procedures run on a part of the queries and are scaled to all of them (the table says so); --full runs all."""


def seconds(work: Callable[[], Any], repeats: int = 1) -> float:
    """The least of `repeats` runs: other programs can only add to it."""
    times = []
    for _ in range(repeats):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return min(times)


def numpy_procedure(query: Any, query_sets: Any, database: Any, database_sets: Any) -> float:
    """What deep-hashing repositories do: per query a dot product with the codes, one with the labels, an argsort."""
    total = 0.0
    for code, labels in zip(query, query_sets, strict=True):
        relevant = (np.dot(labels, database_sets.T) > 0).astype(np.float32)
        distance = 0.5 * (database.shape[1] - np.dot(code, database.T))
        ranked = relevant[np.argsort(distance)]
        hits = int(ranked.sum())
        if hits:
            total += float(np.mean(np.linspace(1, hits, hits) / (np.asarray(np.where(ranked == 1)) + 1.0)))
    return total / len(query)


def torch_procedure(query: Any, query_sets: Any, database: Any, database_sets: Any) -> float:
    """A matrix product, an argsort and a cumulative sum for 100 queries at a time."""
    import torch

    codes, sets = torch.from_numpy(database).T, torch.from_numpy(database_sets).float().T
    places = torch.arange(1, len(database) + 1)
    total = 0.0
    for start in range(0, len(query), 100):
        part = torch.from_numpy(query[start : start + 100])
        order = torch.argsort(0.5 * (codes.shape[0] - part @ codes), dim=1)
        relevant = (torch.from_numpy(query_sets[start : start + 100]).float() @ sets > 0).gather(1, order).float()
        precision = relevant.cumsum(1) / places
        total += float(((precision * relevant).sum(1) / relevant.sum(1).clamp_min(1)).sum())
    return total / len(query)


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


def measure(options: argparse.Namespace) -> dict[str, Any]:
    threads = thread_count(options.threads)
    random = np.random.default_rng(0)
    shapes = (options.queries, options.bits), (options.database, options.bits)
    query, database = (np.where(random.random(shape) < 0.5, -1, 1).astype(np.float32) for shape in shapes)
    query_ids, database_ids = (random.integers(0, CLASSES, shape[0]) for shape in shapes)
    query_sets, database_sets = (np.eye(CLASSES, dtype=np.int64)[ids] for ids in (query_ids, database_ids))
    q, d = retrieval.pack(query), retrieval.pack(database)

    def evaluate() -> retrieval.Metrics:
        return retrieval.evaluate(q, query_ids, d, database_ids, bits=options.bits, threads=threads)

    def top(k: int) -> Callable[[], Any]:
        return lambda: retrieval.top_k(q, d, k, threads=threads)

    rows: list[dict[str, Any]] = []

    def row(name: str, work: Callable[[], Any], *, base: str | None = None, share: int = options.queries) -> None:
        taken = seconds(work, 1 if base else options.repeats) * options.queries / share
        ratio = taken / next(r["seconds"] for r in rows if r["name"] == base) if base else None
        rows.append({"name": name, "seconds": taken, "queries_run": share, "times_slower": ratio, "than": base})

    def distances_alone() -> None:
        for start in range(0, len(q), 16):  # a buffer that stays in the cache
            _native.distances(q[start : start + 16], d, threads)

    def evaluate_others(codes: Sequence[Any], ids: Sequence[Any], bits: int) -> Callable[[], Any]:
        return lambda: retrieval.evaluate(codes[0], ids[0], codes[1], ids[1], bits=bits, threads=threads)

    memory = memory_beyond_inputs(evaluate)
    row("hashzoo evaluate", evaluate)
    row("distances alone, same kernel", distances_alone)
    short = [retrieval.pack(random.random((len(codes), 12)) < 0.5) for codes in (q, d)]
    row("hashzoo evaluate, 12 bits", evaluate_others(short, (query_ids, database_ids), 12))
    centres = random.random((CLASSES, options.bits)) < 0.5
    trained = [
        retrieval.pack(
            centres[ids] ^ (random.random((len(ids), options.bits)) < random.choice([0.01, 0.1], (len(ids), 1)))
        )
        for ids in (query_ids, database_ids)
    ]
    row("hashzoo evaluate, repeated codes", evaluate_others(trained, (query_ids, database_ids), options.bits))
    part = options.queries if options.full else min(options.queries, 200)
    slow = query[:part], query_sets[:part], database, database_sets
    row("numpy, per query argsort", lambda: numpy_procedure(*slow), base="hashzoo evaluate", share=part)
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:
        print("threadpoolctl is not installed: numpy with one BLAS thread left out", file=sys.stderr)
    else:  # small products often run slower on several threads, on a busy machine many times slower
        with threadpool_limits(1):
            row("numpy, one BLAS thread", lambda: numpy_procedure(*slow), base="hashzoo evaluate", share=part)
    try:
        import torch
    except ImportError:
        print("torch is not installed: left out", file=sys.stderr)
    else:
        torch.set_num_threads(threads)
        row("torch, matmul and argsort", lambda: torch_procedure(*slow), base="hashzoo evaluate", share=part)
    try:
        import faiss
    except ImportError:
        print("faiss is not installed: left out", file=sys.stderr)
        faiss = None
    else:
        faiss.omp_set_num_threads(threads)
    for k in (100, 1000):
        if k > options.database:
            continue
        row(f"hashzoo top_k, k={k}", top(k))
        if faiss and options.bits % 8 == 0:
            index = faiss.IndexBinaryFlat(options.bits)
            index.add(np.ascontiguousarray(d.view(np.uint8)[:, : options.bits // 8]))
            bytes_ = np.ascontiguousarray(q.view(np.uint8)[:, : options.bits // 8])
            row(
                f"faiss IndexBinaryFlat, k={k}",
                lambda i=index, b=bytes_, k=k: i.search(b, k),
                base=f"hashzoo top_k, k={k}",
            )
    return {
        "date": datetime.date.today().isoformat(),
        "machine": machine(threads),
        "work": f"{options.queries} queries, {options.database} random codes of {options.bits} bits, {CLASSES} classes",
        "evaluate_memory_mb": memory,
        "rows": rows,
    }


def table(result: dict[str, Any]) -> str:
    lines = [f"{result['work']}", f"{result['machine']}; {result['date']}", ""]
    queries = max(r["queries_run"] for r in result["rows"])
    for r in result["rows"]:
        against = f"{r['times_slower']:7.1f} x {r['than']}" if r["than"] else ""
        note = f"  (from {r['queries_run']} queries)" if r["queries_run"] < queries else ""
        lines.append(f"{r['name']:<32}{r['seconds']:9.3f} s  {against}{note}")
    memory = result["evaluate_memory_mb"]
    lines += ["", "memory of evaluate beyond its inputs: " + ("not measured" if memory is None else f"{memory:.0f} MB")]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--queries", type=int, default=10_000)
    parser.add_argument("--database", type=int, default=50_000)
    parser.add_argument("--bits", type=int, default=48)
    parser.add_argument("--threads", type=int, help="default: HASHZOO_THREADS, else every core")
    parser.add_argument("--repeats", type=int, default=5, help="runs of hashzoo, of which the fastest counts")
    parser.add_argument("--full", action="store_true", help="run the slow procedures on all queries")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    options = parser.parse_args()
    result = measure(options)
    print(json.dumps(result, indent=2) if options.json else table(result))


if __name__ == "__main__":
    main()
