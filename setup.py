"""The native extensions only; metadata lives in pyproject.toml. Never imports torch.

HASHZOO_CUDA=1 builds `_native_cuda` and fails without nvcc, 0 leaves it out; auto, the default, builds it where nvcc is
found and goes on without it if that fails. HASHZOO_CUDA_ARCHS=80,90 builds for these devices only, the last as PTX too.
HASHZOO_WERROR=1 turns warnings into errors; HASHZOO_SANITIZE=address,undefined (or thread) builds with sanitizers.
"""

import os
import shutil
import subprocess
import sys
from glob import glob
from pathlib import Path

from pybind11.setup_helpers import Pybind11Extension
from pybind11.setup_helpers import build_ext as pybind11_build_ext
from setuptools import setup
from setuptools.errors import CompileError, PlatformError

CUDA_MODULE = "hashzoo._native_cuda"
CUDA_ARCHS = "75,80,86,89,90"


class build_ext(pybind11_build_ext):
    def finalize_options(self):
        super().finalize_options()
        self.force = True  # pip reuses build/: an object made with other flags must not survive

    def run(self):
        remove_stale_cuda_module(self)
        super().run()

    def build_extension(self, extension):
        if extension.name == CUDA_MODULE:
            extension.extra_objects += map(str, compile_cuda(Path(self.build_temp)))
        super().build_extension(extension)


def cuda_wanted():
    wanted = os.environ.get("HASHZOO_CUDA") or "auto"
    if wanted not in ("auto", "0", "1"):
        raise PlatformError(f"HASHZOO_CUDA: expected 0, 1 or auto, got {wanted!r}")
    return wanted


def find_nvcc():
    """nvcc of $CUDA_HOME, else of PATH; None if it is not wanted or not there."""
    wanted = cuda_wanted()
    if wanted == "0" or (wanted == "auto" and sys.platform != "linux"):
        return None
    home = os.environ.get("CUDA_HOME")
    nvcc = shutil.which("nvcc", path=f"{home}/bin" if home else None)
    if nvcc is None and wanted == "1":
        raise PlatformError("HASHZOO_CUDA=1: expected nvcc on PATH or in $CUDA_HOME/bin, found none")
    return nvcc


def compile_cuda(folder):
    """The kernels' object, and the static CUDA runtime that belongs to nvcc."""
    nvcc = find_nvcc()
    folder.mkdir(parents=True, exist_ok=True)
    kernels = folder / "cuda_ranking.o"
    archs = (os.environ.get("HASHZOO_CUDA_ARCHS") or CUDA_ARCHS).split(",")
    targets = [f"-gencode=arch=compute_{arch},code=sm_{arch}" for arch in archs]
    targets.append(f"-gencode=arch=compute_{archs[-1]},code=compute_{archs[-1]}")
    flags = ["-std=c++17", "-O3", "--threads=0", "-Xcompiler=-fPIC,-fvisibility=hidden", *targets]
    command = [nvcc, *flags, "-Icsrc", "-c", "csrc/cuda/ranking.cu", "-o", str(kernels)]
    print(" ".join(command))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CompileError(f"nvcc failed: {' '.join((done.stderr or done.stdout).split())}")
    plan = subprocess.run(
        [nvcc, "--dryrun", "csrc/cuda/ranking.cu"], capture_output=True, text=True, check=False
    ).stderr
    top = next((line.partition("TOP=")[2].strip() for line in plan.splitlines() if "TOP=" in line), "")
    for part in ("lib64", "lib", "targets/x86_64-linux/lib", "targets/sbsa-linux/lib"):
        library = Path(top, part, "libcudart_static.a")
        if library.exists():
            return kernels, library
    raise CompileError(f"no libcudart_static.a beside {nvcc}")


def remove_stale_cuda_module(command):
    """One that an earlier build left would be installed with this one, and survive HASHZOO_CUDA=0."""
    folders = (
        [Path(command.build_lib, "hashzoo"), Path("hashzoo")]
        if command.inplace
        else [Path(command.build_lib, "hashzoo")]
    )
    for folder in folders:
        for stale in folder.glob("_native_cuda.*"):
            if stale.suffix in (".so", ".pyd"):
                stale.unlink()


def compile_and_link_flags():
    if sys.platform == "win32":
        return ["/O2", "/W3"], []
    compile_flags, link_flags = ["-O3", "-Wall", "-Wextra"], ["-pthread"]
    if os.environ.get("HASHZOO_WERROR") == "1":
        compile_flags.append("-Werror")
    if sanitizers := os.environ.get("HASHZOO_SANITIZE"):
        compile_flags += [f"-fsanitize={sanitizers}", "-fno-omit-frame-pointer", "-g"]
        link_flags.append(f"-fsanitize={sanitizers}")
    return compile_flags, link_flags


def extension(name, sources, link_flags=()):
    compile_flags, common_link_flags = compile_and_link_flags()
    return Pybind11Extension(
        name,
        sources,
        include_dirs=["csrc"],
        cxx_std=17,
        extra_compile_args=compile_flags,
        extra_link_args=[*common_link_flags, *link_flags],
    )


extensions = [
    extension(
        "hashzoo._native",
        sorted(source for folder in ("core", "kernels", "python") for source in glob(f"csrc/{folder}/*.cpp")),
    )
]
if find_nvcc():
    static_runtime = ["-ldl", "-lrt", "-lpthread", "-Wl,--exclude-libs,ALL"]
    cuda = extension(CUDA_MODULE, ["csrc/cuda/module.cpp"], static_runtime)
    cuda.optional = cuda_wanted() == "auto"  # a failure is a warning
    extensions.append(cuda)
setup(ext_modules=extensions, cmdclass={"build_ext": build_ext})
