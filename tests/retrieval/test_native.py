"""Every kernel and every thread count must equal the numpy reference: `==`, never nearly."""

from __future__ import annotations

import signal
import threading
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hashzoo import _native
from hashzoo.retrieval import reference

SIZES = st.integers(0, 40)
LENGTHS = st.one_of(st.integers(1, 130), st.sampled_from([1024, 4096]))


def random_codes(rng: np.random.Generator, rows: int, bits: int, distinct: int | None = None) -> np.ndarray:
    codes = reference.pack(rng.integers(0, 2, (rows, bits), dtype=np.int8))
    return codes[rng.integers(0, min(distinct, rows), rows)] if distinct and rows else codes


def random_rows(rng: np.random.Generator, queries: int, rows: int) -> np.ndarray:
    """For `exclude`: any row, or -1."""
    return rng.integers(-1, rows, queries)


def assert_counts_equal(got: tuple, expected: tuple) -> None:
    for native, truth in zip(got[:2] + got[3:], expected[:2] + expected[3:], strict=True):
        assert native.dtype == truth.dtype
        assert np.array_equal(native, truth)
    np.testing.assert_allclose(got[2], expected[2], rtol=1e-12)


@given(data=st.data(), bits=LENGTHS, queries=SIZES, rows=SIZES, threads=st.integers(1, 3))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_search_equals_the_reference(
    core: Any, data: st.DataObject, bits: int, queries: int, rows: int, threads: int
) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    distinct = data.draw(st.sampled_from([None, 1, 2]))
    query, database = random_codes(rng, queries, bits), random_codes(rng, rows, bits, distinct)
    assert np.array_equal(core.distances(query, database, threads), reference.distances(query, database))
    assert np.array_equal(core.rank(query, database, threads), reference.rank(query, database))
    k = data.draw(st.integers(1, 50))
    for native, truth in zip(core.top_k(query, database, k, threads), reference.top_k(query, database, k), strict=True):
        assert native.dtype == truth.dtype
        assert np.array_equal(native, truth)
    radius = data.draw(st.one_of(st.integers(0, bits), st.just(2**63)))
    for native, truth in zip(
        core.within_radius(query, database, radius, threads),
        reference.within_radius(query, database, radius),
        strict=True,
    ):
        assert native.dtype == truth.dtype
        assert np.array_equal(native, truth)


@given(
    data=st.data(),
    bits=LENGTHS,
    queries=st.one_of(SIZES, st.integers(64, 80)),  # from 64 on, short codes are counted by bit planes
    rows=st.one_of(SIZES, st.integers(250, 520)),
    threads=st.integers(1, 3),
    topk=st.integers(-2, 50),  # -1: as many places as the query has relevant rows; -2: all but the last
)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_counts_equal_the_reference(
    core: Any, data: st.DataObject, bits: int, queries: int, rows: int, threads: int, topk: int
) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    distinct = data.draw(st.sampled_from([None, 1, 2]))
    query, database = random_codes(rng, queries, bits), random_codes(rng, rows, bits, distinct)
    exclude = data.draw(st.sampled_from([None, random_rows(rng, queries, rows), np.full(queries, rows - 1)]))
    classes = data.draw(st.integers(1, 6))
    labels = rng.integers(-2, classes, queries), rng.integers(-1, classes, rows)
    assert_counts_equal(
        core.count_classes(query, database, *labels, bits, topk, threads, exclude),
        reference.count_classes(query, database, *labels, bits, topk, 1, exclude),
    )
    width = data.draw(st.sampled_from([1, 70, 4096]))
    masks = [reference.pack(rng.random((n, width)) < 2 / width) for n in (queries, rows)]
    assert_counts_equal(
        core.count_masks(query, database, *masks, bits, topk, threads, exclude),
        reference.count_masks(query, database, *masks, bits, topk, 1, exclude),
    )


