"""Splits that were made elsewhere."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from hashzoo.datasets.base import DATASETS
from hashzoo.datasets.split_lists import read_split_lists
from hashzoo.errors import DataError, InvalidInput


def pool(count, names=()):
    return SimpleNamespace(labels=np.zeros(count, np.int64), classes=("a", "b"), tests=0, names=names)


def write(folder, **lists):
    for part, lines in lists.items():
        (folder / f"{part}.txt").write_text("".join(f"{line}\n" for line in lines))


def test_images_by_path_or_its_end_and_labels_are_passed_over(tmp_path):
    data = pool(4, ("train/a/1.png", "train/b/1.png", "test/a/2.png", "test/b/3.png"))
    write(tmp_path, train=["a/1.png 0", "", "train\\b\\1.png 1"], query=["./2.png 1 0"], database=["x/test/b/3.png"])
    rows = read_split_lists(tmp_path, data)
    assert {part: row.tolist() for part, row in rows.items()} == {"train": [0, 1], "query": [2], "database": [3]}


def test_images_without_files_by_row(tmp_path):
    write(tmp_path, train=[2, 0], query=[1], database=[3])
    assert read_split_lists(tmp_path, pool(4))["train"].tolist() == [0, 2]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (["9.png", "8.png"], r"expected names of images, each enough to tell one, got 2 others: 9\.png, 8\.png"),
        (["1.png"], r"got 1 other: 1\.png"),  # there are two of that name
        (["test/a/2.png", "2.png"], r"2 names for images that come more than once: test/a/2\.png, 2\.png"),
        ([f"x{i}.png" for i in range(9)], r"got 9 others: x0.*x4\.png and 4 more"),
        ([], "names no image"),
    ],
)
def test_lists_that_do_not_fit(tmp_path, query, message):
    write(tmp_path, train=["a/1.png"], query=query, database=["b/1.png"])
    with pytest.raises(DataError, match=message):
        read_split_lists(tmp_path, pool(3, ("train/a/1.png", "train/b/1.png", "test/a/2.png")))


@pytest.mark.parametrize("word", ["4", "-1", "x", "²"])
def test_rows_that_are_not_there(tmp_path, word):
    write(tmp_path, train=[0], query=[word], database=[1])
    with pytest.raises(DataError, match="expected row numbers below 4, got 1 other"):
        read_split_lists(tmp_path, pool(4))


def test_a_list_that_is_missing(tmp_path):
    write(tmp_path, train=[0])
    with pytest.raises(DataError, match=r"expected train\.txt, .* found no query\.txt, database\.txt"):
        read_split_lists(tmp_path, pool(2))


def test_a_list_that_is_no_text(tmp_path):
    write(tmp_path, train=[0], query=[0], database=[0])
    (tmp_path / "query.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"query\.txt cannot be read"):
        read_split_lists(tmp_path, pool(2))


def test_a_dataset_divided_by_lists(tmp_path):
    write(tmp_path, train=range(100), query=range(100, 110), database=range(200, 300))
    loaded = DATASETS.get("digits")(split_files=tmp_path).load()
    assert (len(loaded.train), len(loaded.query), len(loaded.database)) == (100, 10, 100)
    assert loaded.split == {"rule": "read from list files", "seed": None}


def test_a_seed_needs_something_to_draw(tmp_path):
    for name, files in (("digits", None), ("cifar10", tmp_path)):
        with pytest.raises(InvalidInput, match="there is nothing to draw with seed 3"):
            DATASETS.get(name)(split_seed=3, split_files=files)
    with pytest.raises(InvalidInput, match="cifar10@full is fixed"):
        DATASETS.get("cifar10")(split_seed=3)
    assert DATASETS.get("cifar10")(protocol="59k", split_seed=3).split_seed == 3
