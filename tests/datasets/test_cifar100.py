"""CIFAR-100 from pickles like the original's, with their checksums in torchvision's place."""

from __future__ import annotations

import hashlib
import pickle

import numpy as np
import pytest
from torchvision.datasets import CIFAR100

from hashzoo.datasets.base import DATASETS
from hashzoo.errors import DataError

Cifar100 = DATASETS.get("cifar100")
NAMES = [f"class {i}" for i in range(100)]


@pytest.fixture
def root(tmp_path, monkeypatch):
    folder = tmp_path / "cifar-100-python"
    folder.mkdir()
    rng = np.random.default_rng(0)
    digests = {}
    for name, count in (("train", 300), ("test", 100)):
        data = rng.integers(0, 256, (count, 3072), np.uint8)
        labels = [i % 100 for i in range(count)]
        content = pickle.dumps({"data": data, "fine_labels": labels, "coarse_labels": [0] * count}, protocol=2)
        (folder / name).write_bytes(content)
        digests[name] = hashlib.md5(content).hexdigest()
    meta = pickle.dumps({"fine_label_names": NAMES}, protocol=2)
    (folder / "meta").write_bytes(meta)
    monkeypatch.setattr(CIFAR100, "train_list", [["train", digests["train"]]])
    monkeypatch.setattr(CIFAR100, "test_list", [["test", digests["test"]]])
    monkeypatch.setattr(CIFAR100, "meta", {**CIFAR100.meta, "md5": hashlib.md5(meta).hexdigest()})
    return tmp_path


def test_the_fine_labels_are_used(root):
    data = Cifar100(root).load()
    assert (len(data.train), len(data.query), len(data.database)) == (300, 100, 300)
    assert data.classes == tuple(NAMES)
    assert data.query.labels.tolist() == list(range(100))


def test_missing_files(tmp_path):
    with pytest.raises(DataError, match=r"cifar100: .* lacks train, test, meta; --download fetches the original"):
        Cifar100(tmp_path).load()


def test_a_damaged_file(root):
    with (root / "cifar-100-python" / "train").open("ab") as file:
        file.write(b"more")
    with pytest.raises(DataError, match="train is damaged"):
        Cifar100(root).load()
