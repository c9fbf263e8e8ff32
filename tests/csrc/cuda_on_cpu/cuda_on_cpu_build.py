"""Builds what runs the CUDA kernels on a CPU: a test program of two kinds, and a Python module."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sysconfig
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
CSRC = ROOT / "csrc"
COMPILER = shutil.which(os.environ.get("CXX", "c++"))
FLAGS = ("-std=c++17", "-Wall", "-Wextra", "-Wno-unknown-pragmas", "-g", "-U_FORTIFY_SOURCE", "-pthread", f"-I{HERE}")
RUNTIME = (HERE / "cuda_on_cpu.cpp", HERE / "races.cpp")
SANITIZERS = ("-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer")

KINDS = {
    # Flags for everything, and for the kernels alone: races.cpp stands in for the thread sanitizer's library.
    "races": (("-O1",), ("-fsanitize=thread",)),
    "sanitizers": (SANITIZERS, ()),
}


class NoSanitizer(Exception):
    """The compiler has no sanitizer library."""


def compiled(sources: Sequence[Path], folder: Path, flags: Sequence[str], csrc: Path = CSRC) -> list[Path]:
    """Objects of `sources` in `folder`, two compilers at a time. CUDA sources are read as C++."""

    def one(source: Path) -> Path:
        target = folder / f"{source.parent.name}_{source.name}.o"
        command = [str(COMPILER), *FLAGS, *flags, f"-I{csrc}", "-c", "-x", "c++", str(source), "-o", str(target)]
        _run(command)
        return target

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(one, sources))


def core(folder: Path, kind: str) -> list[Path]:
    """All that the test program of a kind needs beside the kernels: it can be linked with several versions of them."""
    flags, _ = KINDS[kind]
    cpu = [source for part in ("core", "kernels") for source in sorted((CSRC / part).glob("*.cpp"))]
    return compiled([*cpu, *RUNTIME, HERE / "test_cuda.cpp"], folder, flags)


def program(folder: Path, kind: str, others: Sequence[Path], csrc: Path = CSRC) -> Path:
    """The test program, with the kernels of `csrc`."""
    flags, kernel_flags = KINDS[kind]
    kernels = compiled([csrc / "cuda" / "ranking.cu"], folder, (*flags, *kernel_flags), csrc)
    target = folder / f"test_cuda_{kind}"
    _run([str(COMPILER), "-pthread", *flags, *map(str, [*kernels, *others]), "-o", str(target)])
    return target


def module(folder: Path) -> Path:
    """A `_native_cuda` whose device is this CPU."""
    import pybind11

    flags = (
        "-O2",
        "-fPIC",
        "-fvisibility=hidden",
        f"-I{pybind11.get_include()}",
        f"-I{sysconfig.get_paths()['include']}",
    )
    sources = [CSRC / "cuda" / "ranking.cu", CSRC / "cuda" / "module.cpp", *RUNTIME]
    target = folder / f"_native_cuda{sysconfig.get_config_var('EXT_SUFFIX')}"
    _run([str(COMPILER), "-shared", "-pthread", *map(str, compiled(sources, folder, flags)), "-o", str(target)])
    return target


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if re.search(r"cannot find.*(lib)?(asan|ubsan)", done.stderr):
        raise NoSanitizer
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
