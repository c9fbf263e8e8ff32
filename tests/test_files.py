from __future__ import annotations

import errno
import os

import pytest

from hashzoo.errors import HashzooError, StorageError
from hashzoo.files import write_atomically


def test_a_file_is_written_and_replaced(tmp_path):
    file = tmp_path / "record.json"
    write_atomically(file, b"one")
    write_atomically(file, b"two, longer")
    assert file.read_bytes() == b"two, longer"
    assert os.listdir(tmp_path) == ["record.json"]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, call):
    file = tmp_path / "record.json"
    write_atomically(file, b"old")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, call, full)
    with pytest.raises(StorageError) as caught:
        write_atomically(file, b"new")
    assert str(caught.value) == f"cannot write {file}: No space left on device"
    assert isinstance(caught.value, HashzooError)
    assert file.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["record.json"]


def test_a_missing_folder_is_named(tmp_path):
    file = tmp_path / "none" / "record.json"
    with pytest.raises(StorageError, match="No such file or directory"):
        write_atomically(file, b"")
    assert not file.parent.exists()
