"""What files hold, known without reading them, and never wrong about it."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import numpy as np
import pytest

from hashzoo.datasets import file_index
from hashzoo.datasets.file_index import file_contents
from hashzoo.errors import DataError

NAMES = ["a.jpg", "sub/b.jpg", "c.jpg"]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three files that were last changed long before they are looked at."""
    for name in NAMES:
        (tmp_path / "root" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "root" / name).write_bytes(name.encode())
    later(monkeypatch)
    return tmp_path / "root"


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files read so far."""
    seen: list[str] = []
    digests = file_index._digests

    def spy(root: Path, names: list[str], owner: str) -> np.ndarray:
        seen.extend(names)
        return digests(root, names, owner)

    monkeypatch.setattr(file_index, "_digests", spy)
    return seen


def later(monkeypatch: pytest.MonkeyPatch, seconds: float = 10) -> None:
    now = time.time_ns
    monkeypatch.setattr(file_index.time, "time_ns", lambda: now() + int(seconds * 1e9))


def contents(root: Path, names: list[str] = NAMES) -> list[bytes]:
    found = file_contents(root, names, owner="test", cache=root.parent / "cache")
    assert found.sizes.tolist() == [(root / name).stat().st_size for name in names]
    return [digest.tobytes() for digest in found.digests]


def expected(root: Path, names: list[str] = NAMES) -> list[bytes]:
    return [hashlib.sha256((root / name).read_bytes()).digest() for name in names]


def test_files_are_read_once(root, read):
    assert contents(root) == expected(root)
    assert read == NAMES
    assert contents(root, NAMES[::-1]) == expected(root, NAMES[::-1])
    assert read == NAMES


@pytest.mark.parametrize("change", ["content", "same size", "time put back", "replaced"])
def test_a_changed_file_is_read_again(root, read, change):
    contents(root)
    file = root / "c.jpg"
    before = file.stat()
    match change:
        case "content":
            file.write_bytes(b"longer than before")
        case "same size":
            file.write_bytes(b"C.JPG")
        case "time put back":
            file.write_bytes(b"C.JPG")
            os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
        case "replaced":
            (root / "new").write_bytes(b"C.JPG")
            os.replace(root / "new", file)
    read.clear()
    assert contents(root) == expected(root)
    assert read == ["c.jpg"]


def test_new_names_join_the_index(root, read):
    contents(root, NAMES[:1])
    contents(root, NAMES[1:])
    assert contents(root) == expected(root)
    assert read == NAMES


def test_a_file_that_changed_just_now_is_not_trusted(tmp_path, read):
    file = tmp_path / "a.jpg"
    file.write_bytes(b"one")
    before = file.stat()
    contents(tmp_path, ["a.jpg"])
    file.write_bytes(b"two")  # within one tick of a coarse clock this is invisible
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert contents(tmp_path, ["a.jpg"]) == expected(tmp_path, ["a.jpg"])
    assert read == ["a.jpg", "a.jpg"]


@pytest.mark.parametrize("damage", [b"", b"x" * 100, None])
def test_a_damaged_index_is_made_anew(root, read, damage):
    contents(root)
    (index,) = (root.parent / "cache").iterdir()
    index.write_bytes(index.read_bytes()[:-30] if damage is None else damage)
    read.clear()
    assert contents(root) == expected(root)
    assert read == NAMES
    contents(root)
    assert read == NAMES


def test_an_index_that_cannot_be_written_costs_time_only(root, read):
    (root.parent / "cache").write_text("in the way")
    assert contents(root) == contents(root) == expected(root)
    assert read == NAMES * 2


def test_absolute_names(root, tmp_path):
    (tmp_path / "far.jpg").write_bytes(b"far")
    assert contents(root, [str(tmp_path / "far.jpg")]) == [hashlib.sha256(b"far").digest()]


def test_missing_files_five_named_all_counted(root):
    names = [*NAMES, *(f"gone{i}.jpg" for i in range(7)), "a.jpg/below"]
    with pytest.raises(DataError) as error:
        contents(root, names)
    assert str(error.value) == (
        f"test: 8 of 11 images missing in {root}: gone0.jpg, gone1.jpg, gone2.jpg, gone3.jpg, gone4.jpg and 3 more; "
        "an archive may be half extracted, or the folder another one"
    )


def test_a_folder_is_no_image(root):
    with pytest.raises(DataError, match=r"test: 1 image in .* cannot be read: sub \(Is a directory\)"):
        contents(root, ["a.jpg", "sub"])
