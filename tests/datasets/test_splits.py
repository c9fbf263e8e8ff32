"""Dividing rows needs labels alone, and NumPy alone."""

from __future__ import annotations

import hashlib
from types import SimpleNamespace

import numpy as np
import pytest

from hashzoo.datasets.splits import (
    OFFICIAL,
    AmongThemselves,
    AtRandom,
    PerClass,
    PerLabel,
    PerLabelShared,
    QueriesFirst,
    TrainFirst,
    row_keys,
)
from hashzoo.errors import DataError


def pool(labels, tests=0, names=()):
    labels = np.asarray(labels)
    count = labels.shape[1] if labels.ndim == 2 else int(labels.max()) + 1
    return SimpleNamespace(labels=labels, classes=tuple(f"c{i}" for i in range(count)), tests=tests, names=tuple(names))


def sha256(rows):
    digest = hashlib.sha256()
    for part in ("train", "query", "database"):
        digest.update(np.ascontiguousarray(rows[part], "<i8").data)
    return digest.hexdigest()[:16]


def several(count, labels, seed=0):
    return (np.random.default_rng(seed).random((count, labels)) < 0.2).astype(np.uint8)


CIFAR = pool(np.repeat(np.arange(10), 6000), tests=10_000)


def splitmix64(state):
    """The generator as its authors write it, one number at a time."""
    while True:
        state = (state + 0x9E3779B97F4A7C15) % 2**64
        z = state
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
        yield z ^ (z >> 31)


@pytest.mark.parametrize("seed", [0, 1, 2**63, 2**64 - 1])
def test_keys_are_those_of_splitmix64(seed):
    numbers = splitmix64(seed)
    assert row_keys(seed, 50).tolist() == [next(numbers) for _ in range(50)]


def test_the_published_first_number_of_seed_0():
    assert int(row_keys(0, 1)[0]) == 0xE220A8397B1DCDAF


@pytest.mark.parametrize(
    ("rule", "sizes"),
    [
        (OFFICIAL, (50_000, 10_000, 50_000)),
        (QueriesFirst(PerClass(100), PerClass(500)), (5_000, 1_000, 59_000)),
        (QueriesFirst(PerClass(100), PerClass(500), train_answers=False), (5_000, 1_000, 54_000)),
        (QueriesFirst(PerClass(1_000)), (50_000, 10_000, 50_000)),
        (QueriesFirst(AtRandom(1_000), AtRandom(5_000)), (5_000, 1_000, 59_000)),
        (TrainFirst(PerClass(500)), (5_000, 55_000, 5_000)),
        (AmongThemselves(), (50_000, 10_000, 10_000)),
    ],
)
def test_sizes_and_no_query_is_trained_on(rule, sizes):
    rows = rule(CIFAR, 0)
    assert tuple(map(len, (rows["train"], rows["query"], rows["database"]))) == sizes
    assert not np.intersect1d(rows["train"], rows["query"]).size
    for part in rows.values():
        assert (np.diff(part) > 0).all()


@pytest.mark.parametrize(
    ("rule", "seed", "expected"),
    [
        (QueriesFirst(PerClass(100), PerClass(500)), 0, "74bac876031b5c79"),
        (QueriesFirst(PerClass(100), PerClass(500)), 1, "376ebcd9feadbf4e"),
        (QueriesFirst(PerClass(1_000)), 0, "66345d0dfe5b1140"),
        (QueriesFirst(AtRandom(1_000), AtRandom(5_000)), 0, "01e2ee0f453b7b70"),
    ],
)
def test_the_same_rows_on_every_machine_for_good(rule, seed, expected):
    assert sha256(rule(CIFAR, seed)) == expected


def test_classes_are_drawn_evenly():
    rows = QueriesFirst(PerClass(100), PerClass(500))(CIFAR, 3)
    assert np.bincount(CIFAR.labels[rows["query"]]).tolist() == [100] * 10
    assert np.bincount(CIFAR.labels[rows["train"]]).tolist() == [500] * 10


def test_a_smaller_draw_is_part_of_a_larger_one():
    small, large = (QueriesFirst(PerClass(n))(CIFAR, 0)["query"] for n in (100, 1_000))
    assert np.isin(small, large).all()


def test_an_official_split_does_not_depend_on_the_seed():
    assert not OFFICIAL.drawn
    assert sha256(OFFICIAL(CIFAR, 0)) == sha256(OFFICIAL(CIFAR, 1))
    assert sha256(QueriesFirst(PerClass(5))(CIFAR, 0)) != sha256(QueriesFirst(PerClass(5))(CIFAR, 1))


def test_an_image_is_drawn_for_one_label_only():
    data = pool(several(4_000, 21))
    query = QueriesFirst(PerLabel(20))(data, 0)["query"]
    assert len(query) == 20 * 21
    assert (data.labels[query].sum(0) >= 20).all()


def test_an_image_counts_for_all_its_labels():
    data = pool(several(4_000, 21))
    train = TrainFirst(PerLabelShared(50))(data, 0)["train"]
    assert len(train) < 50 * 21
    assert (data.labels[train].sum(0) >= 50).all()


@pytest.mark.parametrize(
    ("draw", "data", "message"),
    [
        (PerClass(3), pool([0, 0, 0, 1, 1]), "expected at least 3 images of each class to draw from, got 2 of c1"),
        (AtRandom(5), pool([0, 0, 0, 1, 1]), "expected more than 5 images to draw from, got 5"),
        (PerLabel(2), pool([[1, 0], [1, 1], [1, 0]]), "expected at least 2 images to draw for label c1, got 1"),
        (PerLabelShared(2), pool([[1, 0], [1, 1], [1, 0]]), "expected at least 2 images of each class"),
    ],
)
def test_too_few_images(draw, data, message):
    with pytest.raises(DataError, match=message):
        QueriesFirst(draw)(data, 0)
