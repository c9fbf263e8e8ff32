from __future__ import annotations

import math

import pytest
import torch

from hashzoo import retrieval
from hashzoo.datasets.base import Augmentation
from hashzoo.losses.base import Batch
from hashzoo.methods.base import Task
from hashzoo.methods.dlbhc import DLBHC
from hashzoo.training.trainer import TrainOptions, train

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


def test_units_above_a_half_are_the_set_bits(split):
    """What the classifier sees of the images is above 1/2 where their codes have a set bit."""
    method = DLBHC(12, Task(4, 48, (16, 16)), DLBHC.Config(epochs=1, batch_size=16))
    encoder, _ = train(method, split, Augmentation(shift=0, mirror=False), TrainOptions())
    seen = []
    method.extra["classifier"].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach().numpy()))
    relaxed = torch.from_numpy(encoder.relaxed(split.images))
    method.loss(relaxed, Batch(torch.from_numpy(split.labels), torch.arange(48)))
    (units,) = seen
    bits = retrieval.unpack(encoder.encode(split.images), 12) > 0
    assert ((units > 0.5) == bits).all()
    assert 0 < bits.mean() < 1


def test_the_bits_are_the_only_way_to_the_classes(method):
    """The gradient of the network is the one that comes through the codes."""
    network = method.network().double()
    relaxed = network(torch.randn(5, 3, 8, 8, dtype=torch.float64))
    loss = method.loss(relaxed, Batch(LABELS, torch.arange(5)))["classification"]
    weights = list(network.parameters())
    whole = torch.autograd.grad(loss, weights, retain_graph=True)
    (at_codes,) = torch.autograd.grad(loss, relaxed, retain_graph=True)
    through = torch.autograd.grad(relaxed, weights, at_codes)
    assert all(torch.allclose(a, b, rtol=1e-9) for a, b in zip(whole, through, strict=True))
    assert any(gradient.any() for gradient in whole)


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
