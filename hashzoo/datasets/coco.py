"""COCO: photos of everyday scenes with objects of 80 categories."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from hashzoo.datasets.base import DATASETS, Protocol
from hashzoo.datasets.image_files import ImageFiles, Index, need_files
from hashzoo.datasets.splits import AtRandom, QueriesFirst
from hashzoo.datasets.wording import count, some
from hashzoo.errors import DataError

_YEARS = ("2017", "2014")
_PARTS = ("train", "val")


@DATASETS.register("coco")
class Coco(ImageFiles):
    """122,218 photos with objects of 80 categories: those of the training and validation parts that show any.

    Read from ROOT/coco: annotations/instances_{train,val}2017.json and the images in train2017/ and val2017/, or all of
    them of 2014. Both years hold the same images, divided otherwise. The pool holds them by their id, so a split is the
    same from either, and leaves out those without an annotated object.

    Source: T.-Y. Lin et al., "Microsoft COCO: common objects in context", ECCV 2014.
    """

    protocols: ClassVar = {
        "80": Protocol(
            "5,000 images ask; of the other 117,218, which answer, 10,000 train",
            topk=5_000,
            rule=QueriesFirst(AtRandom(5_000), AtRandom(10_000)),
            sizes=(10_000, 5_000, 117_218),
        )
    }
    multi_label = True
    original = "COCO"
    folders = ("coco",)
    total = 122_218
    licence = "annotations CC BY 4.0; each photo has its own"
    source = "https://cocodataset.org/#download"

    def read_index(self, folder: Path) -> Index:
        files = {year: [f"annotations/instances_{part}{year}.json" for part in _PARTS] for year in _YEARS}
        year = next((year for year in _YEARS if (folder / files[year][0]).is_file()), _YEARS[0])
        need_files(folder, files[year], owner=self.name, source=self.source)
        names: dict[int, str] = {}
        shown: set[tuple[int, int]] = set()
        categories: dict[int, str] = {}
        for part, name in zip(_PARTS, files[year], strict=True):
            found = _Instances(folder / name)
            if categories and categories != found.categories:
                raise DataError(f"{self.name}: {' and '.join(files[year])} in {folder} have other categories")
            categories = found.categories
            names |= {key: f"{part}{year}/{file}" for key, file in found.files.items()}
            shown |= found.shown
        ids = sorted({image for image, _ in shown})
        columns = {category: column for column, category in enumerate(sorted(categories))}
        labels = np.zeros((len(ids), len(columns)), np.uint8)
        pairs = np.array(sorted(shown), np.int64).reshape(-1, 2)
        labels[np.searchsorted(ids, pairs[:, 0]), [columns[category] for category in pairs[:, 1].tolist()]] = 1
        return Index(folder, tuple(names[key] for key in ids), labels, tuple(categories[key] for key in columns))


class _Instances:
    """One file of annotations: which images there are and which categories each shows."""

    def __init__(self, file: Path) -> None:
        try:
            content: Any = json.loads(file.read_bytes())
            self.categories = {int(one["id"]): str(one["name"]) for one in content["categories"]}
            self.files = {int(one["id"]): str(one["file_name"]) for one in content["images"]}
            self.shown = {(int(one["image_id"]), int(one["category_id"])) for one in content["annotations"]}
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as reason:
            why = f"it lacks {reason}" if isinstance(reason, KeyError) else f"{type(reason).__name__}: {reason}"
            raise DataError(f"coco: {file} is damaged or no file of instances ({why})") from None
        if names := [name for name, n in Counter(self.categories.values()).items() if n > 1]:
            raise DataError(f"coco: {file} has more than one category of a name: {some(names)}")
        for what, known, used in (
            ("image", self.files, {image for image, _ in self.shown}),
            ("category", self.categories, {category for _, category in self.shown}),
        ):
            if unknown := sorted(used - known.keys()):
                ids = f"{count(len(unknown), f'{what} id')}: {some([str(key) for key in unknown])}"
                raise DataError(f"coco: {file} annotates what it does not list, {ids}")
