"""Slow, obvious numpy: the definition that every kernel is tested against. `threads` is taken and ignored."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Packed = NDArray[np.uint64]
AT_RELEVANT = -1  # as topk: as many places as the query has relevant rows
ALL_BUT_LAST = -2  # as topk: all places but the last one
Counts = tuple[NDArray[np.uint32], NDArray[np.uint32], NDArray[np.float64], NDArray[np.int64]]
GradedCounts = tuple[NDArray[np.uint32], NDArray[np.float64], NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]

Matches = tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64]]


def pack(values: NDArray[Any], threads: int = 1) -> Packed:
    """(N, K) -> (N, W) uint64: bit j of a code is bit j % 64 of word j // 64, set iff the value is >= 0 (or true)."""
    if values.dtype.kind == "f":
        if np.isnan(values).any():
            raise ValueError("codes contain NaN")
        ones = values >= 0
    else:
        if not (np.isin(values, (0, 1)).all() or np.isin(values, (-1, 1)).all()):
            raise ValueError("integer codes must be all in {0, 1} or all in {-1, 1}; other values found")
        ones = values > 0
    padded = np.pad(ones, ((0, 0), (0, -ones.shape[1] % 64)))
    return np.packbits(padded, axis=1, bitorder="little").view("<u8").astype(np.uint64)


def unpack(packed: Packed, bits: int, threads: int = 1) -> NDArray[np.int8]:
    """(N, W) uint64 -> (N, bits) int8 of -1 and +1."""
    ones = np.unpackbits(packed.astype("<u8").view(np.uint8), axis=1, count=bits, bitorder="little")
    return (2 * ones.astype(np.int8) - 1).astype(np.int8)


def distances(query: Packed, database: Packed, threads: int = 1) -> NDArray[np.uint16]:
    """(Q, W), (N, W) uint64 -> (Q, N) uint16 Hamming distances in bits."""
    result: NDArray[np.uint16] = np.bitwise_count(query[:, None] ^ database[None]).sum(axis=-1, dtype=np.uint16)
    return result


def rank(query: Packed, database: Packed, threads: int = 1) -> NDArray[np.int32]:
    """(Q, W), (N, W) uint64 -> (Q, N) int32 database rows, nearest first, equal distances in database order."""
    return distances(query, database).argsort(axis=1, kind="stable").astype(np.int32)


def top_k(query: Packed, database: Packed, k: int, threads: int = 1) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """The first min(k, N) columns of the ranking: distances (Q, k) int32 and database rows (Q, k) int64."""
    order = rank(query, database)[:, :k].astype(np.int64)
    return np.take_along_axis(distances(query, database), order, axis=1).astype(np.int32), order


def within_radius(query: Packed, database: Packed, radius: int, threads: int = 1) -> Matches:
    """The part of each query's ranking within `radius`, query after query.

    Returns:
        `(Q + 1,)` int64, query q has the places offsets[q] to offsets[q + 1]; int32 distances; int64 database rows.
    """
    distance, order = distances(query, database), rank(query, database).astype(np.int64)
    ranked = np.take_along_axis(distance, order, axis=1)
    near = ranked <= radius
    offsets = np.concatenate(([0], near.sum(axis=1).cumsum())).astype(np.int64)
    return offsets, ranked[near].astype(np.int32), order[near]


