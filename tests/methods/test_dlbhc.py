from __future__ import annotations

import math

import pytest
import torch

from hashzoo import retrieval
from hashzoo.losses.base import Batch
from hashzoo.methods.base import Task
from hashzoo.methods.dlbhc import DLBHC

LABELS = torch.tensor([0, 1, 2, 3, 2])


@pytest.fixture
def method():
    torch.manual_seed(0)
    method = DLBHC(3, Task(4, 5, (8, 8)))
    method.on_train_start(LABELS)
    method.extra.double()
    return method


def codes(rows=5):
    return torch.randn(rows, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(3))


def test_the_loss_is_the_cross_entropy_of_a_classifier_of_logistic_units(method):
    classifier = method.extra["classifier"]
    costs = []
    for code, label in zip(codes().tolist(), LABELS.tolist(), strict=True):
        units = [1 / (1 + math.exp(-value)) for value in code]
        logits = [
            math.fsum(w * unit for w, unit in zip(row, units, strict=True)) + bias
            for row, bias in zip(classifier.weight.tolist(), classifier.bias.tolist(), strict=True)
        ]
        costs.append(math.log(math.fsum(map(math.exp, logits))) - logits[label])
    terms = method.loss(codes(), Batch(LABELS, torch.arange(5)))
    assert set(terms) == {"classification"}
    assert terms["classification"].item() == pytest.approx(math.fsum(costs) / 5, rel=1e-12)


def test_units_above_a_half_are_the_set_bits():
    relaxed = torch.cat([codes(), torch.zeros(1, 3, dtype=torch.float64)])
    by_unit = torch.sigmoid(relaxed) >= 0.5
    assert (retrieval.pack(relaxed.numpy()) == retrieval.pack(by_unit.numpy())).all()


def test_the_bits_are_the_only_way_to_the_classes(method):
    """Logits of many images have the rank of the code, plus one for the bias."""
    logits = method.extra["classifier"](torch.sigmoid(codes(50)))
    assert torch.linalg.matrix_rank(logits - logits.mean(0)) <= 3


def test_the_gradient_reaches_codes_and_classifier(method):
    leaf = codes().requires_grad_()
    method.loss(leaf, Batch(LABELS, torch.arange(5)))["classification"].backward()
    assert (leaf.grad != 0).all()
    assert all((p.grad != 0).any() for p in method.extra.parameters())


def test_codes_at_extremes(method):
    for scale in (1e4, -1e4):
        leaf = (scale * torch.ones(5, 3, dtype=torch.float64)).requires_grad_()
        value = method.loss(leaf, Batch(LABELS, torch.arange(5)))["classification"]
        (gradient,) = torch.autograd.grad(value, leaf)
        assert torch.isfinite(value)
        assert torch.isfinite(gradient).all()
