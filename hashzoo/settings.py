"""Typed settings: a frozen dataclass, and `key=value` words that change its fields."""

from __future__ import annotations

import math
import types
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from hashzoo.errors import InvalidSetting, UnknownName

C = TypeVar("C")

_BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def parse_assignments(words: list[str]) -> dict[str, str]:
    """`["margin=24", "lr=0.01"]` to `{"margin": "24", "lr": "0.01"}`; a later word wins.

    Raises:
        InvalidSetting: a word has no `=` or no name before it.
    """
    assignments = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key.strip():
            raise InvalidSetting(f"expected NAME=VALUE, such as lr=0.01, got {word!r}")
        assignments[key.strip().replace("-", "_")] = value.strip()
    return assignments


def merge_assignments(words: list[str], flags: Mapping[str, str | None]) -> dict[str, str]:
    """`parse_assignments(words)` with the settings that have a flag of their own; a flag that is None was not given.

    Raises:
        InvalidSetting: a setting was given in both ways.
    """
    assignments = parse_assignments(words)
    for name, value in flags.items():
        if value is not None and name in assignments:
            raise InvalidSetting(f"{name}: expected either --{name} or --set {name}=, got both")
    return assignments | {name: value for name, value in flags.items() if value is not None}


def configure(config: type[C], assignments: Mapping[str, str], owner: str) -> C:
    """An instance of the dataclass `config` with its defaults changed by `assignments`.

    Field types may be `bool`, `int`, `float`, `str`, a `Literal` of strings, a tuple of one of these, or any of them
    or None ("none" on the command line).

    Args:
        owner: whose settings these are, for messages: "dsh".

    Raises:
        UnknownName: no such setting; the message offers the nearest one.
        InvalidSetting: a value is not of the field's type, or the dataclass refuses it.
    """
    hints = get_type_hints(config)
    names = [field.name for field in fields(config)]  # type: ignore[arg-type]
    for name in assignments:
        if name not in names:
            raise UnknownName(f"setting of {owner!r}", name, names)
    return config(**{name: parse(hints[name], text, name) for name, text in assignments.items()})


def parse(kind: Any, text: str, name: str) -> Any:
    """`text` as a value of the annotation `kind`; `name` is the setting, for the message."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        if type(None) in arguments and text.lower() == "none":
            return None
        return parse(next(a for a in arguments if a is not type(None)), text, name)
    if origin is tuple:
        return tuple(parse(arguments[0], part, name) for part in text.split(",") if part)
    if origin is Literal:
        return _choice(arguments, text, name)
    if kind is bool:
        return _BOOLEANS[_choice(tuple(_BOOLEANS), text.lower(), name)]
    converters: dict[Any, tuple[Callable[[str], Any], str]] = {
        int: (int, "a whole number"),
        float: (_finite, "a finite number"),
        str: (str, "text"),
    }
    convert, expected = converters[kind]
    try:
        return convert(text)
    except ValueError:
        raise InvalidSetting(f"{name}: expected {expected}, got {text!r}") from None


def describe(kind: Any) -> str:
    """The annotation as a user would read it: "a|b|c" for choices, "int or none" for an optional one."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return "|".join(map(str, arguments))
    if origin in (Union, types.UnionType):
        return " or ".join("none" if a is type(None) else describe(a) for a in arguments)
    if origin is tuple:
        return f"{describe(arguments[0])},..."
    return str(getattr(kind, "__name__", kind))


def require(condition: bool, name: str, expected: str, got: object) -> None:
    """For a config's `__post_init__`: refuse a value that has the right type and makes no sense."""
    if not condition:
        raise InvalidSetting(f"{name}: expected {expected}, got {got!r}")


def _choice(allowed: tuple[Any, ...], text: str, name: str) -> Any:
    if text not in allowed:
        raise InvalidSetting(f"{name}: expected one of {', '.join(allowed)}, got {text!r}")
    return text


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number
