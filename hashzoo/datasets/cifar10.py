"""CIFAR-10: 60,000 colour images of 32x32 in ten classes, from the original batches or from a tree of image files."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np

from hashzoo.datasets.base import DATASETS, Dataset, Pool, Protocol
from hashzoo.datasets.cifar_batches import TEST, TRAIN, read_batches
from hashzoo.datasets.images import data_root, find_classes, load_images, some
from hashzoo.datasets.splits import OFFICIAL, AmongThemselves, PerClass, QueriesFirst
from hashzoo.errors import DataError

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

_BATCHES = "cifar-10-batches-py"
_TREE = "cifar10"
_EXTENSIONS = (".png", ".jpg", ".jpeg")


@DATASETS.register("cifar10")
class Cifar10(Dataset):
    """60,000 colour images of 32x32 in ten classes, from the original batches or from a tree of image files.

    Read from ROOT/cifar-10-batches-py, else from ROOT/cifar10/{train,test}/<class>/*.{png,jpg,jpeg}.

    Class ids are those of the original for both. The pool holds the training images, then the test images; those of
    a tree by class and path. A tree may hold a part of the images, and then `title` says how many.

    Source: A. Krizhevsky, "Learning multiple layers of features from tiny images", 2009.
    """

    protocols: ClassVar = {
        "full": Protocol(
            "the 10,000 test images ask, the 50,000 training images answer and train",
            rule=OFFICIAL,
            sizes=(50_000, 10_000, 50_000),
        ),
        "59k": Protocol(
            "100 images of each class ask; of the other 59,000, which answer, 500 of each class train",
            rule=QueriesFirst(PerClass(100), PerClass(500)),
            sizes=(5_000, 1_000, 59_000),
        ),
        "54k": Protocol(
            "the same, but the training images do not answer",
            rule=QueriesFirst(PerClass(100), PerClass(500), train_answers=False),
            sizes=(5_000, 1_000, 54_000),
        ),
        "50k": Protocol(
            "1,000 images of each class ask; the other 50,000 answer and train",
            rule=QueriesFirst(PerClass(1_000)),
            sizes=(50_000, 10_000, 50_000),
        ),
        "dsh": Protocol(
            "the 10,000 test images ask and answer, each query among its own answers; the 50,000 others train",
            rule=AmongThemselves(),
            sizes=(50_000, 10_000, 10_000),
        ),
        "dsh-others": Protocol(
            "the same, but a query is not among its own answers",
            rule=AmongThemselves(),
            sizes=(50_000, 10_000, 10_000),
            exclude_self=True,
        ),
    }
    classes = CLASSES
    licence = "none stated; cite Krizhevsky 2009"
    source = "https://www.cs.toronto.edu/~kriz/cifar.html"

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
            from torchvision.datasets import CIFAR10

            return read_batches(
                CIFAR10, root, owner="cifar10", download=self.download, image_size=self.image_size, memory=self.memory
            )
        if (root / _TREE).is_dir():
            return self._read_tree(root / _TREE)
        raise DataError(
            f"cifar10: expected {_BATCHES}/ or {_TREE}/{{train,test}}/<class>/*.{{png,jpg,jpeg}} in {root}, found "
            "neither; --data-root names another folder, --download fetches the original"
        )

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
        tests = sum(map(len, found["test"].values()))
        self._title = _title(names, labels, tests)
        pixels = load_images(
            tree, names, owner="cifar10", image_size=self.image_size, source_size=(32, 32), memory=self.memory
        )
        return Pool(pixels, np.array(labels, np.int64), CLASSES, tests, tuple(names))


def _title(names: list[str], labels: list[int], tests: int) -> str:
    notes = ["JPEG"] if any(not name.lower().endswith(".png") for name in names) else []
    sizes = np.stack([np.bincount(part, minlength=10) for part in (labels[:-tests], labels[-tests:])])
    if len(names) < TRAIN + TEST:
        notes.append(f"{len(names):,} of {TRAIN + TEST:,} images")
    elif not np.array_equal(sizes, np.repeat([[TRAIN // 10], [TEST // 10]], 10, axis=1)):
        notes.append(f"{len(names):,} images, not the official split")
    if (kinds := np.count_nonzero(sizes[0])) < 10:
        notes.append(f"{kinds} of 10 classes")
    return f"CIFAR-10 ({', '.join(notes)})" if notes else "CIFAR-10"
