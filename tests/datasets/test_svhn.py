"""SVHN from MATLAB files in the layout of the original."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from scipy.io import savemat

from hashzoo.datasets.base import DATASETS
from hashzoo.errors import DataError

Svhn = DATASETS.get("svhn")


def write(folder, **changes):
    rng = np.random.default_rng(0)
    written = {}
    folder.mkdir(parents=True, exist_ok=True)
    for part, count in (("train", 30), ("test", 20)):
        x = rng.integers(0, 256, (32, 32, 3, count), np.uint8)
        y = (1 + np.arange(count) % 10).astype(np.uint8)[:, None]
        written[part] = {"X": x, "y": y, **changes}
        savemat(folder / f"{part}_32x32.mat", written[part])
    return written


@pytest.mark.parametrize("folder", ["", "svhn"])
def test_two_files_become_a_dataset(tmp_path, folder):
    written = write(tmp_path / folder)
    data = Svhn(tmp_path).load()
    assert (len(data.train), len(data.query), len(data.database)) == (30, 20, 30)
    np.testing.assert_array_equal(data.query.take(slice(3, 4))[0], written["test"]["X"][..., 3])
    assert data.query.labels[:11].tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]


def test_missing_files(tmp_path):
    with pytest.raises(DataError, match=r"svhn: expected train_32x32\.mat, test_32x32\.mat in .*housenumbers"):
        Svhn(tmp_path).load()


def test_a_damaged_file(tmp_path):
    write(tmp_path)
    (tmp_path / "test_32x32.mat").write_bytes(b"not a file of MATLAB's")
    with pytest.raises(DataError, match=r"test_32x32\.mat is damaged or holds no X and y"):
        Svhn(tmp_path).load()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"X": np.zeros((28, 28, 3, 30), np.uint8)}, "expected X"),
        ({"y": np.ones((7, 1), np.uint8)}, "7 labels"),
        ({"X": np.zeros((32, 32, 3, 1), np.uint8), "y": np.array([[11]])}, "expected labels 1 to 10"),
    ],
)
def test_another_layout(tmp_path, changes, message):
    write(tmp_path, **changes)
    with pytest.raises(DataError, match=message):
        Svhn(tmp_path).load()


def test_verify_compares_the_published_checksums(tmp_path, monkeypatch):
    from torchvision.datasets import SVHN

    from hashzoo.datasets import svhn

    assert {SVHN.split_list[part][1]: SVHN.split_list[part][2] for part in ("train", "test")} == svhn.MD5
    write(tmp_path)
    assert len(Svhn(tmp_path).load().query) == 20
    with pytest.raises(DataError, match=r"svhn: train_32x32\.mat, test_32x32\.mat in .* damaged \(the MD5 is not"):
        Svhn(tmp_path).verify()
    monkeypatch.setattr(
        svhn, "MD5", {name: hashlib.md5((tmp_path / name).read_bytes()).hexdigest() for name in svhn.MD5}
    )
    assert Svhn(tmp_path).verify().tests == 20
