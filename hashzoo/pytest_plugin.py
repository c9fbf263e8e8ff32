"""`pytest --hashzoo MODULE`: the conformance check of everything that a module registers, without a test file.

Pytest loads this in every session of every user, so torch is imported only when the option is given.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--hashzoo",
        action="append",
        default=[],
        metavar="MODULE",
        help="check everything that MODULE registers with hashzoo's conformance kit",
    )


def pytest_collection_modifyitems(session: pytest.Session, items: list[pytest.Item]) -> None:
    for module in session.config.getoption("--hashzoo"):
        found = _registered_by(module)
        if not found:
            raise pytest.UsageError(f"--hashzoo {module}: it registers no method, loss, backbone, dataset or evaluator")
        for check, kind, cls in found:
            name = f"{module}::{kind}::{cls.name}"
            items.append(ConformanceItem.from_parent(session, name=name, nodeid=name, check=partial(check, cls)))


class ConformanceItem(pytest.Item):
    """The check of one class."""

    def __init__(self, *, check: Callable[[], None], **options: Any) -> None:
        super().__init__(**options)
        self.check = check

    def runtest(self) -> None:
        self.check()

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The broken rule, under the traceback of what broke it if it raised."""
        cause = excinfo.value.__cause__
        if cause is None:
            return str(excinfo.value)
        return f"{super().repr_failure(pytest.ExceptionInfo.from_exception(cause), style)}\n\n{excinfo.value}"

    def reportinfo(self) -> tuple[str, None, str]:
        return self.name, None, self.name


def _registered_by(module: str) -> list[tuple[Callable[[Any], None], str, Any]]:
    """Check, kind and class of what `module`, or a module below it, registers."""
    try:
        import_module(module)
    except ImportError as cause:
        raise pytest.UsageError(f"--hashzoo {module}: {cause}") from None
    from hashzoo import BACKBONES, DATASETS, EVALUATORS, LOSSES, METHODS, testing
    from hashzoo.registry import Registry

    checks: list[tuple[Registry[Any], Callable[[Any], None]]] = [
        (METHODS, testing.check_method),
        (LOSSES, testing.check_loss),
        (BACKBONES, testing.check_backbone),
        (EVALUATORS, testing.check_evaluator),
        (DATASETS, _check_dataset),
    ]
    return [
        (check, registry.kind, cls)
        for registry, check in checks
        for cls in map(registry.get, registry.names())
        if cls.__module__ == module or cls.__module__.startswith(f"{module}.")
    ]


def _check_dataset(cls: Any) -> None:
    from hashzoo.errors import DataError
    from hashzoo.testing import check_dataset

    root = Path(os.environ.get("HASHZOO_DATA") or "data")
    try:
        cls(root).load()
    except DataError as missing:
        pytest.skip(str(missing))
    check_dataset(cls, root=root)
