"""The original files of CIFAR-10 and CIFAR-100: pickles that are read only if their MD5 is the published one."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from hashzoo.datasets.base import Pool
from hashzoo.datasets.images import resize_images, some
from hashzoo.errors import DataError

TRAIN, TEST = 50_000, 10_000


def read_batches(
    original: Any, root: Path, *, owner: str, download: bool, image_size: int | None, memory: int | None = None
) -> Pool:
    """All images, training images first.

    Args:
        original: torchvision's class, which knows files and checksums.
        root: the folder that holds `original.base_folder`.
        owner: the dataset that asks, for messages.

    Returns:
        (60000, 32, 32, 3) uint8, or resized to `image_size`.

    Raises:
        DataError: files are missing or damaged.
    """
    if download:
        _download(original, root, owner)
    folder = root / original.base_folder
    entries = [*original.train_list, *original.test_list]
    files = [name for name, _ in entries] + [original.meta["filename"]]
    if missing := [name for name in files if not (folder / name).is_file()]:
        raise DataError(f"{owner}: {folder} lacks {some(missing)}; --download fetches the original")
    images = np.empty((TRAIN + TEST, 32, 32, 3), np.uint8)
    labels: list[int] = []
    with warnings.catch_warnings():
        # NumPy 2.4.0 to 2.4.4 object to how these files spell their dtype
        warnings.filterwarnings("ignore", message=".*align should be passed")
        for entry in entries:
            batch = _read_batch(original, root, entry, owner)
            images[len(labels) : len(labels) + len(batch.targets)] = batch.data
            labels += batch.targets
            tests = len(batch.targets)  # the last file is the test batch
    images = images[: len(labels)]
    if image_size not in (None, 32):
        images = resize_images(images, image_size, owner=owner, memory=memory)
    images.setflags(write=False)
    return Pool(images, np.array(labels, np.int64), tuple(batch.classes), tests)


def _download(original: Any, root: Path, owner: str) -> None:
    try:
        root.mkdir(parents=True, exist_ok=True)
        original(root, train=False, download=True)
    except (OSError, RuntimeError) as reason:
        raise DataError(f"{owner}: the download from {original.url} to {root} failed: {reason}") from reason


def _read_batch(original: Any, root: Path, entry: list[str], owner: str) -> Any:
    """torchvision's dataset of one file: it checks the MD5 before it unpickles, and one at a time spares memory."""
    single = type("SingleBatch", (original,), {"train_list": [entry], "test_list": []})
    try:
        return single(root)
    except RuntimeError as reason:
        which = original.meta["filename"] if "metadata" in str(reason) else entry[0]
        raise DataError(
            f"{owner}: {root / original.base_folder / which} is damaged (its MD5 is not the original's); "
            "--download fetches the original"
        ) from reason
