"""Datasets and their protocols in words: what is known without the files, and what the files add."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hashzoo.datasets.base import DATASETS, Dataset, Pool, Protocol, split_sha256
from hashzoo.datasets.splits import PARTS, Rows
from hashzoo.errors import DataError
from hashzoo.reports.table import Table, plain
from hashzoo.reports.wording import labels_held

_CLASSES = 100  # more are not listed one by one
_WIDTH = 120
_DRAWN = "in ascending order of the numbers that SplitMix64 gives for the split seed, one for each row"


def protocols(names: Sequence[str] | None = None) -> Table:
    """A row for each protocol of each dataset, or of those in `names`."""
    rows = [
        (f"{name}@{key}", *_sizes(protocol), f"mAP@{protocol.topk or 'all'}", protocol.summary)
        for name in names or DATASETS.names()
        for key, protocol in DATASETS.get(name).protocols.items()
    ]
    return Table("datasets and protocols", ("name", *PARTS, "measured by", "who trains, asks and answers"), tuple(rows))


def opened(words: str, root: Path | None, split_seed: int, split_files: Path | None) -> Dataset:
    """The dataset that `words`, NAME or NAME@PROTOCOL, name.

    Raises:
        UnknownName: no such dataset or protocol.
        InvalidInput: there is nothing to draw with this seed.
    """
    name, _, protocol = words.partition("@")
    return DATASETS.get(name)(root, protocol=protocol or None, split_seed=split_seed, split_files=split_files)


def page(dataset: Dataset) -> str:
    """All about a dataset under its protocol; without its files, what is known without them."""
    protocol = dataset.protocols[dataset.protocol]
    rule = protocol.rule
    facts = [
        ("protocol", protocol.summary),
        *([("rule", rule.text)] if rule else []),
        *([("drawn", _DRAWN)] if dataset.drawn else []),
        *(zip(PARTS, _expected(protocol), strict=True) if protocol.sizes else ()),
        ("measured by", f"mAP@{protocol.topk or 'all'} unless --topk says otherwise"),
        ("labels", f"{labels_held(dataset.multi_label)} an image"),
        *([("classes", f"{len(dataset.classes)}: {', '.join(dataset.classes)}")] if dataset.classes else []),
        ("licence", dataset.licence or "not stated"),
        ("source", dataset.source or "your own"),
    ]
    parts = [f"{dataset.name}@{dataset.protocol}", "", *_aligned(facts)]
    parts += ["", *(f"  {line}".rstrip() for line in (inspect.getdoc(type(dataset)) or "").splitlines())]
    if len(dataset.protocols) > 1:
        parts += ["", *plain([protocols([dataset.name])]).splitlines()]
    try:
        parts += ["", *_found(dataset)]
    except DataError as reason:
        parts += ["", f"not on this machine: {reason}"]
    return "\n".join(parts) + "\n"


def verified(dataset: Dataset) -> str:
    """One line on a dataset that is whole, and one for each thing worth knowing.

    Raises:
        DataError: files are missing or damaged, or there are not as many images as the original has.
    """
    index = dataset.verify()
    rows = dataset.rows(index)
    where = f"{dataset.name}@{dataset.protocol}"
    expected = dataset.protocols[dataset.protocol].sizes or (None,) * len(PARTS)
    found = [len(rows[part]) for part in PARTS]
    if not dataset.split_files and any(n not in (None, m) for n, m in zip(expected, found, strict=True)):
        wanted = ", ".join(f"{n:,} {part}" for n, part in zip(expected, PARTS, strict=True) if n is not None)
        raise DataError(f"{where}: expected {wanted} images, got {_in_words(found)} ({dataset.title})")
    lines = [f"{where}: whole ({_in_words(found)}), split {split_sha256(rows)}", *dataset.notes]
    return "\n".join(lines) + "\n"


def _found(dataset: Dataset) -> list[str]:
    index = dataset.index()
    rows = dataset.rows(index)
    seed = f" (seed {dataset.split_seed})" if dataset.drawn else ""
    return [
        f"on this machine: {dataset.title}",
        *dataset.notes,
        "",
        *plain([_class_counts(index, rows)]).splitlines(),
        "",
        f"split {split_sha256(rows)}{seed}",
    ]


def _class_counts(index: Pool, rows: Rows) -> Table:
    counts = [_counts(index.labels[rows[part]], len(index.classes)) for part in PARTS]
    lines = [(name, *(f"{count[c]:,}" for count in counts)) for c, name in enumerate(index.classes[:_CLASSES])]
    if len(index.classes) > _CLASSES:
        lines.append((f"{len(index.classes) - _CLASSES:,} more", *("" for _ in PARTS)))
    lines.append(("all images", *(f"{len(rows[part]):,}" for part in PARTS)))
    if index.labels.ndim == 2:
        several = [np.count_nonzero(index.labels[rows[part]], axis=1) for part in PARTS]
        lines.append(("  with several labels", *(f"{np.count_nonzero(n > 1):,}" for n in several)))
        lines.append(("  with no label", *(f"{np.count_nonzero(n == 0):,}" for n in several)))
    return Table("images by class", ("class", *PARTS), tuple(lines))


def _counts(labels: np.ndarray, classes: int) -> np.ndarray:
    found: np.ndarray = np.bincount(labels, minlength=classes) if labels.ndim == 1 else labels.sum(0, dtype=np.int64)
    return found


def _sizes(protocol: Protocol) -> tuple[str, ...]:
    return tuple("" if size is None else f"{size:,}" for size in protocol.sizes or (None,) * len(PARTS))


def _expected(protocol: Protocol) -> tuple[str, ...]:
    return tuple(f"{size} images" if size else "as many as there are" for size in _sizes(protocol))


def _in_words(sizes: Sequence[int]) -> str:
    return ", ".join(f"{n:,} {part}" for n, part in zip(sizes, PARTS, strict=True))


def _aligned(facts: Sequence[tuple[str, str]]) -> list[str]:
    width = max(len(name) for name, _ in facts) + 4
    lines: list[str] = []
    for name, text in facts:
        lines += textwrap.wrap(text, _WIDTH, initial_indent=f"  {name}".ljust(width), subsequent_indent=" " * width)
    return lines
