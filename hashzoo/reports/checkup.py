"""What can rank on this machine: versions, instruction sets, devices; each checked against the reference and timed."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from hashzoo.experiments.environment import describe
from hashzoo.reports.table import Table, show
from hashzoo.retrieval import reference
from hashzoo.retrieval.backend import thread_count
from hashzoo.retrieval.cuda_core import CudaCore, disagreement
from hashzoo.retrieval.devices import native_module
from hashzoo.retrieval.torch_core import TorchCore

_QUERIES, _ROWS, _BITS = 200, 10_000, 64  # what is timed


def examine(threads: int | None) -> dict[str, Any]:
    """Everything `hashzoo doctor` prints, in types that JSON has.

    Returns:
        `environment` as in a record; `extensions`, whether each was built; `gpus`, their names; `backends`, each with
        `name`, `problem` (empty if it equals the reference) and `pairs_per_second` (None with a problem).
    """
    import torch

    workers = thread_count(threads)
    environment = describe("cpu", {})
    return {
        "environment": {name: environment[name] for name in ("versions", "isa", "device", "platform")},
        "threads": workers,
        "extensions": {"_native": bool(_isas()), "_native_cuda": native_module() is not None},
        "isas": _isas(),
        "gpus": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())],
        "backends": [_examined(name, core, workers) for name, core in _backends()],
    }


def write(findings: dict[str, Any], *, as_json: bool) -> None:
    """The findings on standard output."""
    if as_json:
        sys.stdout.write(json.dumps(findings, indent=1) + "\n")
        return
    facts = [
        *findings["environment"]["versions"].items(),
        ("processor", f"{findings['environment']['device']}; {findings['environment']['platform']}"),
        ("instruction sets", ", ".join(findings["isas"]) or "none: hashzoo._native was not built, numpy ranks"),
        ("threads", str(findings["threads"])),
        ("CUDA kernels", "built" if findings["extensions"]["_native_cuda"] else "not built (no nvcc, or not wanted)"),
        ("GPUs", ", ".join(findings["gpus"]) or "none"),
    ]
    backends = [
        (
            backend["name"],
            backend["problem"] or "equal to the reference",
            "" if backend["problem"] else f"{backend['pairs_per_second'] / 1e6:,.1f}",
        )
        for backend in findings["backends"]
    ]
    work = f"counting for mAP, {_QUERIES} queries against {_ROWS:,} codes of {_BITS} bits"
    show(
        [
            Table("this installation", ("what", "value"), tuple(facts)),
            Table(work, ("backend", "check", "million pairs/s"), tuple(backends)),
        ]
    )


def _backends() -> Iterator[tuple[str, Any]]:
    """Every core there is. An instruction set is in use until the next one is asked for."""
    import torch

    yield "numpy", reference
    with _every_isa() as isas:
        yield from isas
    yield "torch on cpu", TorchCore("cpu")
    native = native_module()
    kernels = native.device_count() if native is not None else 0
    for index in range(max(kernels, torch.cuda.device_count())):
        otherwise = TorchCore(f"cuda:{index}") if index < torch.cuda.device_count() else reference
        if index < kernels:
            yield f"kernels on cuda:{index}", CudaCore(native, index, None)
        if otherwise is not reference:
            yield f"torch on cuda:{index}", otherwise


@contextmanager
def _every_isa() -> Iterator[Iterator[tuple[str, Any]]]:
    if not _isas():
        yield iter(())
        return
    from hashzoo import _native

    def chosen() -> Iterator[tuple[str, Any]]:
        for isa in _native.isas():
            _native.set_isa(isa)
            yield isa, _native

    before = _native.isa()
    try:
        yield chosen()
    finally:
        _native.set_isa(before)


def _isas() -> list[str]:
    try:
        from hashzoo import _native
    except ImportError:
        return []
    return _native.isas()


def _examined(name: str, core: Any, threads: int) -> dict[str, Any]:
    problem = disagreement(core, reference)
    return {"name": name, "problem": problem, "pairs_per_second": None if problem else _speed(core, threads)}


def _speed(core: Any, threads: int) -> float:
    """Pairs a second, the best of three."""
    rng = np.random.default_rng(0)
    query, database = (rng.integers(0, 2**64, (rows, _BITS // 64), np.uint64) for rows in (_QUERIES, _ROWS))
    classes = [rng.integers(0, 10, rows) for rows in (_QUERIES, _ROWS)]
    times = []
    for _ in range(3):
        begun = time.perf_counter()
        core.count_classes(query, database, *classes, _BITS, _ROWS, threads)
        times.append(time.perf_counter() - begun)
    return _QUERIES * _ROWS / min(times)
