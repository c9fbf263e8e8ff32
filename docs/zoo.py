"""Writes a page for each registered method, from what its class says and what docs/results holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from inspect import getdoc
from pathlib import Path
from typing import Any, get_type_hints

from hashzoo import METHODS, DeepMethod, Method, Preset, Task
from hashzoo.experiments.store import Record, find_records
from hashzoo.reports.catalogue import setting_comments, shown_default, summary
from hashzoo.reports.table import markdown, results_tables
from hashzoo.settings import describe

RESULTS = Path(__file__).parent / "results"
INDEX = """# The zoo

Every method: its paper, what it minimises, its settings, where it differs from the paper and what was measured.
`hashzoo show NAME` prints the same. The pages are written from the classes and from the records in `docs/results`.

| method | kind | learns from | labels | year | what |
|---|---|---|---|---|---|
{rows}

```{{toctree}}
:hidden:

{names}
```
"""


def write(folder: Path) -> None:
    """`index.md` and a page per method."""
    folder.mkdir(exist_ok=True)
    records = find_records(RESULTS)
    methods = [METHODS.get(name) for name in METHODS.names()]
    for method in methods:
        mine = [record for record in records if record["method"] == method.name]
        (folder / f"{method.name}.md").write_text(_page(method, mine))
    rows = "\n".join(_row((f"[{m.name}]({m.name}.md)", *_kind(m), str(m.year), summary(m))) for m in methods)
    (folder / "index.md").write_text(INDEX.format(rows=rows, names="\n".join(m.name for m in methods)))


def _page(method: type[Method], records: Sequence[Record]) -> str:
    kind, supervision, labels = _kind(method)
    parts = [
        f"# {method.name}",
        getdoc(method) or "",
        f"- **Paper:** {method.paper}\n"
        f"- **Kind:** {kind}; learns from {supervision}; {labels} an image\n"
        f"- **Defaults from:** {method.defaults_from}",
    ]
    if method.name in METHODS.meanings:
        parts.append(f"The name may stand for {' or '.join(METHODS.meanings[method.name])}.")
    if terms := _terms(method):
        parts += ["## What it minimises", "\n".join(terms)]
    parts += ["## Settings", _settings(method.Config)]
    if method.presets:
        parts += ["## Presets", "\n".join(_preset(name, preset) for name, preset in method.presets.items())]
    if method.deviations:
        parts += ["## Where it differs from the paper", "\n".join(f"- {text}" for text in method.deviations)]
    parts += ["## Measured", markdown(results_tables(records)) or "Nothing is on record yet."]
    return "\n\n".join(parts) + "\n"


def _terms(method: type[Method]) -> list[str]:
    """The registered losses of a method at 48 bits, as a list with their weights."""
    if not issubclass(method, DeepMethod):
        return []
    losses = method(48, Task(10, 50_000, (32, 32))).losses()
    return [f"- {weight:g} x `{loss.name}`: {summary(type(loss))}" for weight, loss in losses]


def _settings(config: type[Any]) -> str:
    comments, hints = setting_comments(config), get_type_hints(config)
    rows = [
        _row((f"`{f.name}`", describe(hints[f.name]), shown_default(f.default), comments.get(f.name, "")))
        for f in fields(config)
    ]
    return "\n".join([_row(("name", "type", "default", "")), "|---|---|---|---|", *rows])


def _preset(name: str, preset: Preset) -> str:
    words = ", ".join(f"`{key}={value}`" for key, value in preset.settings.items())
    return f"- `--preset {name}`: {preset.summary} ({words})"


def _kind(method: type[Method]) -> tuple[str, str, str]:
    kind = "deep" if issubclass(method, DeepMethod) else "shallow"
    return kind, method.supervision, "one or several labels" if method.multi_label else "one label"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
