"""Every named protocol at the true length of its dataset, from labels alone; needs NumPy and pytest, nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from hashzoo.datasets.base import DATASETS, Dataset, Pool, split_sha256
from hashzoo.datasets.nuswide import LABELS
from hashzoo.datasets.splits import row_keys

LENGTHS = {  # images, labels or classes, test images
    "cifar10": (60_000, 10, 10_000),
    "cifar100": (60_000, 100, 10_000),
    "coco": (122_218, 80, 0),
    "fashion_mnist": (70_000, 10, 10_000),
    "imagenet100": (133_503, 100, 5_000),
    "mirflickr25k": (25_000, 38, 0),
    "mnist": (70_000, 10, 10_000),
    "nuswide": (195_834, 21, 0),
    "svhn": (99_289, 10, 26_032),
    "voc2012": (11_540, 20, 0),
}
SPLITS = {  # the first 16 digits, for good: a change here changes what every stored result was measured on
    "cifar10@59k": "970f80b40b533d6f",
    "cifar10@54k": "4db459dbcce9a1ca",
    "cifar10@50k": "39b199e834580c4f",
    "cifar100@50k": "4dbd3acff6349887",
    "coco@80": "99a604aeafe91d5e",
    "imagenet100@13k": "ecb49d8d98b87c1d",
    "imagenet100@10k": "a45dfbecc5e3a2f7",
    "mirflickr25k@24": "0f19d242b20b6bcd",
    "mirflickr25k@38": "0f19d242b20b6bcd",
    "nuswide@21": "bc558c83be7b5f1d",
    "nuswide@dfeh": "a99c0cb22a48aba9",
    "nuswide@dsh": "074a819ff5f1440f",
    "voc2012@trainval": "a82549338ccf5ab2",
}
PROTOCOLS = [f"{name}@{key}" for name in LENGTHS for key in DATASETS.get(name).protocols]


def synthetic(name: str) -> Pool:
    """Labels in integer arithmetic alone; each of several labels is on 3% to 23% of the images, and no row is empty."""
    count, classes, tests = LENGTHS[name]
    rows = np.arange(count)
    if not DATASETS.get(name).multi_label:
        labels = rows % classes
    else:
        shares = 3 + 20 * np.arange(classes) // classes
        labels = np.stack([row_keys(1000 + c, count) % np.uint64(100) < shares[c] for c in range(classes)], axis=1)
        labels[rows, rows % classes] |= ~labels.any(axis=1)
        labels = labels.astype(np.uint8)
    return Pool.without_images(labels, tuple(f"c{c}" for c in range(classes)), tests)


@pytest.fixture(scope="module")
def pools() -> dict[str, Pool]:
    return {name: synthetic(name) for name in LENGTHS}


def opened(words: str, seed: int = 0) -> Dataset:
    name, _, protocol = words.partition("@")
    return DATASETS.get(name)(protocol=protocol, split_seed=seed)


def divided(words: str, pool: Pool, seed: int = 0) -> dict[str, np.ndarray]:
    return opened(words, seed).rows(pool)


def test_every_protocol_is_here():
    own = {"digits", "folder", "list", "csv", "manifest"}  # their files say what there is
    built_in = {name for name in DATASETS.names() if DATASETS.get(name).__module__.startswith("hashzoo.")}
    assert built_in - own == set(LENGTHS)
    assert {words for words in PROTOCOLS if opened(words).drawn} == set(SPLITS)


@pytest.mark.parametrize("words", PROTOCOLS)
def test_the_sizes_that_are_stated(pools, words):
    name, _, protocol = words.partition("@")
    rows = divided(words, pools[name])
    sizes = [len(rows[part]) for part in ("train", "query", "database")]
    for stated, found in zip(DATASETS.get(name).protocols[protocol].sizes or (None,) * 3, sizes, strict=True):
        assert stated in (None, found)
    assert not np.intersect1d(rows["train"], rows["query"]).size
    assert all((np.diff(part) > 0).all() for part in rows.values())


@pytest.mark.parametrize(("words", "expected"), SPLITS.items())
def test_the_same_rows_for_good(pools, words, expected):
    name = words.partition("@")[0]
    assert split_sha256(divided(words, pools[name]))[:16] == expected
    assert split_sha256(divided(words, pools[name], seed=1))[:16] != expected


def test_image_net_of_hash_net():
    """128,503 training images of its hundred classes."""
    assert LENGTHS["imagenet100"][0] - LENGTHS["imagenet100"][2] == 128_503


def test_nus_wide_21_counts_labels(pools):
    rows = divided("nuswide@21", pools["nuswide"])
    labels = pools["nuswide"].labels
    assert (labels[rows["query"]].sum(0) >= 100).all()
    assert (labels[rows["train"]].sum(0) >= 500).all()
    assert len(LABELS) == labels.shape[1]


def test_nus_wide_dfeh_takes_the_first_5000_of_each_label(pools):
    labels = pools["nuswide"].labels
    rows = divided("nuswide@dfeh", pools["nuswide"])
    order = np.argsort(row_keys(0, len(labels)), kind="stable")
    wanted = set()
    for label in range(labels.shape[1]):
        wanted.update(order[labels[order, label] == 1][:5_000].tolist())
    assert rows["train"].tolist() == rows["database"].tolist() == sorted(wanted)
    assert 21 * 5_000 > len(wanted) > 21 * 5_000 / 6
    assert len(rows["query"]) == len(labels) - len(wanted)
    assert (labels[rows["train"]].sum(0) >= 5_000).all()


def test_cut_offs():
    stated = {f"{name}@{key}": p.topk for name in LENGTHS for key, p in DATASETS.get(name).protocols.items() if p.topk}
    assert stated == {
        "coco@80": 5_000,
        "imagenet100@13k": 1_000,
        "imagenet100@10k": 1_000,
        "mirflickr25k@24": 1_000,
        "nuswide@21": 5_000,
    }
