from __future__ import annotations

import numpy as np
import pytest

from hashzoo.shallow.linear import signs
from hashzoo.shallow.rotation import quantizing_rotation, random_rotation


@pytest.fixture
def vectors():
    rng = np.random.default_rng(5)
    vectors = rng.standard_normal((500, 12)) * np.linspace(3, 0.5, 12)
    return vectors - vectors.mean(0)


def loss(vectors, rotation):
    turned = vectors @ rotation
    return ((signs(turned) - turned) ** 2).sum()


@pytest.mark.parametrize("size", [1, 2, 12, 100])
def test_random_rotations_are_orthogonal(size):
    rotation = random_rotation(size, np.random.default_rng(0))
    assert np.abs(rotation.T @ rotation - np.eye(size)).max() < 1e-12
    if size > 1:
        assert not np.array_equal(rotation, random_rotation(size, np.random.default_rng(1)))


def test_the_loss_never_grows_and_the_rotation_stays_one(vectors):
    start = random_rotation(12, np.random.default_rng(0))
    rotation, losses = quantizing_rotation(vectors, start, 50)
    assert len(losses) == 50
    assert (np.diff([loss(vectors, start), *losses]) <= 1e-9 * len(vectors)).all()
    assert np.abs(rotation.T @ rotation - np.eye(12)).max() < 1e-12
    assert loss(vectors, rotation) < 0.95 * loss(vectors, start)


def test_losses_are_those_of_the_codes_before_and_the_rotation_after(vectors):
    start = random_rotation(12, np.random.default_rng(0))
    codes = signs(vectors @ start)
    rotation, (reported,) = quantizing_rotation(vectors, start, 1)
    assert reported == pytest.approx(((codes - vectors @ rotation) ** 2).sum(), rel=1e-12)


def test_one_step_is_the_best_rotation_for_its_codes(vectors):
    start = random_rotation(12, np.random.default_rng(0))
    codes = signs(vectors @ start)
    rotation, _ = quantizing_rotation(vectors, start, 1)
    best = ((codes - vectors @ rotation) ** 2).sum()
    for seed in range(20):
        other = rotation @ random_rotation(12, np.random.default_rng(seed))
        assert ((codes - vectors @ other) ** 2).sum() > best


def test_vectors_of_less_rank_than_bits(vectors):
    flat = vectors.copy()
    flat[:, 5:] = 0
    rotation, losses = quantizing_rotation(flat, random_rotation(12, np.random.default_rng(0)), 20)
    assert np.abs(rotation.T @ rotation - np.eye(12)).max() < 1e-12
    assert (np.diff(losses) <= 1e-9 * len(flat)).all()
