"""What holds for every dataset: names, protocols, checks and hashes."""

from __future__ import annotations

import subprocess
import sys
from typing import ClassVar

import numpy as np
import pytest

from hashzoo.datasets.base import DATASETS, Dataset, Pool, Protocol
from hashzoo.errors import DataError, InvalidInput, UnknownName


class Made(Dataset):
    name = "made"
    protocols: ClassVar = {"one": Protocol("first"), "two": Protocol("second", topk=5)}
    classes = ("a", "b")
    query = (3,)

    def read(self) -> Pool:
        images = np.arange(4 * 12, dtype=np.uint8).reshape(4, 2, 2, 3)
        return Pool(images, np.array([0, 1, 0, 1]), self.classes)

    def divide(self, pool: Pool) -> dict[str, np.ndarray]:
        return {"train": np.array([0, 1]), "query": np.array(self.query, np.int64), "database": np.array([2, 1, 0])}


def test_built_in_names():
    assert {"cifar10", "digits", "folder"} <= set(DATASETS.names())
    assert DATASETS.get("cifar10").name == "cifar10"


def test_typo_offers_the_nearest_name():
    with pytest.raises(UnknownName, match=r"no dataset named 'cifar01'; did you mean 'cifar10'\? \(known: .*digits"):
        DATASETS.get("cifar01")


@pytest.mark.parametrize("name", ["cifar10", "digits", "folder"])
def test_says_where_it_comes_from(name):
    dataset = DATASETS.get(name)
    assert dataset.protocols
    assert all(protocol.summary for protocol in dataset.protocols.values())
    assert (dataset.licence and dataset.source) or name == "folder"


def test_unknown_protocol():
    with pytest.raises(UnknownName, match=r"no protocol of 'cifar10' named 'fulll'; did you mean 'full'"):
        DATASETS.get("cifar10")(protocol="fulll")


@pytest.mark.parametrize("size", [0, -3])
def test_impossible_size(size):
    with pytest.raises(InvalidInput, match=f"expected a positive number of pixels, got {size}"):
        Made(image_size=size)


def test_load_divides_and_describes():
    loaded = Made(protocol="two").load()
    assert (loaded.protocol, loaded.topk, loaded.title) == ("two", 5, "made")
    assert loaded.database.labels.tolist() == [0, 1, 0]
    assert np.array_equal(loaded.database.take(np.array([1])), loaded.train.take(slice(1, 2)))
    assert Made().protocol == "one"


def test_hashes_follow_rows_pixels_and_labels():
    first = Made().load()
    assert Made().load().split_sha256 == first.split_sha256
    other = type("Other", (Made,), {"query": (2,)})().load()
    assert other.split_sha256 != first.split_sha256
    assert other.images_sha256 == first.images_sha256

    def brighter(self):
        pool = Made.read(self)
        return Pool(pool.images + np.uint8(1), pool.labels, pool.classes)

    assert type("Brighter", (Made,), {"read": brighter})().load().images_sha256 != first.images_sha256


def test_single_class_and_empty_part_are_refused():
    with pytest.raises(DataError, match=r"made: expected at least two classes, got \['a'\]"):
        type("One", (Made,), {"classes": ("a",)})().load()
    with pytest.raises(DataError, match="made@one: the query split is empty"):
        type("Empty", (Made,), {"query": ()})().load()


def test_listing_needs_only_numpy():
    code = (
        "import sys; from hashzoo.datasets.base import DATASETS; "
        "[DATASETS.get(name) for name in ('cifar10', 'digits', 'folder')]; "
        "print([name for name in ('torch', 'torchvision', 'sklearn', 'PIL', 'rich') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_protocol_without_a_rule_needs_a_divide():
    class Undivided(Made):
        divide = Dataset.divide

    with pytest.raises(TypeError, match="neither a rule nor a `divide`"):
        Undivided().load()


def test_a_split_seed_out_of_range():
    with pytest.raises(InvalidInput, match="split seed: expected 0 to"):
        Made(split_seed=-1)
