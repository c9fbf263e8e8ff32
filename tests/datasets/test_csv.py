"""A table of the user's own images as a dataset."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hashzoo.datasets.base import DATASETS, LoadedDataset
from hashzoo.errors import DataError

CsvTable = DATASETS.get("csv")


@pytest.fixture
def load(tmp_path: Path, write_image):
    """Writes a table beside the images a, b, c and q, and loads it."""
    for seed, name in enumerate("abcq"):
        write_image(tmp_path / "mine" / f"{name}.png", seed, size=(8, 8))

    def write_and_load(text: str, **options: object) -> LoadedDataset:
        (tmp_path / "mine" / "table.csv").write_text(text)
        return CsvTable(tmp_path / "mine", **options).load()

    return write_and_load


def test_one_label(load):
    loaded = load("path,label,split\na.png,sky,train\nb.png,sea,train\nq.png,sky,test\n")
    assert (loaded.classes, loaded.multi_label, loaded.title) == (("sea", "sky"), False, "table (csv)")
    assert loaded.train.labels.tolist() == loaded.database.labels.tolist() == [1, 0]
    assert loaded.query.labels.tolist() == [1]


def test_labels_that_are_numbers_are_sorted_by_value(load):
    loaded = load("path,split,label\na.png,train,10\nb.png,train,9\nq.png,test,10\n")
    assert loaded.classes == ("9", "10")


def test_names_in_one_cell(load):
    loaded = load(
        'path,split,labels,note\na.png,train,sky; sea,x\nb.png,train,"sea|sand, white",\n'
        "c.png,database,,y\nq.png,val,sky,\n",
        empty_labels="keep",
    )
    assert loaded.classes == ("sand, white", "sea", "sky")
    assert loaded.train.labels.tolist() == [[0, 1, 1], [1, 1, 0]]
    assert loaded.database.labels.tolist() == [[0, 0, 0]]
    assert loaded.notes == ("1 image without a label kept",)


def test_a_column_for_each_label(load):
    loaded = load("\ufeffsea,path,traffic light,split\n1,a.png,0,train\n0,b.png,1,train\n\n 1,q.png, 1,query\n")
    assert loaded.classes == ("sea", "traffic light")
    assert loaded.train.labels.tolist() == [[1, 0], [0, 1]]
    assert loaded.train.labels.dtype == np.uint8
    assert loaded.query.labels.tolist() == [[1, 1]]


def test_an_image_may_train_and_answer(load):
    loaded = load("path,split,label\na.png,train,0\nb.png,train,1\na.png,database,0\nc.png,database,1\nq.png,query,0\n")
    assert loaded.database.rows.tolist() == [0, 3]
    assert len(loaded.train.images) == 4


def test_another_split_that_could_ask_is_left_out_and_noted(load):
    loaded = load("path,split,label\na.png,train,0\nb.png,train,1\nc.png,val,0\nq.png,test,0\n")
    assert (len(loaded.query), len(loaded.train.images)) == (1, 3)
    assert loaded.notes == ("1 row of split val not used",)


def test_the_file_itself_is_a_root(load, tmp_path):
    before = load("path,split,label\na.png,train,0\nb.png,train,1\nq.png,test,0\n")
    assert CsvTable(tmp_path / "mine" / "table.csv").load().images_sha256 == before.images_sha256
    (tmp_path / "mine" / "other.csv").write_text("path\n")
    with pytest.raises(DataError, match=r"expected one \.csv file in .*mine, found other\.csv, table\.csv;"):
        CsvTable(tmp_path / "mine").load()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"csv: .*table\.csv is empty"),
        ("path,split,label\n", "has a header and no rows"),
        (
            "file,split,label\na,b,c\n",
            "the columns path and split in .*, found no path among file, split, label",
        ),
        ("a;b\n1;2\n", "found no path and no split among a;b"),
        ("path,split\na.png,train\n", "expected a column label, or labels, or 1 to 4,096 columns .* found 0 columns"),
        ("path,split,x,x\na.png,train,0,0\n", "has columns of the same name: x"),
        ("path,split,label\na.png,train\n", "1 line of .*table.csv cannot be used: line 2: 2 cells, expected 3"),
        ("path,split,label\n,train,x\n", "line 2: no path"),
        ("path,split,label\na.png,training,x\n", "line 2: split 'training', expected one of train, query, test, val"),
        ("path,split,label\na.png,train,\n", "line 2: no label"),
        ("path,split,sea\na.png,train,yes\n", "line 2: sea is 'yes', expected 0 or 1"),
        ("path,split,label\na.png,train,x\na.png,train,x\n", r"line 3: a\.png is on line 2 already"),
        ('path,split,label\n"a.png,train,x\n', "is no row of a table"),
        ("path,split,label\na.png,train,x\nb.png,train,y\n", "expected split train and one of split query, split test"),
    ],
)
def test_mistakes(load, text, message):
    with pytest.raises(DataError, match=message):
        load(text)


def test_no_table(tmp_path):
    with pytest.raises(DataError, match=r"csv: expected a \.csv file or a folder with one, found no .*away"):
        CsvTable(tmp_path / "away").load()
    with pytest.raises(DataError, match=r"expected one \.csv file in .*, found none"):
        CsvTable(tmp_path).load()
