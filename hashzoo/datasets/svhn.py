"""SVHN: 99,289 house numbers, cut to one digit each."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np

from hashzoo.datasets.base import DATASETS, Augmentation, Dataset, Pool, Protocol
from hashzoo.datasets.checksums import differing
from hashzoo.datasets.images import data_root, resize_images, some
from hashzoo.datasets.splits import OFFICIAL
from hashzoo.errors import DataError

MD5 = {
    "train_32x32.mat": "e26dedcc434d2e4c54c9b2d4a06d8373",
    "test_32x32.mat": "eb5a983be6a315427106f1b164d9cef3",
}


@DATASETS.register("svhn")
class Svhn(Dataset):
    """99,289 colour images of 32x32: digits of house numbers, ten classes of unequal size.

    Read from ROOT/svhn or ROOT: train_32x32.mat and test_32x32.mat ("format 2"; the extra images are not used). The
    label 10 of the files is the digit 0. The pool holds the training images, then the test images.

    Source: Y. Netzer et al., "Reading digits in natural images with unsupervised feature learning", 2011.
    """

    protocols: ClassVar = {
        "full": Protocol(
            "the 26,032 test images ask, the 73,257 training images answer and train",
            rule=OFFICIAL,
            sizes=(73_257, 26_032, 73_257),
        )
    }
    classes = tuple("0123456789")
    augmentation = Augmentation(shift=4, mirror=False)
    licence = "for non-commercial use only"
    source = "http://ufldl.stanford.edu/housenumbers/"

    @property
    def title(self) -> str:
        return "SVHN"

    def read(self) -> Pool:
        """(99289, 32, 32, 3) uint8, or resized to `image_size`.

        Raises:
            DataError: a file is missing, damaged or not of this dataset.
        """
        folder = self._folder()
        if missing := [name for name in MD5 if not (folder / name).is_file()]:
            raise DataError(
                f"svhn: expected {some(missing)} in {folder} (svhn/ in --data-root); to be had from {self.source}"
            )
        parts = [_read(folder / name) for name in MD5]
        images, labels = (np.concatenate([part[kind] for part in parts]) for kind in (0, 1))
        if self.image_size not in (None, 32):
            images = resize_images(images, self.image_size, owner=self.name, memory=self.memory)
        images.setflags(write=False)
        return Pool(images, labels, self.classes, tests=len(parts[1][1]))

    def verify(self) -> Pool:
        """All images, after a look at the MD5 of the files.

        Raises:
            DataError: from `read`, or a file is not the original.
        """
        folder = self._folder()
        if wrong := differing(folder, MD5):
            raise DataError(
                f"svhn: {some(wrong)} in {folder} damaged (the MD5 is not the original's); from {self.source}"
            )
        return self.read()

    def _folder(self) -> Path:
        root = data_root(self.root)
        return root / "svhn" if (root / "svhn").is_dir() else root


def _read(file: Path) -> tuple[np.ndarray, np.ndarray]:
    from scipy.io import loadmat

    try:
        content = loadmat(file)
        images, labels = content["X"], content["y"].ravel()
    except Exception as reason:  # scipy raises nearly any type on a damaged file
        raise DataError(f"svhn: {file} is damaged or holds no X and y ({type(reason).__name__})") from reason
    if images.shape[:3] != (32, 32, 3) or images.dtype != np.uint8 or images.shape[3:] != labels.shape:
        raise DataError(
            f"svhn: expected X (32, 32, 3, N) uint8 and y (N, 1) in {file}, got X {images.shape} {images.dtype} and "
            f"{len(labels)} labels"
        )
    if not 1 <= labels.min() <= labels.max() <= 10:
        raise DataError(f"svhn: expected labels 1 to 10 in {file}, got {labels.min()} to {labels.max()}")
    return np.ascontiguousarray(images.transpose(3, 0, 1, 2)), labels.astype(np.int64) % 10
