"""What nvcc makes of the CUDA kernels; nothing is run."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

CSRC = Path(__file__).parents[2] / "csrc"
NVCC = shutil.which("nvcc")
pytestmark = pytest.mark.skipif(NVCC is None, reason="nvcc is not installed: the CUDA kernels are not compiled here")


def compiled(*flags: str) -> str:
    command = [str(NVCC), "-std=c++17", "-O3", f"-I{CSRC}", *flags, str(CSRC / "cuda" / "ranking.cu")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("arch", ["75", "90"])
def test_no_kernel_spills(arch: str, tmp_path: Path) -> None:
    said = compiled(f"-arch=sm_{arch}", "-Xptxas=-v", "-cubin", "-o", str(tmp_path / "ranking.cubin"))
    frames = re.findall(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", said)
    kernels = re.findall(r"Compiling entry function '\w*?(count_segments|rank_segments|\w+)", said)
    assert len(frames) == len(kernels) == 10
    assert set(frames) == {("0", "0", "0")}


def test_ptx_counts_bits_in_hardware(tmp_path: Path) -> None:
    compiled("-arch=compute_90", "-ptx", "-o", str(tmp_path / "ranking.ptx"))
    ptx = (tmp_path / "ranking.ptx").read_text()
    assert "popc.b64" in ptx
    assert "ld.global.v2.u64" in ptx.replace(".nc", "").replace(".b64", ".u64")  # 16 bytes at once
    assert "match.any.sync.b32" in ptx
