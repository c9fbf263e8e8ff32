"""The interface of a dataset: it reads everything it holds once, and a protocol divides it by row numbers."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np

from hashzoo.datasets.lists import EmptyLabels
from hashzoo.datasets.pixel_cache import remembered_digest
from hashzoo.datasets.split_lists import read_split_lists
from hashzoo.datasets.splits import PARTS, Rows, Rule
from hashzoo.errors import DataError, InvalidInput, UnknownName
from hashzoo.registry import Registry


@dataclass(frozen=True)
class Protocol:
    """Who trains, who asks and who answers, under a name that goes into every result."""

    summary: str  # one line for `hashzoo show`
    topk: int | None = None  # the cut-off that is customary for its mAP; None ranks everything
    rule: Rule | None = None  # how rows are divided; None where the dataset has a `divide` of its own
    sizes: tuple[int | None, int | None, int | None] | None = None  # train, query, database of the whole original
    exclude_self: bool = False  # a query that is in the database too is not among its own answers


@dataclass(frozen=True)
class Augmentation:
    """What may be done to a training image without changing its class."""

    shift: int = 4  # pixels at most, in both directions
    mirror: bool = True  # left to right


@dataclass(frozen=True)
class Pool:
    """All images of a dataset, before a protocol divides them."""

    images: np.ndarray  # (N, H, W, 3) uint8
    labels: np.ndarray  # (N,) int64 class ids, or (N, C) uint8 multi-hot
    classes: tuple[str, ...]  # C names
    tests: int = 0  # rows at the end that the original calls its test part
    names: tuple[str, ...] = ()  # of each row, where images are files: a path relative to the root

    @classmethod
    def without_images(
        cls, labels: np.ndarray, classes: tuple[str, ...], tests: int = 0, names: tuple[str, ...] = ()
    ) -> Pool:
        """A pool to be divided and counted alone: its images are (N, 0, 0, 3)."""
        return cls(np.empty((len(labels), 0, 0, 3), np.uint8), labels, classes, tests, names)


@dataclass(frozen=True)
class Split:
    """The rows of a pool that play one part. The images stay in the pool and are shared by all splits."""

    images: np.ndarray  # (N, H, W, 3) uint8, the whole pool
    rows: np.ndarray  # (M,) int64, rows of the pool
    labels: np.ndarray  # (M,) int64, or (M, C) uint8: already those of `rows`
    content: str = ""  # sha256 of the pool, under which what is made of its images may be kept; empty if unknown

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, positions: np.ndarray | slice) -> np.ndarray:
        """(B,) positions in 0..M-1, or a slice of them -> (B, H, W, 3) uint8."""
        images: np.ndarray = self.images[self.rows[positions]]
        return images

    def blocks(self, size: int = 256) -> Iterator[np.ndarray]:
        """All images in order, (B, H, W, 3) uint8 with B up to `size`: all of them need not fit the memory."""
        return (self.take(slice(start, start + size)) for start in range(0, len(self), size))


@dataclass(frozen=True)
class LoadedDataset:
    """A dataset read and divided: what a method, the runner and a record need."""

    name: str
    protocol: str
    topk: int | None
    title: str  # how to label a figure measured on it, such as "CIFAR-10 (JPEG)"
    classes: tuple[str, ...]
    multi_label: bool
    augmentation: Augmentation
    train: Split
    query: Split
    database: Split
    split_sha256: str  # of the three lists of rows
    images_sha256: str  # of all pixels and labels of the pool
    split: Mapping[str, str | int | None] = field(default_factory=dict)  # where the rows come from: `rule` and `seed`
    exclude: np.ndarray | None = None  # (Q,) int64, the position in the database that is not counted for a query, or -1
    notes: tuple[str, ...] = ()  # what was left out or decided on the way, for the record


class Dataset(ABC):
    """A set of labelled images under one protocol.

    A subclass states the class attributes and reads its images in `read`. Its protocols say how they are divided, by a
    rule of `hashzoo.datasets.splits` or, without one, in `divide`.

    Args:
        root: the folder that holds the data; built-in data needs none.
        protocol: one of `protocols`; None takes the first.
        download: whether missing files may be fetched.
        image_size: side in pixels to which images are resized; None keeps them as they are.
        split_seed: of protocols that draw their rows, 0 to 2^64 - 1.
        split_files: a folder with `train.txt`, `query.txt` and `database.txt` that replace the protocol's own division.
        image_root: the folder that the paths of a list start from; None takes `root`.
        empty_labels: what to do with images that show none of several labels; None leaves it to the dataset.
        memory: bytes that reading images may take; None allows half of the machine's.

    Raises:
        UnknownName: no such protocol.
        InvalidInput: `image_size` is not positive, `split_seed` out of range, or an argument has no meaning here.
    """

    name: ClassVar[str] = ""
    protocols: ClassVar[Mapping[str, Protocol]]
    augmentation: ClassVar[Augmentation] = Augmentation()
    multi_label: ClassVar[bool | None] = False  # None: one label or several, as the files say
    lists_paths: ClassVar[bool] = False  # whether a list names the images, so that they may lie elsewhere
    licence: ClassVar[str] = ""
    source: ClassVar[str] = ""

    def __init__(
        self,
        root: Path | None = None,
        *,
        protocol: str | None = None,
        download: bool = False,
        image_size: int | None = None,
        split_seed: int = 0,
        split_files: Path | None = None,
        image_root: Path | None = None,
        empty_labels: EmptyLabels | None = None,
        memory: int | None = None,
    ) -> None:
        if protocol is not None and protocol not in self.protocols:
            raise UnknownName(f"protocol of {self.name!r}", protocol, self.protocols)
        if image_size is not None and image_size < 1:
            raise InvalidInput(f"image size: expected a positive number of pixels, got {image_size}")
        if image_root is not None and not self.lists_paths:
            raise InvalidInput(f"{self.name}: no list names its images, so there is no other folder to give")
        if empty_labels is not None and self.multi_label is False:
            raise InvalidInput(f"{self.name}: every image has one label, so none can be empty")
        if not 0 <= split_seed < 2**64:
            raise InvalidInput(f"split seed: expected 0 to {2**64 - 1}, got {split_seed}")
        self.root = root
        self.protocol = protocol or next(iter(self.protocols))
        self.split_seed = split_seed
        self.split_files = split_files
        if split_seed and not self.drawn:
            fixed = "rows are read from files" if split_files else f"{self.name}@{self.protocol} is fixed"
            raise InvalidInput(f"split seed: {fixed}, so there is nothing to draw with seed {split_seed}")
        self.download = download
        self.image_size = image_size
        self.image_root = image_root
        self.empty_labels = empty_labels
        self.memory = memory
        self.notes: list[str] = []  # what `read` and `divide` left out or decided, for the record

    @property
    def title(self) -> str:
        """How to label a figure measured on this data; override it where the name does not say enough."""
        return self.name

    @property
    def drawn(self) -> bool:
        """Whether rows are drawn, so that the split seed matters."""
        rule = self.protocols[self.protocol].rule
        return self.split_files is None and rule is not None and rule.drawn

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes where they are known without the files, else none."""
        return ()

    @abstractmethod
    def read(self) -> Pool:
        """Everything the dataset holds.

        Raises:
            DataError: files are missing, incomplete or unreadable; the message names them.
        """

    def index(self) -> Pool:
        """The pool; `without_images` where labels can be had without decoding them.

        Raises:
            DataError: as `read`.
        """
        return self.read()

    def verify(self) -> Pool:
        """As `index`, after a look at every file; override it where `read` does not look for all that can be wrong.

        Raises:
            DataError: files are missing or damaged; names the first five, counts all and says where to get them.
        """
        return self.read()

    def divide(self, pool: Pool) -> Rows:
        """Row numbers of `train`, `query` and `database` under `self.protocol`, each (M,) int64.

        Raises:
            DataError: there are not enough images for the protocol.
        """
        rule = self.protocols[self.protocol].rule
        if rule is None:
            raise TypeError(f"{self.name}@{self.protocol} has neither a rule nor a `divide` of its own")
        try:
            return rule(pool, self.split_seed)
        except DataError as reason:
            raise DataError(f"{self.name}@{self.protocol}: {reason}") from None

    def rows(self, pool: Pool) -> Rows:
        """The rows of each part as list files have them, or else as `divide` does.

        Raises:
            DataError: from either, or a part is empty.
        """
        divided = read_split_lists(self.split_files, pool) if self.split_files else self.divide(pool)
        rows = {part: np.ascontiguousarray(r, np.int64) for part, r in divided.items()}
        for part in PARTS:
            if len(rows[part]) == 0:
                raise DataError(f"{self.name}@{self.protocol}: the {part} split is empty")
        return rows

    def load(self) -> LoadedDataset:
        """Read, divide and check.

        Raises:
            DataError: from `read` or `rows`, or there are fewer than two classes.
        """
        self.notes = []
        pool = self.read()
        if len(pool.classes) < 2:
            raise DataError(f"{self.name}: expected at least two classes, got {list(pool.classes)}")
        rows = self.rows(pool)
        if shared := len(np.intersect1d(rows["train"], rows["query"])):
            self.notes.append(f"{shared:,} of {len(rows['query']):,} queries are training images")
        content = remembered_digest(pool.images, _sha256(pool.labels), lambda: _sha256(pool.images, pool.labels))
        splits = {part: Split(pool.images, r, pool.labels[r], content) for part, r in rows.items()}
        protocol = self.protocols[self.protocol]
        return LoadedDataset(
            name=self.name,
            protocol=self.protocol,
            topk=protocol.topk,
            title=self.title,
            classes=pool.classes,
            multi_label=pool.labels.ndim == 2,
            augmentation=self.augmentation,
            train=splits["train"],
            query=splits["query"],
            database=splits["database"],
            split_sha256=split_sha256(rows),
            images_sha256=content,
            split=self._split_facts(protocol),
            exclude=_positions(rows["query"], rows["database"]) if protocol.exclude_self else None,
            notes=tuple(self.notes),
        )

    def _split_facts(self, protocol: Protocol) -> dict[str, str | int | None]:
        if self.split_files:
            return {"rule": "read from list files", "seed": None}
        rule = protocol.rule
        return {
            "rule": rule.text if rule else protocol.summary,
            "seed": self.split_seed if self.drawn else None,
        }


def _positions(wanted: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Where each of `wanted` stands in `rows`, (len(wanted),) int64; -1 for nowhere."""
    order = np.argsort(rows, kind="stable")
    at = np.minimum(np.searchsorted(rows, wanted, sorter=order), len(rows) - 1)
    found = order[at]
    return np.where(rows[found] == wanted, found, -1).astype(np.int64)


def split_sha256(rows: Rows) -> str:
    """Of the rows of train, query and database, in hexadecimal."""
    return _sha256(*(rows[part] for part in PARTS))


def _sha256(*arrays: np.ndarray) -> str:
    """Of shape and little-endian content of each array, so that it is the same on every machine."""
    digest = hashlib.sha256()
    for array in arrays:
        array = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(array.data)
    return digest.hexdigest()


DATASETS: Registry[Dataset] = Registry("dataset", Dataset, package="hashzoo.datasets")
