"""Which records may share a table, and what to call its rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Record = Mapping[str, Any]

_SEPARATELY = "bits"  # the part of a metric's definition that may differ within a table: it is the column
_NOT_OF_THE_METHOD = ("python", "numpy", "torch", "hashzoo")  # the other versions are of whoever brings the method


def comparable(record: Record) -> tuple[str, ...]:
    """What records of one table have in common: data, protocol, split and the definition of the number."""
    definition = {key: value for key, value in record["metric_definition"].items() if key != _SEPARATELY}
    keys = ("dataset", "protocol", "title", "split_sha256", "images_sha256")
    return (*(record[key] for key in keys), json.dumps(definition, sort_keys=True))


def groups(records: Sequence[Record], key: Callable[[Record], Any]) -> list[list[Record]]:
    """By equal keys, in order of first appearance."""
    found: dict[Any, list[Record]] = {}
    for record in records:
        found.setdefault(key(record), []).append(record)
    return list(found.values())


def labelled_rows(records: Sequence[Record]) -> dict[str, list[Record]]:
    """Comparable records by method and settings, under a label each; all code lengths and seeds of a row together."""
    rows = groups(records, lambda r: (r["method"], json.dumps(settings(r), sort_keys=True)))
    return dict(zip(row_labels([part[0] for part in rows], rivals=lambda r: r["method"]), rows, strict=True))


def latest(records: Sequence[Record]) -> list[Record]:
    """Of a row: one record for each code length and seed, the last made, so that a copy or a repeat counts once."""
    in_order = sorted(records, key=lambda r: str(r.get("created") or ""))
    return list({(r["bits"], r["seed"]): r for r in in_order}.values())


def row_labels(records: Sequence[Record], rivals: Callable[[Record], Any]) -> list[str]:
    """The method of each row, and what tells it from its rivals, the rows of an equal key.

    That is the preset if they have several, with what was set otherwise; and the settings that differ among the rivals
    of the same preset.
    """
    labels = []
    for record in records:
        known = [other for other in records if rivals(other) == rivals(record)]
        alike = [other for other in known if other.get("preset") == record.get("preset")]
        own = settings(record)
        preset, shown = [], {}
        if record.get("preset") and len(alike) < len(known):
            changes = record.get("preset_changes") or {}
            preset, shown = [record["preset"]], {key: value for key, value in changes.items() if key in own}
        for key, value in own.items():
            if any(settings(other).get(key) != value for other in (alike if key in record["config"] else known)):
                shown[key] = value
        twins = [other for other in alike if all(settings(other).get(key) == own.get(key) for key in shown)]
        series = [record["series"][:6]] if len(twins) > 1 else []
        labels.append(" ".join([record["method"], *preset, *(f"{k}={v}" for k, v in shown.items()), *series]))
    return labels


def settings(record: Record) -> dict[str, Any]:
    """All that was chosen for a run besides method, data, code length and seed; a budget in place of its epochs."""
    environment, budget = record["environment"], record.get("budget")
    return {
        **{key: value for key, value in record["config"].items() if not (budget and key == "epochs")},
        **({"budget": f"{budget['seconds']:g}s"} if budget else {}),
        **{f"augmentation.{key}": value for key, value in (record.get("augmentation") or {}).items()},
        "precision": record.get("precision"),
        "image_size": record.get("image_size"),
        "device": environment.get("device_type"),
        "hashzoo": record.get("hashzoo"),
        **_owner(environment.get("versions") or {}),
    }


def _owner(versions: Mapping[str, str]) -> dict[str, str]:
    """Version of the distribution that a method comes from, or the start of the sha256 of its file."""
    owners = {name: version for name, version in versions.items() if name not in _NOT_OF_THE_METHOD}
    return {name: version[:19] if version.startswith("sha256:") else version for name, version in owners.items()}
