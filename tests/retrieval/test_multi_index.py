"""`MultiIndex` must answer as the linear scan does, `==`, and its file must never be believed when it is damaged."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hashzoo import _native, retrieval
from hashzoo.errors import InvalidInput, StorageError
from hashzoo.retrieval import backend, index_file, reference
from hashzoo.retrieval.multi_index import MultiIndex, default_substrings


def codes_of(rng: np.random.Generator, rows: int, bits: int, centres: np.ndarray, noise: float) -> np.ndarray:
    """Packed codes, each a centre with some bits flipped: clustered if `noise` is small, random at 0.5."""
    flips = rng.random((rows, bits)) < noise
    return reference.pack(centres[rng.integers(0, len(centres), rows)] ^ flips)


def assert_equal(got: tuple, expected: tuple) -> None:
    for ours, truth in zip(got, expected, strict=True):
        assert ours.dtype == truth.dtype
        assert np.array_equal(ours, truth)


@pytest.mark.parametrize("name", _native.isas())
@given(
    data=st.data(),
    bits=st.one_of(st.integers(1, 130), st.just(1024)),
    rows=st.one_of(st.integers(0, 40), st.integers(250, 520)),
    queries=st.integers(0, 12),
    threads=st.integers(1, 3),
    noise=st.sampled_from([0, 0.02, 0.1, 0.5]),
)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_answers_equal_the_reference(
    name: str, data: st.DataObject, bits: int, rows: int, queries: int, threads: int, noise: float
) -> None:
    _native.set_isa(name)
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    centres = rng.random((data.draw(st.integers(1, 5)), bits)) < 0.5
    database, query = (codes_of(rng, n, bits, centres, noise) for n in (rows, queries))
    substrings = data.draw(st.one_of(st.none(), st.integers(-(-bits // 12), bits)))
    index = MultiIndex.build(database, bits, substrings, threads=threads)
    assert (len(index), index.bits) == (rows, bits)
    k, radius = data.draw(st.integers(1, rows + 5)), data.draw(st.integers(0, bits + 2))
    assert_equal(index.top_k(query, k, threads=threads), reference.top_k(query, database, k))
    assert_equal(index.within_radius(query, radius, threads=threads), reference.within_radius(query, database, radius))


@pytest.mark.parametrize("name", _native.isas())
@given(data=st.data(), bits=st.integers(1, 130), rows=st.integers(0, 300), threads=st.integers(1, 3))
@settings(max_examples=50, deadline=None, derandomize=True)
def test_tables_equal_the_reference(name: str, data: st.DataObject, bits: int, rows: int, threads: int) -> None:
    _native.set_isa(name)
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    database = codes_of(rng, rows, bits, np.zeros((1, bits), bool), data.draw(st.sampled_from([0.05, 0.5])))
    groups = _native.group(database, threads)
    assert_equal((groups,), (reference.group(database),))
    substrings = data.draw(st.integers(-(-bits // 12), bits))
    assert_equal(
        _native.build_tables(database, bits, substrings, threads),
        reference.build_tables(database, bits, substrings),
    )


@pytest.mark.parametrize("bits", [48, 64, 200])
@pytest.mark.parametrize("noise", [0.02, 0.05, 0.5])
def test_larger_databases(isa: str, threads: int, bits: int, noise: float) -> None:
    """Large enough for the tables to pay for some queries and not for others: both ways must agree."""
    rng = np.random.default_rng(bits)
    centres = rng.random((10, bits)) < 0.5
    database, query = (codes_of(rng, n, bits, centres, noise) for n in (20_000, 60))
    query[::3] = codes_of(rng, 20, bits, centres, 0.5)
    index = MultiIndex.build(database, bits)
    for k in (1, 10, 1000):
        assert_equal(index.top_k(query, k, threads=threads), _native.top_k(query, database, k, 1))
    for radius in (0, 2, 7, bits // 4):
        assert_equal(
            index.within_radius(query, radius, threads=threads), _native.within_radius(query, database, radius, 1)
        )


@pytest.mark.parametrize("mmap", [False, True])
@pytest.mark.parametrize("rows", [0, 1, 30, 700])
@pytest.mark.parametrize("noise", [0.01, 0.5])
def test_saved_loaded_and_added_to(tmp_path: Path, mmap: bool, rows: int, noise: float) -> None:
    rng = np.random.default_rng(rows)
    centres = rng.random((3, 70)) < 0.5
    database, more, query = (codes_of(rng, n, 70, centres, noise) for n in (rows, 50, 9))
    file = tmp_path / "codes.hzindex"
    MultiIndex.build(database, 70).save(file)
    assert os.listdir(tmp_path) == ["codes.hzindex"]
    index = MultiIndex.load(file, mmap)
    assert_equal(index.top_k(query, 5), reference.top_k(query, database, 5))
    index.add(more)
    both = np.concatenate([database, more])
    index.save(file)  # over the file that the first arrays are mapped from
    for searched in (index, MultiIndex.load(str(file), mmap)):
        assert (len(searched), searched.bits) == (rows + 50, 70)
        assert_equal(searched.top_k(query, 40), reference.top_k(query, both, 40))
        assert_equal(searched.within_radius(query, 9), reference.within_radius(query, both, 9))


def small_file(tmp_path: Path, noise: float) -> tuple[Path, bytes]:
    rng = np.random.default_rng(5)
    file = tmp_path / "small"
    MultiIndex.build(codes_of(rng, 7, 5, np.zeros((1, 5), bool), noise), 5).save(file)
    return file, file.read_bytes()


@pytest.mark.parametrize("mmap", [False, True])
def test_every_flipped_byte_is_an_error(tmp_path: Path, mmap: bool) -> None:
    file, whole = small_file(tmp_path, 0.2)
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << position % 8
        file.write_bytes(damaged)
        with pytest.raises(InvalidInput, match=r"damaged|another kind|version"):
            MultiIndex.load(file, mmap)


@pytest.mark.parametrize("mmap", [False, True])
def test_every_truncation_is_an_error(tmp_path: Path, mmap: bool) -> None:
    file, whole = small_file(tmp_path, 0.2)
    for length in range(len(whole)):
        file.write_bytes(whole[:length])
        with pytest.raises(InvalidInput, match=r"truncated|another kind") as caught:
            MultiIndex.load(file, mmap)
        assert "\n" not in str(caught.value)
    file.write_bytes(whole + b"\0")
    with pytest.raises(InvalidInput, match="too long: expected"):
        MultiIndex.load(file, mmap)


def test_arrays_that_contradict_each_other_are_an_error_even_with_good_checksums(tmp_path: Path) -> None:
    """Whoever writes such a file on purpose must not make the search read outside of the arrays."""
    rng = np.random.default_rng(5)
    built = MultiIndex.build(codes_of(rng, 40, 12, np.zeros((1, 12), bool), 0.1), 12)._content
    file = tmp_path / "forged"
    assert len(built.starts)
    for number, array in enumerate(built.arrays()):
        for position in range(array.size):
            for value in (array.flat[position] ^ array.dtype.type(1), np.iinfo(array.dtype).max):
                forged = [a.copy() for a in built.arrays()]
                forged[number].flat[position] = value
                index_file.write(file, index_file.Content(built.bits, built.substrings, built.rows, *forged))
                with pytest.raises(InvalidInput, match="forged is damaged: the tables of the index do not belong"):
                    MultiIndex.load(file, threads=1)


def test_other_files_are_an_error(tmp_path: Path) -> None:
    file, whole = small_file(tmp_path, 0.5)
    with pytest.raises(InvalidInput, match=r"cannot read .*none: No such file or directory"):
        MultiIndex.load(tmp_path / "none")
    with pytest.raises(InvalidInput, match=r"cannot read .*: Is a directory"):
        MultiIndex.load(tmp_path)
    file.write_bytes(b"PK\3\4" + bytes(5000))
    with pytest.raises(InvalidInput, match="expected a hashzoo index, got another kind of file"):
        MultiIndex.load(file)
    file.write_bytes(whole[:8] + b"\2" + whole[9:])
    with pytest.raises(InvalidInput, match="expected an index of format version 1, got version 2"):
        MultiIndex.load(file)
    with pytest.raises(StorageError, match="cannot write"):
        MultiIndex.build(np.eye(3)).save(tmp_path / "none" / "index")


@pytest.mark.parametrize(
    ("work", "message"),
    [
        (lambda i: i.top_k(np.zeros((1, 9)), 1), "query: expected codes of 8 bits, got 9"),
        (lambda i: i.top_k(np.zeros((1, 2), np.uint64), 1), "query: 8 bits take 1 words a code, got 2"),
        (lambda i: i.top_k(np.full((1, 1), 256, np.uint64), 1), "query: a bit beyond the first 8 is set"),
        (lambda i: i.top_k(np.zeros(8), 1), r"query: expected \(N, K\) codes or \(N, W\) packed uint64"),
        (lambda i: i.top_k(np.zeros((1, 8)), 0), "k: expected a whole number from 1, got 0"),
        (lambda i: i.within_radius(np.zeros((1, 8)), -1), "radius: expected a whole number from 0, got -1"),
        (
            lambda i: i.within_radius(np.zeros((1, 8)), 1, threads=0),
            "threads: expected a whole number from 1 to 4096, got 0",
        ),
        (lambda i: i.add(np.zeros((1, 9))), "codes: expected codes of 8 bits, got 9"),
        (lambda i: i.add(np.zeros((1, 8)), substrings=9), "substrings: expected 1 to 8 for 8 bits"),
        (lambda i: i.build(np.zeros((1, 64)), substrings=3), r"substrings: expected 4 to 64 .*20 bits each\), got 3"),
        (lambda i: i.build(np.zeros((1, 64)), substrings=True), "substrings: expected a whole number from 1, got True"),
        (lambda i: i.build(np.zeros((1, 64)), bits=48), "database: expected codes of 48 bits, got 64"),
        (lambda i: i.build(np.zeros((1, 1), np.uint64), bits=4097), "bits: expected a whole number from 1 to 4096"),
    ],
)
def test_mistakes(work: Any, message: str) -> None:
    index = MultiIndex.build(np.eye(8, dtype=bool))
    with pytest.raises(InvalidInput, match=message):
        work(index)
    assert index.top_k(np.zeros((1, 8)) - 1, 2)[1].tolist() == [[0, 1]]
    assert repr(index) == "<MultiIndex: 8 codes of 8 bits, 1 substrings>"


def test_the_longest_codes() -> None:
    rng = np.random.default_rng(0)
    database = rng.random((50, 4096)) < 0.5
    query = database[[7, 3]] ^ (rng.random((2, 4096)) < 0.001)
    index = MultiIndex.build(database)
    assert_equal(index.top_k(query, 3), retrieval.top_k(query, database, 3))
    assert index.within_radius(query, 10**30)[0].tolist() == [0, 50, 100]


def test_changing_the_database_afterwards_does_no_harm() -> None:
    database = np.arange(5, dtype=np.uint64)[:, None]
    index = MultiIndex.build(database)
    database[:] = 0
    assert index.within_radius(np.zeros((1, 1), np.uint64), 0)[2].tolist() == [0]


def test_default_substrings_follow_the_size() -> None:
    assert [default_substrings(64, n) for n in (0, 1, 300, 70_000, 10**6, 10**9)] == [8, 8, 8, 4, 4, 4]
    assert [default_substrings(bits, 10**6) for bits in (1, 12, 48, 128, 4096)] == [1, 1, 3, 7, 216]


def test_without_the_extension_numpy_answers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    centres = rng.random((2, 20)) < 0.5
    database, query = (codes_of(rng, n, 20, centres, 0.05) for n in (60, 4))
    native = MultiIndex.build(database, 20)
    native.save(tmp_path / "index")
    monkeypatch.setattr("hashzoo.retrieval.multi_index.backend", lambda: reference)
    ours = MultiIndex.build(database, 20)
    for a, b in zip(ours._content.arrays(), native._content.arrays(), strict=True):
        assert_equal((a,), (b,))
    loaded = MultiIndex.load(tmp_path / "index")
    assert_equal(loaded.top_k(query, 7), native.top_k(query, 7))
    assert_equal(loaded.within_radius(query, 3), native.within_radius(query, 3))
    assert backend.backend() is not reference
