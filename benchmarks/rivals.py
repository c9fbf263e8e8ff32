"""What people use instead of `hashzoo.retrieval`, for the benchmarks."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np


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


def mean_average_precisions(threads: int, arguments: tuple[Any, ...]) -> dict[str, Callable[[], Any]]:
    """Procedures by name, ready to run; those whose libraries are missing are named on stderr."""
    works: dict[str, Callable[[], Any]] = {"numpy, per query argsort": lambda: numpy_procedure(*arguments)}
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:
        _missing("threadpoolctl")
    else:  # small products often run slower on several threads, on a busy machine many times slower

        def with_one_thread() -> None:
            with threadpool_limits(1):
                numpy_procedure(*arguments)

        works["numpy, one BLAS thread"] = with_one_thread
    try:
        import torch
    except ImportError:
        _missing("torch")
    else:
        torch.set_num_threads(threads)
        works["torch, matmul and argsort"] = lambda: torch_procedure(*arguments)
    return works


def searches(query: np.ndarray, database: np.ndarray, k: int, threads: int) -> dict[str, Callable[[], Any]]:
    """Exact top-k by other libraries, of packed codes of whole words."""
    q, d = (codes.view(np.uint8) for codes in (query, database))
    works: dict[str, Callable[[], Any]] = {}
    try:
        import faiss
    except ImportError:
        _missing("faiss")
    else:
        faiss.omp_set_num_threads(threads)
        index = faiss.IndexBinaryFlat(8 * d.shape[1])
        index.add(d)
        works["faiss IndexBinaryFlat"] = lambda: index.search(q, k)
    try:
        from usearch.index import MetricKind, search
    except ImportError:
        _missing("usearch")
    else:
        works["usearch, exact"] = lambda: search(d, q, k, MetricKind.Hamming, exact=True, threads=threads)
    return works


def popcount_loop(queries: int, rows: int, threads: int) -> float | None:
    """Seconds of a plain C++ loop that loads words and counts their bits, and does nothing else; None without c++."""
    if shutil.which("c++") is None:
        _missing("c++")
        return None
    source = Path(__file__).parent / "native" / "popcount.cpp"
    with tempfile.TemporaryDirectory() as folder:
        program = str(Path(folder, "popcount"))
        subprocess.run(["c++", "-O3", "-march=native", "-pthread", str(source), "-o", program], check=True)
        command = [program, str(queries), str(rows), str(threads)]
        return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _missing(name: str) -> None:
    print(f"{name} is not installed: left out", file=sys.stderr)
