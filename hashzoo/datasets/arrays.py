"""Images and labels that are in memory already."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from hashzoo.datasets.base import Augmentation, Dataset, Pool, Protocol
from hashzoo.datasets.splits import Rows
from hashzoo.errors import InvalidInput


class ArrayDataset(Dataset):
    """NumPy arrays of your own as a dataset; `load()` divides it like any other.

    Args:
        images: (N, H, W, 3) uint8; a memory-mapped array stays on disk.
        labels: (N,) whole numbers from 0, or (N, C) of 0 and 1.
        train: rows that train, (M,) whole numbers or (N,) bool.
        query: rows that ask, likewise.
        database: rows that answer, likewise; None takes those of `train`.
        classes: names of the C labels; None takes numbers.
        title: how to label a figure measured on it.
        augmentation: what may be done to a training image; None takes shifts of 4 pixels and mirroring.

    Raises:
        InvalidInput: an array is of another shape or type, or rows are out of range or come twice.
    """

    name: ClassVar[str] = "arrays"
    protocols: ClassVar = {"arrays": Protocol("the rows that were given")}
    multi_label: ClassVar[bool | None] = None

    def __init__(
        self,
        images: np.ndarray,
        labels: np.ndarray,
        *,
        train: np.ndarray,
        query: np.ndarray,
        database: np.ndarray | None = None,
        classes: Sequence[str] | None = None,
        title: str = "arrays",
        augmentation: Augmentation | None = None,
    ) -> None:
        super().__init__()
        if not (images.ndim == 4 and images.shape[3] == 3 and images.dtype == np.uint8):
            raise InvalidInput(f"images: expected (N, H, W, 3) uint8, got {images.shape} {images.dtype}")
        checked = _labels(labels, len(images))
        found = checked.shape[1] if checked.ndim == 2 else int(checked.max(initial=-1)) + 1
        names = tuple(map(str, range(found))) if classes is None else tuple(classes)
        if len(names) < found or (checked.ndim == 2 and len(names) != found):
            raise InvalidInput(f"classes: expected {found} names, got {len(names)}")
        self._pool = Pool(images, checked, names)
        parts = {"train": train, "query": query, "database": train if database is None else database}
        self._rows = {part: _rows(rows, len(images), part) for part, rows in parts.items()}
        self._title = title
        if augmentation is not None:
            self.augmentation = augmentation  # type: ignore[misc]  # of this object alone

    @property
    def title(self) -> str:
        """As it was given."""
        return self._title

    def read(self) -> Pool:
        """The arrays."""
        return self._pool

    def divide(self, pool: Pool) -> Rows:
        """The rows that were given."""
        return self._rows


def _labels(labels: Any, count: int) -> np.ndarray:
    """int64 class ids or uint8 multi-hot."""
    labels = np.asarray(labels)
    whole = np.issubdtype(labels.dtype, np.integer) or labels.dtype == bool
    if labels.ndim not in (1, 2) or len(labels) != count or not whole:
        raise InvalidInput(
            f"labels: expected ({count},) class ids or ({count}, C) of 0 and 1, got {labels.shape} {labels.dtype}"
        )
    low, high = (int(labels.min()), int(labels.max())) if labels.size else (0, 0)
    if low < 0 or (labels.ndim == 2 and high > 1):
        raise InvalidInput(f"labels: expected {'0 and 1' if labels.ndim == 2 else '0 or more'}, got {low} to {high}")
    checked: np.ndarray = labels.astype(np.uint8 if labels.ndim == 2 else np.int64)
    return checked


def _rows(rows: Any, count: int, part: str) -> np.ndarray:
    rows = np.asarray(rows)
    if rows.dtype == bool and rows.shape == (count,):
        rows = np.flatnonzero(rows)
    if rows.ndim != 1 or not np.issubdtype(rows.dtype, np.integer):
        raise InvalidInput(f"{part}: expected (M,) rows or ({count},) bool, got {rows.shape} {rows.dtype}")
    if rows.size and not 0 <= int(rows.min()) <= int(rows.max()) < count:
        raise InvalidInput(f"{part}: expected rows 0 to {count - 1}, got {rows.min()} to {rows.max()}")
    if repeated := len(rows) - len(np.unique(rows)):
        raise InvalidInput(f"{part}: {repeated} rows come twice")
    checked: np.ndarray = np.sort(rows).astype(np.int64)
    return checked
