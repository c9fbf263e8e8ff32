"""Text lists of the user's own images as a dataset."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hashzoo.datasets.base import DATASETS
from hashzoo.errors import DataError, InvalidInput

TextLists = DATASETS.get("list")


@pytest.fixture
def root(tmp_path: Path, write_image) -> Path:
    """Three labels; the image b trains and answers, c only answers, q asks."""
    root = tmp_path / "mine"
    for seed, name in enumerate("abcq"):
        write_image(root / f"images/{name}.png", seed, size=(8, 8))
    (root / "train.txt").write_text("images/a.png 1 0 0\nimages/b.png 0 1 1\n")
    (root / "query.txt").write_text("images/q.png 0 1 0\n")
    (root / "database.txt").write_text("images/c.png 0 0 1\nimages/b.png 0 1 1\n")
    return root


def test_several_labels(root):
    loaded = TextLists(root).load()
    assert (loaded.name, loaded.protocol, loaded.title) == ("list", "list", "mine (list)")
    assert (loaded.classes, loaded.multi_label) == (("0", "1", "2"), True)
    assert loaded.train.labels.tolist() == [[1, 0, 0], [0, 1, 1]]
    assert loaded.query.labels.tolist() == [[0, 1, 0]]
    assert loaded.database.labels.tolist() == [[0, 1, 1], [0, 0, 1]]
    assert loaded.train.labels.dtype == np.uint8
    assert loaded.train.images.shape == (4, 8, 8, 3)
    assert loaded.database.rows.tolist() == [1, 3]
    assert loaded.notes == ()


def test_training_images_answer_without_a_database(root, write_image):
    (root / "database.txt").unlink()
    loaded = TextLists(root).load()
    assert loaded.database.rows.tolist() == loaded.train.rows.tolist() == [0, 1]


def test_class_ids_and_names(root):
    (root / "train.txt").write_text("images/a.png 0\nimages/b.png 2\n")
    (root / "query.txt").rename(root / "val.txt")
    (root / "val.txt").write_text("images/q.png 1\n")
    (root / "database.txt").unlink()
    (root / "classes.txt").write_text("cat\ndog\nemu\nfox\n")
    loaded = TextLists(root).load()
    assert (loaded.classes, loaded.multi_label) == (("cat", "dog", "emu", "fox"), False)
    assert loaded.train.labels.tolist() == [0, 2]
    assert loaded.query.labels.tolist() == [1]


def test_parallel_lists(root):
    before = TextLists(root).load()
    for part in ("train", "query", "database"):
        rows = [line.split(" ", 1) for line in (root / f"{part}.txt").read_text().splitlines()]
        (root / f"{part}_img.txt").write_text("".join(f"{path}\n" for path, _ in rows))
        (root / f"{part}_label.txt").write_text("".join(f"{labels}\n" for _, labels in rows))
        (root / f"{part}.txt").unlink()
    after = TextLists(root).load()
    assert (after.images_sha256, after.split_sha256) == (before.images_sha256, before.split_sha256)


def test_images_elsewhere(root, tmp_path):
    before = TextLists(root).load()
    (root / "images").rename(tmp_path / "images")
    assert TextLists(root, image_root=tmp_path).load().images_sha256 == before.images_sha256


def test_images_without_a_label(root):
    (root / "train.txt").write_text("images/a.png 0 0 0\nimages/b.png 0 1 1\n")
    with pytest.raises(DataError, match=r"list: 1 of 4 images without a label: images/a\.png; --empty-labels keep or"):
        TextLists(root).load()
    kept = TextLists(root, empty_labels="keep").load()
    assert (len(kept.train), kept.notes) == (2, ("1 image without a label kept",))
    dropped = TextLists(root, empty_labels="drop").load()
    assert dropped.notes == ("1 image without a label dropped",)
    assert dropped.train.labels.tolist() == [[0, 1, 1]]
    assert dropped.query.labels.tolist() == [[0, 1, 0]]
    assert dropped.database.labels.tolist() == [[0, 1, 1], [0, 0, 1]]
    assert len(dropped.train.images) == 3
    for part in ("train", "query"):
        same = getattr(kept, part).take(slice(-1, None)), getattr(dropped, part).take(slice(-1, None))
        assert np.array_equal(*same)
    assert dropped.images_sha256 != kept.images_sha256


def test_a_query_that_trains_is_noted(root):
    (root / "query.txt").write_text("images/q.png 0 1 0\nimages/a.png 1 0 0\n")
    assert TextLists(root).load().notes == ("1 of 2 queries are training images",)


def test_labels_that_contradict(root):
    (root / "database.txt").write_text("images/c.png 0 0 1\nimages/b.png 1 1 1\n")
    with pytest.raises(DataError, match=r"list: 1 image with other labels in database than before: images/b\.png"):
        TextLists(root).load()


def test_a_half_extracted_archive(root):
    (root / "train.txt").write_text("".join(f"images/{i}.png 1 0 0\n" for i in range(7)))
    with pytest.raises(DataError, match=r"list: 7 of 10 images missing in .*mine: images/0\.png, .*4\.png and 2 more;"):
        TextLists(root).load()


def test_images_that_do_not_decode(root):
    (root / "images/c.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"list: 1 image in .*mine cannot be decoded: images/c\.png \(not an image\)"):
        TextLists(root).load()


def test_missing_lists_name_what_exists(root, tmp_path):
    with pytest.raises(DataError, match=r"expected train\.txt and query\.txt in a folder, found no folder .*away"):
        TextLists(tmp_path / "away").load()
    (root / "query.txt").unlink()
    with pytest.raises(DataError) as error:
        TextLists(root).load()
    assert str(error.value) == (
        f"list: expected train.txt and one of query.txt, test.txt, val.txt in {root}, found database.txt, train.txt"
    )
    with pytest.raises(DataError, match=r"found no list$"):
        TextLists(tmp_path).load()


@pytest.mark.parametrize("name", ["digits", "folder"])
def test_other_datasets_have_no_empty_labels_and_no_lists(name):
    with pytest.raises(InvalidInput, match=f"{name}: every image has one label, so none can be empty"):
        DATASETS.get(name)(empty_labels="drop")
    with pytest.raises(InvalidInput, match=f"{name}: no list names its images"):
        DATASETS.get(name)(image_root=Path("elsewhere"))
