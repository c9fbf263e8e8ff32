"""All checks, and nothing else: CI calls these sessions, and so can you (`nox -l` lists them).

Every session works in `.venv` beside this file, which it makes if need be: torch alone fills several gigabytes, so once
is enough.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import nox

nox.needs_version = ">=2024.10.9"
nox.options.sessions = ["tests", "lint", "types"]
nox.options.default_venv_backend = "none"

ROOT = Path(__file__).parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts" if os.name == "nt" else "bin") / "python"
SOURCES = ("hashzoo", "plugins", "tests", "benchmarks", "noxfile.py", "setup.py")


def python(session: nox.Session, *arguments: str, **options: object) -> None:
    session.run(str(PYTHON), *arguments, external=True, **options)  # type: ignore[arg-type]


def install(session: nox.Session, extra: str = "dev") -> None:
    """hashzoo and the DFEH plugin, editable, in `.venv`; again only after a change of what is installed or compiled."""
    if not PYTHON.exists():
        session.run("python", "-m", "venv", str(VENV), external=True)
    stamp = VENV / f"installed-{extra}"
    inputs = [ROOT / "setup.py", ROOT / "pyproject.toml", *ROOT.glob("plugins/*/pyproject.toml")]
    inputs += [path for path in ROOT.glob("csrc/**/*") if path.is_file()]
    built_with = repr(sorted(item for item in os.environ.items() if item[0].startswith("HASHZOO_")))
    newest = max(path.stat().st_mtime for path in inputs)
    if stamp.exists() and stamp.stat().st_mtime > newest and stamp.read_text() == built_with:
        return
    python(session, "-m", "pip", "install", "--quiet", "-e", f".[{extra}]", "-e", "plugins/dfeh")
    stamp.write_text(built_with)


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests; arguments go to pytest: `nox -s tests -- tests/retrieval -k ties`."""
    install(session)
    python(session, "-m", "pytest", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and formatting of the Python code."""
    install(session)
    python(session, "-m", "ruff", "check", *SOURCES)
    python(session, "-m", "ruff", "format", "--check", *SOURCES)


@nox.session
def types(session: nox.Session) -> None:
    """Check types, strictly."""
    install(session)
    python(session, "-m", "mypy")


@nox.session
def api(session: nox.Session) -> None:
    """Write the list of public names and signatures, tests/public_api.txt, after a change of them."""
    install(session)
    python(session, "tests/test_public_api.py")


@nox.session
def native(session: nox.Session) -> None:
    """Build and run the native test programs, plain and with each sanitizer; that of CUDA on the CPU at full length."""
    install(session)
    python(session, "-m", "pytest", "tests/csrc", "-m", "native", *session.posargs, env={"HASHZOO_LONG": "1"})


@nox.session
def mutants(session: nox.Session) -> None:
    """Plant faults in the CUDA kernels; the test program must notice each of them."""
    install(session)
    python(session, "tests/csrc/cuda_on_cpu/mutants.py", *session.posargs)


@nox.session
def browser(session: nox.Session) -> None:
    """Open the page of `hashzoo report` in a headless Chromium; skipped where none is installed."""
    if not any(shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome")):
        session.skip("no Chromium on this machine; on Debian: apt-get install --no-install-recommends chromium")
    install(session, "dev,browser")
    python(session, "-m", "pytest", "tests/browser", "-m", "browser", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Print every table of benchmarks/; takes a few minutes on a quiet machine."""
    install(session)
    python(session, "benchmarks/ranking.py")
    python(session, "benchmarks/index.py")
    python(session, "benchmarks/training.py")
    python(session, "benchmarks/startup.py")
    python(session, "-m", "pytest", "benchmarks", "--benchmark-only")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation; warnings are errors."""
    install(session, "docs")
    python(session, "-m", "sphinx", "-W", "--keep-going", "-b", "html", "docs", "docs/_build/html")


@nox.session
def demo(session: nox.Session) -> None:
    """The main job on the embedded digits, as in the README."""
    install(session)
    python(session, "-m", "hashzoo", "run", "dfeh", "--dataset", "digits", "--bits", "12,24,36,48", *session.posargs)