@given(
    seed=st.integers(0, 2**32),
    bits=st.one_of(st.integers(1, 20), st.integers(21, 130)),  # up to 16, tables over all codes may be cheaper
    queries=st.one_of(SIZES, st.integers(64, 300)),
    rows=st.one_of(SIZES, st.integers(250, 3000)),  # classes of less and of more than a slice
    kinds=st.sampled_from([1, 2, 5, 100]),
    names=st.sampled_from([1, 4, 70]),  # the fewer, the fewer distinct label sets
    threads=st.integers(1, 3),
)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_counts_without_the_stable_order_equal_the_reference(
    core: Any, seed: int, bits: int, queries: int, rows: int, kinds: int, names: int, threads: int
) -> None:
    rng = np.random.default_rng(seed)
    distinct = [None, 1, 70][seed % 3]
    query, database = random_codes(rng, queries, bits, distinct), random_codes(rng, rows, bits, distinct)
    exclude = random_rows(rng, queries, rows) if seed % 2 else None
    classes = rng.integers(-1, kinds, queries), rng.integers(0, kinds, rows)
    masks = [reference.pack(rng.random((n, names)) < 1.4 / (names + 1)) for n in (queries, rows)]
    for kind, labels in (("classes", classes), ("masks", masks)):
        native, truth = (
            getattr(which, f"count_{kind}")(query, database, *labels, bits, 0, threads, exclude, False)
            for which in (core, reference)
        )
        for got, expected in zip(native, truth, strict=True):
            assert got.dtype == expected.dtype
            assert np.array_equal(got, expected)


@given(
    seed=st.integers(0, 2**32),
    bits=st.one_of(st.integers(1, 16), st.sampled_from([48, 64, 65, 130, 512])),
    distinct=st.sampled_from([1, 3, 70, 200]),
    kinds=st.integers(1, 4),
    threads=st.integers(1, 3),
    topk=st.sampled_from([1, 20, 600]),
)
@settings(max_examples=30, deadline=None, derandomize=True)
def test_queries_counted_together_equal_queries_alone(
    core: Any, seed: int, bits: int, distinct: int, kinds: int, threads: int, topk: int
) -> None:
    """Equal codes and labels are counted once; alone, a query takes the way without any grouping."""
    rng = np.random.default_rng(seed)
    query, database = random_codes(rng, 150, bits, distinct), random_codes(rng, 600, bits, distinct)
    classes = rng.integers(0, kinds, 150), rng.integers(0, kinds, 600)
    sets = [reference.pack(rng.random((kinds, 70)) < 0.05)[ids] for ids in classes]
    for count, (ours, theirs) in ((core.count_classes, classes), (core.count_masks, sets)):
        together = count(query, database, ours, theirs, bits, topk, threads)
        for q in range(0, 150, 29):
            alone = count(query[q : q + 1], database, ours[q : q + 1], theirs, bits, topk, 1)
            assert all(np.array_equal(a[q : q + 1], b) for a, b in zip(together, alone, strict=True))
    assert_counts_equal(
        core.count_masks(query, database, *sets, bits, topk, threads),
        reference.count_masks(query, database, *sets, bits, topk),
    )


@pytest.mark.parametrize("bits", [1, 7, 8, 12, 48, 63, 64, 65, 200])
@pytest.mark.parametrize("topk", [100, 5000])
@pytest.mark.parametrize("excluding", [False, True])
def test_counts_over_many_tiles(core: Any, threads: int, bits: int, topk: int, excluding: bool) -> None:
    rng = np.random.default_rng(bits)
    query, database = random_codes(rng, 70, bits), random_codes(rng, 5000, bits)
    labels = rng.integers(0, 10, 70), rng.integers(0, 10, 5000)
    exclude = random_rows(rng, 70, 5000) if excluding else None
    assert_counts_equal(
        core.count_classes(query, database, *labels, bits, topk, threads, exclude),
        reference.count_classes(query, database, *labels, bits, topk, 1, exclude),
    )


@pytest.mark.parametrize("bits", [8, 64, 200])
@pytest.mark.parametrize("share", [0.25, 0.5, 1])
def test_within_radius_over_many_pieces(core: Any, threads: int, bits: int, share: float) -> None:
    rng = np.random.default_rng(bits)
    query, database = random_codes(rng, 21, bits), random_codes(rng, 5000, bits)
    radius = int(bits * share)
    for native, truth in zip(
        core.within_radius(query, database, radius, threads),
        reference.within_radius(query, database, radius),
        strict=True,
    ):
        assert np.array_equal(native, truth)


