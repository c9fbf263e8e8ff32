from __future__ import annotations

import numpy as np
import pytest

from hashzoo.errors import InvalidInput
from hashzoo.methods import sh
from hashzoo.methods.base import Task
from hashzoo.methods.sh import SH, smoothest_modes

TASK = Task(num_classes=2, num_train=10, image_size=(8, 8))


def box(sides, count=20_000):
    return (np.random.default_rng(0).random((count, len(sides))) * sides).astype(np.float32)


def fit(vectors, bits):
    method = SH(bits, TASK)
    return method, method.fit(vectors, np.zeros(len(vectors), np.int64), np.random.default_rng(0))


def test_modes_of_a_known_box():
    axis, mode = smoothest_modes(np.array([3.0, 2.0, 1.0]), 8)
    chosen = {(int(a), int(m)) for a, m in zip(axis, mode, strict=True)}
    assert chosen == {(0, 1), (1, 1), (0, 2), (2, 1), (0, 3), (1, 2), (0, 4), (1, 3)}


@pytest.mark.parametrize("bits", [1, 5, 24, 100])
def test_frequencies_ascend_and_no_mode_is_constant(bits):
    ranges = np.array([5.0, 3.3, 2.0, 0.4, 0.0])
    axis, mode = smoothest_modes(ranges, bits)
    assert len(axis) == len(mode) == bits
    assert (mode >= 1).all()
    assert 4 not in axis
    assert (np.diff(mode / ranges[axis]) >= 0).all()


def test_functions_on_a_box_are_orthogonal_and_bits_balanced():
    vectors = box([3, 2, 1])
    method, model = fit(vectors, 8)
    values = method.project(vectors, model)
    gram = values.T @ values / len(values)
    assert np.abs(gram - np.diag(np.diag(gram))).max() < 0.02
    assert np.abs(np.diag(gram) - 0.5).max() < 0.02
    assert np.abs((values >= 0).mean(0) - 0.5).max() < 0.02


def test_beyond_the_range_the_cosine_goes_on():
    vectors = box([3, 1])
    method, model = fit(vectors, 1)
    low, high = (vectors[vectors[:, 0].argmin()], vectors[vectors[:, 0].argmax()])
    far = (high + 2 * (high - low) * [1, 0]).astype(np.float32)  # two ranges on: cos(3 pi) and cos(pi) agree
    assert np.allclose(method.project(far[None], model), method.project(high[None], model), atol=0.05)


def test_more_bits_than_dimensions():
    vectors = box([3, 2], 500)
    method, model = fit(vectors, 40)
    assert method.project(vectors, model).shape == (500, 40)
    assert len(np.unique(method.project(vectors, model) >= 0, axis=1).T) == 40


def test_equal_features_are_refused():
    with pytest.raises(InvalidInput, match="sh: expected features that differ"):
        fit(np.ones((5, 3), np.float32), 4)


def test_the_seed_does_not_matter():
    vectors = box([3, 2, 1], 100)
    one, other = (
        SH(12, TASK).fit(vectors, np.zeros(100), np.random.default_rng(seed))["frequencies"] for seed in (0, 1)
    )
    assert np.array_equal(one, other)


def test_it_learns(map_on_digits):
    assert map_on_digits("sh") > 0.35  # chance is 0.1


def test_without_the_order_of_frequencies_it_is_worse(map_on_digits, monkeypatch):
    """The first modes of each axis in turn, as if every axis were as long as the longest."""
    expected = map_on_digits("sh")
    monkeypatch.setattr(sh, "smoothest_modes", lambda ranges, bits: (np.arange(bits), np.ones(bits, np.int64)))
    assert map_on_digits("sh") < expected - 0.02
