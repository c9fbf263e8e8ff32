"""Decoded images on disk: plain .npy files under a key of their content, mapped into memory.

The cache is `$HASHZOO_CACHE`, else `$XDG_CACHE_HOME/hashzoo`, else `~/.cache/hashzoo`; deleting it is always safe.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from hashzoo.errors import DataError, StorageError
from hashzoo.files import write_atomically
from hashzoo.memory import show_bytes

_SPARE = 64 << 20  # bytes of the disk that are left alone


def cache_folder() -> Path:
    """Where decoded images are kept; it need not exist yet."""
    if own := os.environ.get("HASHZOO_CACHE"):
        return Path(own)
    shared = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(shared, "hashzoo")


def pixel_file(key: str) -> Path:
    """The cache file of a key."""
    return cache_folder() / f"images-{key}.npy"


def open_pixels(file: Path, shape: tuple[int | None, ...]) -> np.ndarray | None:
    """The cached array, memory-mapped and read-only, if it is whole; `shape` is (N, H, W), None where any will do."""
    try:
        array: Any = np.load(file, mmap_mode="r", allow_pickle=False)
        whole = file.stat().st_size == array.offset + array.nbytes
    except (OSError, ValueError, EOFError, AttributeError):
        return None
    fits = array.ndim == 4 and array.shape[3] == 3 and array.dtype == np.uint8 and array.flags.c_contiguous
    if not (whole and fits and all(want in (None, got) for want, got in zip(shape, array.shape, strict=False))):
        return None
    plain: np.ndarray = array.view(np.ndarray)
    return plain


def write_pixels(
    file: Path,
    shape: tuple[int, int, int, int],
    blocks: Callable[[], Iterator[np.ndarray]],
    *,
    owner: str,
    memory: int,
) -> np.ndarray:
    """Store blocks of (B, H, W, 3) uint8 and map them; where the cache cannot be written they stay in memory.

    Args:
        shape: (N, H, W, 3) of all blocks together.
        owner: the dataset that asks, for messages.
        memory: bytes that they may take if they have to stay in memory.

    Raises:
        DataError: neither the disk nor the memory has the room.
    """
    try:
        _store(file, shape, blocks)
        stored = open_pixels(file, shape[:3])
        if stored is None:
            raise OSError(f"{file.name} does not read back")
        return stored
    except OSError as reason:
        why = reason.strerror or str(reason)
    need = prod(shape)
    if need > memory:
        raise DataError(
            f"{owner}: {shape[0]:,} images of {shape[2]}x{shape[1]} take {show_bytes(need)}; the image cache "
            f"{file.parent} cannot be written ({why}) and memory may hold {show_bytes(memory)}: "
            "HASHZOO_CACHE names another folder, --image-size a smaller size, --memory another amount"
        )
    _warn_once(
        f"the image cache {file.parent} cannot be written ({why}), so images are decoded at every start; "
        "HASHZOO_CACHE names another folder"
    )
    images = np.empty(shape, np.uint8)
    start = 0
    for block in blocks():
        images[start : start + len(block)] = block
        start += len(block)
    images.setflags(write=False)
    return images


def remembered_digest(images: np.ndarray, what: str, compute: Callable[[], str]) -> str:
    """`compute()`, or what it gave the last time for the same cache file and the same `what`.

    Beside a cache file lies a JSON with digests and the size, inode and time of the file for which they hold, so that
    a start need not read tens of GB. Images that are no whole cache file are digested each time.
    """
    file = _cache_file(images)
    if file is None:
        return compute()
    seen = file.stat()
    status = [seen.st_size, seen.st_mtime_ns, seen.st_ino]
    beside = file.with_suffix(".json")
    digests = _read_digests(beside, status)
    if what not in digests:
        digests[what] = compute()
        with suppress(StorageError):  # costs time only
            write_atomically(beside, json.dumps({"file": status, "digests": digests}).encode())
    return digests[what]


def _cache_file(images: np.ndarray) -> Path | None:
    mapped = images.base
    if not isinstance(mapped, np.memmap) or mapped.filename is None or images.flags.writeable:
        return None
    if (mapped.shape, mapped.dtype) != (images.shape, images.dtype):
        return None
    file = Path(mapped.filename)
    return file if file.parent == cache_folder().absolute() else None


def _read_digests(file: Path, status: list[int]) -> dict[str, str]:
    try:
        stored = json.loads(file.read_text())
        return dict(stored["digests"]) if stored["file"] == status else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _store(file: Path, shape: tuple[int, int, int, int], blocks: Callable[[], Iterator[np.ndarray]]) -> None:
    """Write a .npy under another name first: nobody ever sees half a file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    need, free = prod(shape), shutil.disk_usage(file.parent).free
    if need + _SPARE > free:
        raise OSError(errno.ENOSPC, f"{show_bytes(free)} are free on its disk")
    descriptor, temporary = tempfile.mkstemp(dir=file.parent, prefix=f"{file.stem[:20]}-", suffix=".tmp")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            np.lib.format.write_array_header_1_0(stream, {"descr": "|u1", "fortran_order": False, "shape": shape})
            for block in blocks():
                stream.write(block.data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, file)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


@cache
def _warn_once(message: str) -> None:
    warnings.warn(message, stacklevel=3)
