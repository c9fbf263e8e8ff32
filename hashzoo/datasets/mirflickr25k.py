"""MIRFlickr-25k: photos from Flickr with 24 annotations, 14 of them in a narrow sense too."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np

from hashzoo.datasets.base import DATASETS, Protocol
from hashzoo.datasets.image_files import ImageFiles, Index, lines_of, need_files
from hashzoo.datasets.splits import AtRandom, QueriesFirst
from hashzoo.datasets.wording import some
from hashzoo.errors import DataError

WIDE = (
    "animals", "baby", "bird", "car", "clouds", "dog", "female", "flower", "food", "indoor", "lake", "male", "night",
    "people", "plant_life", "portrait", "river", "sea", "sky", "structures", "sunset", "transport", "tree", "water",
)  # fmt: skip
NARROW = (
    "baby_r1", "bird_r1", "car_r1", "clouds_r1", "dog_r1", "female_r1", "flower_r1", "male_r1", "night_r1",
    "people_r1", "portrait_r1", "river_r1", "sea_r1", "tree_r1",
)  # fmt: skip
IMAGES = 25_000

_DIVISION = QueriesFirst(AtRandom(1_000), AtRandom(4_000), train_answers=False)
_SIZES = (4_000, 1_000, 20_000)


@DATASETS.register("mirflickr25k")
class MirFlickr25k(ImageFiles):
    """25,000 photos with 24 labels, or with 38 if the narrow sense of 14 counts as labels of its own.

    Read from ROOT/mirflickr25k: mirflickr/im<number>.jpg and mirflickr25k_annotations_v080/<label>.txt, which holds a
    number a line. The pool holds the images by number. Both protocols divide them alike. Images without a label are
    kept unless told otherwise.

    Source: M. Huiskes and M. Lew, "The MIR Flickr retrieval evaluation", MIR 2008.
    """

    protocols: ClassVar = {
        "24": Protocol(
            "24 labels; 1,000 images ask, 4,000 train, the other 20,000 answer",
            topk=1_000,
            rule=_DIVISION,
            sizes=_SIZES,
        ),
        "38": Protocol(
            "38 labels; 1,000 images ask, 4,000 train, the other 20,000 answer", rule=_DIVISION, sizes=_SIZES
        ),
    }
    multi_label = True
    original = "MIRFlickr-25k"
    folders = ("mirflickr25k",)
    total = IMAGES
    licence = "Creative Commons, each photo its own"
    source = "https://press.liacs.nl/mirflickr/mirdownload.html"

    @property
    def classes(self) -> tuple[str, ...]:
        """The labels of the protocol, by name."""
        return WIDE if self.protocol == "24" else tuple(sorted(WIDE + NARROW))

    def read_index(self, folder: Path) -> Index:
        annotations = folder / "mirflickr25k_annotations_v080"
        need_files(annotations, [f"{label}.txt" for label in self.classes], owner=self.name, source=self.source)
        labels = np.zeros((IMAGES, len(self.classes)), np.uint8)
        for column, label in enumerate(self.classes):
            labels[self._numbers(annotations / f"{label}.txt") - 1, column] = 1
        names = tuple(f"im{number}.jpg" for number in range(1, IMAGES + 1))
        return Index(folder / "mirflickr", names, labels, self.classes)

    def _numbers(self, file: Path) -> np.ndarray:
        words = lines_of(file, owner=self.name)
        if odd := [word for word in words if not (word.isascii() and word.isdigit() and 1 <= int(word) <= IMAGES)]:
            raise DataError(f"{self.name}: expected numbers from 1 to {IMAGES:,} in {file}, got {some(odd)}")
        return np.array(words, np.int64)
