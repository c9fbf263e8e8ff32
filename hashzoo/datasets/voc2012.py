"""PASCAL VOC 2012: photos with objects of 20 classes."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np

from hashzoo.datasets.base import DATASETS, Protocol
from hashzoo.datasets.image_files import ImageFiles, Index, lines_of, need_files
from hashzoo.datasets.splits import AtRandom, QueriesFirst
from hashzoo.datasets.wording import count, some
from hashzoo.errors import DataError

LABELS = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable", "dog",
    "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip


@DATASETS.register("voc2012")
class Voc2012(ImageFiles):
    """11,540 photos with objects of 20 classes: the training and validation parts of the classification task.

    Read from ROOT/VOCdevkit/VOC2012, ROOT/VOC2012 or ROOT/voc2012: ImageSets/Main/<class>_trainval.txt and JPEGImages/.
    An image that shows a class only where it is hard to see (0 in the files) does not have its label. The pool holds
    the images in the order of the files.

    Source: M. Everingham et al., "The PASCAL visual object classes challenge: a retrospective", IJCV 2015.
    """

    protocols: ClassVar = {
        "trainval": Protocol(
            "1,000 images ask, 4,000 train, the other 6,540 answer",
            rule=QueriesFirst(AtRandom(1_000), AtRandom(4_000), train_answers=False),
            sizes=(4_000, 1_000, 6_540),
        )
    }
    multi_label = True
    classes = LABELS
    original = "VOC 2012"
    folders = ("VOCdevkit/VOC2012", "VOC2012", "voc2012")
    total = 11_540
    licence = "Flickr's terms of use"
    source = "http://host.robots.ox.ac.uk/pascal/VOC/voc2012/"

    def read_index(self, folder: Path) -> Index:
        files = [f"ImageSets/Main/{label}_trainval.txt" for label in LABELS]
        need_files(folder, files, owner=self.name, source=self.source)
        first, *others = (self._column(folder / file) for file in files)
        for file, column in zip(files[1:], others, strict=True):
            if column.keys() != first.keys():
                odd = some(sorted(column.keys() ^ first.keys()))
                raise DataError(f"{self.name}: {folder / file} does not name the images of {files[0]}: {odd}")
        labels = np.array([[column[name] for column in (first, *others)] for name in first], np.uint8)
        return Index(folder / "JPEGImages", tuple(f"{name}.jpg" for name in first), labels, LABELS)

    def _column(self, file: Path) -> dict[str, bool]:
        """Whether each image has one label."""
        rows = [line.split() for line in lines_of(file, owner=self.name)]
        if odd := [" ".join(row) for row in rows if len(row) != 2 or row[1] not in ("-1", "0", "1")]:
            raise DataError(
                f"{self.name}: expected lines of an image and -1, 0 or 1 in {file}, got {count(len(odd), 'other')}: "
                f"{some(odd)}"
            )
        return {name: word == "1" for name, word in rows}
