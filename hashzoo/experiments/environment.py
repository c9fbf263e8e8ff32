"""What a result was made with: versions, machine, source."""

from __future__ import annotations

import os
import platform
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import hashzoo
from hashzoo.errors import InvalidSetting
from hashzoo.plugins import PLUGIN_GROUP, file_version

_NATIVE_BF16 = {"avx512_bf16", "amx_bf16", "bf16"}  # the last is Arm's


def describe(device: str, owner: dict[str, str]) -> dict[str, Any]:
    """The `environment` of a record. `owner` is what `owner_of` gave for the method."""
    import torch

    versions = {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "torch": torch.__version__,
        "hashzoo": hashzoo.__version__,
        **owner,
    }
    return {
        "versions": versions,
        "isa": _isa(),
        "device_type": device,
        "device": torch.cuda.get_device_name() if device == "cuda" else _cpu()[0],
        "platform": f"{platform.system()} {platform.machine()}",
        "threads": torch.get_num_threads(),
        **source_tree(),
    }


def owner_of(cls: type) -> dict[str, str]:
    """Name and version of the distribution that `cls` comes from; for a class in a file, its name and sha256.

    The version is "unknown" if it is neither.
    """
    package = cls.__module__.partition(".")[0]
    if package == "hashzoo":
        return {"hashzoo": hashzoo.__version__}
    if version := file_version(cls):
        return version
    from importlib.metadata import entry_points

    for point in entry_points(group=PLUGIN_GROUP):
        if point.module.partition(".")[0] == package and point.dist is not None:
            return {point.dist.name: point.dist.version}
    return {package: "unknown"}


def choose_device(wanted: str) -> str:
    """ "auto", "cpu" or "cuda" -> "cpu" or "cuda".

    Raises:
        InvalidSetting: asked for a GPU that torch does not see.
    """
    if wanted == "cpu":
        return "cpu"
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if wanted == "cuda":
        raise InvalidSetting("device: expected a CUDA GPU, torch sees none; --device cpu runs without")
    return "cpu"


def has_native_bf16(device: str) -> bool:
    """Whether the device multiplies bfloat16 in hardware; a CPU that emulates it is many times slower than in fp32."""
    if device == "cuda":
        import torch

        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(_NATIVE_BF16 & _cpu()[1])


def gains_from_bf16(device: str) -> bool:
    """Whether training in bfloat16 is quicker than in fp32.

    Not so on an Intel processor that has AVX-512's instructions for it but no matrix unit: `benchmarks/precision.py`.
    """
    if device == "cuda":
        return has_native_bf16(device)
    model, flags = _cpu()
    return has_native_bf16(device) and not ("Intel" in model and "amx_bf16" not in flags)


@cache
def source_tree() -> dict[str, Any]:
    """Commit of the source tree that hashzoo runs from, if it is a checkout, and whether it was changed since.

    Found out once: what may change in the tree later is not what runs.
    """
    root = Path(hashzoo.__file__).resolve().parent.parent

    def git(*words: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", "--no-optional-locks", "-C", str(root), *words],
                capture_output=True,
                text=True,
                timeout=10,
                check=True,
            )
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.strip()

    top = git("rev-parse", "--show-toplevel")
    commit = git("rev-parse", "HEAD") if top and Path(top).resolve() == root else None
    if commit is None:
        return {"commit": None, "dirty": None}
    return {"commit": commit, "dirty": bool(git("status", "--porcelain", "--", "hashzoo", "csrc", "plugins"))}


def _cpu() -> tuple[str, set[str]]:
    """Model in words, and the instruction set flags that the kernel lists."""
    model, flags = "", set[str]()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    for line in lines:
        key, _, value = (part.strip() for part in line.partition(":"))
        if key in ("flags", "Features"):
            flags |= set(value.split())
        elif key == "model name":
            model = value
    return f"{model or platform.processor() or platform.machine()}, {os.cpu_count()} cores", flags


def _isa() -> str:
    try:
        from hashzoo import _native
    except ImportError:
        return "numpy"
    return str(_native.isa())
