"""Exact ranking with torch operations, on any device that torch knows. `reference` says what each function means.

A dot product of codes of -1 and +1 gives their distance, and float32 holds it exactly: it is a whole number below 2^24.
Everything else is done in integers; what needs float64, which some devices lack, is done on the host.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hashzoo.errors import InvalidInput
from hashzoo.retrieval.backend import Searcher, backend
from hashzoo.retrieval.codes import MOST_BITS
from hashzoo.retrieval.reference import ALL_BUT_LAST, AT_RELEVANT, Counts, GradedCounts, Matches, Packed

_CELLS = 1 << 22  # most distances at a time
_QUERIES = 1 << 17  # most queries at a time: `within_radius` packs their number beside distance and row
_FLOATS = 1 << 24  # most unpacked bits of database rows at a time
_ROW = 1 << 31  # more than rows of any database


class TorchCore:
    """Takes numpy arrays and tensors of any device; returns numpy arrays.

    Args:
        device: where the work is done, as `torch.device` takes it.

    Raises:
        InvalidInput: torch does not know the device or cannot use it.
    """

    def __init__(self, device: Any) -> None:
        try:
            self.device = torch.device(device)
            self._bit = torch.arange(64, device=self.device)
        except (RuntimeError, AssertionError, NotImplementedError) as error:
            reason = " ".join(str(error).split())
            raise InvalidInput(
                f"device: expected a device that torch can use, got {str(device)!r} ({reason})"
            ) from None

    def resident(self, packed: Any) -> Any:
        """The same codes in the device's memory."""
        return self._words(packed).view(torch.uint64)

    def pack(self, values: Any, threads: int = 1) -> Packed:
        return self.pack_there(self._tensor(values)).cpu().numpy()

    def pack_there(self, values: Tensor) -> Tensor:
        """(N, K) of any dtype -> (N, W) uint64 on the device; raises ValueError as `reference.pack`."""
        if values.is_floating_point():
            if values.isnan().any():
                raise ValueError("codes contain NaN")
            ones = values >= 0
        else:
            zeros, minus, plus = values == 0, values == -1, values == 1
            if not ((zeros | plus).all() or (minus | plus).all()):
                raise ValueError("integer codes must be all in {0, 1} or all in {-1, 1}; other values found")
            ones = plus
        rows, bits = ones.shape
        padded = torch.nn.functional.pad(ones, (0, -bits % 64)).reshape(rows, -(-bits // 64), 64)
        return (padded.long() << self._bit).sum(dim=2).view(torch.uint64)

    def unpack(self, packed: Packed, bits: int, threads: int = 1) -> NDArray[np.int8]:
        signs = 2 * self._bits(self._words(packed))[:, :bits].to(torch.int8) - 1
        result: NDArray[np.int8] = signs.cpu().numpy()
        return result

    def distances(self, query: Packed, database: Packed, threads: int = 1) -> NDArray[np.uint16]:
        result = np.empty((len(query), len(database)), np.uint16)
        for rows, distance in self._distances(query, database):
            result[rows] = distance.cpu().numpy()
        return result

    def rank(self, query: Packed, database: Packed, threads: int = 1) -> NDArray[np.int32]:
        result = np.empty((len(query), len(database)), np.int32)
        for rows, distance in self._distances(query, database):
            result[rows] = _order(distance).cpu().numpy()
        return result

    def top_k(
        self, query: Packed, database: Packed, k: int, threads: int = 1
    ) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        k = min(k, len(database))
        near, index = np.empty((len(query), k), np.int32), np.empty((len(query), k), np.int64)
        row = torch.arange(len(database), device=self.device)
        for rows, distance in self._distances(query, database):
            keys = (distance * _ROW + row).topk(k, largest=False, sorted=True).values.cpu().numpy()
            near[rows], index[rows] = keys // _ROW, keys % _ROW
        return near, index

    def within_radius(self, query: Packed, database: Packed, radius: int, threads: int = 1) -> Matches:
        counts, near, index = np.zeros(len(query) + 1, np.int64), [np.empty(0, np.int32)], [np.empty(0, np.int64)]
        for rows, distance in self._distances(query, database):
            chosen = distance <= min(radius, MOST_BITS)  # the radius may be too large for a tensor
            counts[rows.start + 1 : rows.stop + 1] = chosen.sum(dim=1).cpu().numpy()
            of_query, row = chosen.nonzero(as_tuple=True)
            keys = (of_query << 45 | distance[chosen] << 32 | row).sort().values.cpu().numpy()
            near.append((keys >> 32 & (1 << 13) - 1).astype(np.int32))
            index.append(keys & (1 << 32) - 1)
        return counts.cumsum(), np.concatenate(near), np.concatenate(index)

    def count_classes(
        self,
        query: Packed,
        database: Packed,
        query_classes: NDArray[np.int64],
        database_classes: NDArray[np.int64],
        bits: int,
        topk: int,
        threads: int = 1,
        exclude: NDArray[np.int64] | None = None,
        stable: bool = True,
    ) -> Counts:
        shared = _SharedClass(self._tensor(query_classes), self._tensor(database_classes))
        return self._count(query, database, shared, bits, topk, exclude, stable)

    def count_masks(
        self,
        query: Packed,
        database: Packed,
        query_masks: Packed,
        database_masks: Packed,
        bits: int,
        topk: int,
        threads: int = 1,
        exclude: NDArray[np.int64] | None = None,
        stable: bool = True,
    ) -> Counts:
        shared = _SharedLabels(*(self._bits(self._words(masks)).float() for masks in (query_masks, database_masks)))
        return self._count(query, database, shared, bits, topk, exclude, stable)

    def count_graded_classes(
        self,
        query: Packed,
        database: Packed,
        query_classes: NDArray[np.int64],
        database_classes: NDArray[np.int64],
        bits: int,
        gain: NDArray[np.float64],
        discount: NDArray[np.float64],
        threads: int = 1,
        exclude: NDArray[np.int64] | None = None,
    ) -> GradedCounts:
        shared = _SharedClass(self._tensor(query_classes), self._tensor(database_classes))
        return self._count_graded(query, database, shared, bits, gain, discount, exclude)

    def count_graded_masks(
        self,
        query: Packed,
        database: Packed,
        query_masks: Packed,
        database_masks: Packed,
        bits: int,
        gain: NDArray[np.float64],
        discount: NDArray[np.float64],
        threads: int = 1,
        exclude: NDArray[np.int64] | None = None,
    ) -> GradedCounts:
        shared = _SharedLabels(*(self._bits(self._words(masks)).float() for masks in (query_masks, database_masks)))
        return self._count_graded(query, database, shared, bits, gain, discount, exclude)

    def group(self, database: Packed, threads: int) -> NDArray[np.uint32]:
        return backend().group(database, threads)

    def build_tables(
        self, database: Packed, bits: int, substrings: int, threads: int
    ) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
        return backend().build_tables(database, bits, substrings, threads)

    def MultiIndex(self, *arrays_and_sizes: Any) -> Searcher:
        return backend().MultiIndex(*arrays_and_sizes)

    def _count(
        self, query: Any, database: Any, shared: Any, bits: int, topk: int, exclude: Any, stable: bool
    ) -> Counts:
        queries, columns = len(query), bits + 1
        everything, hits = (np.zeros((queries, columns), np.uint32) for _ in range(2))
        wanted = queries if stable else 0
        precision, found = np.zeros(wanted), np.zeros(wanted, np.int64)
        for rows, distance in self._distances(query, database):
            relevant = shared.of(rows) > 0
            self._leave_out(exclude, rows, distance, relevant, beyond=columns)
            everything[rows] = _histogram(distance, columns + 1)[:, :columns]
            hits[rows] = _histogram(torch.where(relevant, distance, columns), columns + 1)[:, :columns]
            if not stable:
                continue
            of_all, of_hits = (counts[rows].sum(axis=1, dtype=np.int64) for counts in (everything, hits))
            last = {AT_RELEVANT: of_hits, ALL_BUT_LAST: of_all - 1}.get(topk, np.full(len(of_all), topk))
            hit = relevant.gather(1, _order(distance))
            so_far = hit.cumsum(dim=1)
            of_query, place = (part.cpu().numpy() for part in hit.nonzero(as_tuple=True))
            quotient = so_far[hit].cpu().numpy() / (place + 1)
            counted = place < last[of_query]
            precision[rows] = np.bincount(of_query[counted], quotient[counted], len(of_all))
            found[rows] = np.bincount(of_query[counted], minlength=len(of_all))
        return everything, hits, precision, found

    def _count_graded(
        self, query: Any, database: Any, shared: Any, bits: int, gain: Any, discount: Any, exclude: Any
    ) -> GradedCounts:
        queries, columns, levels = len(query), bits + 1, len(gain)
        counts = np.zeros((queries, columns, levels), np.uint32)
        gained, weighted = np.zeros(queries), np.zeros(queries)
        total, hits = np.zeros(queries, np.int64), np.zeros(queries, np.int64)
        for rows, distance in self._distances(query, database):
            level = shared.of(rows)
            self._leave_out(exclude, rows, distance, level, beyond=columns)
            cells = _histogram(distance * levels + level, (columns + 1) * levels)
            counts[rows] = cells[:, : columns * levels].reshape(-1, columns, levels)
            order = _order(distance)[:, : len(discount)]
            ranked, inside = level.gather(1, order).cpu().numpy(), (distance.gather(1, order) < columns).cpu().numpy()
            places = ranked.shape[1]
            gained[rows] = (gain[ranked] * inside * discount[:places]).sum(axis=1)
            weighted[rows] = (ranked.cumsum(axis=1) / np.arange(1, places + 1) * (ranked > 0)).sum(axis=1)
            total[rows], hits[rows] = ranked.sum(axis=1), (ranked > 0).sum(axis=1)
        return counts, gained, weighted, total, hits

    def _leave_out(self, exclude: Any, rows: slice, distance: Tensor, worth: Tensor, *, beyond: int) -> None:
        """Moves each query's excluded row behind all others, to distance `beyond`, and makes it worthless."""
        if exclude is None:
            return
        excluded = self._tensor(exclude[rows])
        of_query = (excluded >= 0).nonzero()[:, 0]
        distance[of_query, excluded[of_query]] = beyond
        worth[of_query, excluded[of_query]] = 0

    def _distances(self, query: Any, database: Any) -> Iterator[tuple[slice, Tensor]]:
        """`(q, N)` int64 distances of some queries at a time, and which those are."""
        q, d = self._words(query), self._words(database)
        bits = 64 * d.shape[1]
        at_once = max(1, _FLOATS // bits)
        parts = [slice(start, start + at_once) for start in range(0, len(d), at_once)]
        signs = [self._signs(d[part]) for part in parts] if len(parts) == 1 else []
        step = min(max(1, _CELLS // max(1, len(d))), _QUERIES)
        for start in range(0, len(q), step):
            mine = self._signs(q[start : start + step])
            products = [_product(mine, theirs) for theirs in (signs or (self._signs(d[part]) for part in parts))]
            dots = torch.cat(products, dim=1) if products else mine.new_zeros(len(mine), 0)
            yield slice(start, start + len(mine)), ((bits - dots) / 2).long()

    def _signs(self, words: Tensor) -> Tensor:
        return 2 * self._bits(words).float() - 1

    def _bits(self, words: Tensor) -> Tensor:
        """(N, W) int64 -> (N, 64 W) bool."""
        return (words[:, :, None] >> self._bit & 1).bool().flatten(1)

    def _words(self, packed: Any) -> Tensor:
        """(N, W) uint64, wherever it is -> the same bits as int64 on the device."""
        if isinstance(packed, Tensor):
            return packed.view(torch.int64).to(self.device)
        return self._tensor(packed.view(np.int64))

    def _tensor(self, values: Any) -> Tensor:
        if isinstance(values, Tensor):
            return values.to(self.device)
        writable = values if values.flags.writeable else values.copy()  # torch warns of others
        return torch.from_numpy(writable).to(self.device)


class _SharedClass:
    def __init__(self, query: Tensor, database: Tensor) -> None:
        self._query, self._database = query, database

    def of(self, rows: slice) -> Tensor:
        """`(q, N)` int64: how many labels each row shares with the queries `rows`."""
        return (self._query[rows, None] == self._database).long()


class _SharedLabels:
    def __init__(self, query: Tensor, database: Tensor) -> None:
        self._query, self._database = query, database

    def of(self, rows: slice) -> Tensor:
        return _product(self._query[rows], self._database).long()


def _product(query: Tensor, database: Tensor) -> Tensor:
    """`(q, N)` dot products in float32, inside the caller's `torch.autocast` too."""
    with torch.autocast(query.device.type, enabled=False):
        return query @ database.T


def _order(distance: Tensor) -> Tensor:
    return distance.sort(dim=1, stable=True).indices


def _histogram(values: Tensor, columns: int) -> NDArray[np.int64]:
    """`(q, N)` values below `columns` -> `(q, columns)` how many of each, row by row."""
    offset = torch.arange(len(values), device=values.device)[:, None] * columns
    counts: NDArray[np.int64] = (values + offset).flatten().bincount(minlength=len(values) * columns).cpu().numpy()
    return counts.reshape(len(values), columns)
