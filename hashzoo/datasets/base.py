"""The interface of a dataset: it reads everything it holds once, and a protocol divides it by row numbers."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from hashzoo.datasets.lists import EmptyLabels
from hashzoo.datasets.pixel_cache import remembered_digest
from hashzoo.errors import DataError, InvalidInput, UnknownName
from hashzoo.registry import Registry


@dataclass(frozen=True)
class Protocol:
    """Who trains, who asks and who answers, under a name that goes into every result."""

    summary: str  # one line for `hashzoo list datasets`
    topk: int | None = None  # the cut-off that is customary for its mAP; None ranks everything


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


@dataclass(frozen=True)
class Split:
    """The rows of a pool that play one part. The images stay in the pool and are shared by all splits."""

    images: np.ndarray  # (N, H, W, 3) uint8, the whole pool
    rows: np.ndarray  # (M,) int64, rows of the pool
    labels: np.ndarray  # (M,) int64, or (M, C) uint8: already those of `rows`

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, positions: np.ndarray | slice) -> np.ndarray:
        """(B,) positions in 0..M-1, or a slice of them -> (B, H, W, 3) uint8."""
        images: np.ndarray = self.images[self.rows[positions]]
        return images


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
    notes: tuple[str, ...] = ()  # what was left out or decided on the way, for the record


class Dataset(ABC):
    """A set of labelled images under one protocol.

    A subclass states the class attributes, reads its images in `read` and divides them in `divide`.

    Args:
        root: the folder that holds the data; built-in data needs none.
        protocol: one of `protocols`; None takes the first.
        download: whether missing files may be fetched.
        image_size: side in pixels to which images are resized; None keeps them as they are.
        image_root: the folder that the paths of a list start from; None takes `root`.
        empty_labels: what to do with images that show none of several labels; None leaves it to the dataset.
        memory: bytes that reading images may take; None allows half of the machine's.

    Raises:
        UnknownName: no such protocol.
        InvalidInput: `image_size` is not positive, or an argument has no meaning for this dataset.
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
        self.root = root
        self.protocol = protocol or next(iter(self.protocols))
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

    @abstractmethod
    def read(self) -> Pool:
        """Everything the dataset holds.

        Raises:
            DataError: files are missing, incomplete or unreadable; the message names them.
        """

    @abstractmethod
    def divide(self, pool: Pool) -> dict[str, np.ndarray]:
        """Row numbers of `train`, `query` and `database` under `self.protocol`, each (M,) int64."""

    def load(self) -> LoadedDataset:
        """Read, divide and check.

        Raises:
            DataError: from `read`, or there are fewer than two classes, or a split is empty.
        """
        self.notes = []
        pool = self.read()
        if len(pool.classes) < 2:
            raise DataError(f"{self.name}: expected at least two classes, got {list(pool.classes)}")
        rows = {part: np.ascontiguousarray(r, np.int64) for part, r in self.divide(pool).items()}
        for part in ("train", "query", "database"):
            if len(rows[part]) == 0:
                raise DataError(f"{self.name}@{self.protocol}: the {part} split is empty")
        if shared := len(np.intersect1d(rows["train"], rows["query"])):
            self.notes.append(f"{shared:,} of {len(rows['query']):,} queries are training images")
        splits = {part: Split(pool.images, r, pool.labels[r]) for part, r in rows.items()}
        return LoadedDataset(
            name=self.name,
            protocol=self.protocol,
            topk=self.protocols[self.protocol].topk,
            title=self.title,
            classes=pool.classes,
            multi_label=pool.labels.ndim == 2,
            augmentation=self.augmentation,
            train=splits["train"],
            query=splits["query"],
            database=splits["database"],
            split_sha256=_sha256(rows["train"], rows["query"], rows["database"]),
            images_sha256=remembered_digest(
                pool.images, _sha256(pool.labels), lambda: _sha256(pool.images, pool.labels)
            ),
            notes=tuple(self.notes),
        )


def _sha256(*arrays: np.ndarray) -> str:
    """Of shape and little-endian content of each array, so that it is the same on every machine."""
    digest = hashlib.sha256()
    for array in arrays:
        array = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(array.data)
    return digest.hexdigest()


DATASETS: Registry[Dataset] = Registry("dataset", Dataset, package="hashzoo.datasets")
