"""What is there: the tables of `hashzoo list` and the pages of `hashzoo show`."""

from __future__ import annotations

import ast
import inspect
import io
import textwrap
import tokenize
from collections.abc import Callable, Sequence
from dataclasses import MISSING, fields
from typing import Any, get_type_hints

from hashzoo.backbones.base import BACKBONES
from hashzoo.datasets.base import DATASETS, Dataset
from hashzoo.errors import InvalidInput, UnknownName
from hashzoo.evaluators.base import EVALUATORS, Evaluator
from hashzoo.experiments.environment import owner_of
from hashzoo.losses.base import LOSSES
from hashzoo.methods.base import METHODS, DeepMethod, Method
from hashzoo.registry import Registry
from hashzoo.reports.table import Table
from hashzoo.reports.wording import labels_held
from hashzoo.settings import describe

KINDS: dict[str, Registry[Any]] = {
    "methods": METHODS,
    "datasets": DATASETS,
    "losses": LOSSES,
    "evaluators": EVALUATORS,
    "backbones": BACKBONES,
}
_WIDTH = 110


def listing(kind: str, *, every_name: bool = False) -> Table:
    """Everything registered of one of `KINDS`. Torchvision's backbones share a row; `every_name` adds them below."""
    classes = [KINDS[kind].get(name) for name in KINDS[kind].names()]
    family = [cls for cls in classes if hasattr(cls, "architecture")] if kind == "backbones" else []
    header, columns = _COLUMNS.get(kind, ((), lambda cls: ()))
    rows = [(cls.name, *columns(cls), _origin(cls), summary(cls)) for cls in classes if cls not in family]
    names = [cls.name for cls in family]
    if family:
        some = f"by their own names: {', '.join(names[:3])} ... {names[-1]}"
        rows.append((f"{len(names)} networks", "torchvision", some))
    return Table(
        title=kind,
        header=(KINDS[kind].kind, *header, "from", "what"),
        rows=tuple(rows),
        caption=tuple(textwrap.wrap(", ".join(names), _WIDTH)) if every_name else (),
    )


def page(name: str) -> str:
    """Everything there is to say about whatever has that name.

    Raises:
        UnknownName: nothing has it.
        PluginError: the plugin of that name could not be imported.
    """
    found = []
    for registry in KINDS.values():
        try:
            found.append(registry.get(name))
        except UnknownName:
            continue
    if not found:
        known = [known for registry in KINDS.values() for known in registry.names() if registry is not BACKBONES]
        raise UnknownName("method, dataset, loss, evaluator or backbone", name, [*known, "dsh_cnn", "resnet_cifar"])
    return "\n".join(_page(cls) for cls in found)


def page_of(cls: type) -> str:
    """Everything there is to say about a registered class.

    Raises:
        InvalidInput: it is not registered, or nothing that could be.
    """
    registry = next((registry for registry in KINDS.values() if issubclass(cls, registry.base)), None)
    if registry is None:
        raise InvalidInput(f"expected a method, dataset, loss, evaluator or backbone, got class {cls.__name__}")
    registry.name_of(cls)
    return _page(cls)


def summary(cls: type) -> str:
    """The first line of the docstring, which is not inherited."""
    return inspect.cleandoc(cls.__doc__ or "").partition("\n")[0]


def setting_comments(config: type) -> dict[str, str]:
    """The comment after each field of a dataclass and its bases, by name; empty where no source can be had."""
    comments: dict[str, str] = {}
    for cls in reversed(config.__mro__[:-1]):
        try:
            source = textwrap.dedent(inspect.getsource(cls))
            tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
            body = ast.parse(source).body[0]
        except (OSError, TypeError, SyntaxError, tokenize.TokenError):
            continue
        by_line = {token.start[0]: token.string.lstrip("# ") for token in tokens if token.type == tokenize.COMMENT}
        for node in getattr(body, "body", []):
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.end_lineno in by_line:
                comments[node.target.id] = by_line[node.end_lineno]
    return comments


