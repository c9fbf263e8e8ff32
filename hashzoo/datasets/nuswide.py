"""NUS-WIDE: photos from Flickr with 81 concepts, of which the 21 most frequent are used."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np

from hashzoo.datasets.base import DATASETS, Protocol
from hashzoo.datasets.image_files import ImageFiles, Index, lines_of, need_files
from hashzoo.datasets.splits import AtRandom, PerLabel, PerLabelShared, QueriesFirst, TrainFirst
from hashzoo.datasets.wording import some
from hashzoo.errors import DataError

LABELS = (
    "animal", "beach", "buildings", "clouds", "flowers", "grass", "lake", "mountain", "ocean", "person", "plants",
    "reflection", "road", "rocks", "sky", "snow", "sunset", "tree", "vehicle", "water", "window",
)  # fmt: skip

_LISTS = ("ImageList/ImageList.txt", "ImageList/Imagelist.txt")  # both spellings are about


@DATASETS.register("nuswide")
class NusWide(ImageFiles):
    """195,834 photos of NUS-WIDE that show one or several of its 21 most frequent concepts.

    Read from ROOT/nuswide or ROOT/NUS-WIDE: ImageList/ImageList.txt, Groundtruth/AllLabels/Labels_<concept>.txt and
    the images below Flickr/. The pool holds the images in the order of the list, without those that show none of the
    21. The photos come apart from the lists, which the source has.

    Source: T.-S. Chua et al., "NUS-WIDE: a real-world web image database from National University of Singapore", 2009.
    """

    protocols: ClassVar = {
        "21": Protocol(
            "100 images for each label ask; of the other 193,734, which answer, 500 for each label train",
            topk=5_000,
            rule=QueriesFirst(PerLabel(100), PerLabel(500)),
            sizes=(10_500, 2_100, 193_734),
        ),
        "dfeh": Protocol(
            "5,000 images of each label, at most 105,000 together, train and answer; all others ask",
            rule=TrainFirst(PerLabelShared(5_000)),
        ),
        "dsh": Protocol(
            "10,000 images ask; the other 185,834 answer and train",
            rule=QueriesFirst(AtRandom(10_000)),
            sizes=(185_834, 10_000, 185_834),
        ),
    }
    multi_label = True
    classes = LABELS
    original = "NUS-WIDE"
    folders = ("nuswide", "NUS-WIDE")
    total = 195_834
    licence = "for research only; each photo has its own"
    source = "https://lms.comp.nus.edu.sg/wp-content/uploads/2019/research/nuswide/NUS-WIDE.html"

    def read_index(self, folder: Path) -> Index:
        image_list = next((name for name in _LISTS if (folder / name).is_file()), _LISTS[0])
        labels = {label: f"Groundtruth/AllLabels/Labels_{label}.txt" for label in LABELS}
        need_files(folder, [image_list, *labels.values()], owner=self.name, source=self.source)
        names = [line.replace("\\", "/") for line in lines_of(folder / image_list, owner=self.name)]
        shown = np.stack([self._column(folder / file, len(names)) for file in labels.values()], axis=1)
        rows = np.flatnonzero(shown.any(axis=1))
        return Index(folder / "Flickr", tuple(names[row] for row in rows.tolist()), shown[rows], LABELS)

    def _column(self, file: Path, images: int) -> np.ndarray:
        """Who shows one label, (images,) uint8."""
        words = lines_of(file, owner=self.name)
        if len(words) != images:
            raise DataError(f"{self.name}: expected {images:,} lines in {file}, as many as images, got {len(words):,}")
        if odd := sorted(set(words) - {"0", "1"}):
            raise DataError(f"{self.name}: expected lines of 0 or 1 in {file}, got {some(odd)}")
        shown: np.ndarray = np.array(words) == "1"
        return shown.astype(np.uint8)
