"""NumPy arrays as a dataset."""

from __future__ import annotations

import numpy as np
import pytest

from hashzoo import ArrayDataset, Augmentation
from hashzoo.errors import InvalidInput

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), dtype=np.uint8)
IDS = np.array([0, 1, 2, 0, 1, 2])
PARTS = {"train": np.arange(4), "query": np.array([5, 4])}


def test_class_ids():
    loaded = ArrayDataset(IMAGES, IDS, **PARTS, title="mine").load()
    assert (loaded.name, loaded.title, loaded.classes) == ("arrays", "mine", ("0", "1", "2"))
    assert loaded.multi_label is False
    assert loaded.query.rows.tolist() == [4, 5]
    assert np.array_equal(loaded.query.take(slice(None)), IMAGES[4:])
    assert loaded.database.rows.tolist() == loaded.train.rows.tolist()
    assert loaded.train.labels.dtype == np.int64


def test_several_labels_and_masks():
    labels = np.eye(3, dtype=bool)[IDS]
    loaded = ArrayDataset(
        IMAGES,
        labels,
        train=np.arange(6) < 3,
        query=[4],
        database=np.arange(6) < 4,
        classes=["a", "b", "c"],
        augmentation=Augmentation(shift=0, mirror=False),
    ).load()
    assert (loaded.classes, loaded.multi_label) == (("a", "b", "c"), True)
    assert loaded.train.labels.tolist() == np.eye(3).tolist()
    assert loaded.train.labels.dtype == np.uint8
    assert len(loaded.database) == 4
    assert loaded.augmentation.shift == 0
    assert ArrayDataset.augmentation.shift == 4


def test_hashes_follow_the_content():
    first = ArrayDataset(IMAGES, IDS, **PARTS).load()
    assert ArrayDataset(IMAGES.copy(), IDS, **PARTS).load().images_sha256 == first.images_sha256
    assert ArrayDataset(IMAGES, IDS[::-1], **PARTS).load().images_sha256 != first.images_sha256
    other = ArrayDataset(IMAGES, IDS, train=np.arange(3), query=PARTS["query"]).load()
    assert other.split_sha256 != first.split_sha256


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"images": IMAGES[..., :1]}, r"images: expected \(N, H, W, 3\) uint8, got \(6, 8, 8, 1\) uint8"),
        ({"images": IMAGES / 255}, r"images: expected \(N, H, W, 3\) uint8, got .* float64"),
        ({"labels": IDS[:5]}, r"labels: expected \(6,\) class ids or \(6, C\) of 0 and 1, got \(5,\) int64"),
        ({"labels": IDS / 2}, r"labels: .* got \(6,\) float64"),
        ({"labels": IDS - 1}, "labels: expected 0 or more, got -1 to 1"),
        ({"labels": np.eye(3, dtype=int)[IDS] * 2}, "labels: expected 0 and 1, got 0 to 2"),
        ({"classes": ["a"]}, "classes: expected 3 names, got 1"),
        ({"train": np.array([0, 6])}, "train: expected rows 0 to 5, got 0 to 6"),
        ({"train": np.array([0, 0])}, "train: 1 rows come twice"),
        ({"query": np.array([0.5])}, r"query: expected \(M,\) rows or \(6,\) bool, got \(1,\) float64"),
        ({"database": np.ones(5, bool)}, r"database: expected \(M,\) rows or \(6,\) bool, got \(5,\) bool"),
    ],
)
def test_mistakes(changed, message):
    arguments = {"images": IMAGES, "labels": IDS, **PARTS} | changed
    images, labels = arguments.pop("images"), arguments.pop("labels")
    with pytest.raises(InvalidInput, match=message):
        ArrayDataset(images, labels, **arguments)
