"""A complete, installable project around one method, dataset, loss, evaluator or backbone."""

from __future__ import annotations

import keyword
import os
import re
import shutil
import tempfile
from collections.abc import Sequence
from datetime import date
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

import hashzoo
from hashzoo.errors import InvalidInput, StorageError
from hashzoo.losses.base import LOSSES
from hashzoo.registry import Registry

_USAGE = {
    "method": "hashzoo run {name} --dataset digits --bits 12,24",
    "dataset": "hashzoo run lsh --dataset {name} --bits 12,24",
    "loss": "hashzoo run compose --dataset digits --bits 12 --set losses=contrastive+{name}:0.01",
    "evaluator": "hashzoo eval codes.npz --evaluator {name}",
    "backbone": "hashzoo run dsh --dataset digits --bits 12 --backbone {name}",
}


def new_project(
    registry: Registry[Any], name: str, *, template: str, losses: Sequence[str] = (), parent: Path = Path()
) -> list[Path]:
    """Make the folder `name` below `parent`, whole or not at all.

    Args:
        registry: of the kind of thing it is about.
        name: under which it will be registered; a hyphen stands for an underscore.
        template: of the module: "deep", "shallow", "dataset", "loss", "evaluator" or "backbone".
        losses: names of registered losses to begin with, for "deep".

    Returns:
        The files.

    Raises:
        InvalidInput: the name cannot be used, or there is such a folder.
        UnknownName: no such loss.
        StorageError: the folder cannot be written.
    """
    key = _checked_name(registry, name)
    folder = parent / name
    if folder.exists():
        raise InvalidInput(f"{folder} exists already; another name, or another folder, is needed")
    texts = _texts(registry.kind, key, template, [LOSSES.get(loss).name for loss in losses])
    try:
        scratch = Path(tempfile.mkdtemp(prefix=f".{key}-", dir=parent))
        try:
            for path, text in texts.items():
                (scratch / path).parent.mkdir(parents=True, exist_ok=True)
                (scratch / path).write_text(text, encoding="utf-8")
            scratch.chmod(0o777 & ~_umask())
            scratch.rename(folder)
        except BaseException:
            shutil.rmtree(scratch, ignore_errors=True)
            raise
    except OSError as cause:
        raise StorageError(f"cannot make {folder}: {cause.strerror or cause}") from cause
    return [folder / path for path in texts]


def usage(kind: str, name: str) -> str:
    """A command that makes use of what was made."""
    return _USAGE[kind].format(name=name.replace("-", "_"))


def _checked_name(registry: Registry[Any], name: str) -> str:
    key = name.replace("-", "_")
    if not re.fullmatch(r"[a-z][a-z0-9_]*", key) or keyword.iskeyword(key):
        raise InvalidInput(f"expected lower-case letters, digits and underscores as a name, got {name!r}")
    if key in registry.names():
        owner = registry.get(key)
        raise InvalidInput(f"{registry.kind} {key!r} is already {owner.__module__}.{owner.__qualname__}")
    return key


def _texts(kind: str, name: str, template: str, losses: Sequence[str]) -> dict[str, str]:
    """Contents by path in the project."""
    module = f"hashzoo_{name}"
    words = {
        "name": name,
        "kind": kind,
        "cls": "".join(part.capitalize() for part in name.split("_")),
        "module": module,
        "distribution": module.replace("_", "-"),
        "check": f"check_{kind}",
        "usage": usage(kind, name),
        "hashzoo": hashzoo.__version__,
        "api": hashzoo.PLUGIN_API,
        "year": date.today().year,
        "terms": " and ".join(losses),
        "fields": "\n".join(f"        {loss}: float = 1.0  # weight of the {loss} loss" for loss in losses),
        "parts": "\n".join(f'            (self.config.{loss}, LOSSES.get("{loss}")(self.bits)),' for loss in losses),
    }
    sources = {
        "pyproject.toml": "pyproject.toml",
        "README.md": "README.md",
        f"{module}.py": f"{'losses' if losses else template}.py",
        f"tests/test_{name}.py": "test.py",
        ".github/workflows/tests.yml": "workflow.yml",
    }
    templates = files("hashzoo.scaffold") / "templates"
    return {
        path: Template((templates / f"{source}.txt").read_text(encoding="utf-8")).substitute(words)
        for path, source in sources.items()
    }


def _umask() -> int:
    current = os.umask(0o022)
    os.umask(current)
    return current
