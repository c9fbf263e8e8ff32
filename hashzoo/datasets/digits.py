"""Handwritten digits that come with scikit-learn: 1,797 grey images of 8x8, for tests and first steps."""

from __future__ import annotations

import hashlib
from typing import ClassVar

import numpy as np

from hashzoo.datasets.base import DATASETS, Augmentation, Dataset, Pool, Protocol
from hashzoo.datasets.images import resize_images

QUERIES = 360
_SALT = "hashzoo digits standard"
_SCALE = 4  # each source pixel becomes 4x4


@DATASETS.register("digits")
class Digits(Dataset):
    """1,797 handwritten digits that come with scikit-learn: 8x8 grey, shown as 32x32 RGB.

    Each of the 8x8 pixels is repeated 4x4, and its value 0..16 becomes `(255 v + 8) // 16`.

    Source: E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI, 1998 (its test part).
    """

    protocols: ClassVar = {
        "standard": Protocol(
            "360 fixed, stratified images ask; the other 1,437 answer and train", sizes=(1_437, QUERIES, 1_437)
        )
    }
    classes = tuple("0123456789")
    augmentation = Augmentation(shift=_SCALE // 2, mirror=False)  # digits are centred: a whole pixel is far
    licence = "CC BY 4.0"
    source = "https://archive.ics.uci.edu/dataset/80/optical+recognition+of+handwritten+digits"

    def read(self) -> Pool:
        """(1797, 32, 32, 3) uint8, in scikit-learn's order, or resized to `image_size`."""
        from sklearn.datasets import load_digits

        raw = load_digits()
        grey = (raw.images.astype(np.int64) * 255 + 8) // 16
        grey = grey.astype(np.uint8).repeat(_SCALE, axis=1).repeat(_SCALE, axis=2)
        images = np.repeat(grey[..., None], 3, axis=3)
        if self.image_size not in (None, images.shape[1]):
            images = resize_images(images, self.image_size)
        images.setflags(write=False)
        return Pool(images, raw.target.astype(np.int64), self.classes)

    def divide(self, pool: Pool) -> dict[str, np.ndarray]:
        """The queries are those of `draw_stratified`; all other rows train and answer."""
        query = draw_stratified(pool.labels, QUERIES, _SALT)
        rest = np.setdiff1d(np.arange(len(pool.labels)), query)
        return {"train": rest, "query": query, "database": rest}


def draw_stratified(labels: np.ndarray, size: int, salt: str) -> np.ndarray:
    """Draw `size` rows so that classes keep their shares, the same rows on every machine and library version.

    Class c of n_c rows gives `n_c * size // N`; the rows still missing come one each from the classes with the largest
    remainders, the lower class first where these are equal. Within a class the rows with the smallest SHA-256 of the
    text "<salt> <row>" are drawn.

    Args:
        labels: (N,) class ids 0..C-1.

    Returns:
        (size,) int64, ascending.
    """
    sizes = np.bincount(labels).tolist()
    quotas, remainders = zip(*(divmod(n * size, len(labels)) for n in sizes), strict=True)
    by_remainder = sorted(range(len(sizes)), key=lambda c: (-remainders[c], c))
    extra = set(by_remainder[: size - sum(quotas)])
    drawn: list[int] = []
    for c, quota in enumerate(quotas):
        rows = np.flatnonzero(labels == c).tolist()
        rows.sort(key=lambda row: hashlib.sha256(f"{salt} {row}".encode()).digest())
        drawn += rows[: quota + (c in extra)]
    return np.array(sorted(drawn), np.int64)
