"""The native extension only; metadata lives in pyproject.toml. Never imports torch.

HASHZOO_WERROR=1 turns warnings into errors; HASHZOO_SANITIZE=address,undefined (or thread) builds with sanitizers.
"""

import os
import sys
from glob import glob

from pybind11.setup_helpers import Pybind11Extension
from pybind11.setup_helpers import build_ext as pybind11_build_ext
from setuptools import setup


class build_ext(pybind11_build_ext):
    def finalize_options(self):
        super().finalize_options()
        self.force = True  # pip reuses build/: an object made with other flags must not survive


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


compile_flags, link_flags = compile_and_link_flags()
setup(
    ext_modules=[
        Pybind11Extension(
            "hashzoo._native",
            sorted(source for folder in ("core", "kernels", "python") for source in glob(f"csrc/{folder}/*.cpp")),
            include_dirs=["csrc"],
            cxx_std=17,
            extra_compile_args=compile_flags,
            extra_link_args=link_flags,
        )
    ],
    cmdclass={"build_ext": build_ext},
)
