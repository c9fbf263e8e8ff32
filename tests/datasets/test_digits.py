"""The digits and their fixed split: whatever the versions, the same rows."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from sklearn.datasets import load_digits

from hashzoo.datasets.base import DATASETS, LoadedDataset
from hashzoo.datasets.digits import draw_stratified

SPLIT_SHA256 = "f102cf0d28d30e866bef9a1c1d300dbd83d71528f742ab0d56fc46fd25f51174"
IMAGES_SHA256 = "ab555aa93f1f0ff1fb06d41379dac5752caf58945c6cb4fcc1021e9526e67441"


@pytest.fixture(scope="module")
def digits() -> LoadedDataset:
    return DATASETS.get("digits")().load()


def test_sizes_and_names(digits):
    assert (len(digits.train), len(digits.query), len(digits.database)) == (1437, 360, 1437)
    assert digits.train.images.shape == (1797, 32, 32, 3)
    assert digits.train.images.dtype == np.uint8
    assert digits.train.labels.dtype == np.int64
    assert (digits.name, digits.protocol, digits.title, digits.multi_label) == ("digits", "standard", "digits", False)
    assert digits.classes == tuple("0123456789")
    assert (digits.augmentation.shift, digits.augmentation.mirror) == (2, False)


def test_parts_are_disjoint_and_complete(digits):
    assert np.array_equal(digits.train.rows, digits.database.rows)
    assert np.array_equal(np.sort(np.concatenate([digits.train.rows, digits.query.rows])), np.arange(1797))


def test_query_is_stratified(digits):
    sizes = np.bincount(np.concatenate([digits.train.labels, digits.query.labels]))
    query = np.bincount(digits.query.labels)
    assert query.tolist() == [36, 37, 35, 37, 36, 36, 36, 36, 35, 36]
    assert np.abs(query - sizes * 360 / 1797).max() < 1
    assert query.sum() == 360


def test_split_and_pixels_never_change(digits):
    assert digits.split_sha256 == SPLIT_SHA256
    assert digits.images_sha256 == IMAGES_SHA256


def test_hash_is_of_shape_and_little_endian_rows(digits):
    parts = (digits.train.rows, digits.query.rows, digits.database.rows)
    text = b"".join(f"<i8({len(rows)},)".encode() + rows.astype("<i8").tobytes() for rows in parts)
    assert hashlib.sha256(text).hexdigest() == digits.split_sha256


def test_pixels_are_the_source_enlarged(digits):
    source = load_digits().images
    expected = np.floor(source * 255 / 16 + 0.5)
    for channel in range(3):
        assert np.array_equal(digits.train.images[:, 1::4, 3::4, channel], expected)
        assert np.array_equal(digits.train.images[:, ::4, ::4, channel], expected)


def test_take_gives_the_rows_of_the_part(digits):
    picked = digits.query.take(np.array([5, 0]))
    assert np.array_equal(picked, digits.query.images[digits.query.rows[[5, 0]]])
    assert np.array_equal(digits.query.take(slice(2, 4)), digits.query.images[digits.query.rows[2:4]])
    assert picked.flags.writeable
    assert not digits.query.images.flags.writeable


def test_other_size():
    loaded = DATASETS.get("digits")(image_size=48).load()
    assert loaded.train.images.shape == (1797, 48, 48, 3)
    assert loaded.split_sha256 == SPLIT_SHA256


def test_draw_by_hand():
    labels = np.array([0, 1, 0, 1, 1, 0, 1])

    def order(rows):
        return sorted(rows, key=lambda row: hashlib.sha256(f"salt {row}".encode()).hexdigest())

    # quotas 3 * 3 / 7 = 1 + 2/7 and 4 * 3 / 7 = 1 + 5/7: class 1 has the larger remainder
    expected = sorted(order([0, 2, 5])[:1] + order([1, 3, 4, 6])[:2])
    assert draw_stratified(labels, 3, "salt").tolist() == expected


def test_draw_breaks_equal_remainders_by_class():
    labels = np.repeat([0, 1, 2], 4)
    assert np.bincount(labels[draw_stratified(labels, 4, "any")]).tolist() == [2, 1, 1]
