from __future__ import annotations

import numpy as np
import pytest

from hashzoo.shallow import linear
from hashzoo.shallow.kernels import draw, gaussian, mean_squared_distance, squared_distances, unit_rows
from hashzoo.shallow.pairs import indicators, similar, similar_rows


def test_distances_and_kernels_equal_a_double_loop(monkeypatch):
    monkeypatch.setattr(linear, "_ROWS", 8)
    rng = np.random.default_rng(2)
    features, anchors = (rng.random((n, 6)).astype(np.float32) for n in (20, 5))
    expected = np.array([[((f - a) ** 2).sum() for a in anchors] for f in features])
    assert np.allclose(squared_distances(features, anchors), expected, atol=1e-5)
    assert np.allclose(gaussian(features, anchors, 0.7), np.exp(-expected / 0.7), atol=1e-5)
    assert mean_squared_distance(features, anchors) == pytest.approx(expected.mean(), rel=1e-5)


def test_no_distance_is_negative():
    far = np.full((3, 4), 1000.123, np.float32)
    assert (squared_distances(far, far) >= 0).all()


def test_rows_are_drawn_once_each_and_by_the_seed():
    rows = draw(50, 20, np.random.default_rng(0))
    assert len(set(rows.tolist())) == 20
    assert (np.diff(rows) > 0).all()
    assert np.array_equal(rows, draw(50, 20, np.random.default_rng(0)))
    assert not np.array_equal(rows, draw(50, 20, np.random.default_rng(1)))
    assert np.array_equal(draw(5, 20, np.random.default_rng(0)), np.arange(5))


def test_rows_of_zeros_stay():
    scaled = unit_rows(np.array([[3, 4], [0, 0]], np.float32))
    assert np.allclose(scaled, [[0.6, 0.8], [0, 0]])


def test_similar_is_a_label_in_common():
    ids = np.array([0, 1, 0])
    assert similar(ids, ids[:2]).tolist() == [[True, False], [False, True], [True, False]]
    hot = np.array([[1, 1, 0], [0, 1, 1], [0, 0, 0], [1, 0, 0]], np.uint8)
    expected = [[bool((a & b).any()) for b in hot] for a in hot]
    assert similar(hot, hot).tolist() == expected
    assert similar_rows(hot, hot[::-1].copy()).tolist() == [row[3 - i] for i, row in enumerate(expected)]
    assert similar_rows(ids, np.array([0, 0, 0])).tolist() == [True, False, True]


def test_indicators_of_classes():
    assert indicators(np.array([2, 0]), 3).tolist() == [[0, 0, 1], [1, 0, 0]]
    assert indicators(np.array([[1, 0, 1]], np.uint8), 3).tolist() == [[1, 0, 1]]
