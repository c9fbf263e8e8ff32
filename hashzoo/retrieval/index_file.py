"""The file of a `MultiIndex`: a header and five arrays, described in docs/search.md. Reading it executes nothing."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashzoo.errors import InvalidInput
from hashzoo.files import write_atomically
from hashzoo.retrieval.reference import Packed, ungroup

MAGIC = b"hzindex\n"
VERSION = 1
WIDEST_SUBSTRING = 20
MOST_ROWS = 2**31 - 2
ALIGNMENT = 64  # of every array in the file

# Magic, version, size of the header, bits, substrings, rows, distinct codes, sha256 of all that follows the header;
# then the sha256 of these 96 bytes.
_HEADER = struct.Struct("<8sIIIIQQ32s24x")
_HEADER_SIZE = _HEADER.size + 32


@dataclass(frozen=True)
class Content:
    """The arrays of an index. Equal codes are kept once, as a group; groups are numbered by their first rows."""

    bits: int
    substrings: int
    rows: int
    distinct: Packed  # (D, W): the code of each group
    offsets: NDArray[np.uint32]  # table after table, 2^width + 1 each: where its buckets begin in `entries`
    entries: NDArray[np.uint32]  # (substrings, D): groups by bucket, ascending within one
    starts: NDArray[np.uint32]  # (D + 1,): where the rows of each group begin in `members`; empty if D = rows
    members: NDArray[np.uint32]  # (rows,): rows by group, ascending within one; empty if D = rows

    def codes(self) -> Packed:
        """All codes, `(rows, W)`."""
        return ungroup(self.distinct, self.starts, self.members)

    def arrays(self) -> tuple[NDArray[Any], ...]:
        """In the order of the file."""
        return self.distinct, self.offsets, self.entries, self.starts, self.members


def write(file: Path, content: Content) -> None:
    """Replaces `file` in one step, straight from the arrays.

    Raises:
        StorageError: the folder cannot be written or the disk is full; what was there before still is.
    """
    digest = hashlib.sha256()
    for part in _payload(content):
        digest.update(part)
    sizes = (content.bits, content.substrings, content.rows, len(content.distinct))
    header = _HEADER.pack(MAGIC, VERSION, _HEADER_SIZE, *sizes, digest.digest())
    write_atomically(file, (part for parts in ([header, _sha256(header)], _payload(content)) for part in parts))


def read(file: Path, mmap: bool) -> Content:
    """The content of a file whose checksums are right; whether its tables are in order is for the core to check.

    Raises:
        InvalidInput: no such file, not an index, another version, truncated or changed.
    """
    try:
        with file.open("rb") as stream:
            header = stream.read(_HEADER_SIZE)
        if header[: len(MAGIC)] != MAGIC:
            raise InvalidInput(f"{file}: expected a hashzoo index, got another kind of file")
        if len(header) < _HEADER_SIZE:
            raise InvalidInput(f"{file} is truncated: it ends within the header")
        _, version, _, bits, substrings, rows, distinct, digest = _HEADER.unpack_from(header)
        if version != VERSION:
            raise InvalidInput(f"{file}: expected an index of format version {VERSION}, got version {version}")
        shapes = _shapes(bits, substrings, rows, distinct)
        if _sha256(header[: _HEADER.size]) != header[_HEADER.size :] or shapes is None:
            raise InvalidInput(f"{file} is damaged: its header does not match its checksum")
        data: NDArray[np.uint8] = np.memmap(file, np.uint8, "r") if mmap else np.fromfile(file, np.uint8)
    except OSError as cause:
        raise InvalidInput(f"cannot read {file}: {cause.strerror or cause}") from None

    arrays, position = [], _HEADER_SIZE
    for shape, dtype in shapes:
        size = int(np.prod(shape, dtype=object)) * dtype.itemsize
        # As a plain array of the machine's byte order, which costs a copy on a big-endian one only.
        part = np.asarray(data)[position : position + size]
        position += -(-size // ALIGNMENT) * ALIGNMENT
        arrays.append((part, shape, dtype))
    if len(data) != position:
        raise InvalidInput(f"{file} is truncated or too long: expected {position} bytes, got {len(data)}")
    if _sha256(data[_HEADER_SIZE:].data) != digest:
        raise InvalidInput(f"{file} is damaged: its content does not match its checksum")
    return Content(
        bits, substrings, rows, *(p.view(t).reshape(s).astype(t.newbyteorder("="), copy=False) for p, s, t in arrays)
    )


def _shapes(bits: int, substrings: int, rows: int, distinct: int) -> list[tuple[tuple[int, ...], np.dtype[Any]]] | None:
    """Of the arrays, or None if there cannot be such an index."""
    if not (1 <= bits <= 4096 and 1 <= substrings <= bits and -(-bits // substrings) <= WIDEST_SUBSTRING):
        return None
    if not (distinct <= rows <= MOST_ROWS and (distinct == 0) == (rows == 0)):
        return None
    edges = [j * bits // substrings for j in range(substrings + 1)]
    offsets = sum(2 ** (end - begin) + 1 for begin, end in pairwise(edges))
    word, number = np.dtype("<u8"), np.dtype("<u4")
    groups = [((distinct + 1,), number), ((rows,), number)] if distinct < rows else [((0,), number)] * 2
    return [((distinct, -(-bits // 64)), word), ((offsets,), number), ((substrings, distinct), number), *groups]


def _payload(content: Content) -> Iterator[memoryview]:
    """The arrays as little-endian bytes, each filled up to the alignment."""
    for array in content.arrays():
        little = array.astype(array.dtype.newbyteorder("<"), copy=False).reshape(-1).view(np.uint8)
        yield little.data
        yield np.zeros(-len(little) % ALIGNMENT, np.uint8).data


def _sha256(data: bytes | memoryview) -> bytes:
    return hashlib.sha256(data).digest()
