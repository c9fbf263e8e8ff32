"""Fixtures: every instruction set of this machine, every core, several thread counts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from hashzoo import _native
from hashzoo.retrieval.backend import backend

DEVICES = ("torch", "cuda_on_cpu")


def device_core(name: str, request: pytest.FixtureRequest) -> Any:
    """torch's operations on the CPU, or the CUDA kernels on it: what a GPU gets, where there is none."""
    if name == "torch":
        from hashzoo.retrieval.torch_core import TorchCore

        return TorchCore("cpu")
    from hashzoo.retrieval.cuda_core import CudaCore

    return CudaCore(request.getfixturevalue("cuda_on_cpu"), 0, backend())


@pytest.fixture(params=_native.isas())
def isa(request: pytest.FixtureRequest) -> Iterator[str]:
    before = _native.isa()
    _native.set_isa(request.param)
    yield request.param
    _native.set_isa(before)


@pytest.fixture(scope="module", params=[*_native.isas(), *DEVICES])
def core(request: pytest.FixtureRequest) -> Iterator[Any]:
    """All that rank and count: `_native` with each instruction set, and the cores of devices."""
    if request.param in DEVICES:
        yield device_core(request.param, request)
        return
    before = _native.isa()
    _native.set_isa(request.param)
    yield _native
    _native.set_isa(before)


@pytest.fixture(scope="module", params=["cpu", *DEVICES])
def device(request: pytest.FixtureRequest) -> Iterator[str]:
    """Makes the public functions do their work on a device."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param in DEVICES:
            there = device_core(request.param, request)
            for module in ("metrics", "graded", "ranking"):
                patch.setattr(f"hashzoo.retrieval.{module}.core_for", lambda *_: there)
        yield request.param


@pytest.fixture(params=[1, 2, 3])
def threads(request: pytest.FixtureRequest) -> int:
    return int(request.param)
