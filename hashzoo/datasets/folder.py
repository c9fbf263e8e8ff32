"""Any tree of image files, ROOT/<split>/<class>/..., as a dataset."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from hashzoo.datasets.base import DATASETS, Dataset, Pool, Protocol
from hashzoo.datasets.images import data_root, find_classes, load_images, some, subfolders
from hashzoo.datasets.splits import Labelled
from hashzoo.errors import DataError

_QUERY = ("query", "test", "val")


@DATASETS.register("folder")
class Folder(Dataset):
    """Images of your own: any tree ROOT/<split>/<class>/...

    Splits are ROOT/train, ROOT/query (else `test`, else `val`) and ROOT/database, each with one folder per class.

    Without `database` the training images answer. Images may lie at any depth below their class folder. Class ids
    number the sorted class names of all splits together. The pool holds the splits in the order above, each by class
    and path.
    """

    protocols: ClassVar = {"folder": Protocol("query images ask; the database answers, or train where there is none")}

    @property
    def title(self) -> str:
        """The name of the root folder."""
        return f"{data_root(self.root).resolve().name} (folder)"

    def read(self) -> Pool:
        """All images, (N, H, W, 3) uint8, at their own size if they share one, else at `image_size`.

        Raises:
            DataError: a split or an image is missing, does not decode, or sizes differ and `image_size` is None.
        """
        root = data_root(self.root)
        if not root.is_dir():
            raise DataError(f"folder: expected ROOT/<split>/<class>/ with images, found no folder {root} (--data-root)")
        there = subfolders(root)
        query = next((name for name in _QUERY if name in there), None)
        if "train" not in there or query is None:
            raise DataError(
                f"folder: expected train and one of {', '.join(_QUERY)} in {root}, found {some(there) or 'no folder'}"
            )
        splits = {"train": "train", "query": query} | ({"database": "database"} if "database" in there else {})
        found = {part: find_classes(root / split, owner="folder") for part, split in splits.items()}
        classes = sorted(set().union(*found.values()))
        if len(classes) < 2:
            raise DataError(f"folder: expected at least two classes in {root}, found only {some(classes)}")
        names: list[str] = []
        labels: list[int] = []
        for part, by_class in found.items():
            for name, images in by_class.items():
                names += [f"{splits[part]}/{image}" for image in images]
                labels += [classes.index(name)] * len(images)
        self._sizes = {part: sum(map(len, by_class.values())) for part, by_class in found.items()}
        pixels = load_images(root, names, owner="folder", image_size=self.image_size)
        return Pool(pixels, np.array(labels, np.int64), tuple(classes))

    def divide(self, pool: Labelled) -> dict[str, np.ndarray]:
        """Each part is its folder; `database` is `train` where it has none."""
        ends = np.cumsum(list(self._sizes.values()))
        parts = dict(zip(self._sizes, np.split(np.arange(len(pool.labels)), ends[:-1]), strict=True))
        return {"database": parts["train"], **parts}
