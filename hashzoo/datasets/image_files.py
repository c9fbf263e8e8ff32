"""Named datasets whose images are files: what they show is known before a single one is decoded."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from hashzoo.datasets.base import Dataset, Pool
from hashzoo.datasets.images import data_root, load_images
from hashzoo.datasets.lists import EmptyLabels, Listing, read_lines, settle_empty_labels
from hashzoo.datasets.wording import count, some
from hashzoo.errors import DataError, InvalidInput


@dataclass(frozen=True)
class Index:
    """Which files there should be, and what they show."""

    root: Path  # the folder that names start from
    names: tuple[str, ...]
    labels: np.ndarray  # (N,) int64 class ids, or (N, C) uint8 multi-hot
    classes: tuple[str, ...]
    tests: int = 0  # rows at the end that the original calls its test part

    def pool(self) -> Pool:
        """Without images."""
        return Pool.without_images(self.labels, self.classes, self.tests, self.names)


class ImageFiles(Dataset):
    """A subclass says in `read_index` what its annotations say; images are resized, as no two need be of one size."""

    original: ClassVar[str]  # the name in print, such as "NUS-WIDE"
    folders: ClassVar[tuple[str, ...]]  # below the data root; the first that exists is taken
    total: ClassVar[int | None] = None  # images of the original; None where it depends on a choice
    empty_labels_default: ClassVar[EmptyLabels] = "keep"

    _images = 0  # found by the last `index`

    @property
    def title(self) -> str:
        """The name of the original, and how many of its images these are if not all."""
        if self.total is None or self._images in (0, self.total):
            return self.original
        return f"{self.original} ({self._images:,} of {self.total:,} images)"

    @abstractmethod
    def read_index(self, folder: Path) -> Index:
        """What the annotations below `folder` say.

        Raises:
            DataError: a file of them is missing, damaged or does not fit the others.
        """

    def index(self) -> Pool:
        """What the annotations say, without images.

        Raises:
            DataError: annotations are missing, damaged or do not fit together, or there are images without a label and
                the choice is to refuse them.
        """
        return self._indexed().pool()

    def read(self) -> Pool:
        """All images, (N, image_size, image_size, 3) uint8.

        Raises:
            DataError: from `index`, or files are missing or do not decode.
            InvalidInput: no `image_size` is given.
        """
        index = self._indexed()
        if self.image_size is None:
            raise InvalidInput(f"{self.name}: images differ in size; --image-size N resizes each to N x N pixels")
        pixels = load_images(index.root, index.names, owner=self.name, image_size=self.image_size, memory=self.memory)
        return Pool(pixels, index.labels, index.classes, index.tests, index.names)

    def verify(self) -> Pool:
        """The index, after a look at every file it names.

        Raises:
            DataError: from `index`, or there are more or fewer images than in the original, or files are missing or
                empty.
        """
        index = self._indexed()
        if self.total not in (None, len(index.labels)):
            raise DataError(
                f"{self.name}: expected annotations of {self.total:,} images in {index.root.parent}, got "
                f"{len(index.labels):,}; from {self.source}"
            )
        sizes = {name: _size(index.root / name) for name in index.names}
        missing = [name for name, size in sizes.items() if size is None]
        empty = [name for name, size in sizes.items() if size == 0]
        found = [
            f"{count(len(names), 'image')} {what}: {some(names)}"
            for what, names in (("missing", missing), ("empty", empty))
            if names
        ]
        if found:
            raise DataError(
                f"{self.name}: of {len(sizes):,} images in {index.root} {'; '.join(found)}; from {self.source}"
            )
        return index.pool()

    def _indexed(self) -> Index:
        root = data_root(self.root)
        folder = next((root / name for name in self.folders if (root / name).is_dir()), None)
        if folder is None:
            places = " or ".join(f"{name}/" for name in self.folders)
            raise DataError(f"{self.name}: expected {places} in {root}, found none (--data-root); from {self.source}")
        index = self._settled(self.read_index(folder))
        self._images = len(index.labels)
        return index

    def _settled(self, index: Index) -> Index:
        how = self.empty_labels or self.empty_labels_default
        listing = Listing(list(index.names), index.labels)
        stay, empty = settle_empty_labels(listing, how, owner=self.name)
        if empty:
            self.notes = [f"{count(empty, 'image')} without a label {'dropped' if how == 'drop' else 'kept'}"]
        if len(stay) == len(listing):
            return index
        names = tuple(index.names[row] for row in stay.tolist())
        return Index(index.root, names, index.labels[stay], index.classes, index.tests)


def lines_of(file: Path, *, owner: str) -> list[str]:
    """The lines of a text file that are not blank, without space around them.

    Raises:
        DataError: the file cannot be read, is not text or holds nothing.
    """
    return [line for _, line in read_lines(file, owner=owner)]


def need_files(folder: Path, names: Sequence[str], *, owner: str, source: str) -> None:
    """Nothing if all files are there.

    Raises:
        DataError: some are not; names the first five and counts all.
    """
    if missing := [name for name in names if not (folder / name).is_file()]:
        raise DataError(f"{owner}: {folder} lacks {count(len(missing), 'file')}: {some(missing)}; from {source}")


def _size(file: Path) -> int | None:
    try:
        return os.stat(file).st_size
    except OSError:
        return None
