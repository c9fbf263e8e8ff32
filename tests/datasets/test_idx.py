"""MNIST and Fashion-MNIST from IDX files as the originals have them."""

from __future__ import annotations

import gzip
import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from hashzoo.datasets.base import DATASETS
from hashzoo.datasets.idx import read_idx
from hashzoo.errors import DataError

DEBIAN = Path("/usr/share/datasets/fashion-mnist")  # of the package dataset-fashion-mnist


def idx(array: np.ndarray) -> bytes:
    return bytes((0, 0, 8, array.ndim)) + b"".join(n.to_bytes(4, "big") for n in array.shape) + array.tobytes()


@pytest.fixture
def four() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    arrays = {}
    for part, count in (("train", 20), ("t10k", 10)):
        arrays[f"{part}-images-idx3-ubyte"] = rng.integers(0, 256, (count, 28, 28), np.uint8)
        arrays[f"{part}-labels-idx1-ubyte"] = (np.arange(count) % 10).astype(np.uint8)
    return arrays


def write(folder: Path, arrays: dict[str, np.ndarray], *, zipped: bool) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
        content = idx(array)
        (folder / (f"{name}.gz" if zipped else name)).write_bytes(gzip.compress(content) if zipped else content)


@pytest.mark.parametrize(
    ("name", "folder"), [("mnist", "MNIST/raw"), ("fashion-mnist", "FashionMNIST/raw"), ("fashion_mnist", "")]
)
@pytest.mark.parametrize("zipped", [True, False])
def test_four_files_become_a_dataset(tmp_path, four, name, folder, zipped):
    write(tmp_path / folder, four, zipped=zipped)
    data = DATASETS.get(name)(tmp_path).load()
    assert (len(data.train), len(data.query), len(data.database)) == (20, 10, 20)
    np.testing.assert_array_equal(data.query.take(slice(None))[..., 2], four["t10k-images-idx3-ubyte"])
    np.testing.assert_array_equal(data.train.labels, four["train-labels-idx1-ubyte"])
    assert data.train.labels.dtype == np.int64


def test_images_are_resized(tmp_path, four):
    write(tmp_path, four, zipped=False)
    assert DATASETS.get("mnist")(tmp_path, image_size=32).load().train.take(slice(0, 1)).shape == (1, 32, 32, 3)


def test_missing_files_are_named_with_where_to_get_them(tmp_path, four):
    four.pop("t10k-labels-idx1-ubyte")
    write(tmp_path, four, zipped=True)
    with pytest.raises(DataError, match=r"expected t10k-labels-idx1-ubyte\[\.gz\] in .*yann\.lecun"):
        DATASETS.get("mnist")(tmp_path).load()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x00\x00\x08\x01\x00\x00\x00\x05abc", "expected 13 bytes, got 11"),
        (b"\x00\x00\x0d\x01", "no IDX file of bytes"),
        (b"", "no IDX file of bytes"),
    ],
)
def test_a_damaged_file(tmp_path, content, message):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_idx(tmp_path / "x", "mnist")


def test_a_zipped_file_that_is_cut_off(tmp_path):
    (tmp_path / "x.gz").write_bytes(gzip.compress(idx(np.zeros(1000, np.uint8)))[:-9])
    with pytest.raises(DataError, match="cannot be read"):
        read_idx(tmp_path / "x.gz", "mnist")


def test_labels_and_images_that_do_not_fit(tmp_path, four):
    four["train-labels-idx1-ubyte"] = four["train-labels-idx1-ubyte"][:-1]
    write(tmp_path, four, zipped=False)
    with pytest.raises(DataError, match=r"holds images \(30, 28, 28\) and labels \(29,\)"):
        DATASETS.get("mnist")(tmp_path).load()


@pytest.mark.parametrize(("name", "theirs"), [("mnist", "MNIST"), ("fashion_mnist", "FashionMNIST")])
def test_verify_says_which_files_are_packed_anew(tmp_path, four, monkeypatch, name, theirs):
    import torchvision.datasets

    cls = DATASETS.get(name)
    assert cls.md5 == dict(getattr(torchvision.datasets, theirs).resources)
    write(tmp_path, four, zipped=True)
    files = sorted(tmp_path.iterdir())
    monkeypatch.setattr(cls, "md5", {file.name: hashlib.md5(file.read_bytes()).hexdigest() for file in files[1:]})
    dataset = cls(tmp_path)
    assert dataset.verify().tests == 10
    assert dataset.notes == []
    monkeypatch.setitem(cls.md5, files[0].name, "0" * 32)
    dataset.verify()
    assert dataset.notes == [f"not packed as the original, so its MD5 says nothing of the content: {files[0].name}"]


@pytest.mark.skipif(not DEBIAN.is_dir(), reason="needs the Debian package dataset-fashion-mnist")
def test_the_real_one():
    data = DATASETS.get("fashion_mnist")(Path(os.fspath(DEBIAN))).load()
    assert (len(data.train), len(data.query)) == (60_000, 10_000)
    assert np.bincount(data.train.labels).tolist() == [6_000] * 10
