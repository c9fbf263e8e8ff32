"""Exact search in large databases by looking at a part of them only; how and when it pays is in docs/search.md."""

from __future__ import annotations

import math
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashzoo.errors import InvalidInput
from hashzoo.retrieval import index_file
from hashzoo.retrieval.backend import Searcher, backend, thread_count
from hashzoo.retrieval.codes import MOST_BITS, packed_codes
from hashzoo.retrieval.index_file import WIDEST_SUBSTRING, Content
from hashzoo.retrieval.ranking import whole_number
from hashzoo.retrieval.reference import Matches, Packed

FEWEST_TABLE_BITS = 8  # narrower tables save nothing: a bucket would hold a large part of the database


class MultiIndex:
    """An index over codes whose answers equal those of `top_k` and `within_radius` over the same codes, `==`.

    Made by `build` or `load`. `threads` of every method: default `HASHZOO_THREADS`, else every core of this process.

    Source: Norouzi, Punjani and Fleet, Fast search in Hamming space with multi-index hashing, CVPR 2012.
    """

    def __init__(self, content: Content, threads: int) -> None:
        self._content, self._searcher = content, _searcher(content, threads)

    @classmethod
    def build(
        cls, database: Any, bits: int | None = None, substrings: int | None = None, *, threads: int | None = None
    ) -> MultiIndex:
        """An index over `(N, W)` packed uint64 or `(N, K)` codes, see `pack`.

        Args:
            database: N from 0 to 2^31 - 2 codes. Copied, so that changing it later does no harm.
            bits: code length K; needed for packed codes of other than a multiple of 64 bits.
            substrings: tables, each for `K / substrings` bits, at most 20; default `default_substrings`.
            threads: see the class.

        Raises:
            InvalidInput: bad codes, or substrings that are too few or too many.
        """
        count = thread_count(threads)
        packed, bits = packed_codes(database, "database", bits, count)
        return cls(_build(packed, bits, substrings, count), count)

    def __len__(self) -> int:
        """How many codes there are, N."""
        return self._content.rows

    def __repr__(self) -> str:
        return f"<MultiIndex: {len(self)} codes of {self.bits} bits, {self.substrings} substrings>"

    @property
    def bits(self) -> int:
        """The code length K."""
        return self._content.bits

    @property
    def substrings(self) -> int:
        """How many tables there are."""
        return self._content.substrings

    def top_k(self, query: Any, k: int, *, threads: int | None = None) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """What `retrieval.top_k(query, database, k)` gives: distances and rows, both `(Q, min(k, N))`.

        Raises:
            InvalidInput: k < 1, or not codes of `bits` bits.
        """
        k = whole_number(k, "k", 1)
        count = thread_count(threads)
        packed, _ = packed_codes(query, "query", self.bits, count)
        return self._searcher.top_k(packed, min(k, max(len(self), 1)), count)

    def within_radius(self, query: Any, radius: int = 2, *, threads: int | None = None) -> Matches:
        """What `retrieval.within_radius(query, database, radius)` gives: offsets `(Q + 1,)`, distances and rows.

        Raises:
            InvalidInput: radius < 0, or not codes of `bits` bits.
        """
        radius = whole_number(radius, "radius", 0)
        count = thread_count(threads)
        packed, _ = packed_codes(query, "query", self.bits, count)
        return self._searcher.within_radius(packed, min(radius, MOST_BITS), count)

    def add(self, codes: Any, substrings: int | None = None, *, threads: int | None = None) -> None:
        """Appends codes as rows N, N + 1 and so on. Builds all tables anew, so add many at once.

        Without `substrings` their number is chosen for the new size, whatever was given before.

        Raises:
            InvalidInput: not codes of `bits` bits, or bad `substrings`; the index is as it was.
        """
        count = thread_count(threads)
        packed, _ = packed_codes(codes, "codes", self.bits, count)
        everything = np.concatenate([self._content.codes(), packed])
        content = _build(everything, self.bits, substrings, count)
        self._content, self._searcher = content, _searcher(content, count)

    def save(self, path: str | PathLike[str]) -> None:
        """Writes the index to a file in one step: a reader meets the old file or the new one.

        Raises:
            StorageError: the folder cannot be written or the disk is full; what was there before still is.
        """
        index_file.write(Path(path), self._content)

    @classmethod
    def load(cls, path: str | PathLike[str], mmap: bool = True, *, threads: int | None = None) -> MultiIndex:
        """Reads what `save` wrote, after checking all of it.

        Args:
            path: the file.
            mmap: leave the arrays in the file, to be shared and paged by the system, instead of reading them into
                memory. The file may be replaced while it is in use (`save` does that), but not changed in place.
            threads: see the class.

        Raises:
            InvalidInput: no such file, not an index, another version, truncated or changed.
        """
        count = thread_count(threads)
        content = index_file.read(Path(path), mmap)
        try:
            return cls(content, count)
        except ValueError as error:
            raise InvalidInput(f"{path} is damaged: {error}") from None


def default_substrings(bits: int, distinct: int) -> int:
    """As many as make a substring about log2(distinct codes) bits wide: then a bucket holds about one code."""
    width = min(max(math.floor(math.log2(max(distinct, 1))), FEWEST_TABLE_BITS), WIDEST_SUBSTRING)
    return -(-bits // width)


def _searcher(c: Content, threads: int) -> Searcher:
    return backend().MultiIndex(c.distinct, c.offsets, c.entries, c.starts, c.members, c.bits, c.substrings, threads)


def _build(database: Packed, bits: int, substrings: int | None, threads: int) -> Content:
    if substrings is not None:
        substrings = whole_number(substrings, "substrings", 1)
        if substrings > bits or -(-bits // substrings) > WIDEST_SUBSTRING:
            raise InvalidInput(
                f"substrings: expected {-(-bits // WIDEST_SUBSTRING)} to {bits} for {bits} bits "
                f"(of 1 to {WIDEST_SUBSTRING} bits each), got {substrings}"
            )
    groups = backend().group(database, threads)
    sizes = np.bincount(groups)
    if len(sizes) == len(database):
        distinct, starts, members = database.copy(), np.zeros(0, np.uint32), np.zeros(0, np.uint32)
    else:
        members = groups.argsort(kind="stable").astype(np.uint32)
        starts = np.concatenate(([0], sizes.cumsum())).astype(np.uint32)
        distinct = database[members[starts[:-1]]]
    substrings = substrings or default_substrings(bits, len(distinct))
    offsets, entries = backend().build_tables(distinct, bits, substrings, threads)
    return Content(bits, substrings, len(database), distinct, offsets, entries, starts, members)
