from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from hashzoo.losses.base import Batch
from hashzoo.losses.centres import smallest_distance
from hashzoo.methods.base import Task
from hashzoo.methods.csq import CSQ

LABELS = torch.tensor([0, 1, 2, 3, 2])
MULTI_HOT = torch.tensor([[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0], [0, 0, 0, 0], [0, 1, 1, 1]], dtype=torch.uint8)


def build(labels=LABELS, bits=12, seed=0, classes=4, **settings):
    torch.manual_seed(seed)
    method = CSQ(bits, Task(classes, len(labels), (8, 8), multi_label=labels.ndim == 2), CSQ.Config(**settings))
    method.on_train_start(labels)
    method.extra.double()
    return method


def draw(bits=12):
    return torch.randn(5, bits, dtype=torch.float64, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("bits", [12, 24, 36, 48])
def test_centres_are_half_the_bits_apart(bits):
    centres = build(bits=bits, classes=10).extra["centre"].centres.numpy()
    assert centres.shape == (10, bits)
    inner = centres @ centres.T
    assert np.array_equal(inner, bits * np.eye(10))


@pytest.mark.parametrize(("bits", "classes"), [(12, 24), (12, 25), (7, 10), (1, 4), (100, 10)])
def test_any_code_length_and_number_of_classes(bits, classes):
    centres = build(bits=bits, classes=classes).extra["centre"].centres.numpy()
    assert centres.shape == (classes, bits)
    assert smallest_distance(centres.astype(np.int8)) >= (bits // 4 if classes <= 2**bits else 0)


def test_the_seed_draws_the_centres():
    first, again, other = (build(seed=seed).extra["centre"].state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[name], again[name]) for name in ("centres", "ties"))
    assert not torch.equal(first["centres"], other["centres"])


def test_it_equals_a_double_loop():
    method, codes = build(lambda_q=0.3), draw()
    centres = method.extra["centre"].centres
    costs, gaps = [], []
    for code, label in zip(codes.tolist(), LABELS.tolist(), strict=True):
        for value, centre in zip(code, centres[label].tolist(), strict=True):
            share = (math.tanh(value) + 1) / 2
            costs.append(-math.log(share if centre > 0 else 1 - share))
            gaps.append((abs(math.tanh(value)) - 1) ** 2)
    terms = method.loss(codes, Batch(LABELS, torch.arange(5)))
    assert float(terms["centre"]) == pytest.approx(math.fsum(costs) / 60, rel=1e-12)
    assert float(terms["quantization"]) == pytest.approx(0.3 * math.fsum(gaps) / 60, rel=1e-12)


def test_the_loss_is_smallest_at_the_centres():
    method = build()
    centres = method.extra["centre"].centres
    at = float(sum(method.loss(9 * centres[LABELS], Batch(LABELS, torch.arange(5))).values()))
    flipped = centres[LABELS].clone()
    flipped[2, 5] *= -1
    assert at < 1e-6 < float(sum(method.loss(9 * flipped, Batch(LABELS, torch.arange(5))).values()))


def test_several_labels_pull_to_the_majority():
    method = build(MULTI_HOT)
    part = method.extra["centre"]
    codes = draw().requires_grad_()
    (gradient,) = torch.autograd.grad(method.loss(codes, Batch(MULTI_HOT, torch.arange(5)))["centre"], codes)
    votes = MULTI_HOT.double() @ part.centres
    targets = torch.where(votes == 0, part.ties, votes.sign())
    labelled = MULTI_HOT.sum(1) > 0
    assert torch.equal((-gradient).sign()[labelled], targets[labelled])
    assert not gradient[~labelled].any()
