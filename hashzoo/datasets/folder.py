"""Any tree of image files, ROOT/<split>/<class>/..., as a dataset."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from hashzoo.datasets.base import DATASETS, Protocol
from hashzoo.datasets.images import data_root, find_classes, subfolders
from hashzoo.datasets.listed import ListedDataset, Listings, query_name
from hashzoo.datasets.lists import Listing
from hashzoo.datasets.wording import some
from hashzoo.errors import DataError


@DATASETS.register("folder")
class Folder(ListedDataset):
    """Images of your own: any tree ROOT/<split>/<class>/...

    Splits are ROOT/train, ROOT/query (else `test`, else `val`) and ROOT/database, each with one folder per class.

    Without `database` the training images answer. Images may lie at any depth below their class folder. Class ids
    number the sorted class names of all splits together. The pool holds the splits in the order above, each by class
    and path.
    """

    protocols: ClassVar = {"folder": Protocol("query images ask; the database answers, or train where there is none")}
    multi_label: ClassVar[bool | None] = False
    lists_paths: ClassVar[bool] = False

    @property
    def title(self) -> str:
        """The name of the root folder."""
        return f"{data_root(self.root).resolve().name} (folder)"

    def listings(self) -> Listings:
        """The images of each split.

        Raises:
            DataError: a split is missing, or a class folder is empty, or there are fewer than two classes.
        """
        root = data_root(self.root)
        if not root.is_dir():
            raise DataError(f"folder: expected ROOT/<split>/<class>/ with images, found no folder {root} (--data-root)")
        there = subfolders(root)
        splits = {"train": "train", "query": query_name(there, owner="folder", root=root)}
        splits |= {"database": "database"} if "database" in there else {}
        found = {part: find_classes(root / split, owner="folder") for part, split in splits.items()}
        classes = sorted(set().union(*found.values()))
        if len(classes) < 2:
            raise DataError(f"folder: expected at least two classes in {root}, found only {some(classes)}")
        parts = {}
        for part, by_class in found.items():
            names = [f"{splits[part]}/{image}" for images in by_class.values() for image in images]
            sizes = [len(images) for images in by_class.values()]
            ids = np.array([classes.index(name) for name in by_class], np.int64)
            parts[part] = Listing(names, np.repeat(ids, sizes))
        return Listings(root, parts, tuple(classes))
