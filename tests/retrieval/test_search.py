"""`pack`, `unpack`, `distances`, `rank`, `top_k` and `within_radius` as their users meet them."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from hashzoo import retrieval
from hashzoo.errors import InvalidInput
from hashzoo.retrieval import backend, reference

pytestmark = pytest.mark.usefixtures("device")


def test_pack_takes_zero_as_plus_one() -> None:
    assert retrieval.pack([[0.0, -0.0, -1e-30, 5.0, np.inf, -np.inf]]).tolist() == [[0b011011]]
    assert retrieval.unpack(np.array([[0b011011]], np.uint64), 6).tolist() == [[1, 1, -1, 1, 1, -1]]


@pytest.mark.parametrize("dtype", [np.float16, np.longdouble, np.int16, np.uint16, np.uint32, ">f4", ">i8"])
def test_pack_takes_other_number_types(dtype: Any) -> None:
    values = np.array([[0, 1, 1, 0, 1]]).astype(dtype)
    assert retrieval.pack(values).tolist() == [[0b11111 if values.dtype.kind == "f" else 0b10110]]


@pytest.mark.parametrize("length", [8, 64, 130])
def test_a_view_as_bool_is_true_where_a_byte_is_not_zero(length: int) -> None:
    mask = np.random.default_rng(0).choice(np.array([0, 1, 2, 255], np.uint8), (5, length))
    assert np.array_equal(retrieval.pack(mask.view(bool)), retrieval.pack(mask != 0))


def test_long_double_keeps_its_sign() -> None:
    tiny = np.finfo(np.longdouble).tiny  # of float64 it would be zero
    assert retrieval.pack(np.array([[-tiny, tiny, 0]])).tolist() == [[0b110]]


def test_bit_order() -> None:
    for j in (0, 63, 64, 129):
        packed = retrieval.pack(np.arange(130)[None] == j)
        assert packed.shape == (1, 3)
        assert packed[0, j // 64] == 1 << j % 64
        assert np.bitwise_count(packed).sum() == 1


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((2, 2), np.uint64), "codes: expected codes to pack, got uint64, which is the packed form already"),
        (np.zeros((2, 0)), "codes: expected 1 to 4096 bits a code, got 0"),
        (np.zeros((2, 4097), bool), "codes: expected 1 to 4096 bits a code, got 4097"),
        (np.zeros(3), r"codes: expected \(N, K\) codes, got shape \(3,\)"),
        (np.zeros((2, 2), complex), "codes: expected float, int, bool or packed uint64, got dtype complex128"),
        (np.array([["a"]]), "codes: expected float, int, bool or packed uint64, got dtype <U1"),
        ([[0.0, np.nan]], "codes: codes contain NaN"),
        ([[0, -1]], r"codes: integer codes must be all in \{0, 1\} or all in \{-1, 1\}"),
    ],
)
def test_pack_refuses(values: Any, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        retrieval.pack(values)


@pytest.mark.parametrize(
    ("packed", "bits", "message"),
    [
        (np.zeros((2, 1)), 3, r"packed: expected packed \(N, W\) uint64, got float64 of shape \(2, 1\)"),
        (np.zeros((2, 65), np.uint64), 3, "packed: expected 1 to 64 words a code, got 65"),
        (np.zeros((2, 1), np.uint64), 65, "packed: 65 bits take 2 words a code, got 1"),
        (np.full((2, 1), 8, np.uint64), 3, "packed: a bit beyond the first 3 is set"),
        (np.zeros((2, 1), np.uint64), 0, "bits: expected a whole number from 1 to 4096, got 0"),
    ],
)
def test_unpack_refuses(packed: np.ndarray, bits: int, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        retrieval.unpack(packed, bits)


def test_equal_distances_keep_database_order() -> None:
    database = np.array([[1, 1, 0], [0, 0, 0], [0, 1, 1], [0, 0, 0], [0, 0, 1]])
    query = np.array([[0, 0, 0], [1, 1, 1]])
    assert retrieval.rank(query, database).tolist() == [[1, 3, 4, 0, 2], [0, 2, 4, 1, 3]]
    distances, rows = retrieval.top_k(query, database, k=3)
    assert rows.tolist() == [[1, 3, 4], [0, 2, 4]]
    assert distances.tolist() == [[0, 0, 1], [1, 1, 2]]


def test_k_beyond_the_database_gives_all_of_it() -> None:
    distances, rows = retrieval.top_k(np.zeros((2, 8)), np.zeros((3, 8)), k=10)
    assert rows.tolist() == [[0, 1, 2]] * 2
    assert distances.shape == (2, 3)
    assert retrieval.top_k(np.zeros((2, 8)), np.zeros((0, 8)), k=10)[0].shape == (2, 0)


@pytest.mark.parametrize("period", [1, 16, 17])
@pytest.mark.parametrize("k", [1, 100, 800, 3000])
def test_many_neighbours_of_a_database_with_a_period(k: int, period: int) -> None:
    """Nearest rows at regular places: whoever guesses the k-th distance from some rows guesses wrong."""
    rng = np.random.default_rng(k)
    query, database = rng.choice([-1, 1], (9, 24)), rng.choice([-1, 1], (5000, 24))
    database[::period] = query[0]
    distances, rows = retrieval.top_k(query, database, k)
    ranking = reference.rank(*(retrieval.pack(codes) for codes in (query, database)))
    np.testing.assert_array_equal(rows, ranking[:, :k])
    exact = reference.distances(*(retrieval.pack(codes) for codes in (query, database)))
    np.testing.assert_array_equal(distances, np.take_along_axis(exact, ranking, axis=1)[:, :k])


@pytest.mark.parametrize("k", [5, 2**64, 10**30])
def test_no_k_is_too_large(k: int) -> None:
    assert retrieval.top_k(np.ones((2, 8)), np.ones((3, 8)), k)[1].tolist() == [[0, 1, 2]] * 2
    assert retrieval.top_k(np.ones((2, 8)), np.ones((0, 8)), k)[1].shape == (2, 0)


@pytest.mark.parametrize("k", [0, -1, 1.0, None, True])
def test_bad_k(k: Any) -> None:
    with pytest.raises(InvalidInput, match="k: expected a whole number from 1"):
        retrieval.top_k(np.zeros((2, 8)), np.zeros((3, 8)), k=k)


def test_within_radius() -> None:
    database = np.array([[1, 1, 0], [0, 0, 0], [0, 1, 1], [0, 0, 0], [0, 0, 1]])
    query = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 1]])
    offsets, distances, rows = retrieval.within_radius(query, database, radius=1)
    assert offsets.tolist() == [0, 3, 6, 8]
    assert distances.tolist() == [0, 0, 1, 1, 1, 1, 1, 1]
    assert rows.tolist() == [1, 3, 4, 0, 1, 3, 0, 2]
    assert retrieval.within_radius(query, database, radius=10**30)[0].tolist() == [0, 5, 10, 15]
    assert retrieval.within_radius(query, database[:0])[0].tolist() == [0, 0, 0, 0]
    assert retrieval.within_radius(query[:0], database)[0].tolist() == [0]


@pytest.mark.parametrize("radius", [-1, 1.0, None, True, "2"])
def test_bad_radius(radius: Any) -> None:
    with pytest.raises(InvalidInput, match="radius: expected a whole number from 0"):
        retrieval.within_radius(np.zeros((2, 8)), np.zeros((3, 8)), radius)


def test_unequal_lengths() -> None:
    a, b = np.zeros((1, 1), np.uint64), np.zeros((1, 2), np.uint64)
    for search in (retrieval.rank, retrieval.distances, retrieval.within_radius, lambda q, d: retrieval.top_k(q, d, 1)):
        with pytest.raises(InvalidInput, match="query has 1 words a code, database has 2: lengths must be equal"):
            search(a, b)


def test_without_the_extension_numpy_ranks_with_one_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hashzoo._native", None)
    monkeypatch.delattr("hashzoo._native", raising=False)
    backend.backend.cache_clear()
    try:
        with pytest.warns(RuntimeWarning, match="hashzoo._native was not built"):
            assert backend.backend() is reference
        codes = np.eye(4, dtype=bool)
        assert retrieval.evaluate(codes, [0, 1, 2, 3], codes, [0, 1, 2, 3]).map == 1.0  # a second warning would raise
    finally:
        backend.backend.cache_clear()


def test_instruction_set_variable() -> None:
    code = "from hashzoo import _native, retrieval; retrieval.pack([[True]]); print(_native.isa())"
    run = [sys.executable, "-c", code]
    good = subprocess.run(run, env={**os.environ, "HASHZOO_ISA": "scalar"}, capture_output=True, text=True, check=True)
    assert good.stdout == "scalar\n"
    bad = subprocess.run(run, env={**os.environ, "HASHZOO_ISA": "mmx"}, capture_output=True, text=True, check=False)
    assert "InvalidInput: HASHZOO_ISA: instruction set 'mmx' is not available here (have: auto, " in bad.stderr
