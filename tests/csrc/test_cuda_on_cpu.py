"""The CUDA kernels, run on the CPU: with race detection, and under the address and undefined behaviour sanitizers."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import cuda_on_cpu_build
import mutants
import pytest

pytestmark = [
    pytest.mark.native,
    pytest.mark.skipif(cuda_on_cpu_build.COMPILER is None, reason="no C++ compiler"),
]


@pytest.mark.slow
@pytest.mark.parametrize("kind", cuda_on_cpu_build.KINDS)
def test_kernels_equal_the_core(kind: str, tmp_path: Path) -> None:
    try:
        program = cuda_on_cpu_build.program(tmp_path, kind, cuda_on_cpu_build.core(tmp_path, kind))
    except cuda_on_cpu_build.NoSanitizer:
        pytest.skip("the compiler has no sanitizer library")
    form = "long" if os.environ.get("HASHZOO_LONG") == "1" else "short"
    ran = subprocess.run([str(program), form], capture_output=True, text=True, check=False, timeout=3000)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.splitlines() == [
        "edges agree",
        "little memory is enough, or reported",
        "lengths agree",
        "segments and chunks agree",
    ]


@pytest.mark.parametrize("mutant", mutants.MUTANTS, ids=lambda mutant: mutant.name)
def test_every_mutant_fits_the_source(mutant: mutants.Mutant, tmp_path: Path) -> None:
    source = cuda_on_cpu_build.CSRC / "cuda" / mutant.file
    (tmp_path / "cuda").mkdir()
    copy = tmp_path / "cuda" / mutant.file
    copy.write_text(source.read_text())
    mutant.apply(tmp_path)
    assert copy.read_text() != source.read_text()
    with pytest.raises(ValueError, match="expected its text once in"):
        mutants.Mutant(mutant.name, mutant.file, "text that is nowhere", "").apply(tmp_path)
