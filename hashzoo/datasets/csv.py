"""Your own images, named by a table with a header."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from hashzoo.datasets.base import DATASETS, Protocol
from hashzoo.datasets.images import data_root
from hashzoo.datasets.listed import QUERY_NAMES, ListedDataset, Listings, query_name
from hashzoo.datasets.lists import MOST_LABELS, Listing, raise_faults
from hashzoo.datasets.wording import count, some
from hashzoo.errors import DataError

_PARTS = ("train", *QUERY_NAMES, "database")
_SEPARATORS = ";|"  # between the names in a `labels` cell


@DATASETS.register("csv")
class CsvTable(ListedDataset):
    """Images of your own, named by a CSV table with the columns path, split and one or several labels.

    The root is the table, or a folder with one. `split` is train, query (else `test`, else `val`) or database; without
    `database` the training images answer, and an image in two splits has two rows. What an image shows is in `label`,
    the name of its class; or in `labels`, names with ; or | between them; or, if there is neither, every other column
    is a label of its own with 0 and 1 in it. Class ids number the sorted names, or the columns as they come. Paths
    start from the folder of the table, or from the image root.
    """

    protocols: ClassVar = {"csv": Protocol("query rows ask; database rows answer, or train where there are none")}

    @property
    def title(self) -> str:
        """The name of the table."""
        return f"{_table(data_root(self.root)).stem} (csv)"

    def listings(self) -> Listings:
        """The rows of each split.

        Raises:
            DataError: there is no table, it lacks a column or a split, or rows of it cannot be used.
        """
        file = _table(data_root(self.root))
        names, splits, labels, classes = _read(file)
        there = set(splits)
        query = query_name(there, owner="csv", root=file, form="split {}", kind="split")
        if unused := [split for split in splits if split in QUERY_NAMES and split != query]:
            self.notes.append(f"{count(len(unused), 'row')} of split {' and '.join(sorted(set(unused)))} not used")
        files = {"train": "train", "query": query} | ({"database": "database"} if "database" in there else {})
        parts = {}
        for part, split in files.items():
            rows = [row for row, name in enumerate(splits) if name == split]
            parts[part] = Listing([names[row] for row in rows], labels[rows])
        return Listings(self.image_root or file.parent, parts, classes)


def _table(root: Path) -> Path:
    """`root`, if it is a file, else the one table in it."""
    if root.is_file():
        return root
    if not root.is_dir():
        raise DataError(f"csv: expected a .csv file or a folder with one, found no {root} (--data-root)")
    tables = sorted(root.glob("*.csv"))
    if len(tables) != 1:
        found = some([table.name for table in tables]) or "none"
        raise DataError(f"csv: expected one .csv file in {root}, found {found}; --data-root may be the file itself")
    return tables[0]


@dataclass(frozen=True)
class _Header:
    """Which column holds what."""

    names: list[str]
    path: int
    split: int
    kind: str  # "label", "labels", or "" for one column a label
    labels: list[int]


def _header(names: list[str], file: Path) -> _Header:
    if lacking := [name for name in ("path", "split") if name not in names]:
        without = " and no ".join(lacking)
        raise DataError(f"csv: expected the columns path and split in {file}, found no {without} among {some(names)}")
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise DataError(f"csv: {file} has columns of the same name: {some(repeated)}")
    kind = next((name for name in ("label", "labels") if name in names), "")
    labels = [i for i, name in enumerate(names) if (name == kind if kind else name not in ("path", "split"))]
    if not 1 <= len(labels) <= MOST_LABELS:
        raise DataError(
            f"csv: expected a column label, or labels, or 1 to {MOST_LABELS:,} columns of 0 and 1 in {file}, "
            f"found {count(len(labels), 'column')} besides path and split"
        )
    return _Header(names, names.index("path"), names.index("split"), kind, labels)


def _read(file: Path) -> tuple[list[str], list[str], np.ndarray, tuple[str, ...]]:
    """Path and split of each row, labels (N,) int64 or (N, C) uint8, and names of classes."""
    records = _records(file)
    header = _header(next(records)[1], file)
    seen: dict[tuple[str, str], int] = {}
    faults, cells = [], []
    for line, record in records:
        if fault := _fault(record, header):
            faults.append(f"line {line}: {fault}")
            continue
        first = seen.setdefault((record[header.path], record[header.split]), line)
        if first != line:
            faults.append(f"line {line}: {record[header.path]} is on line {first} already")
        cells.append([record[column] for column in header.labels])
    raise_faults(faults, file, "csv")
    if not cells:
        raise DataError(f"csv: {file} has a header and no rows")
    labels, classes = _labels(cells, header)
    return [path for path, _ in seen], [split for _, split in seen], labels, classes


def _records(file: Path) -> Iterator[tuple[int, list[str]]]:
    """Line numbers and cells of the rows that are not blank; at least one."""
    try:
        with file.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as stream:
            reader = csv.reader(stream, strict=True)
            stripped = ([cell.strip() for cell in record] for record in reader)
            records = [(reader.line_num, record) for record in stripped if any(record)]
    except OSError as reason:
        raise DataError(f"csv: {file} cannot be read ({reason.strerror})") from None
    except csv.Error as reason:
        raise DataError(f"csv: line {reader.line_num} of {file} is no row of a table ({reason})") from None
    if not records:
        raise DataError(f"csv: {file} is empty")
    return iter(records)


def _fault(record: list[str], header: _Header) -> str | None:
    """What is wrong with a row; None if nothing is."""
    if len(record) != len(header.names):
        return f"{count(len(record), 'cell')}, expected {len(header.names)}"
    if not record[header.path]:
        return "no path"
    if record[header.split] not in _PARTS:
        return f"split {record[header.split]!r}, expected one of {', '.join(_PARTS)}"
    if header.kind == "label" and not record[header.labels[0]]:
        return "no label"
    if not header.kind:
        odd = next((column for column in header.labels if record[column] not in ("0", "1")), None)
        return None if odd is None else f"{header.names[odd]} is {record[odd]!r}, expected 0 or 1"
    return None


def _labels(cells: list[list[str]], header: _Header) -> tuple[np.ndarray, tuple[str, ...]]:
    if not header.kind:
        return np.array(cells, "U1").astype(np.uint8), tuple(header.names[column] for column in header.labels)
    shown = [_names(cell) if header.kind == "labels" else [cell] for (cell,) in cells]
    classes = _sorted({name for row in shown for name in row})
    ids = {name: number for number, name in enumerate(classes)}
    if header.kind == "label":
        return np.array([ids[name] for (name,) in shown], np.int64), classes
    labels = np.zeros((len(shown), len(classes)), np.uint8)
    for number, row in enumerate(shown):
        labels[number, [ids[name] for name in row]] = 1
    return labels, classes


def _names(cell: str) -> list[str]:
    for separator in _SEPARATORS[1:]:
        cell = cell.replace(separator, _SEPARATORS[0])
    return [name.strip() for name in cell.split(_SEPARATORS[0]) if name.strip()]


def _sorted(names: set[str]) -> tuple[str, ...]:
    """By number if all are numbers, else by letter."""
    numbers = all(name.isascii() and name.isdigit() for name in names)
    return tuple(sorted(names, key=lambda name: (int(name) if numbers else 0, name)))
