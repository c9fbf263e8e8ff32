"""A checked list of images: path, size, SHA-256, labels and splits of each, in one file that vouches for itself.

The file is text, one JSON a line: a header, then one line for each image. `hashzoo data import` writes it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from hashzoo.datasets.base import DATASETS, Protocol
from hashzoo.datasets.file_index import FileContents, file_contents
from hashzoo.datasets.images import check_images, data_root
from hashzoo.datasets.listed import Joined, ListedDataset, Listings
from hashzoo.datasets.lists import Listing
from hashzoo.datasets.pixel_cache import cache_folder
from hashzoo.datasets.wording import count, some
from hashzoo.errors import DataError
from hashzoo.files import write_atomically
from hashzoo.memory import default_budget

FILE = "manifest.jsonl"
VERSION = 1
_FORMAT = "hashzoo manifest"
_PARTS = ("train", "query", "database")


@DATASETS.register("manifest")
class Manifest(ListedDataset):
    """Images of your own, named by a manifest of `hashzoo data import` that knows what each file must hold.

    The root is the manifest, or a folder with manifest.jsonl. Paths start from the folder that the manifest names, or
    from the image root. Files that are missing or hold something else than when the manifest was written are named.
    """

    protocols: ClassVar = {"manifest": Protocol("the splits that the manifest states")}
    empty_labels_default: ClassVar = "keep"  # the import has decided

    @property
    def title(self) -> str:
        """The name of the folder it is in, unless the file has a name of its own."""
        file = _file(data_root(self.root)).resolve()
        return f"{file.parent.name if file.name == FILE else file.stem} (manifest)"

    def listings(self) -> Listings:
        """The splits.

        Raises:
            DataError: there is no manifest, or it is damaged or of another version.
        """
        file = _file(data_root(self.root))
        header, rows = _read(file)
        try:
            self._expected = {row["path"]: (row["bytes"], row["sha256"]) for row in rows}
            return Listings(
                self.image_root or file.parent / header["root"], _parts(header, rows), tuple(header["classes"])
            )
        except (KeyError, TypeError, ValueError, IndexError) as reason:
            raise DataError(f"manifest: {file} is damaged ({type(reason).__name__}: {reason})") from None

    def check(self, names: list[str], contents: FileContents) -> None:
        """Compare the files with what the manifest says of them.

        Raises:
            DataError: some are not as they were; names the first five, says how, and counts all.
        """
        changed = []
        for name, size, digest in zip(names, contents.sizes.tolist(), contents.digests, strict=True):
            expected_size, expected_digest = self._expected[name]
            if size != expected_size:
                changed.append(f"{name} ({size:,} bytes, not {expected_size:,})")
            elif digest.tobytes().hex() != expected_digest:
                changed.append(f"{name} (another content)")
        if changed:
            raise DataError(
                f"manifest: {len(changed):,} of {count(len(names), 'image')} changed since "
                f"{_file(data_root(self.root))} was written: {some(changed)}"
            )


def write_manifest(file: Path, joined: Joined, *, source: str, memory: int | None = None) -> int:
    """Read and decode every image, then write the manifest in one step.

    Args:
        source: the dataset that read the lists, for messages and for the record.
        memory: bytes that decoding may take; by default half of the machine's.

    Returns:
        How many images it lists.

    Raises:
        DataError: images are missing, cannot be read or do not decode; nothing is written then.
        StorageError: the file cannot be written.
    """
    listing = joined.listing
    contents = file_contents(joined.root, listing.names, owner=source, cache=cache_folder())
    check_images(joined.root, listing.names, owner=source, memory=memory or default_budget())
    body = "".join(f"{_dumped(row)}\n" for row in _rows(joined, contents)).encode()
    header = {
        "format": _FORMAT,
        "version": VERSION,
        "source": source,
        "root": os.path.relpath(joined.root, file.parent),
        "classes": list(joined.classes),
        "multi_label": listing.labels.ndim == 2,
        "images": len(listing),
        "sha256": hashlib.sha256(body).hexdigest(),
    }
    write_atomically(file, f"{_dumped(header)}\n".encode() + body)
    return len(listing)


def _rows(joined: Joined, contents: FileContents) -> Iterator[dict[str, Any]]:
    listing = joined.listing
    played = {part: np.isin(np.arange(len(listing)), joined.rows[part]) for part in _PARTS}
    for row, name in enumerate(listing.names):
        labels = listing.labels[row]
        yield {
            "path": name,
            "bytes": int(contents.sizes[row]),
            "sha256": contents.digests[row].tobytes().hex(),
            "labels": np.flatnonzero(labels).tolist() if labels.ndim else [int(labels)],
            "splits": [part for part in _PARTS if played[part][row]],
        }


def _dumped(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))  # in ASCII, so that any path survives


def _file(root: Path) -> Path:
    return root / FILE if root.is_dir() else root


def _read(file: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Header and rows, after the checksum was compared."""
    try:
        first, _, body = file.read_bytes().partition(b"\n")
    except OSError as reason:
        raise DataError(
            f"manifest: expected a manifest or a folder with {FILE}, cannot read {file} ({reason.strerror}); "
            "`hashzoo data import` writes one"
        ) from None
    try:
        header = json.loads(first)
        known = header["format"] == _FORMAT
    except (ValueError, KeyError, TypeError):
        known = False
    if not known:
        raise DataError(f"manifest: {file} is no manifest of `hashzoo data import`")
    if header.get("version") != VERSION:
        raise DataError(f"manifest: expected version {VERSION}, {file} is of version {header.get('version')!r}")
    if hashlib.sha256(body).hexdigest() != header.get("sha256"):
        raise DataError(f"manifest: {file} was cut off or changed after it was written (its sha256 differs)")
    try:
        return header, json.loads(b"[" + body.rstrip(b"\n").replace(b"\n", b",") + b"]")
    except ValueError as reason:
        raise DataError(f"manifest: {file} is damaged ({reason})") from None


def _parts(header: dict[str, Any], rows: list[dict[str, Any]]) -> dict[str, Listing]:
    classes = len(header["classes"])
    if header["multi_label"]:
        labels = np.zeros((len(rows), classes), np.uint8)
        for number, row in enumerate(rows):
            labels[number, row["labels"]] = 1
    else:
        labels = np.array([row["labels"][0] for row in rows], np.int64)
    parts = {}
    for part in _PARTS:
        played = [number for number, row in enumerate(rows) if part in row["splits"]]
        parts[part] = Listing([rows[number]["path"] for number in played], labels[played])
    return parts
