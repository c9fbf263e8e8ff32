from __future__ import annotations

import itertools

import numpy as np
import pytest

from hashzoo.methods import mlh
from hashzoo.methods.base import Task
from hashzoo.methods.mlh import MLH, Partners, bound, bound_ascent, hinge_losses, standardized, worst_codes

TASK = Task(num_classes=3, num_train=90, image_size=(8, 8))
FAST = {"epochs": 3, "pairs": 20_000}


@pytest.mark.parametrize("alike", [0, 1])
def test_the_worst_codes_are_those_of_brute_force(rng, alike):
    losses = hinge_losses(4, 2)[alike]
    corners = np.array(list(itertools.product([-1, 1], repeat=4)))
    for _ in range(30):
        p, q = rng.standard_normal((2, 4)) * rng.choice([0.05, 0.3, 1])
        reached = max(losses[(g != h).sum()] + g @ p + h @ q for g, h in itertools.product(corners, corners))
        g, h = (code[0] for code in worst_codes(p[None], q[None], losses[None]))
        assert losses[(g != h).sum()] + g @ p + h @ q == pytest.approx(reached, abs=1e-6)


def test_losses_lie_between_0_and_1():
    losses = hinge_losses(12, 4)
    assert losses.shape == (2, 13)
    assert losses.min() == 0
    assert losses.max() == 1
    assert losses[1, :4].tolist() == [0, 0, 0, 0]
    assert losses[1, 4] == pytest.approx(1 / 9)
    assert losses[0, 5:].max() == 0
    assert losses[0, 4] == pytest.approx(1 / 5)


def test_the_bound_is_never_below_the_loss(rng):
    weights = rng.standard_normal((12, 7))
    first, second = rng.standard_normal((2, 200, 7))
    losses = hinge_losses(12, 4).astype(np.float64)[rng.integers(0, 2, 200)]
    apart = ((first @ weights.T >= 0) != (second @ weights.T >= 0)).sum(1)
    assert (bound(weights, first, second, losses) >= losses[np.arange(200), apart] - 1e-9).all()


def test_without_a_loss_nothing_moves(rng):
    weights = rng.standard_normal((12, 7))
    first, second = rng.standard_normal((2, 20, 7))
    assert not bound_ascent(weights, first, second, np.zeros((20, 13))).any()


def test_the_ascent_is_minus_the_gradient_of_the_bound(rng):
    weights = rng.standard_normal((5, 4))
    first, second = rng.standard_normal((2, 6, 4))
    losses = hinge_losses(5, 2)[[0, 1, 0, 1, 1, 0]]
    ascent = bound_ascent(weights, first, second, losses)
    for k, j in itertools.product(range(5), range(4)):
        ahead, behind = weights.copy(), weights.copy()
        ahead[k, j] += 1e-6
        behind[k, j] -= 1e-6
        slope = (bound(ahead, first, second, losses).mean() - bound(behind, first, second, losses).mean()) / 2e-6
        assert slope == pytest.approx(-ascent[k, j], abs=1e-4)


@pytest.mark.parametrize("several", [False, True])
def test_a_share_of_the_pairs_is_similar(rng, several):
    labels = rng.integers(0, 10, 500)
    if several:
        labels = np.eye(10, dtype=np.uint8)[labels]
        labels[7] = 0
    first, second = Partners(labels).draw(20_000, 0.5, rng)
    alike = mlh.similar_rows(labels[first], labels[second])
    assert 0.52 < alike.mean() < 0.58  # half are made so, and a tenth of the others are
    assert 7 in first
    assert set(first) == set(range(500))


def test_the_bound_falls_while_it_learns(rng):
    labels = np.arange(90) % 3
    vectors = (3 * rng.standard_normal((3, 10))[labels] + rng.standard_normal((90, 10))).astype(np.float32)
    first, second = np.triu_indices(90, 1)
    losses = hinge_losses(12, 4)[(labels[first] == labels[second]).astype(int)]
    values = []
    for epochs in (1, 3):
        method = MLH(12, TASK, MLH.Config(epochs=epochs, pairs=2000))
        model = method.fit(vectors, labels, np.random.default_rng(0))
        whole = standardized(vectors, model["mean"], float(model["scale"][0]))
        values.append(bound(model["weights"], whole[first], whole[second], losses).mean())
    start = 0.1 * np.random.default_rng(0).standard_normal((12, 11), dtype=np.float32)
    start[:, -1] = 0
    assert bound(start, whole[first], whole[second], losses).mean() > values[0] > values[1]


def test_directions_decay_and_offsets_do_not(rng, monkeypatch):
    """Under a bound that pushes nothing but the offsets."""

    def push(weights, *_):
        ascent = np.zeros_like(weights)
        ascent[:, -1] = 1
        return ascent

    monkeypatch.setattr(mlh, "bound_ascent", push)
    vectors = rng.standard_normal((90, 4)).astype(np.float32)
    config = MLH.Config(epochs=1, pairs=300, batch_size=100, lr=0.1, momentum=0.5, weight_decay=0.2)
    weights = MLH(5, TASK, config).fit(vectors, np.arange(90) % 3, np.random.default_rng(0))["weights"]
    left, shrinking, offset, speed = 1.0, 0.0, 0.0, 0.0
    for _ in range(3):
        shrinking = 0.5 * shrinking - 0.1 * 0.2 * left
        speed = 0.5 * speed + 0.1
        left, offset = left + shrinking, offset + speed
    start = 0.1 * np.random.default_rng(0).standard_normal((5, 5), dtype=np.float32)
    assert weights[:, :-1] == pytest.approx(left * start[:, :-1], rel=1e-5)
    assert weights[:, -1] == pytest.approx(offset, rel=1e-5)


def test_features_are_centred_and_scaled(rng):
    vectors = (rng.standard_normal((90, 10)) * 30 + 500).astype(np.float32)
    method = MLH(12, TASK, MLH.Config(epochs=1, pairs=100))
    model = method.fit(vectors, np.arange(90) % 3, np.random.default_rng(0))
    whole = standardized(vectors, model["mean"], float(model["scale"][0]))
    assert np.abs(whole[:, :-1].mean(0)).max() < 1e-5
    assert (whole[:, :-1] ** 2).sum(1).mean() == pytest.approx(1, rel=1e-4)
    assert (whole[:, -1] == 1).all()


def test_it_learns(map_on_digits, lsh_on_digits):
    assert map_on_digits("mlh", **FAST) > lsh_on_digits + 0.3


def test_without_the_loss_it_is_worse(map_on_digits, monkeypatch):
    expected = map_on_digits("mlh", **FAST)
    monkeypatch.setattr(mlh, "hinge_losses", lambda bits, rho: np.zeros((2, bits + 1), np.float32))
    assert map_on_digits("mlh", epochs=1, pairs=1000) < expected - 0.3
