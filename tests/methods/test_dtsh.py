from __future__ import annotations

import math

import pytest
import torch

from hashzoo.losses.base import Batch
from hashzoo.methods.base import Task
from hashzoo.methods.dtsh import DTSH

TASK = Task(3, 6, (16, 16))
LABELS = torch.tensor([0, 1, 0, 2, 1, 0])


def draw():
    return torch.randn(6, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def test_it_equals_a_triple_loop():
    codes, by_anchor = draw(), []
    for a in range(6):
        costs = []
        for p in range(6):
            for n in range(6):
                if a != p and LABELS[a] == LABELS[p] and LABELS[a] != LABELS[n]:
                    difference = float(codes[a] @ codes[p] - codes[a] @ codes[n]) / 2 - 3.0
                    costs.append(-math.log(1 / (1 + math.exp(-difference))))
        if costs:
            by_anchor.append(sum(costs) / len(costs))
    assert len(by_anchor) == 5  # nothing is similar to the image of class 2
    terms = DTSH(8, TASK, DTSH.Config(margin=3.0, eta=0.5)).loss(codes, Batch(LABELS, torch.arange(6)))
    assert float(terms["triplet"]) == pytest.approx(sum(by_anchor) / 5, rel=1e-12)
    gap = (codes - torch.where(codes >= 0, 1.0, -1.0)).square().mean()
    assert float(terms["quantization"]) == pytest.approx(0.5 * float(gap), rel=1e-12)


def test_a_batch_of_one_class_leaves_the_quantization_term_alone():
    codes = draw().requires_grad_()
    terms = DTSH(8, TASK).loss(codes, Batch(torch.zeros(6, dtype=torch.int64), torch.arange(6)))
    assert terms["triplet"].item() == 0
    (gradient,) = torch.autograd.grad(sum(terms.values()), codes)
    leaf = codes.detach()
    assert torch.allclose(gradient, 2 * (leaf - torch.where(leaf >= 0, 1.0, -1.0)) / 48)


def test_a_triplet_pulls_and_pushes():
    codes = torch.tensor([[1.0, 1.0], [0.5, -0.5], [0.5, 0.5]], dtype=torch.float64, requires_grad=True)
    value = DTSH(2, TASK).loss(codes, Batch(torch.tensor([0, 0, 1]), torch.arange(3)))["triplet"]
    (gradient,) = torch.autograd.grad(value, codes)
    assert (gradient[1] * codes[0].detach()).sum() < 0  # the similar image moves towards the anchor
    assert (gradient[2] * codes[0].detach()).sum() > 0
