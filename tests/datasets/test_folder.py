"""Trees of the user's own images."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hashzoo.datasets.base import DATASETS
from hashzoo.errors import DataError

Folder = DATASETS.get("folder")


@pytest.fixture
def root(tmp_path: Path, write_image) -> Path:
    """train has cats and dogs, query has dogs and emus."""
    root = tmp_path / "pets"
    for seed, name in enumerate(["train/cat/b.png", "train/cat/a.png", "train/dog/x.bmp", "query/emu/1.png"]):
        write_image(root / name, seed, size=(20, 24))
    write_image(root / "query/dog/deep/er/1.PNG", 9, size=(20, 24))
    return root


def test_classes_are_those_of_all_splits(root):
    loaded = Folder(root).load()
    assert loaded.classes == ("cat", "dog", "emu")
    assert loaded.train.labels.tolist() == loaded.database.labels.tolist() == [0, 0, 1]
    assert loaded.query.labels.tolist() == [1, 2]
    assert loaded.train.images.shape == (5, 20, 24, 3)
    assert (loaded.title, loaded.protocol) == ("pets (folder)", "folder")


def test_order_is_by_class_and_path(root, write_image):
    b, a = (write_image(root / "train/cat" / name, seed, size=(20, 24)) for seed, name in enumerate(["b.png", "a.png"]))
    loaded = Folder(root).load()
    assert np.array_equal(loaded.train.take(slice(0, 2)), np.stack([a, b]))


@pytest.mark.parametrize("name", ["test", "val"])
def test_other_names_of_query(root, name):
    (root / "query").rename(root / name)
    assert len(Folder(root).load().query) == 2


def test_query_before_test_before_val(root, write_image):
    write_image(root / "test/cat/1.png", 0, size=(20, 24))
    write_image(root / "val/cat/1.png", 0, size=(20, 24))
    assert len(Folder(root).load().query) == 2
    shutil.rmtree(root / "query")
    write_image(root / "test/dog/1.png", 1, size=(20, 24))
    assert Folder(root).load().query.labels.tolist() == [0, 1]


def test_database_of_its_own(root, write_image):
    pixels = write_image(root / "database/fox/1.png", 5, size=(20, 24))
    loaded = Folder(root).load()
    assert loaded.classes == ("cat", "dog", "emu", "fox")
    assert loaded.database.labels.tolist() == [3]
    assert np.array_equal(loaded.database.take(np.array([0]))[0], pixels)
    assert len(loaded.train) == 3


def test_other_files_are_passed_over(root):
    before = Folder(root).load()
    (root / "README.txt").write_text("mine")
    (root / "train/cat/notes.txt").write_text("mine")
    (root / "train/cat/.hidden.png").write_bytes(b"")
    (root / "train/.thumbs").mkdir()
    (root / ".git").mkdir()
    after = Folder(root).load()
    assert (after.images_sha256, after.split_sha256) == (before.images_sha256, before.split_sha256)


def test_links_are_followed_and_loops_end(root, tmp_path, write_image):
    write_image(tmp_path / "elsewhere/1.png", 7, size=(20, 24))
    (root / "train/fox").symlink_to(tmp_path / "elsewhere")
    (root / "train/cat/again").symlink_to(root / "train/cat")
    loaded = Folder(root).load()
    assert loaded.classes == ("cat", "dog", "emu", "fox")
    assert len(loaded.train) == 4


def test_different_sizes_need_image_size(root, write_image):
    write_image(root / "train/dog/wide.png", 3, size=(10, 30))
    with pytest.raises(DataError) as error:
        Folder(root).load()
    assert str(error.value) == (
        f"folder: images differ in size and need --image-size: expected 24x20, got 30x10 (1 image) in {root}"
    )
    loaded = Folder(root, image_size=16).load()
    assert loaded.train.images.shape == (6, 16, 16, 3)
    with Image.open(root / "train/dog/wide.png") as image:
        expected = np.asarray(image.resize((16, 16), Image.Resampling.BILINEAR))
    assert np.array_equal(loaded.train.images[2], expected)


def test_missing_root(tmp_path):
    with pytest.raises(DataError, match=r"folder: expected ROOT/<split>/<class>/ .* found no folder .*nowhere"):
        Folder(tmp_path / "nowhere").load()


@pytest.mark.parametrize(("lost", "rest"), [("train", "query"), ("query", "train")])
def test_missing_split_names_what_exists(root, lost, rest):
    shutil.rmtree(root / lost)
    with pytest.raises(DataError, match=f"expected train and one of query, test, val in .*pets, found {rest}$"):
        Folder(root).load()


def test_no_split_at_all(tmp_path):
    with pytest.raises(DataError, match=r"found no folder$"):
        Folder(tmp_path).load()


def test_empty_class_folders_are_named(root):
    (root / "train/ant").mkdir()
    (root / "train/bee").mkdir()
    (root / "train/bee/notes.txt").write_text("no picture")
    with pytest.raises(DataError, match=r"folder: no image \(.*\) in 2 class folders of .*train: ant, bee"):
        Folder(root).load()


def test_split_without_classes(root):
    shutil.rmtree(root / "query")
    (root / "query").mkdir()
    with pytest.raises(DataError, match=r"folder: expected class folders in .*query, found none"):
        Folder(root).load()


def test_single_class(tmp_path, write_image):
    write_image(tmp_path / "train/cat/1.png", 0)
    write_image(tmp_path / "query/cat/1.png", 1)
    with pytest.raises(DataError, match=r"folder: expected at least two classes in .*, found only cat"):
        Folder(tmp_path).load()


def test_corrupt_images_five_named_all_counted(root):
    good = (root / "train/cat/a.png").read_bytes()
    for i in range(7):
        (root / f"train/dog/bad{i}.png").write_bytes(good[: len(good) // 2])
    with pytest.raises(DataError) as error:
        Folder(root).load()
    message = str(error.value)
    assert message.startswith(f"folder: 7 images in {root} cannot be decoded: train/dog/bad0.png (")
    assert "bad4.png" in message
    assert "bad5.png" not in message
    assert message.endswith(" and 2 more")
    assert "\n" not in message


def test_every_image_corrupt(root):
    for path in root.rglob("*.*"):
        path.write_bytes(b"")
    with pytest.raises(DataError, match=r"5 images in .* cannot be decoded"):
        Folder(root).load()


def test_link_to_nothing_is_named(root):
    (root / "train/dog/gone.png").symlink_to(root / "nowhere.png")
    with pytest.raises(DataError, match=r"1 of 6 images missing in .*pets: train/dog/gone\.png; an archive"):
        Folder(root).load()
