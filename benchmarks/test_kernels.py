"""Micro-benchmarks: `python -m pytest benchmarks --benchmark-only`; compare runs with `--benchmark-compare`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from hashzoo import _native

pytest.importorskip("pytest_benchmark")
RANDOM = np.random.default_rng(0)


@pytest.fixture(params=_native.isas())
def isa(request: pytest.FixtureRequest) -> Iterator[str]:
    before = _native.isa()
    _native.set_isa(request.param)
    yield request.param
    _native.set_isa(before)


def codes(rows: int, bits: int) -> np.ndarray:
    return _native.pack(RANDOM.random((rows, bits)) < 0.5, 1)


@pytest.mark.parametrize("bits", [48, 128, 512])
def test_distances(benchmark: Any, isa: str, bits: int) -> None:
    benchmark(_native.distances, codes(100, bits), codes(20_000, bits), 1)


@pytest.mark.parametrize("bits", [12, 48, 128])
def test_count_classes(benchmark: Any, isa: str, bits: int) -> None:
    classes = RANDOM.integers(0, 10, 100), RANDOM.integers(0, 10, 20_000)
    benchmark(_native.count_classes, codes(100, bits), codes(20_000, bits), *classes, bits, 20_000, 1)


def test_count_masks(benchmark: Any, isa: str) -> None:
    masks = [_native.pack(RANDOM.random((rows, 21)) < 0.1, 1) for rows in (100, 20_000)]
    benchmark(_native.count_masks, codes(100, 48), codes(20_000, 48), *masks, 48, 20_000, 1)


@pytest.mark.parametrize("k", [10, 1000])
def test_top_k(benchmark: Any, isa: str, k: int) -> None:
    benchmark(_native.top_k, codes(100, 64), codes(20_000, 64), k, 1)


def test_pack(benchmark: Any) -> None:
    benchmark(_native.pack, RANDOM.standard_normal((20_000, 48), dtype=np.float32), 1)
