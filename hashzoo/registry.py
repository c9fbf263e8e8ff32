"""Names to classes: a decorator registers, and a look-up imports whoever might have registered.

Built-ins are the modules of one folder, named like what they register, so `get("dsh")` imports one file. Plugins are
modules named by entry points in the group `hashzoo.plugins`; they are imported only when a name is not built in.
"""

from __future__ import annotations

import os
import pkgutil
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Generic, TypeVar

from hashzoo.errors import DuplicateName, InvalidInput, PluginError, UnknownName
from hashzoo.plugins import PLUGIN_GROUP, check_api

T = TypeVar("T")
Registrable = TypeVar("Registrable", bound=type)

_NAME = re.compile(r"[a-z][a-z0-9_]*")


@cache
def broken_plugins() -> dict[str, Exception | SystemExit]:
    """Import every installed plugin once; return those that failed, by entry point name.

    With `HASHZOO_DISABLE_PLUGINS=1` in the environment no plugin is imported.
    """
    if os.environ.get("HASHZOO_DISABLE_PLUGINS") == "1":
        return {}
    from importlib.metadata import entry_points  # 35 ms, so not at start-up

    broken: dict[str, Exception | SystemExit] = {}
    for point in sorted(entry_points(group=PLUGIN_GROUP), key=lambda point: point.name):
        try:
            point.load()
        except (Exception, SystemExit) as cause:  # one bad plugin must not hide the others
            broken[point.name] = cause
    return broken


class Registry(Generic[T]):
    """One kind of thing.

    Args:
        kind: the word for it in messages, such as "method".
        base: the class that everything registered must derive from.
        package: the folder of the built-ins, as a dotted name.
        meanings: of names that the literature uses for several things, what they may stand for.
    """

    def __init__(
        self, kind: str, base: type[T], package: str, meanings: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        self.kind, self.base, self.package = kind, base, package
        self.meanings = meanings or {}
        self._classes: dict[str, type[T]] = {}

    def register(self, name: str) -> Callable[[Registrable], Registrable]:
        """Class decorator that files the class under `name` and sets its `name` attribute.

        Raises:
            ValueError: `name` is not lower-case letters, digits and underscores.
            TypeError: the class does not derive from the base of this registry.
            DuplicateName: another class has the name already.
            PluginError: the class is written for another version of the plugin interface.
        """
        if not _NAME.fullmatch(name):
            raise ValueError(f"{self.kind} {name!r}: a name is lower-case letters, digits and underscores")

        def add(cls: Registrable) -> Registrable:
            if not (isinstance(cls, type) and issubclass(cls, self.base)):
                raise TypeError(f"{self.kind} {name!r}: {_where(cls)} must subclass {_where(self.base)}")
            check_api(cls, f"{self.kind} {name!r}")
            if not cls.__module__.startswith(f"{self.package}."):
                self._import_builtins()  # so that an outsider can never take a built-in's name first
            owner = self._classes.get(name)
            if owner is not None and _where(owner) != _where(cls):
                raise DuplicateName(
                    f"{self.kind} {name!r} is already {_where(owner)}; {_where(cls)} needs another name"
                )
            cls.name = name  # type: ignore[attr-defined]
            self._classes[name] = cls
            return cls  # type: ignore[return-value]

        return add

    def get(self, name: str) -> type[T]:
        """The class filed under `name`; a hyphen stands for an underscore.

        Raises:
            UnknownName: nothing has that name; the message offers the nearest one, and says what it may stand for.
            PluginError: the plugin of that name could not be imported.
        """
        key = name.replace("-", "_")
        if key not in self._classes and _NAME.fullmatch(key) and find_spec(f"{self.package}.{key}"):
            import_module(f"{self.package}.{key}")
        if key in self._classes:
            return self._classes[key]
        self._import_builtins()
        broken = {} if key in self._classes else broken_plugins()
        if key in self._classes:
            return self._classes[key]
        for point, cause in broken.items():
            if point.replace("-", "_") == key:
                raise PluginError(f"plugin {point!r} failed to import: {_reason(cause)}") from cause
        note = "".join(f"; plugin {point!r} failed to import: {_reason(cause)}" for point, cause in broken.items())
        if key.lower() in self.meanings:
            note = f"; {name!r} may stand for {' or '.join(self.meanings[key.lower()])}{note}"
        raise UnknownName(self.kind, name, self._classes, note=note)

    def name_of(self, cls: type) -> str:
        """The name under which `cls` is filed.

        Raises:
            InvalidInput: it is not registered here.
        """
        name = getattr(cls, "name", "")
        if self._classes.get(name) is not cls:
            decorator = f'@{self.kind.upper()}S.register("name")'
            raise InvalidInput(f"{_where(cls)} is no registered {self.kind}; decorate it with {decorator}")
        return str(name)

    def names(self) -> list[str]:
        """Every name, built-in and plugged in, sorted."""
        self._import_builtins()
        broken_plugins()
        return sorted(self._classes)

    def _import_builtins(self) -> None:
        for module in pkgutil.iter_modules(import_module(self.package).__path__):
            import_module(f"{self.package}.{module.name}")


def _where(cls: object) -> str:
    return f"{getattr(cls, '__module__', '?')}.{getattr(cls, '__qualname__', repr(cls))}"


def _reason(cause: Exception | SystemExit) -> str:
    return f"{type(cause).__name__}: {str(cause).splitlines()[0] if str(cause) else 'no message'}"
