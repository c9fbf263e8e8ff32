"""The check of a dataset."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hashzoo.datasets.base import DATASETS, Augmentation, Dataset, LoadedDataset, Protocol, Split
from hashzoo.testing.common import check_registered
from hashzoo.testing.rules import Examination


def check_dataset(cls: type[Dataset], *, root: Path | None = None) -> None:
    """Check a registered dataset under each of its protocols.

    Args:
        root: the folder of its data; None if it brings its data along.

    Raises:
        ConformanceError: a rule is broken.
    """
    examination = Examination(cls)
    check_registered(examination, DATASETS, cls)
    with examination.rule("protocols"):
        examination.need(bool(cls.protocols), "there is none")
        for name, protocol in cls.protocols.items():
            examination.need(
                isinstance(protocol, Protocol) and bool(protocol.summary.strip()), f"{name!r} is {protocol!r}"
            )
        examination.need(isinstance(cls.augmentation, Augmentation), f"augmentation is {cls.augmentation!r}")
    for chosen in cls.protocols:
        with examination.rule("construct"):
            loaded = cls(root, protocol=chosen).load()
        _check_loaded(examination, cls, loaded)
        with examination.rule("hashes"):
            again = cls(root, protocol=chosen).load()
            for name in ("split_sha256", "images_sha256"):
                first, second = getattr(loaded, name), getattr(again, name)
                examination.need(first == second, f"{name} of {chosen!r} is {first}, then {second}")


def _check_loaded(examination: Examination, cls: type[Dataset], loaded: LoadedDataset) -> None:
    parts = {"train": loaded.train, "query": loaded.query, "database": loaded.database}
    where = f"{loaded.name}@{loaded.protocol}"
    for part, split in parts.items():
        with examination.rule("images"):
            sample = split.take(np.arange(min(4, len(split))))
            examination.need(
                sample.ndim == 4 and sample.shape[3] == 3 and sample.dtype == np.uint8,
                f"{where} {part}: {sample.shape} {sample.dtype}",
            )
        with examination.rule("splits"):
            repeated = len(split) - len(np.unique(split.rows))
            examination.need(repeated == 0, f"{where} {part}: {repeated} rows come twice")
            low, high = int(split.rows.min()), int(split.rows.max())
            examination.need(
                low >= 0 and high < len(split.images), f"{where} {part}: rows {low}..{high} of {len(split.images)}"
            )
        with examination.rule("labels"):
            several = loaded.multi_label if cls.multi_label is None else cls.multi_label
            _check_labels(examination, several, split, len(loaded.classes), f"{where} {part}")
    with examination.rule("splits"):
        shared = len(np.intersect1d(loaded.train.rows, loaded.query.rows))
        examination.need(shared == 0, f"{where}: {shared} queries are training images")


def _check_labels(examination: Examination, multi_label: bool, split: Split, classes: int, where: str) -> None:
    labels = split.labels
    shape, dtype = ((len(split), classes), np.uint8) if multi_label else ((len(split),), np.int64)
    examination.need(
        labels.shape == shape and labels.dtype == dtype,
        f"{where}: {labels.shape} {labels.dtype}, expected {shape} {np.dtype(dtype)}",
    )
    most = 1 if multi_label else classes - 1
    low, high = int(labels.min()), int(labels.max())
    examination.need(low >= 0 and high <= most, f"{where}: values {low}..{high}, expected 0..{most}")