def count_classes(
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
    """`count` where relevant means: the same class id."""
    return count(query, database, np.asarray(query_classes[:, None] == database_classes), bits, topk, exclude, stable)


def count_masks(
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
    """`count` where relevant means: at least one shared label."""
    relevant: NDArray[np.bool_] = np.any(query_masks[:, None] & database_masks[None], axis=-1)
    return count(query, database, relevant, bits, topk, exclude, stable)


def count(
    query: Packed,
    database: Packed,
    relevant: NDArray[np.bool_],
    bits: int,
    topk: int,
    exclude: NDArray[np.int64] | None = None,
    stable: bool = True,
) -> Counts:
    """What every measure needs: rows and relevant rows at each distance, and the average precision of one order.

    Args:
        query, database, relevant, bits: codes, `(Q, N)` relevance and the length of the codes.
        topk: from 0, AT_RELEVANT or ALL_BUT_LAST.
        exclude: `(Q,)` a row that is not part of the query's database, or -1.
        stable: whether the last two results are wanted; if not, they are empty.

    Returns:
        `(Q, bits + 1)` uint32 database rows at each distance; the same for relevant rows; `(Q,)` sum over the relevant
        rows in the first `topk` places of hits / place, equal distances in database order; `(Q,)` how many those are.
    """
    distance, order = distances(query, database), rank(query, database)
    queries = len(relevant)
    everything, hits = (np.zeros((queries, bits + 1), np.uint32) for _ in range(2))
    precision, found = np.zeros(queries), np.zeros(queries, np.int64)
    for q in range(queries):
        ranked = _without(order[q], exclude, q)
        hit = relevant[q][ranked]
        everything[q] = np.bincount(distance[q][ranked], minlength=bits + 1)
        hits[q] = np.bincount(distance[q][ranked[hit]], minlength=bits + 1)
        place = np.arange(1, len(ranked) + 1)
        counted = hit & (place <= {AT_RELEVANT: hit.sum(), ALL_BUT_LAST: len(ranked) - 1}.get(topk, topk))
        precision[q] = (hit.cumsum() / place)[counted].sum()
        found[q] = counted.sum()
    return (everything, hits, precision, found) if stable else (everything, hits, precision[:0], found[:0])


def _without(order: NDArray[np.int32], exclude: NDArray[np.int64] | None, q: int) -> NDArray[np.int32]:
    return order if exclude is None else order[order != exclude[q]]


def count_graded_classes(
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
    """`count_graded` where a row shares one label, its class id, or none."""
    shared = (query_classes[:, None] == database_classes).astype(np.int64)
    return count_graded(query, database, shared, bits, gain, discount, exclude)


def count_graded_masks(
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
    """`count_graded` by label sets."""
    shared = np.bitwise_count(query_masks[:, None] & database_masks[None]).sum(axis=-1, dtype=np.int64)
    return count_graded(query, database, shared, bits, gain, discount, exclude)


def count_graded(
    query: Packed,
    database: Packed,
    shared: NDArray[np.int64],
    bits: int,
    gain: NDArray[np.float64],
    discount: NDArray[np.float64],
    exclude: NDArray[np.int64] | None = None,
) -> GradedCounts:
    """What graded measures need, from `(Q, N)` numbers of shared labels.

    Args:
        query, database, shared, bits: codes, relevance and the length of the codes.
        gain: `(L,)` of a row that shares 0, 1, ... labels; no row shares L.
        discount: `(places,)` of the places that count.
        exclude: `(Q,)` a row that is not part of the query's database, or -1.

    Returns:
        `(Q, bits + 1, L)` uint32 rows at each distance that share 0, 1, ... labels; then, over the first `places` with
        equal distances in database order, `(Q,)` each: the sum of gain * discount; the sum, over the rows that share a
        label, of labels shared so far / place; labels shared; rows that share any.
    """
    distance, order = distances(query, database), rank(query, database)
    rows = np.zeros((len(shared), bits + 1, len(gain)), np.uint32)
    gained, weighted = np.zeros(len(shared)), np.zeros(len(shared))
    total, hits = np.zeros(len(shared), np.int64), np.zeros(len(shared), np.int64)
    for q in range(len(shared)):
        in_order = _without(order[q], exclude, q)
        np.add.at(rows[q], (distance[q][in_order], shared[q][in_order]), 1)
        ranked = shared[q][in_order][: len(discount)]
        gained[q] = (gain[ranked] * discount[: len(ranked)]).sum()
        weighted[q] = (ranked.cumsum() / np.arange(1, len(ranked) + 1))[ranked > 0].sum()
        total[q], hits[q] = ranked.sum(), (ranked > 0).sum()
    return rows, gained, weighted, total, hits


def group(database: Packed, threads: int = 1) -> NDArray[np.uint32]:
    """(N, W) -> (N,) uint32: equal codes have equal numbers, from 0 in the order of their first rows."""
    _, first, inverse = np.unique(database, axis=0, return_index=True, return_inverse=True)
    number = np.empty(len(first), np.uint32)
    number[first.argsort()] = np.arange(len(first))
    return number[inverse.ravel()]


def ungroup(distinct: Packed, starts: NDArray[np.uint32], members: NDArray[np.uint32]) -> Packed:
    """All codes from the code of each group and `members[starts[g]:starts[g + 1]]`, its rows; no starts: all differ."""
    if len(starts) == 0:
        return distinct
    codes = np.empty((len(members), distinct.shape[1]), np.uint64)
    codes[members] = distinct.repeat(starts[1:] - starts[:-1], axis=0)
    return codes


def build_tables(
    database: Packed, bits: int, substrings: int, threads: int = 1
) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """For each substring, rows sorted by its value.

    Returns:
        Where each value begins among them, and the end, `2^width + 1` uint32 a substring, all joined;
        `(substrings, N)` uint32 rows.
    """
    ones = unpack(database, bits) > 0
    offsets, entries = [], np.empty((substrings, len(database)), np.uint32)
    for j in range(substrings):
        part = ones[:, j * bits // substrings : (j + 1) * bits // substrings]
        value = part @ (1 << np.arange(part.shape[1]))
        offsets += [np.zeros(1, np.uint32), np.bincount(value, minlength=2 ** part.shape[1]).cumsum()]
        entries[j] = value.argsort(kind="stable")
    return np.concatenate(offsets).astype(np.uint32), entries


class MultiIndex:
    """The answers of an index, without its speed: a scan of all codes."""

    def __init__(
        self,
        distinct: Packed,
        offsets: NDArray[np.uint32],
        entries: NDArray[np.uint32],
        starts: NDArray[np.uint32],
        members: NDArray[np.uint32],
        bits: int,
        substrings: int,
        threads: int = 1,
    ) -> None:
        expected = build_tables(distinct, bits, substrings)
        if not (np.array_equal(expected[0], offsets) and np.array_equal(expected[1], entries)):
            raise ValueError("the tables of the index do not belong to its codes")
        self.codes = ungroup(distinct, starts, members)

    def top_k(self, query: Packed, k: int, threads: int = 1) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        return top_k(query, self.codes, k)

    def within_radius(self, query: Packed, radius: int, threads: int = 1) -> Matches:
        return within_radius(query, self.codes, radius)
