from __future__ import annotations

import numpy as np
import pytest

from hashzoo.methods import sdh
from hashzoo.methods.base import Task
from hashzoo.methods.sdh import SDH, classifier_of, discrete_codes
from hashzoo.shallow import linear

TASK = Task(num_classes=4, num_train=80, image_size=(8, 8))


@pytest.fixture
def problem(rng):
    """Codes (80, 6), labels (80, 4), a classifier (6, 4) and reachable codes (80, 6)."""
    codes = rng.choice([-1.0, 1.0], (80, 6)).astype(np.float32)
    wanted = np.eye(4, dtype=np.float32)[np.arange(80) % 4]
    return (
        codes,
        wanted,
        rng.standard_normal((6, 4)).astype(np.float32),
        rng.standard_normal((80, 6)).astype(np.float32),
    )


def objective(codes, wanted, classifier, reachable, fit):
    return ((wanted - codes @ classifier) ** 2).sum() + fit * ((codes - reachable) ** 2).sum()


def test_no_bit_raises_the_objective(problem, monkeypatch):
    codes, wanted, classifier, reachable = problem
    values = [objective(codes, wanted, classifier, reachable, 0.5)]
    seen = []

    def spy(values_of_bit):
        seen.append(1)
        return linear.signs(values_of_bit)

    monkeypatch.setattr(sdh, "signs", spy)
    for passes in range(1, 5):
        monkeypatch.setattr(sdh, "_PASSES", passes)
        values.append(
            objective(
                discrete_codes(codes, wanted @ classifier.T + 0.5 * reachable, classifier),
                wanted, classifier, reachable, 0.5,
            )
        )  # fmt: skip
    assert (np.diff(values) <= 1e-3).all()
    assert values[1] < 0.9 * values[0]
    assert len(seen) >= 6


def test_after_the_passes_no_single_bit_can_be_better(problem):
    codes, wanted, classifier, reachable = problem
    found = discrete_codes(codes, wanted @ classifier.T + 0.5 * reachable, classifier)
    best = objective(found, wanted, classifier, reachable, 0.5)
    for row in range(0, 80, 7):
        for bit in range(6):
            other = found.copy()
            other[row, bit] *= -1
            assert objective(other, wanted, classifier, reachable, 0.5) >= best - 1e-3


def test_the_classifier_has_no_gradient(problem):
    codes, wanted, _, _ = problem
    classifier = classifier_of(codes, wanted, 1.0)
    gradient = codes.T @ (codes @ classifier - wanted) + classifier
    assert np.abs(gradient).max() < 1e-4


def test_the_kernel_functions_have_no_gradient(rng, monkeypatch):
    monkeypatch.setattr(linear, "_ROWS", 32)
    vectors = rng.random((80, 8)).astype(np.float32)
    codes = rng.choice([-1.0, 1.0], (80, 6)).astype(np.float32)
    method = SDH(6, TASK)
    anchors = linear.signs(vectors[:10]) * 0 + vectors[:10] / np.linalg.norm(vectors[:10], axis=1, keepdims=True)
    kernel = method._kernel(vectors, anchors)
    assert kernel.shape == (80, 11)
    assert (kernel[:, -1] == 1).all()
    gram = kernel.T @ kernel + 1e-2 * np.eye(11)
    weights = method._functions(vectors, anchors, gram, codes)
    gradient = kernel.T @ (kernel @ weights - codes) + 1e-2 * weights
    assert np.abs(gradient).max() < 1e-2


def test_nu_keeps_codes_where_kernel_functions_can_reach_them(rng, monkeypatch):
    vectors, labels = rng.random((80, 8)).astype(np.float32), np.arange(80) % 4
    learned = []

    def spy(*arguments):
        learned.append(discrete_codes(*arguments))
        return learned[-1]

    monkeypatch.setattr(sdh, "discrete_codes", spy)

    def reached(fit):
        method = SDH(6, TASK, SDH.Config(anchors=10, fit=fit))
        model = method.fit(vectors, labels, np.random.default_rng(0))
        return (linear.signs(method.project(vectors, model)) == learned[-1]).mean()

    assert reached(1e3) > reached(0) + 0.2


def test_images_in_blocks_give_the_same_model(rng, monkeypatch):
    vectors, labels = rng.random((80, 8)).astype(np.float32), np.arange(80) % 4
    method = SDH(6, TASK)
    whole = method.fit(vectors, labels, np.random.default_rng(0))
    monkeypatch.setattr(linear.row_blocks, "__defaults__", (16,))
    parts = method.fit(vectors, labels, np.random.default_rng(0))
    assert np.allclose(method.project(vectors, whole), method.project(vectors, parts), atol=1e-2)


def test_the_length_of_features_does_not_matter(rng):
    vectors, labels = rng.random((80, 8)).astype(np.float32), np.arange(80) % 4
    method = SDH(6, TASK)
    one, other = (method.project(v, method.fit(v, labels, np.random.default_rng(0))) for v in (vectors, 1000 * vectors))
    assert np.allclose(one, other, atol=1e-2)


def test_it_learns(map_on_digits, lsh_on_digits):
    assert map_on_digits("sdh") > lsh_on_digits + 0.4


def test_without_the_labels_it_is_worse(map_on_digits, monkeypatch):
    expected = map_on_digits("sdh", anchors=200)
    monkeypatch.setattr(sdh, "indicators", lambda labels, classes: np.zeros((len(labels), classes)))
    assert map_on_digits("sdh", anchors=200) < expected - 0.4
