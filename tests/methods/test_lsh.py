from __future__ import annotations

import numpy as np
import pytest

from hashzoo.features.pixels import Pixels
from hashzoo.methods.base import Task
from hashzoo.methods.encoder import ProjectionEncoder
from hashzoo.methods.lsh import LSH

TASK = Task(num_classes=4, num_train=48, image_size=(16, 16))


def fit(bits, vectors, seed=0):
    method = LSH(bits, TASK)
    return method, method.fit(vectors, np.zeros(len(vectors), np.int64), np.random.default_rng(seed))


@pytest.fixture
def vectors(rng):
    return (rng.random((48, 32)) * 3).astype(np.float32)


@pytest.mark.parametrize("bits", [1, 12, 24, 63])
def test_short_codes_are_prefixes_of_long_ones(vectors, bits):
    (short, short_model), (long, long_model) = fit(bits, vectors), fit(64, vectors)
    assert np.array_equal(short_model["directions"], long_model["directions"][:bits])
    expected = long.project(vectors, long_model)[:, :bits] >= 0
    assert np.array_equal(short.project(vectors, short_model) >= 0, expected)


def test_distances_follow_the_angle(rng):
    """E[D / K] = angle / pi; over 20,000 bits, of five seeds, the gap is below 0.01."""
    vectors = rng.standard_normal((9, 16)).astype(np.float32)
    relaxed = [method.project(vectors, model) for method, model in (fit(4000, vectors, seed) for seed in range(5))]
    codes = np.where(np.concatenate(relaxed, axis=1) >= 0, 1.0, -1.0)
    share = (1 - codes @ codes.T / 20_000) / 2
    centred = (vectors - vectors.mean(0)).astype(np.float64)
    unit = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    angle = np.arccos(np.clip(unit @ unit.T, -1, 1)) / np.pi
    assert np.ptp(angle) > 0.3
    assert np.abs(share - angle).max() < 0.01


@pytest.mark.parametrize("scale", [1e-3, 0.5, 1e4])
def test_rescaling_about_the_mean_changes_nothing(vectors, scale):
    method, model = fit(64, vectors)
    scaled = (model["mean"] + scale * (vectors - model["mean"]).astype(np.float64)).astype(np.float64)
    relaxed = method.project(vectors, model)
    certain = np.abs(relaxed) > 1e-4 * np.abs(relaxed).max()
    assert certain.mean() > 0.99
    assert np.array_equal((method.project(scaled, model) >= 0)[certain], (relaxed >= 0)[certain])


def test_features_are_centred(vectors):
    _, model = fit(12, vectors + 100)
    assert np.allclose(model["mean"], (vectors + 100).mean(0), rtol=1e-6)
    method, model = fit(256, vectors + 100)
    active = (method.project(vectors + 100, model) >= 0).mean(0)
    assert 0.4 < active.mean() < 0.6


def test_directions_are_standard_normal(vectors):
    directions = fit(2000, vectors)[1]["directions"]
    assert directions.shape == (2000, 32)
    assert directions.dtype == np.float32
    assert abs(float(directions.mean())) < 0.02
    assert abs(float(directions.std()) - 1) < 0.02


def test_the_seed_decides(vectors):
    assert np.array_equal(fit(12, vectors, 3)[1]["directions"], fit(12, vectors, 3)[1]["directions"])
    assert not np.array_equal(fit(12, vectors, 3)[1]["directions"], fit(12, vectors, 4)[1]["directions"])


def test_more_bits_than_dimensions_are_possible(vectors):
    method, model = fit(200, vectors[:, :5])
    assert method.project(vectors[:, :5], model).shape == (48, 200)


def test_codes_of_images(split):
    vectors = Pixels()(split.images)
    method, model = fit(70, vectors)
    codes = ProjectionEncoder(method, model, Pixels()).encode(split.images)
    assert vectors.shape == (48, 16 * 16 * 3)
    assert vectors.max() <= 1
    assert codes.shape == (48, 2)
    assert codes.dtype == np.uint64
