"""ImageNet-100: a hundred classes of ImageNet's."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np

from hashzoo.datasets.base import DATASETS, Protocol
from hashzoo.datasets.image_files import ImageFiles, Index, lines_of
from hashzoo.datasets.images import find_classes, subfolders
from hashzoo.datasets.splits import OriginalTests, PerClass, QueriesFirst
from hashzoo.datasets.wording import count, some
from hashzoo.errors import DataError

CLASSES = 100

_PARTS = ("train", "val")


@DATASETS.register("imagenet100")
class ImageNet100(ImageFiles):
    """A hundred classes of ImageNet (ILSVRC 2012), by default the folders that are there.

    Read from ROOT/imagenet100: {train,val}/<class>/*.JPEG, one folder per class, named by its WordNet id. Where there
    are more, ROOT/imagenet100/classes.txt says which 100 count, an id a line; that file, or else the folders in sorted
    order, numbers the classes. The pool holds the training images, then the validation images, by class and name.

    There is no official choice of the 100. With that of HashNet 128,503 images answer.

    Source: O. Russakovsky et al., "ImageNet large scale visual recognition challenge", IJCV 2015; the choice and the
    division: Z. Cao et al., "HashNet: deep learning to hash by continuation", ICCV 2017.
    """

    protocols: ClassVar = {
        "13k": Protocol(
            "the 5,000 validation images ask; the training images answer, of which 130 of each class train",
            topk=1_000,
            rule=QueriesFirst(OriginalTests(), PerClass(130)),
            sizes=(13_000, 5_000, None),
        ),
        "10k": Protocol(
            "the same, but 100 of each class train",
            topk=1_000,
            rule=QueriesFirst(OriginalTests(), PerClass(100)),
            sizes=(10_000, 5_000, None),
        ),
    }
    original = "ImageNet-100"
    folders = ("imagenet100",)
    licence = "for non-commercial research and teaching only"
    source = "https://image-net.org/download.php"

    def read_index(self, folder: Path) -> Index:
        if lacking := [part for part in _PARTS if not (folder / part).is_dir()]:
            raise DataError(f"{self.name}: expected folders train and val in {folder}, found no {some(lacking)}")
        classes = self._classes(folder)
        names: list[str] = []
        labels: list[int] = []
        sizes = {}
        for part in _PARTS:
            if missing := [name for name in classes if not (folder / part / name).is_dir()]:
                raise DataError(
                    f"{self.name}: {folder / part} lacks {count(len(missing), 'class folder')}: {some(missing)}"
                )
            found = find_classes(folder / part, owner=self.name, only=classes)
            for label, name in enumerate(classes):
                names += [f"{part}/{image}" for image in found[name]]
                labels += [label] * len(found[name])
            sizes[part] = sum(map(len, found.values()))
        return Index(folder, tuple(names), np.array(labels, np.int64), classes, tests=sizes["val"])

    def _classes(self, folder: Path) -> tuple[str, ...]:
        file = folder / "classes.txt"
        listed = file.is_file()
        classes = lines_of(file, owner=self.name) if listed else subfolders(folder / "train")
        if len(set(classes)) != CLASSES or len(classes) != CLASSES:
            where = file if listed else folder / "train"
            what = "ids, each once" if listed else "class folders, or classes.txt to choose them"
            raise DataError(f"{self.name}: expected {CLASSES} {what} in {where}, got {len(set(classes)):,}")
        return tuple(classes)
