"""No public name or signature changes unannounced: `nox -s api` writes the list, and its diff is reviewed.

The list is tests/public_api.txt; docs/plugins.md says what may change when.
"""

from __future__ import annotations

import ast
import difflib
import inspect
from dataclasses import is_dataclass
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).parents[1]
SNAPSHOT = ROOT / "tests" / "public_api.txt"
MODULES = ("hashzoo", "hashzoo.errors", "hashzoo.registry", "hashzoo.retrieval", "hashzoo.testing")


def described() -> str:
    """Every public name with its signature, a line each, and the members of classes below."""
    return "".join(f"{line}\n" for module in MODULES for line in _of_module(module))


def _of_module(name: str) -> list[str]:
    module = import_module(name)
    names = getattr(module, "__all__", None) or [
        key for key, value in vars(module).items() if inspect.isclass(value) and value.__module__ == name
    ]
    lines = []
    for key in sorted(names):
        value = getattr(module, key)
        full = f"{name}.{key}"
        if inspect.isclass(value):
            lines += [_class_line(full, value), *(f"{full}.{line}" for line in _members(value))]
        elif inspect.isfunction(value):
            lines.append(f"{full}{_signature(value)}")
        elif inspect.ismodule(value):
            lines.append(f"{full}: module")
        else:
            lines.append(f"{full}: {value if isinstance(value, int) else type(value).__name__}")
    return lines


def _class_line(name: str, cls: type) -> str:
    bases = ", ".join(base.__name__ for base in cls.__bases__ if base is not object)
    made = _signature(cls) if cls.__init__ is not object.__init__ and not _foreign_init(cls) else ""
    return f"class {name}({bases}){' made with ' + made if made else ''}"


def _foreign_init(cls: type) -> bool:
    owner = next(base for base in cls.__mro__ if "__init__" in vars(base))
    return not owner.__module__.startswith("hashzoo")


def _members(cls: type) -> list[str]:
    """Public methods, properties, nested classes and attributes that hashzoo defines, inherited ones included."""
    found: dict[str, str] = {}
    for base in reversed([base for base in cls.__mro__ if base.__module__.startswith("hashzoo")]):
        for name, value in vars(base).items():
            if not name.startswith("_"):
                found[name] = _member(name, value)
        for name, kind in vars(base).get("__annotations__", {}).items():
            if not name.startswith("_") and not (is_dataclass(base) and name in base.__dataclass_fields__):
                found.setdefault(name, f"{name}: {kind}")
    return [found[name] for name in sorted(found)]


def _member(name: str, value: object) -> str:
    if isinstance(value, property):
        return f"{name}: property"
    if isinstance(value, (classmethod, staticmethod)):
        return f"{name}{_signature(value.__func__)}"
    if inspect.isclass(value):
        return f"{name}{_signature(value)}" if is_dataclass(value) else name
    if inspect.isfunction(value):
        return f"{name}{_signature(value)}"
    return f"{name} = {value!r}" if isinstance(value, (str, int, tuple, type(None))) else name


def _signature(call: object) -> str:
    return str(inspect.signature(call)).replace("'", "").replace('"', "")  # type: ignore[arg-type]


def test_public_names_and_signatures_are_as_announced():
    difference = list(
        difflib.unified_diff(
            SNAPSHOT.read_text().splitlines(), described().splitlines(), "announced", "now", lineterm="", n=0
        )
    )
    assert not difference, "run `nox -s api`, say in CHANGELOG.md what changed:\n" + "\n".join(difference)


def test_a_changed_signature_is_noticed(monkeypatch):
    import hashzoo.testing

    def check_loss(cls, *, bits: int = 12) -> None:
        """Lacks two arguments."""

    monkeypatch.setattr(hashzoo.testing, "check_loss", check_loss)
    changed = set(described().splitlines()) ^ set(SNAPSHOT.read_text().splitlines())
    assert {line.partition("(")[0] for line in changed} == {"hashzoo.testing.check_loss"}


def test_dfeh_imports_nothing_private():
    files = list((ROOT / "plugins" / "dfeh" / "hashzoo_dfeh").rglob("*.py"))
    assert files
    for file in files:
        for imported in _imports(ast.parse(file.read_text())):
            parts = imported.split(".")
            if parts[0] == "hashzoo":
                assert not any(part.startswith("_") for part in parts), f"{file.name} imports {imported}"


def _imports(tree: ast.Module) -> list[str]:
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


if __name__ == "__main__":
    SNAPSHOT.write_text(described())
