from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import approx_fprime

from hashzoo.methods.base import Task
from hashzoo.methods.ksh import KSH, Residual, agreement, descend, objective, objective_and_gradient, spectral_weights

TASK = Task(num_classes=2, num_train=60, image_size=(8, 8))


@pytest.fixture
def problem(rng):
    """A centred kernel (60, 10) and the residual of three classes at 4 bits."""
    kernel = rng.random((60, 10))
    return kernel - kernel.mean(0), Residual(np.arange(60) % 3, 4)


def dense(residual, size):
    return residual.times(np.eye(size))


@pytest.mark.parametrize("several", [False, True])
def test_the_residual_is_a_matrix(rng, several):
    labels = rng.integers(0, 3, 30)
    if several:
        labels = (rng.random((30, 3)) < 0.4).astype(np.uint8)
    residual = Residual(labels, 5)
    pairs = [[1.0 if (((a & b).any()) if several else a == b) else -1.0 for b in labels] for a in labels]
    expected = 5 * np.array(pairs)
    assert np.allclose(dense(residual, 30), expected)
    for _ in range(2):
        bit = rng.choice([-1.0, 1.0], 30)
        residual.take_off(bit)
        expected = expected - np.outer(bit, bit)
        assert np.allclose(dense(residual, 30), expected)
        assert np.allclose(residual.times(bit), expected @ bit)


def test_the_gradient_is_that_of_the_objective(problem, rng):
    kernel, residual = problem
    weights = rng.standard_normal(10)
    value, gradient = objective_and_gradient(kernel, residual, weights)
    assert value == pytest.approx(objective(kernel, residual, weights), rel=1e-12)
    numerical = approx_fprime(weights, lambda w: objective(kernel, residual, w), 1e-6)
    assert np.abs(gradient - numerical).max() < 1e-4 * np.abs(gradient).max()


def test_the_start_is_the_best_of_the_relaxed_problem(problem, rng):
    kernel, residual = problem
    gram = kernel.T @ kernel
    pull = kernel.T @ residual.times(kernel)
    start = spectral_weights(pull, gram)
    assert start @ gram @ start == pytest.approx(1)
    for _ in range(50):
        other = rng.standard_normal(10)
        other /= np.sqrt(other @ gram @ other)
        assert other @ pull @ other <= start @ pull @ start + 1e-9


def test_descent_lowers_the_objective(problem, rng):
    kernel, residual = problem
    start = rng.standard_normal(10)
    reached = descend(kernel, residual, start, 500)
    assert objective(kernel, residual, reached) < 1.1 * objective(kernel, residual, start)
    assert np.array_equal(descend(kernel, residual, start, 0), start)


def test_each_bit_agrees_at_least_as_well_as_its_start_and_shrinks_the_residual(problem, monkeypatch):
    from hashzoo.methods import ksh

    kernel, residual = problem
    starts = []

    def spy(kernel, residual, start, steps):
        starts.append(start)
        return descend(kernel, residual, start, steps)

    monkeypatch.setattr(ksh, "descend", spy)
    weights = KSH(4, TASK)._weights(kernel, residual)
    again = Residual(residual.labels, 4)
    for start, chosen in zip(starts, weights.T, strict=True):
        reached = agreement(kernel, again, chosen)
        assert reached >= agreement(kernel, again, start)
        before = (dense(again, 60) ** 2).sum()
        again.take_off(np.where(kernel @ chosen >= 0, 1.0, -1.0))
        after = (dense(again, 60) ** 2).sum()
        assert after == pytest.approx(before - 2 * reached + 60**2)
        assert (after < before) == (reached > 60**2 / 2)


def test_one_bit_tells_two_clusters_apart(rng):
    labels = np.arange(60) % 2
    vectors = (rng.standard_normal((60, 8)) + 20 * labels[:, None]).astype(np.float32)
    method = KSH(1, TASK)
    bit = method.project(vectors, method.fit(vectors, labels, np.random.default_rng(0)))[:, 0] >= 0
    assert np.array_equal(bit, labels == 1) or np.array_equal(bit, labels == 0)


def test_how_many_images_are_drawn():
    assert KSH(12, TASK).sampling(50_000) == {"anchors": 300, "labelled": 2000}
    assert KSH(12, TASK).sampling(60) == {"anchors": 60, "labelled": 60}
    method = KSH(3, TASK, KSH.Config(anchors=7, labelled=20))
    model = method.fit(np.eye(60, dtype=np.float32), np.arange(60) % 2, np.random.default_rng(0))
    assert model["anchors"].shape == (7, 60)


def test_it_learns(map_on_digits, lsh_on_digits):
    assert map_on_digits("ksh", steps=20) > lsh_on_digits + 0.4


def test_without_the_residual_all_bits_are_alike_and_it_is_worse(map_on_digits, monkeypatch):
    expected = map_on_digits("ksh", steps=5)
    monkeypatch.setattr(Residual, "take_off", lambda self, bit: None)
    assert map_on_digits("ksh", steps=5) < expected - 0.2
