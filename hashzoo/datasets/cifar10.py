"""CIFAR-10: 60,000 colour images of 32x32 in ten classes, from the original batches or from a tree of image files."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from hashzoo.datasets.base import DATASETS, Dataset, Pool, Protocol
from hashzoo.datasets.images import data_root, find_classes, load_images, resize_images, some
from hashzoo.errors import DataError

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

_BATCHES = "cifar-10-batches-py"
_TREE = "cifar10"
_EXTENSIONS = (".png", ".jpg", ".jpeg")
_TRAIN, _TEST = 50_000, 10_000
_BATCH = 10_000  # images in one original file


@DATASETS.register("cifar10")
class Cifar10(Dataset):
    """60,000 colour images of 32x32 in ten classes, from the original batches or from a tree of image files.

    Read from ROOT/cifar-10-batches-py, else from ROOT/cifar10/{train,test}/<class>/*.{png,jpg,jpeg}.

    Class ids are those of the original for both. The pool holds the training images, then the test images; those of
    a tree by class and path. A tree may hold a part of the images, and then `title` says how many.

    Source: A. Krizhevsky, "Learning multiple layers of features from tiny images", 2009.
    """

    protocols: ClassVar = {"full": Protocol("the 10,000 test images ask, the 50,000 training images answer and train")}
    licence = "none stated; cite Krizhevsky 2009"
    source = "https://www.cs.toronto.edu/~kriz/cifar.html"

    _tests = 0  # how many rows at the end of the pool are test images
    _title = "CIFAR-10"

    @property
    def title(self) -> str:
        """What was read: "CIFAR-10", "CIFAR-10 (JPEG)" or "CIFAR-10 (JPEG, 300 of 60,000 images)"."""
        return self._title

    def read(self) -> Pool:
        """All images, (N, 32, 32, 3) uint8, or resized to `image_size`.

        Raises:
            DataError: neither layout is there, or files are missing, damaged or not of CIFAR-10's classes and size.
        """
        root = data_root(self.root)
        if self.download or (root / _BATCHES).is_dir():
            with warnings.catch_warnings():
                # NumPy 2.4.0 to 2.4.4 object to how these files spell their dtype
                warnings.filterwarnings("ignore", message=".*align should be passed")
                return self._read_batches(root)
        if (root / _TREE).is_dir():
            return self._read_tree(root / _TREE)
        raise DataError(
            f"cifar10: expected {_BATCHES}/ or {_TREE}/{{train,test}}/<class>/*.{{png,jpg,jpeg}} in {root}, found "
            "neither; --data-root names another folder, --download fetches the original"
        )

    def divide(self, pool: Pool) -> dict[str, np.ndarray]:
        """Test rows ask; training rows answer and train."""
        rows = np.arange(len(pool.labels))
        train, test = np.split(rows, [len(rows) - self._tests])
        return {"train": train, "query": test, "database": train}

    def _read_batches(self, root: Path) -> Pool:
        from torchvision.datasets import CIFAR10

        if self.download:
            _download(CIFAR10, root)
        entries = [*CIFAR10.train_list, *CIFAR10.test_list]
        files = [name for name, _ in entries] + [CIFAR10.meta["filename"]]
        if missing := [name for name in files if not (root / _BATCHES / name).is_file()]:
            raise DataError(f"cifar10: {root / _BATCHES} lacks {some(missing)}; --download fetches the original")
        images = np.empty((len(entries) * _BATCH, 32, 32, 3), np.uint8)
        labels: list[int] = []
        for entry in entries:
            batch = _read_batch(CIFAR10, root, entry)
            images[len(labels) : len(labels) + len(batch.targets)] = batch.data
            labels += batch.targets
            self._tests = len(batch.targets)  # the last file is the test batch
        images = images[: len(labels)]
        if self.image_size not in (None, 32):
            images = resize_images(images, self.image_size)
        images.setflags(write=False)
        return Pool(images, np.array(labels, np.int64), CLASSES)

    def _read_tree(self, tree: Path) -> Pool:
        if lacking := [split for split in ("train", "test") if not (tree / split).is_dir()]:
            raise DataError(f"cifar10: expected folders train and test in {tree}, found no {' and no '.join(lacking)}")
        found = {
            split: find_classes(tree / split, owner="cifar10", extensions=_EXTENSIONS) for split in ("train", "test")
        }
        present = set(found["train"])
        if unknown := sorted(present.union(found["test"]).difference(CLASSES)):
            raise DataError(f"cifar10: {tree} holds {some(unknown)}; expected only the classes {', '.join(CLASSES)}")
        if one_sided := sorted(present.symmetric_difference(found["test"])):
            raise DataError(f"cifar10: train and test in {tree} must hold the same classes, not so: {some(one_sided)}")
        if len(present) < 2:
            raise DataError(f"cifar10: expected at least two classes in {tree}, found only {some(present)}")
        names: list[str] = []
        labels: list[int] = []
        for split, by_class in found.items():
            for label, name in enumerate(CLASSES):
                images = by_class.get(name, [])
                names += [f"{split}/{image}" for image in images]
                labels += [label] * len(images)
        self._tests = sum(map(len, found["test"].values()))
        self._title = _title(names, labels, self._tests)
        pixels = load_images(tree, names, owner="cifar10", image_size=self.image_size, source_size=(32, 32))
        return Pool(pixels, np.array(labels, np.int64), CLASSES)


def _download(original: Any, root: Path) -> None:
    try:
        root.mkdir(parents=True, exist_ok=True)
        original(root, train=False, download=True)
    except (OSError, RuntimeError) as reason:
        raise DataError(f"cifar10: the download from {original.url} to {root} failed: {reason}") from reason


def _read_batch(original: Any, root: Path, entry: list[str]) -> Any:
    """torchvision's dataset of one file: it checks the MD5 before it unpickles, and one at a time spares memory."""
    single = type("SingleBatch", (original,), {"train_list": [entry], "test_list": []})
    try:
        return single(root)
    except RuntimeError as reason:
        which = original.meta["filename"] if "metadata" in str(reason) else entry[0]
        raise DataError(
            f"cifar10: {root / _BATCHES / which} is damaged (its MD5 is not the original's); "
            "--download fetches the original"
        ) from reason


def _title(names: list[str], labels: list[int], tests: int) -> str:
    notes = ["JPEG"] if any(not name.lower().endswith(".png") for name in names) else []
    sizes = np.stack([np.bincount(part, minlength=10) for part in (labels[:-tests], labels[-tests:])])
    if len(names) < _TRAIN + _TEST:
        notes.append(f"{len(names):,} of {_TRAIN + _TEST:,} images")
    elif not np.array_equal(sizes, np.repeat([[_TRAIN // 10], [_TEST // 10]], 10, axis=1)):
        notes.append(f"{len(names):,} images, not the official split")
    if (kinds := np.count_nonzero(sizes[0])) < 10:
        notes.append(f"{kinds} of 10 classes")
    return f"CIFAR-10 ({', '.join(notes)})" if notes else "CIFAR-10"
