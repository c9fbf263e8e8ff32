"""What each image file holds, without reading it again: an index of file status, as version control keeps one.

An entry is trusted while size, inode, time of modification and time of status change are those that were seen. A file
that changed less than two seconds before it was looked at gets no entry and is read again next time, since a second
change within the grain of a file system's clock would not show.
"""

from __future__ import annotations

import hashlib
import io
import os
import time
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hashzoo.datasets.wording import count, some
from hashzoo.datasets.workers import in_order
from hashzoo.errors import DataError, StorageError
from hashzoo.files import write_atomically

_FORMAT = 1
_GRAIN_NS = 2_000_000_000  # FAT keeps even seconds; all others are finer
_MOST = 2**63 - 1  # an inode may have 64 bits
_BLOCK = 256  # files that a worker reads in a row


@dataclass(frozen=True)
class FileContents:
    """Size and digest of files, in the order in which they were asked for."""

    sizes: np.ndarray  # (N,) int64, bytes
    digests: np.ndarray  # (N, 32) uint8, SHA-256


def place(root: Path | str, name: str) -> str:
    """Where the file `name` is: below `root`, unless it is absolute."""
    return name if name.startswith("/") else f"{root}/{name}"


def file_contents(root: Path, names: Sequence[str], *, owner: str, cache: Path) -> FileContents:
    """Sizes and SHA-256 of the files `names`; only those that changed since the last time are read.

    Args:
        owner: the dataset that asks, for messages.
        cache: the folder of the index; that it cannot be written costs time only.

    Raises:
        DataError: files are missing or cannot be read; names the first five and counts all.
    """
    looked = time.time_ns()
    status = _status(root, names, owner)
    index = cache / f"index-{hashlib.sha256(os.fsencode(os.path.realpath(root))).hexdigest()}.npz"
    known = _read(index)
    digests = np.zeros((len(names), 32), np.uint8)
    rows = np.array([known.rows.get(name, -1) for name in names], np.int64)
    trusted = rows >= 0
    trusted[trusted] = (known.status[rows[trusted]] == status[trusted]).all(axis=1)
    digests[trusted] = known.digests[rows[trusted]]
    changed = np.flatnonzero(~trusted)
    digests[changed] = _digests(root, [names[int(row)] for row in changed], owner)
    settled = changed[status[changed, 1:3].max(axis=1, initial=0) < looked - _GRAIN_NS]
    if len(settled):
        _write(index, known, [names[int(row)] for row in settled], status[settled], digests[settled])
    return FileContents(status[:, 0], digests)


@dataclass(frozen=True)
class _Index:
    rows: dict[str, int]
    status: np.ndarray  # (N, 4) int64: size, modified, status changed (both ns), inode
    digests: np.ndarray  # (N, 32) uint8


_EMPTY = _Index({}, np.zeros((0, 4), np.int64), np.zeros((0, 32), np.uint8))


def _status(root: Path, names: Sequence[str], owner: str) -> np.ndarray:
    """(N, 4) int64, as in `_Index`."""
    status, missing, unreadable = [], [], []
    for name in names:
        try:
            seen = os.stat(place(root, name))
        except (FileNotFoundError, NotADirectoryError):
            missing.append(name)
        except OSError as reason:
            unreadable.append(f"{name} ({reason.strerror})")
        else:
            status.append((seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino & _MOST))
    if missing:
        raise DataError(
            f"{owner}: {len(missing):,} of {count(len(names), 'image')} missing in {root}: {some(missing)}; "
            "an archive may be half extracted, or the folder another one"
        )
    _refuse_unreadable(unreadable, root, owner)
    return np.array(status, np.int64).reshape(-1, 4)


def _digests(root: Path, names: Sequence[str], owner: str) -> np.ndarray:
    unreadable: list[str] = []

    def read(rows: range) -> bytes:
        found = b""
        for row in rows:
            try:
                with open(place(root, names[row]), "rb", buffering=0) as file:
                    found += hashlib.sha256(file.read()).digest()
            except OSError as reason:
                unreadable.append(f"{names[row]} ({reason.strerror})")
        return found

    blocks = [range(start, min(start + _BLOCK, len(names))) for start in range(0, len(names), _BLOCK)]
    found = b"".join(in_order(read, blocks))
    _refuse_unreadable(unreadable, root, owner)
    return np.frombuffer(found, np.uint8).reshape(-1, 32)


def _refuse_unreadable(unreadable: list[str], root: Path, owner: str) -> None:
    if unreadable:
        raise DataError(
            f"{owner}: {count(len(unreadable), 'image')} in {root} cannot be read: {some(sorted(unreadable))}"
        )


def _read(file: Path) -> _Index:
    try:
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            if int(stored["format"]) != _FORMAT:
                return _EMPTY
            names = os.fsdecode(stored["names"].tobytes()).split("\0")
            index = _Index({name: row for row, name in enumerate(names)}, stored["status"], stored["digests"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile):
        return _EMPTY
    whole = index.status.shape == (len(names), 4) and index.digests.shape == (len(names), 32)
    return index if whole else _EMPTY


def _write(file: Path, known: _Index, names: Sequence[str], status: np.ndarray, digests: np.ndarray) -> None:
    """The index with what was learned; earlier entries of the same names are dropped."""
    fresh = set(names)
    kept = [name for name in known.rows if name not in fresh]
    rows = np.array([known.rows[name] for name in kept], np.int64)
    buffer = io.BytesIO()
    np.savez(
        buffer,
        allow_pickle=False,
        format=np.int64(_FORMAT),
        names=np.frombuffer(os.fsencode("\0".join([*kept, *names])), np.uint8),
        status=np.concatenate([known.status[rows], status]),
        digests=np.concatenate([known.digests[rows], digests]),
    )
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, buffer.getvalue())
    except (OSError, StorageError):  # the image cache beside it says so, once
        return
