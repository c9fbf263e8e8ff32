"""Builds and runs test_kernels.cpp: with portable intrinsics, with each sanitizer, and for 64-bit Arm."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CSRC = HERE.parents[1] / "csrc"
COMPILER = shutil.which(os.environ.get("CXX", "c++"))
SOURCES = [HERE / "test_kernels.cpp", *sorted((CSRC / "core").glob("*.cpp")), *sorted((CSRC / "kernels").glob("*.cpp"))]

pytestmark = [
    pytest.mark.native,
    pytest.mark.skipif(COMPILER is None, reason="no C++ compiler"),
]


def build_and_run(folder: Path, *flags: str, compiler: str | None = COMPILER, emulator: tuple[str, ...] = ()) -> str:
    program = folder / "test_kernels"
    command = [str(compiler), "-std=c++17", "-Wall", "-Wextra", "-pthread", *flags, f"-I{CSRC}"]
    built = subprocess.run(
        [*command, *map(str, SOURCES), "-o", str(program)], capture_output=True, text=True, check=False
    )
    if re.search(r"cannot find.*(lib)?(asan|ubsan|tsan)", built.stderr):
        pytest.skip("the compiler has no sanitizer library")
    assert built.returncode == 0, built.stderr
    ran = subprocess.run([*emulator, str(program)], capture_output=True, text=True, check=False, timeout=300)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@pytest.mark.slow
@pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64"), reason="the portable build stands in for x86 and Arm"
)
def test_every_kernel_on_portable_intrinsics(tmp_path: Path) -> None:
    if not any(Path(folder, "simde").is_dir() for folder in ("/usr/include", "/usr/local/include")):
        pytest.skip("SIMDe's headers are not installed (Debian: libsimde-dev)")
    portable = HERE / "simde"
    flags = ["-O1", "-DHASHZOO_SIMDE", f"-I{portable}", "-Wno-psabi", str(portable / "neon_kernel.cpp")]
    printed = build_and_run(tmp_path, *flags)
    for name in ("scalar", "avx2", "vpopcnt", "neon"):
        assert f"{name}: rows agree" in printed
        assert f"{name}: slices agree" in printed


@pytest.mark.slow
@pytest.mark.parametrize("sanitizer", ["address,undefined", "thread"])
def test_with_sanitizers(tmp_path: Path, sanitizer: str) -> None:
    printed = build_and_run(
        tmp_path, "-O1", "-g", f"-fsanitize={sanitizer}", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"
    )
    assert "threads agree" in printed
    assert "the index agrees with the scan" in printed
    assert "the pool serves several callers" in printed


@pytest.mark.slow
def test_on_emulated_arm(tmp_path: Path) -> None:
    compiler = shutil.which("aarch64-linux-gnu-g++")
    emulator = shutil.which("qemu-aarch64") or shutil.which("qemu-aarch64-static")
    if compiler is None or emulator is None:
        pytest.skip("needs aarch64-linux-gnu-g++ and qemu-aarch64 (Debian: g++-aarch64-linux-gnu, qemu-user)")
    printed = build_and_run(tmp_path, "-O2", "-static", "-Werror", compiler=compiler, emulator=(emulator,))
    assert "neon: rows agree" in printed
    assert "threads agree" in printed


@pytest.mark.skipif(platform.machine() != "x86_64", reason="looks for x86 registers")
@pytest.mark.skipif(shutil.which("objdump") is None, reason="no objdump")
def test_wide_registers_stay_in_their_kernels(tmp_path: Path) -> None:
    """Code for a newer processor anywhere else would crash an older one, whatever dispatch decides."""
    for source in SOURCES[1:]:
        compiled = tmp_path / f"{source.stem}.o"
        flags = ["-std=c++17", "-O3", f"-I{CSRC}", "-c", str(source), "-o", str(compiled)]
        subprocess.run([str(COMPILER), *flags], check=True)
        listing = subprocess.run(["objdump", "-d", str(compiled)], capture_output=True, text=True, check=True).stdout
        wide = bool(re.search(r"%[yz]mm", listing))
        assert wide == (source.stem in ("x86_avx2", "x86_vpopcnt")), source.name
