from __future__ import annotations

import numpy as np
import pytest

from hashzoo.errors import InvalidInput
from hashzoo.methods import itq
from hashzoo.methods.base import Task
from hashzoo.methods.itq import ITQ

TASK = Task(num_classes=2, num_train=10, image_size=(8, 8))


@pytest.fixture
def vectors(rng):
    return (rng.standard_normal((400, 16)) * np.linspace(4, 0.5, 16) + 50).astype(np.float32)


def fit(vectors, bits, seed=0, **settings):
    method = ITQ(bits, TASK, ITQ.Config(**settings))
    return method, method.fit(vectors, np.zeros(len(vectors), np.int64), np.random.default_rng(seed))


def test_the_projection_is_orthonormal(vectors):
    _, model = fit(vectors, 12)
    assert np.abs(model["projection"].T @ model["projection"] - np.eye(12)).max() < 1e-6


def test_it_spans_the_principal_components(vectors):
    _, model = fit(vectors, 6)
    centred = vectors - vectors.mean(0)
    _, _, axes = np.linalg.svd(centred.astype(np.float64), full_matrices=False)
    inside = axes[:6] @ model["projection"]
    assert np.abs(inside.T @ inside - np.eye(6)).max() < 1e-4


def test_quantization_error_is_below_that_of_a_random_rotation(vectors):
    def error(iterations):
        method, model = fit(vectors, 12, iterations=iterations)
        relaxed = method.project(vectors, model)
        return ((np.where(relaxed >= 0, 1, -1) - relaxed) ** 2).sum()

    assert error(50) < 0.98 * error(0)


def test_features_are_centred(vectors):
    method, model = fit(vectors, 12)
    assert np.allclose(model["mean"], vectors.mean(0), rtol=1e-5)
    assert (np.abs((method.project(vectors, model) >= 0).mean(0) - 0.5) < 0.2).all()


def test_more_bits_than_dimensions_are_refused(vectors):
    with pytest.raises(InvalidInput, match="itq: expected at most a bit for each of 16 features, got 17"):
        fit(vectors, 17)
    assert fit(vectors, 16)[1]["projection"].shape == (16, 16)


def test_it_learns(map_on_digits, lsh_on_digits):
    assert map_on_digits("itq") > lsh_on_digits + 0.1


def test_without_the_rotation_it_is_worse(map_on_digits, monkeypatch):
    expected = map_on_digits("itq")
    monkeypatch.setattr(itq, "quantizing_rotation", lambda vectors, rotation, iterations: (np.eye(len(rotation)), []))
    assert map_on_digits("itq") < expected - 0.1
    monkeypatch.undo()
    assert map_on_digits("itq", iterations=0) < expected - 0.02


def test_without_centring_it_is_worse(map_on_digits, monkeypatch):
    expected = map_on_digits("itq")
    monkeypatch.setattr(itq, "mean_of", lambda features: np.zeros(features.shape[1]))
    assert map_on_digits("itq") < expected - 0.03
