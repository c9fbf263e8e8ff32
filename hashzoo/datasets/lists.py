"""Text lists of images, as the code that comes with papers of this field exchanges them.

    images/0001.jpg 0 1 0 0      several labels an image: a 0 or a 1 for each
    images/0001.jpg 7            one class an image: its id, counted from 0

The labels are the whole numbers at the end of a line, so a path may contain spaces. Blank lines are passed over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from hashzoo.datasets.wording import count, some
from hashzoo.errors import DataError

MOST_LABELS = 4096  # of one image
MOST_CLASSES = 1_000_000  # an id beyond is more likely another number, such as the image's

EmptyLabels = Literal["keep", "drop", "refuse"]


@dataclass(frozen=True)
class Listing:
    """Images by path, and what each shows."""

    names: list[str]  # relative to the folder of the data, or absolute
    labels: np.ndarray  # (N,) int64 class ids, or (N, C) uint8 multi-hot

    def __len__(self) -> int:
        return len(self.names)


def read_list(file: Path, *, owner: str, prefix: str = "") -> Listing:
    """A list of `path 0 1 0 0` or `path 7` lines; what kind it is follows from its first line.

    Args:
        owner: the dataset that asks, for messages.
        prefix: put before every path, such as "images/".

    Raises:
        DataError: the file cannot be read or is empty, or lines of it have another number of labels, something else
            than numbers, an impossible id or a path that came before; names the first five and counts all.
    """
    return _parse(read_lines(file, owner=owner), file, owner, prefix)


def read_parallel_lists(images: Path, labels: Path, *, owner: str, prefix: str = "") -> Listing:
    """Two files side by side, as `train_img.txt` and `train_label.txt`: line n of one belongs to line n of the other.

    Raises:
        DataError: as `read_list`, or the files differ in length.
    """
    paths, rows = (list(read_lines(file, owner=owner)) for file in (images, labels))
    if len(paths) != len(rows):
        raise DataError(f"{owner}: {images} names {count(len(paths), 'image')}, {labels.name} labels {len(rows):,}")
    joined = ((number, f"{path} {row}") for (_, path), (number, row) in zip(paths, rows, strict=True))
    return _parse(joined, labels, owner, prefix)


def read_class_names(file: Path, *, owner: str) -> tuple[str, ...]:
    """One name a line, that of class 0 first.

    Raises:
        DataError: the file cannot be read, or a name comes twice.
    """
    names: dict[str, int] = {}
    faults = []
    for number, name in read_lines(file, owner=owner):
        if name in names:
            faults.append(f"line {number}: {name} is on line {names[name]} already")
        names.setdefault(name, number)
    raise_faults(faults, file, owner)
    return tuple(names)


def class_names(listings: Iterable[Listing], named: tuple[str, ...] | None, *, owner: str) -> tuple[str, ...]:
    """Names of the labels of `listings`: those given, or numbers from 0.

    Raises:
        DataError: the listings are of different kinds or numbers of labels, or `named` does not fit them.
    """
    shapes = {listing.labels.shape[1:] for listing in listings}
    if len(shapes) > 1:
        kinds = sorted(f"{shape[0]} labels an image" if shape else "class ids" for shape in shapes)
        raise DataError(f"{owner}: expected the same labels in all splits, got {' and '.join(kinds)}")
    (shape,) = shapes
    if shape:
        if named is not None and len(named) != shape[0]:
            raise DataError(f"{owner}: {len(named)} names of classes for {shape[0]} labels an image")
        return named or tuple(map(str, range(shape[0])))
    highest = max(int(listing.labels.max(initial=-1)) for listing in listings)
    if named is not None and highest >= len(named):
        raise DataError(f"{owner}: class id {highest}, but only {len(named)} names of classes (ids count from 0)")
    return named or tuple(map(str, range(highest + 1)))


def join_listings(parts: Mapping[str, Listing], *, owner: str) -> tuple[Listing, dict[str, np.ndarray]]:
    """The images of all parts, each once, in the order in which they come first.

    Returns:
        The joint listing, and the rows of it, (M,) int64, that make up each part.

    Raises:
        DataError: an image has other labels in one part than in another; names the first five and counts all.
    """
    place: dict[str, int] = {}
    rows = {part: np.array([place.setdefault(n, len(place)) for n in x.names], np.int64) for part, x in parts.items()}
    first = next(iter(parts.values())).labels
    labels = np.zeros((len(place), *first.shape[1:]), first.dtype)
    for part, listing in reversed(list(parts.items())):
        labels[rows[part]] = listing.labels
    for part, listing in parts.items():
        same = (labels[rows[part]] == listing.labels).reshape(len(listing), -1).all(axis=1)
        if odd := [listing.names[int(row)] for row in np.flatnonzero(~same)]:
            raise DataError(f"{owner}: {count(len(odd), 'image')} with other labels in {part} than before: {some(odd)}")
    return Listing(list(place), labels), rows


def settle_empty_labels(listing: Listing, how: EmptyLabels, *, owner: str) -> tuple[np.ndarray, int]:
    """What to do with images that show none of several labels: they are relevant to no query.

    Returns:
        The rows that stay, (M,) int64: all, or those with a label if `how` is "drop"; and how many have none.

    Raises:
        DataError: there are some and `how` is "refuse"; names the first five and counts all.
    """
    full = listing.labels.any(axis=1) if listing.labels.ndim == 2 else np.ones(len(listing), bool)
    empty = len(listing) - int(np.count_nonzero(full))
    if empty and how == "refuse":
        shown = some([listing.names[int(row)] for row in np.flatnonzero(~full)])
        raise DataError(
            f"{owner}: {empty:,} of {count(len(listing), 'image')} without a label: {shown}; "
            "--empty-labels keep or --empty-labels drop says what to do with them"
        )
    return np.flatnonzero(full) if how == "drop" else np.arange(len(listing)), empty


def read_lines(file: Path, *, owner: str) -> Iterator[tuple[int, str]]:
    """Numbers, from 1, and content of the lines that are not blank, without space around them.

    Raises:
        DataError: the file cannot be read, is not text or holds nothing.
    """
    try:
        text = file.read_text(encoding="utf-8-sig", errors="surrogateescape")  # a path need not be UTF-8
    except OSError as reason:
        raise DataError(f"{owner}: {file} cannot be read ({reason.strerror})") from None
    if "\0" in text:
        raise DataError(f"{owner}: expected a text file, {file} is none")
    lines = [(number, line.strip()) for number, line in enumerate(text.split("\n"), 1)]
    filled = [(number, line) for number, line in lines if line]
    if not filled:
        raise DataError(f"{owner}: {file} is empty")
    return iter(filled)


def raise_faults(faults: list[str], file: Path, owner: str) -> None:
    """Nothing if there are no faults.

    Raises:
        DataError: there are; names the first five and counts all.
    """
    if faults:
        raise DataError(f"{owner}: {count(len(faults), 'line')} of {file} cannot be used: {some(faults)}")


def _parse(lines: Iterable[tuple[int, str]], file: Path, owner: str, prefix: str) -> Listing:
    seen: dict[str, int] = {}
    labels: list[bytes | int] = []
    faults: list[str] = []
    width = 0
    for number, line in lines:
        path, words = _split(line, width)
        width = width or len(words)
        first = seen.setdefault(path, number)
        if fault := _fault(line, words, width):
            faults.append(f"line {number}: {fault}")
        elif first != number:
            faults.append(f"line {number}: {path} is on line {first} already")
        else:
            labels.append(int(words[0]) if width == 1 else "".join(words).encode())
    raise_faults(faults, file, owner)
    names = [f"{prefix}{path}" for path in seen]
    if width == 1:
        return Listing(names, np.array(labels, np.int64))
    digits = np.frombuffer(b"".join(labels), np.uint8)  # type: ignore[arg-type]
    return Listing(names, (digits - ord("0")).reshape(len(names), width))


def _split(line: str, width: int) -> tuple[str, list[str]]:
    """Path and labels. A line with `width` of 0 and 1 behind its path, as nearly all have, is found out quickly."""
    path, tail = line[: -2 * width].rstrip(), line[-2 * width :]
    if width > 1 and path and tail[::2].isspace() and not tail[1::2].strip("01") and not _ends_in_number(path):
        return path, list(tail[1::2])
    words = line.split()
    labels = 0
    while labels < len(words) - 1 and _is_number(words[-1 - labels]):
        labels += 1
    path = line.rsplit(None, labels)[0] if labels else line
    return path, words[len(words) - labels :]


def _ends_in_number(path: str) -> bool:
    *before, last = path.rsplit(None, 1)
    return bool(before) and _is_number(last)


def _are_bits(words: list[str], width: int) -> bool:
    joined = "".join(words)
    return len(joined) == len(words) == width and not joined.strip("01")


def _is_number(word: str) -> bool:
    return word.isascii() and word.lstrip("-").isdigit()


def _fault(line: str, words: list[str], width: int) -> str | None:
    """What is wrong with the labels `words` of a line; None if nothing is."""
    if 1 < width <= MOST_LABELS and _are_bits(words, width):
        return None
    if len(words) != width or not words:
        odd = next((word for word in line.split()[1:][-max(width, 1) :] if not _is_number(word)), None)
        if odd is not None:
            return f"{odd!r} is not a number"
        return f"{count(len(words), 'label')}, expected {width or 'some'}"
    if width > MOST_LABELS:
        return f"{width:,} labels, expected at most {MOST_LABELS:,}"
    if width > 1:
        odd = next(word for word in words if word not in ("0", "1"))
        return f"label {odd}, expected 0 or 1"
    if not 0 <= int(words[0]) < MOST_CLASSES:
        return f"class id {words[0]}, expected 0 to {MOST_CLASSES - 1:,}"
    return None
