"""Lists of images: every format that is read, and one line for every mistake."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashzoo.datasets.lists import (
    Listing,
    class_names,
    join_listings,
    read_class_names,
    read_list,
    read_parallel_lists,
    settle_empty_labels,
)
from hashzoo.errors import DataError


@pytest.fixture
def read(tmp_path: Path):
    """Writes a list and reads it."""

    def write_and_read(text: str, **options: str) -> Listing:
        file = tmp_path / "train.txt"
        file.write_text(text)
        return read_list(file, owner="test", **options)

    return write_and_read


def test_several_labels(read):
    listing = read("a.jpg 0 1 0\nb/c.jpg 1 1 0\n")
    assert listing.names == ["a.jpg", "b/c.jpg"]
    assert listing.labels.dtype == np.uint8
    assert listing.labels.tolist() == [[0, 1, 0], [1, 1, 0]]


def test_class_ids(read):
    listing = read("a.jpg 7\nb.jpg 0\n")
    assert listing.labels.dtype == np.int64
    assert listing.labels.tolist() == [7, 0]


def test_prefix_blank_lines_and_line_ends(read):
    listing = read("\n  \na.jpg\t3\r\n\nb.jpg   4", prefix="images/")
    assert listing.names == ["images/a.jpg", "images/b.jpg"]
    assert listing.labels.tolist() == [3, 4]


def test_paths_with_spaces(read):
    assert read("my cat 3.jpg 0 1\nno  2.jpg 1 1").names == ["my cat 3.jpg", "no  2.jpg"]
    assert read("17 4\n18 5").names == ["17", "18"]


def test_a_path_that_ends_in_a_number_is_ambiguous(read):
    with pytest.raises(DataError, match=r"1 line of .*train\.txt cannot be used: line 2: 3 labels, expected 2$"):
        read("a.jpg 0 1\nholiday 2 0 1\n")


@given(st.lists(st.lists(st.booleans(), min_size=5, max_size=5), min_size=1, max_size=20))
def test_what_was_written_is_read(tmp_path_factory, rows):
    file = tmp_path_factory.mktemp("lists") / "list.txt"
    file.write_text("".join(f"im {i}.png {' '.join(str(int(bit)) for bit in row)}\n" for i, row in enumerate(rows)))
    listing = read_list(file, owner="test")
    assert listing.names == [f"im {i}.png" for i in range(len(rows))]
    assert listing.labels.astype(bool).tolist() == rows


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a.jpg 0 1\nb.jpg 0\n", "line 2: 1 label, expected 2"),
        ("a.jpg 0 1\nb.jpg 0 1 1\n", "line 2: 3 labels, expected 2"),
        ("a.jpg 0 1\n\nb.jpg\n", "line 3: 0 labels, expected 2"),
        ("a.jpg\n", "line 1: 0 labels, expected some"),
        ("a.jpg cat\n", "line 1: 'cat' is not a number"),
        ("a.jpg 0 1 0\nb.jpg 0 x 1\n", "line 2: 'x' is not a number"),
        ("a.jpg 0 1 0\nb.jpg 0 0 1.5\n", "line 2: '1.5' is not a number"),
        ("a.jpg 0 1\nb.jpg 2 0\n", "line 2: label 2, expected 0 or 1"),
        ("a.jpg 0 1\nb.jpg -1 0\n", "line 2: label -1, expected 0 or 1"),
        ("a.jpg -1\n", "line 1: class id -1, expected 0 to 999,999"),
        ("a.jpg 1000000\n", "line 1: class id 1000000, expected 0 to 999,999"),
        ("a.jpg 1\nb.jpg 2\na.jpg 1\n", "line 3: a.jpg is on line 1 already"),
        (f"a.jpg{' 1' * 4097}\n", "line 1: 4,097 labels, expected at most 4,096"),
    ],
)
def test_mistakes_name_their_line(read, tmp_path, text, fault):
    with pytest.raises(DataError) as error:
        read(text)
    assert str(error.value) == f"test: 1 line of {tmp_path / 'train.txt'} cannot be used: {fault}"


def test_five_are_named_and_all_counted(read):
    text = "a.jpg 0 1\n" + "".join(f"{i}.jpg 1\n" for i in range(7))
    with pytest.raises(DataError, match=r"test: 7 lines of .*: line 2: .*line 6: 1 label, expected 2 and 2 more$"):
        read(text)


def test_not_a_list(read, tmp_path):
    with pytest.raises(DataError, match=r"test: .*train\.txt is empty"):
        read("\n\n")
    with pytest.raises(DataError, match=r"test: expected a text file, .*train\.txt is none"):
        read("\0\1")
    with pytest.raises(DataError, match=r"test: .*nowhere\.txt cannot be read \(No such file"):
        read_list(tmp_path / "nowhere.txt", owner="test")


def test_parallel_lists(tmp_path):
    images, labels = tmp_path / "train_img.txt", tmp_path / "train_label.txt"
    images.write_text("a.jpg\nb c.jpg\n")
    labels.write_text("0 1 0\n1 1 0\n")
    listing = read_parallel_lists(images, labels, owner="test")
    assert (listing.names, listing.labels.tolist()) == (["a.jpg", "b c.jpg"], [[0, 1, 0], [1, 1, 0]])
    labels.write_text("4\n2\n")
    assert read_parallel_lists(images, labels, owner="test").labels.tolist() == [4, 2]
    labels.write_text("4\n")
    with pytest.raises(DataError, match=r"train_img\.txt names 2 images, train_label\.txt labels 1"):
        read_parallel_lists(images, labels, owner="test")


def test_names_of_classes(tmp_path):
    file = tmp_path / "classes.txt"
    file.write_text("traffic light\nsea\n")
    assert read_class_names(file, owner="test") == ("traffic light", "sea")
    file.write_text("sea\nsky\nsea\n")
    with pytest.raises(DataError, match="line 3: sea is on line 1 already"):
        read_class_names(file, owner="test")


def test_names_must_fit_the_labels():
    ids, hot = Listing(["a"], np.array([2])), Listing(["b"], np.array([[0, 1]], np.uint8))
    assert class_names([ids], None, owner="test") == ("0", "1", "2")
    assert class_names([hot], ("sea", "sky"), owner="test") == ("sea", "sky")
    with pytest.raises(DataError, match="1 names of classes for 2 labels an image"):
        class_names([hot], ("sea",), owner="test")
    with pytest.raises(DataError, match=r"class id 2, but only 2 names of classes \(ids count from 0\)"):
        class_names([ids], ("sea", "sky"), owner="test")
    with pytest.raises(DataError, match="expected the same labels in all splits, got 2 labels an image and class ids"):
        class_names([ids, hot], None, owner="test")


def test_images_without_a_label():
    labels = np.zeros((8, 3), np.uint8)
    labels[2, 1] = 1
    listing = Listing([f"{i}.jpg" for i in range(8)], labels)
    rows, number = settle_empty_labels(listing, "keep", owner="test")
    assert (rows.tolist(), number) == (list(range(8)), 7)
    rows, number = settle_empty_labels(listing, "drop", owner="test")
    assert (rows.tolist(), number) == ([2], 7)
    with pytest.raises(DataError, match=r"7 of 8 images without a label: 0\.jpg, .*5\.jpg and 2 more; --empty-labels"):
        settle_empty_labels(listing, "refuse", owner="test")
    rows, number = settle_empty_labels(Listing(["a"], np.array([0])), "refuse", owner="test")
    assert (rows.tolist(), number) == ([0], 0)


def test_parts_are_joined_with_each_image_once():
    train = Listing(["b", "a"], np.array([1, 0]))
    database = Listing(["c", "b"], np.array([2, 1]))
    joined, rows = join_listings({"train": train, "database": database}, owner="test")
    assert (joined.names, joined.labels.tolist()) == (["b", "a", "c"], [1, 0, 2])
    assert {part: r.tolist() for part, r in rows.items()} == {"train": [0, 1], "database": [2, 0]}
    odd = Listing([*"abcdefg"], np.arange(7) + 7)
    with pytest.raises(DataError, match=r"test: 2 images with other labels in query than before: a, b$"):
        join_listings({"train": train, "query": odd}, owner="test")
