from __future__ import annotations

import math

import pytest
import torch

from hashzoo.losses.base import Batch
from hashzoo.methods.base import Task
from hashzoo.methods.greedyhash import GreedyHash, StraightThroughSign

LABELS = torch.tensor([0, 1, 2, 3, 2])
BATCH = Batch(LABELS, torch.arange(5))


def build(**settings):
    torch.manual_seed(0)
    method = GreedyHash(6, Task(4, 5, (8, 8)), GreedyHash.Config(**settings))
    method.on_train_start(LABELS)
    method.extra.double()
    return method


def draw():
    return torch.randn(5, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(3))


def test_the_sign_is_exact_and_its_gradient_goes_straight_through():
    relaxed = torch.tensor([-2.0, -1e-30, 0.0, 1e-30, 3.0], requires_grad=True)
    binary = StraightThroughSign.apply(relaxed)
    assert binary.tolist() == [-1, -1, 1, 1, 1]
    upstream = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0])
    binary.backward(upstream)
    assert torch.equal(relaxed.grad, upstream)


def test_the_classifier_sees_binary_codes_and_has_no_bias():
    method, codes = build(), draw()
    (weight,) = method.extra["classifier"].parameters()
    costs = []
    for code, label in zip(codes.tolist(), LABELS.tolist(), strict=True):
        logits = [
            math.fsum(w * (1 if value >= 0 else -1) for w, value in zip(row, code, strict=True))
            for row in weight.tolist()
        ]
        costs.append(math.log(math.fsum(map(math.exp, logits))) - logits[label])
    terms = method.loss(codes, BATCH)
    assert terms["classification"].item() == pytest.approx(math.fsum(costs) / 5, rel=1e-12)
    assert method.loss(7 * codes, BATCH)["classification"].item() == terms["classification"].item()


def test_the_gradient_of_the_classification_is_that_of_the_binary_codes():
    method, codes = build(), draw().requires_grad_()
    (gradient,) = torch.autograd.grad(method.loss(codes, BATCH)["classification"], codes)
    binary = torch.where(codes.detach() >= 0, 1.0, -1.0).double().requires_grad_()
    cost = torch.nn.functional.cross_entropy(method.extra["classifier"](binary), LABELS)
    assert torch.equal(gradient, torch.autograd.grad(cost, binary)[0])
    assert gradient.any()


def test_the_penalty_is_cubic_and_weighted_by_alpha():
    codes = draw()
    expected = 0.7 * sum(abs(abs(value) - 1) ** 3 for row in codes.tolist() for value in row) / 30
    assert float(build(alpha=0.7).loss(codes, BATCH)["quantization"]) == pytest.approx(expected, rel=1e-12)
    leaf = draw().requires_grad_()
    (gradient,) = torch.autograd.grad(build(alpha=0.0).loss(leaf, BATCH)["quantization"], leaf)
    assert not gradient.any()
