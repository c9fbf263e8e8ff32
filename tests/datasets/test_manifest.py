"""Manifests: written once everything is checked, and they name what changed since."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from hashzoo.datasets.base import DATASETS, LoadedDataset
from hashzoo.datasets.manifest import Manifest, write_manifest
from hashzoo.errors import DataError

TextLists = DATASETS.get("list")


@pytest.fixture
def root(tmp_path: Path, write_image) -> Path:
    root = tmp_path / "mine"
    for seed, name in enumerate(["a", "b", "c é", "q"]):
        write_image(root / f"{name}.png", seed, size=(8, 8))
    (root / "train.txt").write_text("a.png 1 0 0\nb.png 0 1 1\n")
    (root / "query.txt").write_text("q.png 0 1 0\n")
    (root / "database.txt").write_text("c é.png 0 0 1\nb.png 0 1 1\n", encoding="utf-8")
    (root / "classes.txt").write_text("sea\nsky\nsand\n")
    return root


@pytest.fixture
def manifest(root: Path) -> Path:
    file = root / "manifest.jsonl"
    assert write_manifest(file, TextLists(root).join(), source="list") == 4
    return file


def same(one: LoadedDataset, other: LoadedDataset) -> bool:
    parts = ("train", "query", "database")
    arrays = [(getattr(one, p).labels, getattr(other, p).labels) for p in parts]
    arrays += [(getattr(one, p).take(slice(None)), getattr(other, p).take(slice(None))) for p in parts]
    return one.classes == other.classes and all(np.array_equal(a, b) for a, b in arrays)


def test_a_manifest_is_the_dataset(root, manifest):
    loaded = Manifest(root).load()
    assert (loaded.title, loaded.protocol) == ("mine (manifest)", "manifest")
    assert same(loaded, TextLists(root).load())


@pytest.mark.parametrize("ids", [True, False])
def test_class_ids_too(root, ids):
    (root / "classes.txt").unlink()
    (root / "database.txt").unlink()
    for part, text in (("train", "a.png 3\nb.png 0\n"), ("query", "q.png 1\n")):
        (root / f"{part}.txt").write_text(text if ids else text.replace("3", "0 1").replace(" 0\n", " 1 1\n"))
    if not ids:
        (root / "query.txt").write_text("q.png 1 0\n")
    write_manifest(root / "manifest.jsonl", TextLists(root).join(), source="list")
    assert same(Manifest(root).load(), TextLists(root).load())


def test_it_says_what_is_in_it(manifest):
    header, *rows = [json.loads(line) for line in manifest.read_text().splitlines()]
    assert header["format"] == "hashzoo manifest"
    assert (header["version"], header["source"], header["images"], header["root"]) == (1, "list", 4, ".")
    assert header["classes"] == ["sea", "sky", "sand"]
    assert rows[1]["path"] == "b.png"
    assert (rows[1]["labels"], rows[1]["splits"]) == ([1, 2], ["train", "database"])
    assert len(rows[1]["sha256"]) == 64


def test_it_may_be_elsewhere_and_move_with_its_images(root, tmp_path):
    file = tmp_path / "lists" / "v1.jsonl"
    file.parent.mkdir()
    write_manifest(file, TextLists(root).join(), source="list")
    assert Manifest(file).load().title == "v1 (manifest)"
    (tmp_path / "moved").mkdir()
    for folder in (root, file.parent):
        folder.rename(tmp_path / "moved" / folder.name)
    assert len(Manifest(tmp_path / "moved/lists/v1.jsonl").load().train) == 2
    (tmp_path / "moved/mine").rename(tmp_path / "far")
    assert len(Manifest(tmp_path / "moved/lists/v1.jsonl", image_root=tmp_path / "far").load().train) == 2


def test_what_changed_is_named(root, manifest, write_image):
    with (root / "a.png").open("ab") as file:
        file.write(b"\0")
    content = bytearray((root / "q.png").read_bytes())
    content[-1] ^= 1
    (root / "q.png").write_bytes(content)
    with pytest.raises(DataError) as error:
        Manifest(root).load()
    size = os.path.getsize(root / "a.png")
    assert str(error.value) == (
        f"manifest: 2 of 4 images changed since {manifest} was written: "
        f"a.png ({size} bytes, not {size - 1}), q.png (another content)"
    )
    (root / "b.png").unlink()
    with pytest.raises(DataError, match=r"manifest: 1 of 4 images missing in .*: b\.png"):
        Manifest(root).load()


@pytest.mark.parametrize("damage", ["cut", "label", "version", "garbage", "missing", "row"])
def test_a_damaged_manifest(manifest, damage):
    text = manifest.read_text()
    match damage:
        case "cut":
            manifest.write_text("".join(text.splitlines(keepends=True)[:-1]))
            message = r"was cut off or changed after it was written \(its sha256 differs\)"
        case "label":
            manifest.write_text(text.replace('"labels":[1,2]', '"labels":[1]'))
            message = "was cut off or changed"
        case "version":
            manifest.write_text(text.replace('"version":1', '"version":2'))
            message = "expected version 1, .*jsonl is of version 2"
        case "garbage":
            manifest.write_text("[]\n")
            message = "is no manifest of `hashzoo data import`"
        case "missing":
            manifest.unlink()
            message = r"cannot read .*manifest\.jsonl \(No such file or directory\); `hashzoo data import` writes one"
        case "row":
            manifest.write_text(text.replace('"classes":["sea","sky","sand"]', '"classes":["sea","sky"]'))
            message = r"is damaged \(IndexError"
    with pytest.raises(DataError, match=message):
        Manifest(manifest.parent).load()


def test_nothing_is_written_if_an_image_is_bad(root):
    (root / "c é.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"list: 1 image in .* cannot be decoded: c é\.png"):
        write_manifest(root / "manifest.jsonl", TextLists(root).join(), source="list")
    assert not (root / "manifest.jsonl").exists()
