"""Counts the instructions that the main kernels execute per pair of codes, under valgrind.

The table in docs/performance-instructions.md is this output; a change in it belongs in the review of what caused it.
"""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAIRS = 64 * 8192
WORKS = {
    "row": "distances, 64 bits",
    "row2": "distances, 128 bits",
    "row4": "distances, 256 bits",
    "count12": "counts of 10 classes, 12 bits",
    "count48": "counts of 10 classes, 48 bits",
    "quick12": "the same without the stable order, 12 bits",
    "quick48": "the same without the stable order, 48 bits",
    "top16": "top_k, k=16 (0.2 % of the rows), 64 bits",
    "top100": "top_k, k=100, 64 bits",
    "top164": "top_k, k=164 (2 % of the rows), 64 bits",
}


def build(folder: Path) -> Path:
    """The driver with the flags of setup.py."""
    folders = (ROOT / "csrc" / name for name in ("core", "kernels"))
    sources = [
        ROOT / "benchmarks/native/kernels.cpp",
        *(file for part in folders for file in sorted(part.glob("*.cpp"))),
    ]
    program = folder / "kernels"
    flags = ["-std=c++17", "-O3", "-pthread", f"-I{ROOT / 'csrc'}"]
    subprocess.run(["c++", *flags, *map(str, sources), "-o", str(program)], check=True)
    return program


def instructions(program: Path, isa: str, work: str) -> int:
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", str(program), isa, work]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stderr
    found = re.search(r"Collected : (\d+)", printed)
    if found is None:
        raise RuntimeError(f"no count in valgrind's output:\n{printed}")
    return int(found[1])


def main() -> None:
    for tool in ("valgrind", "c++"):
        if shutil.which(tool) is None:
            print(f"skipped: {tool} is not installed")
            return
    # valgrind knows AVX2 and not AVX-512
    isas = ["avx2", "scalar"] if platform.machine() in ("x86_64", "AMD64") else ["neon", "scalar"]
    with tempfile.TemporaryDirectory() as folder:
        program = build(Path(folder))
        print("| work | " + " | ".join(isas) + " |\n|---|" + "---|" * len(isas))
        setup = {isa: instructions(program, isa, "setup") for isa in isas}
        for work, meaning in WORKS.items():
            counts = [(instructions(program, isa, work) - setup[isa]) / PAIRS for isa in isas]
            print(f"| {meaning} | " + " | ".join(f"{count:.2f}" for count in counts) + " |")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
