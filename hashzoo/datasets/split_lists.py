"""Splits that were made elsewhere: three text files that name the images of each part."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path, PurePosixPath

import numpy as np

from hashzoo.datasets.splits import PARTS, Labelled, Rows
from hashzoo.datasets.wording import count, some
from hashzoo.errors import DataError


def read_split_lists(folder: Path, data: Labelled) -> Rows:
    """Rows from `train.txt`, `query.txt` and `database.txt` in `folder`.

    The first word of a line says which image: its path as the dataset has it, or as much of the end of a path as is
    enough to tell, or, for a dataset without image files, the number of its row, from 0. What follows on the line, such
    as labels, is not used. Empty lines are passed over.

    Raises:
        DataError: a list is missing or empty, or a line names no image, or several, or one that the list has already.
    """
    files = [folder / f"{part}.txt" for part in PARTS]
    if missing := [file.name for file in files if not file.is_file()]:
        raise DataError(f"expected train.txt, query.txt and database.txt in {folder}, found no {some(missing)}")
    find = _Finder(data)
    return {file.stem: np.sort(_read(file, find)) for file in files}


class _Finder:
    """From a word of a list to a row, or None."""

    def __init__(self, data: Labelled) -> None:
        self.count = len(data.labels)
        self.rows = {name: row for row, name in enumerate(data.names)}
        self.by_file: dict[str, list[str]] = defaultdict(list)
        for name in self.rows:
            self.by_file[PurePosixPath(name).name].append(name)

    def __call__(self, word: str) -> int | None:
        if not self.rows:
            return int(word) if word.isascii() and word.isdigit() and int(word) < self.count else None
        if word in self.rows:
            return self.rows[word]
        fitting = [name for name in self.by_file.get(PurePosixPath(word).name, ()) if _share_an_end(name, word)]
        return self.rows[fitting[0]] if len(fitting) == 1 else None


def _share_an_end(name: str, word: str) -> bool:
    """Whether one path is the other but for folders in front."""
    return f"/{name}".endswith(f"/{word}") or f"/{word}".endswith(f"/{name}")


def _read(file: Path, find: _Finder) -> np.ndarray:
    try:
        lines = file.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as reason:
        raise DataError(f"{file} cannot be read: {reason}") from reason
    words = [line.split(maxsplit=1)[0].replace("\\", "/").removeprefix("./") for line in lines if line.strip()]
    if not words:
        raise DataError(f"{file} names no image")
    rows = {word: find(word) for word in words}
    if unknown := [word for word, row in rows.items() if row is None]:
        expected = "names of images, each enough to tell one" if find.rows else f"row numbers below {find.count}"
        raise DataError(f"{file}: expected {expected}, got {count(len(unknown), 'other')}: {some(unknown)}")
    repeats = Counter(rows[word] for word in words)
    if twice := [word for word, row in rows.items() if repeats[row] > 1]:
        raise DataError(f"{file}: {count(len(twice), 'name')} for images that come more than once: {some(twice)}")
    return np.array(list(repeats), np.int64)
