"""Notices when code under examination writes a file.

Python reports each opening of a file to audit hooks, which cannot be removed again, so there is one hook with a switch.
Native code reports nothing: what it makes in the working folder is found by comparing listings.
"""

from __future__ import annotations

import getpass
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from hashzoo.testing.rules import ConformanceError, Examination

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND
_TARGET = {"os.mkdir": 0, "os.rename": 1}  # which argument is the path that will be there

_tell: Callable[[str], None] | None = None  # the switch: who is told of a path that is about to be written


@contextmanager
def writes_nothing(examination: Examination) -> Iterator[None]:
    """Whatever is written within breaks the rule "writes-nothing", and is stopped before it is written.

    Temporary files, `__pycache__`, devices and the caches of libraries are not counted.
    """
    global _tell
    _install_hook()
    with tempfile.TemporaryDirectory() as scratch:
        allowed = [Path(path).resolve() for path in (scratch, *_cache_folders())]
        before, elsewhere, outer = set(os.listdir()), tempfile.tempdir, _tell

        def refuse(path: str) -> None:
            if not _is_allowed(Path(path).absolute(), allowed):
                raise ConformanceError(examination.subject, "writes-nothing", f"it writes {path}")

        tempfile.tempdir, _tell = scratch, refuse
        try:
            yield
        finally:
            tempfile.tempdir, _tell = elsewhere, outer
    made = sorted(set(os.listdir()) - before)
    if made:
        raise ConformanceError(
            examination.subject, "writes-nothing", f"it leaves {', '.join(made)} in the working folder"
        )


@cache
def _install_hook() -> None:
    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if _tell is None:
            return
        if event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITING:
            path = arguments[0]
        elif event in _TARGET:
            path = arguments[_TARGET[event]]
        else:
            return
        if isinstance(path, (str, bytes, os.PathLike)):  # a number is a file that is open already
            _tell(os.fsdecode(path))

    sys.addaudithook(hook)


def _cache_folders() -> list[str | Path]:
    variables = ("HASHZOO_CACHE", "XDG_CACHE_HOME", "TORCH_HOME", "TORCHINDUCTOR_CACHE_DIR")
    named = [os.environ[name] for name in variables if os.environ.get(name)]
    torch_compiles_in = Path(tempfile.gettempdir(), f"torchinductor_{getpass.getuser()}")  # made by torch.optim, too
    return [*named, Path.home() / ".cache", torch_compiles_in]


def _is_allowed(path: Path, folders: list[Path]) -> bool:
    if path.parts[1] in ("dev", "proc") or "__pycache__" in path.parts:
        return True
    if any(part.startswith("torchinductor_") for part in path.parts):  # torch makes it when an optimizer is first made
        return True
    return any(path.resolve().is_relative_to(folder) for folder in folders)
