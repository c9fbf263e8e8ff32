from __future__ import annotations

import errno
from dataclasses import replace

import numpy as np
import pytest

from hashzoo.features import table
from hashzoo.features.base import Features
from hashzoo.features.gist import Gist
from hashzoo.features.pixels import Pixels
from hashzoo.features.table import feature_blocks, split_features


class Counted(Features):
    """Two numbers an image; knows how many images it has seen."""

    def __init__(self, version: int = 1) -> None:
        self.seen = 0
        self.version = version

    def __call__(self, images):
        self.seen += len(images)
        return np.stack([images.mean((1, 2, 3)), images[:, 0, 0, 0]], axis=1).astype(np.float32)

    def header(self):
        return {"kind": "counted", "version": self.version}


@pytest.fixture
def part(split):
    rows = np.array([40, 3, 3, 17])
    return replace(split, rows=rows, labels=split.labels[rows])


def test_rows_of_the_pool_are_described_once(cache, split, part):
    first, second = Counted(), Counted()
    expected = Counted()(split.images)
    assert np.array_equal(split_features(first, split), expected)
    assert np.array_equal(split_features(second, part), expected[part.rows])
    assert np.array_equal(np.concatenate(list(feature_blocks(second, part))), expected[part.rows])
    assert first.seen == 48 + 1  # one more to learn the length
    assert second.seen == 0
    assert [file.suffix for file in cache.iterdir()] == [".npy"]


@pytest.mark.parametrize("change", ["features", "content"])
def test_other_features_and_other_images_have_other_files(cache, split, change):
    split_features(Counted(), split)
    features = Counted(version=2 if change == "features" else 1)
    split_features(features, replace(split, content="cd" * 32) if change == "content" else split)
    assert features.seen > 0
    assert len(list(cache.iterdir())) == 2


@pytest.mark.parametrize("damage", ["cut", "empty", "other type", "other size"])
def test_a_damaged_file_is_made_anew(cache, split, damage):
    expected = split_features(Counted(), split)
    (file,) = cache.iterdir()
    match damage:
        case "cut":
            file.write_bytes(file.read_bytes()[:-1])
        case "empty":
            file.write_bytes(b"")
        case "other type":
            np.save(file, expected.astype(np.float64))
        case "other size":
            np.save(file, expected[:-1])
    features = Counted()
    assert np.array_equal(split_features(features, split), expected)
    assert features.seen > 0


def test_unknown_content_and_cheap_features_are_not_kept(cache, split):
    for features, of in ((Counted(), replace(split, content="")), (Pixels(), split)):
        assert len(split_features(features, of)) == len(of)
        assert sum(map(len, feature_blocks(features, of))) == len(of)
    assert not cache.exists()


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path, split, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("HASHZOO_CACHE", str(tmp_path / "file"))
    with pytest.warns(UserWarning, match=r"the cache .*file cannot be written \(.+\), .*HASHZOO_CACHE"):
        vectors = split_features(Counted(), split)
    assert np.array_equal(vectors, Counted()(split.images))


def test_a_full_disk_leaves_nothing_behind(cache, split, monkeypatch):
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(table.os, "fsync", full)
    with pytest.warns(UserWarning, match="No space left on device"):
        split_features(Counted(), split)
    assert list(cache.iterdir()) == []


def test_blocks_keep_their_order(cache, split, part, monkeypatch):
    monkeypatch.setattr(table, "_ROWS", 3)
    monkeypatch.setattr(table, "BLOCK", 5)
    for of in (split, part, replace(part, content="")):
        blocks = list(feature_blocks(Gist(), of))
        assert len(blocks) > 1 or len(of) < 5
        assert np.allclose(np.concatenate(blocks), Gist()(of.take(slice(None))), atol=1e-6)
