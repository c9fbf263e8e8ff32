from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from hashzoo.losses.base import Batch
from hashzoo.methods.base import Task
from hashzoo.methods.cnnh import CNNH, Decomposition, _roots, _smallest, decompose, extend


def similarity(labels):
    return np.where(labels[:, None] == labels[None, :], 1.0, -1.0)


def problem(rng, rows=20, bits=6, classes=3):
    return Decomposition(similarity(np.arange(rows) % classes), rng.uniform(-1, 1, (rows, bits)))


def objective(target, codes):
    """As the paper writes it."""
    return np.square(codes @ codes.T - codes.shape[1] * target).sum()


def build(labels, bits=12, **settings):
    task = Task(3, len(labels), (8, 8), multi_label=labels.ndim == 2)
    return CNNH(bits, task, replace(CNNH.Config(), **settings))


def test_the_objective_needs_no_matrix_of_products(rng):
    tried = problem(rng)
    assert tried.objective() == pytest.approx(objective(tried.similarity, tried.codes), rel=1e-12)


def test_what_is_kept_up_to_date_equals_what_it_stands_for(rng):
    tried = problem(rng)
    for _ in range(3):
        tried.sweep(rng)
    assert np.allclose(tried.gram, tried.codes.T @ tried.codes, atol=1e-8)
    assert tried.objective() == pytest.approx(objective(tried.similarity, tried.codes), rel=1e-10)


def test_no_step_raises_the_objective_or_leaves_the_box(rng):
    tried = problem(rng)
    before = objective(tried.similarity, tried.codes)
    for _ in range(200):
        tried.step(int(rng.integers(20)), int(rng.integers(6)))
        after = objective(tried.similarity, tried.codes)
        assert after <= before + 1e-9 * abs(before)
        assert np.abs(tried.codes).max() <= 1 + 1e-12
        before = after


def test_a_step_goes_to_the_minimum_along_its_coordinate(rng):
    for _ in range(20):
        tried = problem(rng, rows=8, bits=3)
        row, bit = int(rng.integers(8)), int(rng.integers(3))
        codes = tried.codes.copy()
        values = []
        for value in np.linspace(-1, 1, 2001):
            codes[row, bit] = value
            values.append(objective(tried.similarity, codes))
        tried.step(row, bit)
        assert objective(tried.similarity, tried.codes) <= min(values) + 1e-9


def test_roots_of_cubics(rng):
    for _ in range(300):
        roots = rng.normal(size=3) * 10 ** rng.uniform(-1, 2)
        p, q, r = np.poly(roots)[1:]
        assert sorted(_roots(p, q, r)) == pytest.approx(sorted(roots), rel=1e-4, abs=1e-5)
        real, a = roots[0], abs(roots[1]) + 0.1  # (x - real) (x^2 + a^2) has one real root
        assert _roots(-real, a * a, -real * a * a) == pytest.approx([real], rel=1e-6, abs=1e-8)
    assert _roots(0, 0, 0) == [0]
    assert _roots(-3, 3, -1) == pytest.approx([1])


def test_a_coordinate_at_its_minimum_stays():
    assert _smallest(0.0, 2.0, 0.0, -1.0, 1.0) == 0.0
    assert _smallest(1.0, 0.0, 0.0, -0.5, 0.5) == -0.5


@pytest.mark.parametrize(("classes", "best"), [(2, 1.0), (3, 5 / 9)])
def test_signs_agree_with_the_similarities(rng, classes, best):
    """Of three codes no two can be opposite: at best their inner products are -K/3."""
    target = similarity(np.arange(60) % classes)
    codes = np.where(decompose(target, 12, 10, rng) >= 0, 1, -1)
    assert (codes @ codes.T * target).mean() / 12 > 0.99 * best


def test_the_decomposition_stops_when_there_is_little_to_gain(rng, monkeypatch):
    sweeps = []
    swept = Decomposition.sweep
    monkeypatch.setattr(Decomposition, "sweep", lambda self, rng: (sweeps.append(1), swept(self, rng)))
    decompose(similarity(np.arange(60) % 2), 12, 50, rng)
    assert 1 < len(sweeps) < 20
    sweeps.clear()
    decompose(similarity(np.arange(60) % 2), 12, 1, rng)
    assert len(sweeps) == 1


def test_an_extension_is_the_best_code_in_the_box(rng):
    codes = rng.uniform(-1, 1, (30, 5))
    target = np.where(rng.random((4, 30)) < 0.5, 1.0, -1.0)
    found = extend(target, codes, sweeps=200)
    assert np.abs(found).max() <= 1
    gradient = found @ (codes.T @ codes) - 5 * target @ codes
    free = np.abs(found) < 1
    assert np.abs(gradient[free]).max(initial=0) < 1e-6
    assert (gradient[~free] * found[~free] <= 1e-6).all()


def test_images_outside_the_sample_get_the_code_of_their_class():
    labels = torch.arange(90) % 3
    targets = build(labels, sample=30).targets(labels, np.random.default_rng(0))
    assert targets.shape == (90, 12)
    assert len(np.unique(targets, axis=0)) == 3
    for label in range(3):
        assert len(np.unique(targets[labels == label], axis=0)) == 1


def test_no_matrix_of_all_pairs_is_made(monkeypatch):
    from hashzoo.methods import cnnh

    sizes = []
    made = cnnh._similarity
    monkeypatch.setattr(cnnh, "_similarity", lambda a, b: (sizes.append((len(a), len(b))), made(a, b))[1])
    labels = torch.arange(2500) % 3
    build(labels, sample=20).targets(labels, np.random.default_rng(0))
    assert sizes == [(20, 20), (1000, 20), (1000, 20), (500, 20)]


def test_several_labels_an_image():
    labels = torch.tensor([[1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 0, 1]], dtype=torch.uint8).repeat(10, 1)
    targets = build(labels, bits=24).targets(labels, np.random.default_rng(0))
    inner = targets[:4] @ targets[:4].T / 24
    assert inner[0, 2] > inner[0, 3]
    assert inner[1, 2] > inner[1, 3]


def test_the_seed_decides_the_targets_and_the_loss_regresses_those_of_the_batch():
    labels = torch.arange(12) % 3
    stored = []
    for seed in (5, 5, 6):
        torch.manual_seed(seed)
        method = build(labels)
        method.on_train_start(labels)
        stored.append(method.extra["stage_one"].codes)
    assert torch.equal(stored[0], stored[1])
    assert not torch.equal(stored[0], stored[2])

    index = torch.tensor([7, 2, 11])
    codes = torch.randn(3, 12, generator=torch.Generator().manual_seed(1), requires_grad=True)
    terms = method.loss(codes, Batch(labels[index], index))
    expected = sum(
        (np.tanh(float(codes.detach()[i, k])) - float(stored[2][row, k])) ** 2
        for i, row in enumerate(index)
        for k in range(12)
    )
    assert float(terms["regression"].detach()) == pytest.approx(expected / 36, rel=1e-5)
    terms["regression"].backward()
    assert codes.grad.any()