@pytest.mark.parametrize("bits", [1, 48, 64, 256])
@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("queries", [5, 65])
def test_all_distances_equal(core: Any, threads: int, bits: int, flip: bool, queries: int) -> None:
    database = reference.pack(np.ones((3000, bits), bool))
    query = reference.pack(np.full((queries, bits), not flip))
    assert np.array_equal(core.rank(query, database, threads), np.tile(np.arange(3000), (queries, 1)))
    everything, relevant, precision, hits = core.count_classes(
        query, database, np.zeros(queries, np.int64), np.arange(3000), bits, 3000, threads
    )
    expected = np.zeros((queries, bits + 1), np.uint32)
    expected[:, bits if flip else 0] = 3000
    assert np.array_equal(everything, expected)
    assert np.array_equal(relevant, expected // 3000)
    assert precision.tolist() == [1.0] * queries
    assert hits.tolist() == [1] * queries


@given(
    values=st.one_of(
        hnp.arrays(np.float32, st.tuples(SIZES, st.integers(1, 130)), elements=st.floats(width=32, allow_nan=False)),
        hnp.arrays(np.float64, st.tuples(SIZES, st.integers(1, 130)), elements=st.floats(allow_nan=False)),
        hnp.arrays(np.bool_, st.tuples(SIZES, st.integers(1, 130))),
        hnp.arrays(np.int8, st.tuples(SIZES, st.integers(1, 130)), elements=st.sampled_from([-1, 1])),
        hnp.arrays(np.int64, st.tuples(SIZES, st.integers(1, 130)), elements=st.sampled_from([0, 1])),
    ),
    threads=st.integers(1, 3),
)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_pack_equals_the_reference(core: Any, values: np.ndarray, threads: int) -> None:
    packed = core.pack(values, threads)
    assert np.array_equal(packed, reference.pack(values))
    signs = core.unpack(packed, values.shape[1], threads)
    assert np.array_equal(signs, reference.unpack(packed, values.shape[1]))
    assert np.array_equal(signs == 1, values >= 0 if values.dtype.kind == "f" else values > 0)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.int64])
def test_pack_refuses_other_integers(dtype: type) -> None:
    for values in ([[0, 2]], [[3, 3]], *([] if dtype is np.uint8 else [[[-1, 0]], [[-1, 0, 1]]])):
        for pack in (_native.pack, reference.pack):
            with pytest.raises(ValueError, match=r"all in \{0, 1\} or all in \{-1, 1\}"):
                pack(np.array(values, dtype), 1)


def test_nothing_is_converted_silently() -> None:
    codes = np.zeros((4, 2), np.uint64)
    with pytest.raises(TypeError):
        _native.rank(codes.astype(np.int64), codes, 1)
    with pytest.raises(TypeError):
        _native.rank(codes[::2], codes[:, ::2], 1)
    unaligned = np.zeros(8 * 8 + 1, np.uint8)[1:].view(np.uint64).reshape(4, 2)
    with pytest.raises(ValueError, match="aligned"):
        _native.rank(unaligned, codes, 1)
    with pytest.raises(ValueError, match="query has 2 words a code, database has 1"):
        _native.rank(codes, codes[:, :1].copy(), 1)
    with pytest.raises(ValueError, match="65 bits do not fill 1 words"):
        _native.unpack(np.zeros((1, 1), np.uint64), 65, 1)
    with pytest.raises(ValueError, match="a bit beyond the first 3 is set"):
        _native.count_classes(*2 * [np.full((1, 1), 8, np.uint64)], *2 * [np.zeros(1, np.int64)], 3, 1, 1)
    alone = [np.zeros((1, 1), np.uint64)] * 2 + [np.zeros(1, np.int64)] * 2
    for rows in ([1], [-2]):
        with pytest.raises(ValueError, match=f"exclude must be rows of the database or -1, got {rows[0]}"):
            _native.count_classes(*alone, 3, 1, 1, np.array(rows))
    with pytest.raises(ValueError, match=r"exclude must be \(queries,\), got \(2,\)"):
        _native.count_classes(*alone, 3, 1, 1, np.zeros(2, np.int64))
    with pytest.raises(TypeError):
        _native.count_classes(*alone, 3, 1, 1, np.zeros(1, np.int32))
    with pytest.raises(ValueError, match="threads must be at least 1"):
        _native.rank(codes, codes, 0)


def test_unknown_instruction_set_lists_what_exists() -> None:
    with pytest.raises(ValueError, match=r"'sse9' is not available here \(have: auto, .*scalar\)"):
        _native.set_isa("sse9")


def test_ctrl_c_stops_a_long_call() -> None:
    rng = np.random.default_rng(0)
    query, database = random_codes(rng, 20_000, 4096), random_codes(rng, 20_000, 4096)  # minutes of work
    timer = threading.Timer(0.3, signal.raise_signal, [signal.SIGINT])
    timer.start()
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        _native.top_k(query, database, 1, 2)
    timer.join()
    assert time.monotonic() - begun < 20  # not the minutes; generous, for a loaded machine
