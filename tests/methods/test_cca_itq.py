from __future__ import annotations

import numpy as np
import pytest

from hashzoo.errors import InvalidInput
from hashzoo.methods import cca_itq
from hashzoo.methods.base import Task
from hashzoo.methods.cca_itq import CCAITQ, canonical_directions
from hashzoo.shallow.linear import covariance, principal_axes

TASK = Task(num_classes=5, num_train=400, image_size=(8, 8))


@pytest.fixture
def labelled(rng):
    """400 noisy vectors of length 16 in five classes."""
    labels = np.arange(400) % 5
    centres = rng.standard_normal((5, 16))
    return (centres[labels] + rng.standard_normal((400, 16)) + 20).astype(np.float32), labels


def test_directions_are_canonical(labelled):
    vectors, labels = labelled
    wanted = np.eye(5)[labels]
    directions, correlations = canonical_directions(vectors, wanted, 12, 1e-4)
    within = covariance(vectors) + 1e-4 * np.eye(16)
    assert np.abs(directions.T @ within @ directions - np.eye(12)).max() < 1e-8
    assert (correlations >= 0).all()
    assert (correlations <= 1).all()
    assert (np.diff(correlations) <= 0).all()
    assert (correlations > 1e-6).sum() == 4  # of five classes, once their mean is taken off


def test_a_correlation_is_that_of_the_direction_with_the_labels(labelled):
    vectors, labels = labelled
    directions, correlations = canonical_directions(vectors, np.eye(5)[labels], 2, 1e-9)
    along = (vectors - vectors.mean(0)) @ directions
    means = np.stack([along[labels == label].mean(0) for label in range(5)])[labels]
    assert np.allclose(np.sqrt(means.var(0) / along.var(0)), correlations, atol=1e-4)


def test_several_labels_an_image(labelled):
    vectors, labels = labelled
    several = np.eye(5, dtype=np.uint8)[labels]
    several[::3, 0] = 1
    method = CCAITQ(8, Task(5, 400, (8, 8), multi_label=True))
    model = method.fit(vectors, several, np.random.default_rng(0))
    assert np.isfinite(method.project(vectors, model)).all()


def test_more_bits_than_dimensions_are_refused(labelled):
    with pytest.raises(InvalidInput, match="cca_itq: expected at most a bit for each of 16 features, got 17"):
        CCAITQ(17, TASK).fit(*labelled, np.random.default_rng(0))


def test_it_learns(map_on_digits, lsh_on_digits):
    assert map_on_digits("cca_itq") > lsh_on_digits + 0.4


def test_without_the_labels_it_is_worse(map_on_digits, monkeypatch):
    expected = map_on_digits("cca_itq")

    def principal(features, labels, count, ridge):
        return principal_axes(features, count), np.ones(count)

    monkeypatch.setattr(cca_itq, "canonical_directions", principal)
    assert map_on_digits("cca_itq") < expected - 0.2
