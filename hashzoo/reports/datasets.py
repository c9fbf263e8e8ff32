"""Datasets and their protocols in words: what is known without the files, and what the files add."""

from __future__ import annotations

import inspect
from pathlib import Path

import numpy as np

from hashzoo.datasets.base import DATASETS, Dataset, LoadedDataset, Protocol
from hashzoo.datasets.splits import PARTS
from hashzoo.errors import DataError
from hashzoo.reports.catalogue import labels_held
from hashzoo.reports.table import Table, plain

_CLASSES = 100  # more are not listed one by one


def protocols() -> Table:
    """A row for each protocol of each dataset."""
    rows = [
        (f"{name}@{key}", *_sizes(protocol), f"mAP@{protocol.topk or 'all'}", protocol.summary)
        for name in DATASETS.names()
        for key, protocol in DATASETS.get(name).protocols.items()
    ]
    return Table("datasets and protocols", ("name", *PARTS, "measured by", "who trains, asks and answers"), tuple(rows))


def page(words: str, root: Path | None, split_seed: int) -> str:
    """All about `words`, NAME or NAME@PROTOCOL; without its files, what is known without them.

    Raises:
        UnknownName: no such dataset or protocol.
    """
    dataset = _opened(words, root, split_seed)
    protocol = dataset.protocols[dataset.protocol]
    facts = [
        ("protocol", protocol.summary),
        ("rule", protocol.rule.text if protocol.rule else "its own"),
        *(zip(PARTS, (f"{size} images" for size in _sizes(protocol)), strict=True) if protocol.sizes else ()),
        ("measured by", f"mAP@{protocol.topk or 'all'} unless --topk says otherwise"),
        ("labels", f"{labels_held(dataset.multi_label)} an image"),
        ("licence", dataset.licence or "not stated"),
        ("source", dataset.source or "your own"),
    ]
    parts = [f"{dataset.name}@{dataset.protocol}", "", *_aligned(facts)]
    parts += ["", *(f"  {line}".rstrip() for line in (inspect.getdoc(type(dataset)) or "").splitlines())]
    try:
        parts += ["", *_found(dataset.load(), dataset.split_seed)]
    except DataError as reason:
        parts += ["", f"not on this machine: {reason}"]
    return "\n".join(parts) + "\n"


def verified(words: str, root: Path | None, split_seed: int) -> str:
    """One line on a dataset that is whole.

    Raises:
        UnknownName: no such dataset or protocol.
        DataError: files are missing or damaged, or there are not as many images as the original has.
    """
    dataset = _opened(words, root, split_seed)
    loaded = dataset.load()
    expected = dataset.protocols[dataset.protocol].sizes
    found = tuple(len(getattr(loaded, part)) for part in PARTS)
    if expected and found != expected:
        wanted, got = (", ".join(f"{n:,} {part}" for n, part in zip(s, PARTS, strict=True)) for s in (expected, found))
        raise DataError(f"{dataset.name}@{dataset.protocol}: expected {wanted} images, got {got} ({loaded.title})")
    sizes = ", ".join(f"{n:,} {part}" for n, part in zip(found, PARTS, strict=True))
    return f"{dataset.name}@{dataset.protocol}: whole ({sizes}), split {loaded.split_sha256}\n"


def _opened(words: str, root: Path | None, split_seed: int) -> Dataset:
    name, _, protocol = words.partition("@")
    return DATASETS.get(name)(root, protocol=protocol or None, split_seed=split_seed)


def _found(data: LoadedDataset, seed: int) -> list[str]:
    counts = [_counts(getattr(data, part).labels, len(data.classes)) for part in PARTS]
    lines = [f"on this machine: {data.title}", ""]
    sizes = ("all", *(f"{len(getattr(data, part)):,}" for part in PARTS))
    classes = [(name, *(f"{count[c]:,}" for count in counts)) for c, name in enumerate(data.classes[:_CLASSES])]
    table = Table("images by class", ("class", *PARTS), (*classes, sizes))
    lines += plain([table]).rstrip().splitlines()
    if len(data.classes) > _CLASSES:
        lines.append(f"and {len(data.classes) - _CLASSES:,} more classes")
    drawn = f" (seed {seed})" if data.split.get("seed") is not None else ""
    return [*lines, "", f"split {data.split_sha256}{drawn}"]


def _counts(labels: np.ndarray, classes: int) -> np.ndarray:
    found: np.ndarray = np.bincount(labels, minlength=classes) if labels.ndim == 1 else labels.sum(0, dtype=np.int64)
    return found


def _sizes(protocol: Protocol) -> tuple[str, ...]:
    return tuple(f"{size:,}" for size in protocol.sizes) if protocol.sizes else ("",) * len(PARTS)


def _aligned(facts: list[tuple[str, str]]) -> list[str]:
    width = max(len(name) for name, _ in facts) + 2
    return [f"  {name.ljust(width)}{text}" for name, text in facts]
