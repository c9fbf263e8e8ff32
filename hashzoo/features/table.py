"""The features of a split: made once for all images of its pool, kept under a key of their content."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from hashzoo.datasets.base import Split
from hashzoo.datasets.pixel_cache import cache_folder
from hashzoo.features.base import BLOCK, Features

_FORMAT = "hashzoo features 1"  # part of every key: raise the number when the same images would give other vectors
_ROWS = 2048  # of the table at a time
_PROGRESS_FROM = 2000  # images; fewer are done before a bar would be read


def split_features(features: Features, split: Split) -> np.ndarray:
    """(M, d) float32, a row for each image of `split`."""
    table = _table(features, split)
    if table is not None:
        rows: np.ndarray = table[split.rows]
        return rows
    return np.concatenate([features(images) for images in _images(split)])


def feature_blocks(features: Features, split: Split) -> Iterator[np.ndarray]:
    """The same in blocks of (B, d), without holding them all."""
    table = _table(features, split)
    if table is None:
        yield from map(features, _images(split))
    else:
        yield from (table[split.rows[i : i + _ROWS]] for i in range(0, len(split), _ROWS))


def _table(features: Features, split: Split) -> np.ndarray | None:
    """(N, d) for all images of the pool, mapped from the cache; None where it is not worth it or cannot be kept."""
    if not (features.cached and split.content):
        return None
    name = json.dumps([_FORMAT, features.header(), split.content, len(split.images)], sort_keys=True)
    file = cache_folder() / f"features-{hashlib.sha256(name.encode()).hexdigest()}.npy"
    kept = _open(file, len(split.images))
    if kept is not None:
        return kept
    try:
        _store(file, features, split.images)
    except OSError as cause:
        warnings.warn(
            f"the cache {file.parent} cannot be written ({cause.strerror or cause}), so features are made at every "
            "start; HASHZOO_CACHE names another folder",
            stacklevel=1,  # one place, so that it is said once
        )
        return None
    return _open(file, len(split.images))


def _open(file: Path, count: int) -> np.ndarray | None:
    try:
        table: Any = np.load(file, mmap_mode="r", allow_pickle=False)
        whole = file.stat().st_size == table.offset + table.nbytes
    except (OSError, ValueError, EOFError, AttributeError):
        return None
    if not (whole and table.ndim == 2 and len(table) == count and table.dtype == np.float32):
        return None
    plain: np.ndarray = table.view(np.ndarray)
    return plain


def _store(file: Path, features: Features, images: np.ndarray) -> None:
    """Write a .npy under another name first: nobody ever sees half a file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    length = features(images[:1]).shape[1]
    descriptor, temporary = tempfile.mkstemp(dir=file.parent, prefix="features-", suffix=".tmp")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            header = {"descr": "<f4", "fortran_order": False, "shape": (len(images), length)}
            np.lib.format.write_array_header_1_0(stream, header)
            for start in _with_progress(range(0, len(images), BLOCK), len(images)):
                stream.write(features(images[start : start + BLOCK]).astype("<f4", copy=False).data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, file)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _images(split: Split) -> Iterator[np.ndarray]:
    return (split.take(slice(i, i + BLOCK)) for i in range(0, len(split), BLOCK))


def _with_progress(starts: range, total: int) -> Iterable[int]:
    if total <= _PROGRESS_FROM or not sys.stderr.isatty():
        return starts
    from rich.console import Console
    from rich.progress import track

    return track(starts, description=f"describing {total:,} images", console=Console(stderr=True), transient=True)
