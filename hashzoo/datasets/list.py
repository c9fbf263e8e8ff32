"""Text lists of your own images, as `path 0 1 0 0` or `path 7` lines."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from hashzoo.datasets.base import DATASETS, Protocol
from hashzoo.datasets.images import data_root
from hashzoo.datasets.listed import QUERY_NAMES, ListedDataset, Listings, query_name
from hashzoo.datasets.lists import Listing, class_names, read_class_names, read_list, read_parallel_lists
from hashzoo.errors import DataError

_PARTS = ("train", *QUERY_NAMES, "database")


@DATASETS.register("list")
class TextLists(ListedDataset):
    """Images of your own, named by text lists with class ids or several labels an image.

    Lists are ROOT/train.txt, ROOT/query.txt (else `test`, else `val`) and ROOT/database.txt; without `database` the
    training images answer. Instead of train.txt there may be train_img.txt with paths beside train_label.txt with
    labels, and so on. Names of the classes are the lines of ROOT/classes.txt, else numbers from 0. Paths start from
    ROOT, or from the image root. An image may be in several lists. The pool holds the lists in the order above.
    """

    protocols: ClassVar = {"list": Protocol("the query list asks; the database list answers, or train where it lacks")}

    @property
    def title(self) -> str:
        """The name of the root folder."""
        return f"{data_root(self.root).resolve().name} (list)"

    def listings(self) -> Listings:
        """The lists.

        Raises:
            DataError: a list is missing, or lines of it cannot be used, or lists do not fit together.
        """
        root = data_root(self.root)
        if not root.is_dir():
            raise DataError(f"list: expected train.txt and query.txt in a folder, found no folder {root} (--data-root)")
        there = [part for part in _PARTS if (root / f"{part}.txt").exists() or (root / f"{part}_img.txt").exists()]
        query = query_name(there, owner="list", root=root, form="{}.txt", kind="list")
        files = {"train": "train", "query": query} | ({"database": "database"} if "database" in there else {})
        parts = {part: _read(root, file) for part, file in files.items()}
        file = root / "classes.txt"
        named = read_class_names(file, owner="list") if file.exists() else None
        return Listings(self.image_root or root, parts, class_names(parts.values(), named, owner="list"))


def _read(root: Path, part: str) -> Listing:
    single = root / f"{part}.txt"
    if single.exists():
        return read_list(single, owner="list")
    return read_parallel_lists(root / f"{part}_img.txt", root / f"{part}_label.txt", owner="list")