def _page(cls: type) -> str:
    lines = [f"{cls.name}: {summary(cls)}".rstrip(": "), ""]  # type: ignore[attr-defined]
    more = inspect.cleandoc(cls.__doc__ or "").partition("\n")[2].strip()
    if issubclass(cls, Method):
        lines += _facts(
            ("kind", f"{_kind(cls)} method, {_origin(cls)}"),
            ("paper", cls.paper),
            ("year", str(cls.year or "")),
            ("supervision", cls.supervision),
            ("labels", f"{_label_kinds(cls.multi_label)} an image"),
            ("defaults", cls.defaults_from),
            *_meanings(cls.name),
        )
        lines += _paragraph(more)
        lines += _settings(cls.Config)
        lines += _presets(cls)
        if cls.tables:
            lines += ["", f"tables of its paper (hashzoo reproduce {cls.name} --table NAME)"]
            lines += _columns([(table.name, table.title) for table in cls.tables])
        if cls.deviations:
            lines += ["", "deviations from the paper"]
            for deviation in cls.deviations:
                lines += textwrap.wrap(deviation, _WIDTH, initial_indent="  - ", subsequent_indent="    ")
        lines += ["", "example", f"  hashzoo run {cls.name} --dataset digits --bits 12,24,36,48"]
    elif issubclass(cls, Dataset):
        lines += _facts(
            ("kind", f"dataset, {_origin(cls)}"),
            ("labels", f"{labels_held(cls.multi_label)} an image"),
            (
                "augmentation",
                f"shifts up to {cls.augmentation.shift} pixels, {'' if cls.augmentation.mirror else 'not '}mirrored",
            ),
            ("licence", cls.licence),
            ("source", cls.source),
        )
        lines += _paragraph(more)
        lines += ["", "protocols, the first by default"]
        lines += _columns(
            [(name, p.summary, "" if p.topk is None else f"mAP@{p.topk}") for name, p in cls.protocols.items()]
        )
        lines += ["", "example", f"  hashzoo run lsh --dataset {cls.name}@{next(iter(cls.protocols))} --bits 12,24"]
    elif issubclass(cls, Evaluator):
        lines += _facts(("kind", f"evaluator, {_origin(cls)}"))
        lines += _paragraph(more)
        lines += _settings(cls.Config)
        if cls.meanings:
            lines += ["", "metrics", *_columns(list(cls.meanings.items()))]
        lines += ["", "example", f"  hashzoo eval codes.npz --evaluator {cls.name}"]
    else:
        kind = next(registry.kind for registry in (LOSSES, BACKBONES) if issubclass(cls, registry.base))
        lines += _facts(("kind", f"{kind}, {_origin(cls)}"))
        lines += _paragraph(more)
        if kind == "backbone":
            lines += ["", "example", f"  hashzoo run dsh --dataset digits --bits 12 --backbone {cls.name}"]  # type: ignore[attr-defined]
    return "\n".join(lines) + "\n"


def _settings(config: type) -> list[str]:
    comments, hints = setting_comments(config), get_type_hints(config)
    rows = [
        (f.name, describe(hints[f.name]), shown_default(f.default), comments.get(f.name, "")) for f in fields(config)
    ]
    return ["", "settings (--set NAME=VALUE)", *_columns([("name", "type", "default", ""), *rows])] if rows else []


def _presets(cls: type[Method]) -> list[str]:
    lines = ["", "presets (--preset NAME)"] if cls.presets else []
    for name, preset in cls.presets.items():
        words = ", ".join(f"{key}={value}" for key, value in preset.settings.items())
        lines += [f"  {name}: {preset.summary}"]
        lines += textwrap.wrap(words, _WIDTH, initial_indent="    ", subsequent_indent="    ")
    return lines


def shown_default(value: Any) -> str:
    """The default of a setting as one would type it; empty where there is none."""
    if value is MISSING:
        return ""
    if value is None or isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _facts(*pairs: tuple[str, str]) -> list[str]:
    width = max(len(name) for name, _ in pairs) + 4
    lines: list[str] = []
    for name, text in pairs:
        lines += textwrap.wrap(text, _WIDTH, initial_indent=f"  {name}".ljust(width), subsequent_indent=" " * width)
    return lines


def _paragraph(text: str) -> list[str]:
    return ["", *textwrap.indent(text, "  ").splitlines()] if text else []


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  " + "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]


def _meanings(name: str) -> list[tuple[str, str]]:
    meanings = METHODS.meanings.get(name, ())
    return [("name", f"in papers {' or '.join(meanings)}")] if meanings else []


def _kind(cls: type[Method]) -> str:
    return "deep" if issubclass(cls, DeepMethod) else "shallow"


def _label_kinds(multi_label: bool) -> str:
    return "one or several" if multi_label else "one"


def _origin(cls: type) -> str:
    ((name, version),) = owner_of(cls).items()
    return "built in" if name == "hashzoo" else f"{name} {version}"


_COLUMNS: dict[str, tuple[tuple[str, ...], Callable[[Any], tuple[str, ...]]]] = {
    "methods": (
        ("kind", "supervision", "labels", "year"),
        lambda cls: (_kind(cls), cls.supervision, _label_kinds(cls.multi_label), str(cls.year)),
    ),
    "datasets": (
        ("protocols", "labels"),
        lambda cls: (", ".join(cls.protocols), labels_held(cls.multi_label)),
    ),
}
