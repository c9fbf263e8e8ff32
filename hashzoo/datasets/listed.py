"""Datasets whose images are named by lists: one for each part, joined to one pool."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from hashzoo.datasets.base import Dataset, Pool
from hashzoo.datasets.file_index import FileContents, file_contents
from hashzoo.datasets.images import load_images
from hashzoo.datasets.lists import EmptyLabels, Listing, join_listings, settle_empty_labels
from hashzoo.datasets.pixel_cache import cache_folder
from hashzoo.datasets.splits import Rows
from hashzoo.datasets.wording import count, some
from hashzoo.errors import DataError

QUERY_NAMES = ("query", "test", "val")  # what the part that asks may be called; the first that is there is taken


@dataclass(frozen=True)
class Listings:
    """What lists say, before an image is opened."""

    root: Path  # the folder that paths start from
    parts: dict[str, Listing]  # train and query, and database if it is not train
    classes: tuple[str, ...]


@dataclass(frozen=True)
class Joined:
    """All images of all parts, each once."""

    root: Path
    listing: Listing
    rows: Rows
    classes: tuple[str, ...]


class ListedDataset(Dataset):
    """A dataset whose subclass says, in `listings`, which images play which part and what they show."""

    multi_label: ClassVar[bool | None] = None
    lists_paths: ClassVar[bool] = True
    empty_labels_default: ClassVar[EmptyLabels] = "refuse"

    @abstractmethod
    def listings(self) -> Listings:
        """The lists, read and checked.

        Raises:
            DataError: a list is missing or wrong; the message names it.
        """

    def check(self, names: list[str], contents: FileContents) -> None:
        """Look at what the files hold before they are decoded; override it where that is known beforehand."""

    def join(self) -> Joined:
        """The lists joined, and images without a label dealt with.

        Raises:
            DataError: from `listings`, or images have other labels in another part, or there are images without a label
                and the choice is to refuse them.
        """
        found = self.listings()
        listing, rows = join_listings(found.parts, owner=self.name)
        how = self.empty_labels or self.empty_labels_default
        stay, empty = settle_empty_labels(listing, how, owner=self.name)
        if empty:
            verb = "dropped" if how == "drop" else "kept"
            self.notes.append(f"{count(empty, 'image')} without a label {verb}")
        if len(stay) < len(listing):
            listing = Listing([listing.names[int(row)] for row in stay], listing.labels[stay])
            rows = {part: np.searchsorted(stay, r[np.isin(r, stay)]) for part, r in rows.items()}
        rows = {part: np.sort(r) for part, r in ({"database": rows["train"]} | rows).items()}
        return Joined(found.root, listing, rows, found.classes)

    def read(self) -> Pool:
        """All images, (N, H, W, 3) uint8, at their own size if they share one, else at `image_size`.

        Raises:
            DataError: from `join`, or an image is missing, does not decode, or sizes differ and `image_size` is None.
        """
        joined = self.join()
        names = joined.listing.names
        contents = file_contents(joined.root, names, owner=self.name, cache=cache_folder())
        self.check(names, contents)
        pixels = load_images(
            joined.root, names, owner=self.name, image_size=self.image_size, memory=self.memory, contents=contents
        )
        self._rows = joined.rows
        return Pool(pixels, joined.listing.labels, joined.classes, names=tuple(names))

    def index(self) -> Pool:
        """What the lists say, without images.

        Raises:
            DataError: from `join`.
        """
        joined = self.join()
        self._rows = joined.rows
        return Pool.without_images(joined.listing.labels, joined.classes, names=tuple(joined.listing.names))

    def divide(self, pool: Pool) -> Rows:
        """Each part is its list; `train` answers where there is no `database`."""
        return self._rows


def query_name(there: Collection[str], *, owner: str, root: Path, form: str = "{}", kind: str = "folder") -> str:
    """Which of the names of the asking part is there; `train` must be too.

    Args:
        there: the parts that were found.
        form: how a part is called where it was looked for, such as "{}.txt".
        kind: the word for what was looked for.

    Raises:
        DataError: one of the two is missing; the message says what was found.
    """
    query = next((name for name in QUERY_NAMES if name in there), None)
    if "train" in there and query is not None:
        return query
    wanted = ", ".join(form.format(name) for name in QUERY_NAMES)
    found = some([form.format(name) for name in sorted(there)]) or f"no {kind}"
    raise DataError(f"{owner}: expected {form.format('train')} and one of {wanted} in {root}, found {found}")
