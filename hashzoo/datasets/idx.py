"""The IDX files of MNIST and of what imitates it: 70,000 grey images of 28x28."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np

from hashzoo.datasets.base import Augmentation, Dataset, Pool, Protocol
from hashzoo.datasets.checksums import differing
from hashzoo.datasets.images import data_root, resize_images, some
from hashzoo.datasets.splits import OFFICIAL
from hashzoo.errors import DataError

_PARTS = ("train", "t10k")
_UINT8 = 0x08  # the type code of IDX


class IdxDataset(Dataset):
    """Four IDX files, gzipped or not, in the first of `folders` below ROOT that exists, else in ROOT itself."""

    folders: ClassVar[tuple[str, ...]]
    md5: ClassVar[Mapping[str, str]]  # of the original's .gz files
    protocols: ClassVar = {
        "full": Protocol(
            "the 10,000 test images ask, the 60,000 training images answer and train",
            rule=OFFICIAL,
            sizes=(60_000, 10_000, 60_000),
        )
    }
    augmentation = Augmentation(shift=2, mirror=False)

    def read(self) -> Pool:
        """(70000, 28, 28, 3) uint8, grey in all channels, or resized to `image_size`; training images first.

        Raises:
            DataError: a file is missing, damaged, or does not fit the others.
        """
        folder = self._folder()
        wanted = [f"{part}-{kind}" for part in _PARTS for kind in ("images-idx3-ubyte", "labels-idx1-ubyte")]
        files = {name: _existing(folder, name) for name in wanted}
        if missing := [name for name, file in files.items() if file is None]:
            places = " or ".join(f"{name}/" for name in self.folders)
            raise DataError(
                f"{self.name}: expected {some([f'{name}[.gz]' for name in missing])} in {folder} ({places} in "
                f"--data-root); to be had from {self.source}"
            )
        arrays = {name: read_idx(file, self.name) for name, file in files.items() if file is not None}
        images, labels = (np.concatenate([arrays[name] for name in wanted[kind::2]]) for kind in (0, 1))
        tests = len(arrays[wanted[3]])
        if images.ndim != 3 or labels.ndim != 1 or len(images) != len(labels):
            raise DataError(f"{self.name}: {folder} holds images {images.shape} and labels {labels.shape}")
        if labels.max(initial=0) >= len(self.classes):
            raise DataError(f"{self.name}: expected labels below {len(self.classes)}, got {labels.max()}")
        colour = np.repeat(images[..., None], 3, axis=3)
        if self.image_size not in (None, colour.shape[1]):
            colour = resize_images(colour, self.image_size, owner=self.name, memory=self.memory)
        colour.setflags(write=False)
        return Pool(colour, labels.astype(np.int64), self.classes, tests)

    def verify(self) -> Pool:
        """All images; `notes` says which files are packed otherwise than the original's.

        The published sums are of the packed files; who packs the same content again, as Debian does, gets others. The
        checksum that gzip keeps of the content has been compared by then.

        Raises:
            DataError: from `read`.
        """
        pool = self.read()
        folder = self._folder()
        if others := differing(folder, self.md5):
            self.notes = [f"not packed as the original, so its MD5 says nothing of the content: {some(others)}"]
        return pool

    def _folder(self) -> Path:
        root = data_root(self.root)
        return next((root / name for name in self.folders if (root / name).is_dir()), root)


def read_idx(file: Path, owner: str) -> np.ndarray:
    """An array of bytes from an IDX file.

    Raises:
        DataError: it is damaged or holds something else.
    """
    try:
        content = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    except (OSError, EOFError, zlib.error) as reason:
        raise DataError(f"{owner}: {file} cannot be read ({reason})") from reason
    if len(content) < 4 or content[:3] != bytes((0, 0, _UINT8)):
        raise DataError(f"{owner}: {file} is no IDX file of bytes")
    header = 4 + 4 * content[3]
    shape = tuple(int.from_bytes(content[i : i + 4], "big") for i in range(4, header, 4))
    expected = header + int(np.prod(shape, dtype=np.int64))
    if len(content) != expected:
        raise DataError(f"{owner}: {file} is damaged: expected {expected:,} bytes, got {len(content):,}")
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def _existing(folder: Path, name: str) -> Path | None:
    return next((path for path in (folder / name, folder / f"{name}.gz") if path.is_file()), None)
