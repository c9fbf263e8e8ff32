from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from hashzoo.errors import InvalidSetting
from hashzoo.losses.base import Batch
from hashzoo.methods.base import Task
from hashzoo.methods.hashnet import HashNet

TASK = Task(3, 6, (16, 16))
LABELS = torch.tensor([0, 1, 0, 2, 1, 0])
BATCH = Batch(LABELS, torch.arange(6))


def build(epoch=0, **settings):
    method = HashNet(8, TASK, HashNet.Config(**settings))
    method.on_epoch_start(epoch, nn.Identity())
    return method


def draw():
    return torch.randn(6, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("epoch", [0, 3])
def test_it_equals_a_double_loop_over_sharpened_outputs(epoch):
    beta = math.sqrt(1 + 20.0 * epoch / 4)
    codes = draw()
    near, far = [], []
    for i in range(6):
        for j in range(i):
            inner = 0.4 * sum(
                math.tanh(beta * a) * math.tanh(beta * b)
                for a, b in zip(codes[i].tolist(), codes[j].tolist(), strict=True)
            )
            same = bool(LABELS[i] == LABELS[j])
            (near if same else far).append(math.log(1 + math.exp(inner)) - same * inner)
    terms = build(epoch, alpha=0.4, growth=20.0, epochs=4).loss(codes, BATCH)
    assert set(terms) == {"likelihood"}
    assert float(terms["likelihood"]) == pytest.approx(sum(near) / len(near) + sum(far) / len(far), rel=1e-12)


def test_beta_grows_from_1_epoch_by_epoch():
    betas = [build(epoch, epochs=10).beta for epoch in range(10)]
    assert betas[0] == 1
    assert betas == sorted(set(betas))
    assert betas[9] == pytest.approx(math.sqrt(46))
    assert build(7, growth=0.0).beta == 1


def test_with_a_large_beta_the_codes_of_the_loss_are_signs():
    method = build(9, growth=1e12)
    expected = build(0)
    expected.beta = 1e9
    signs = torch.where(draw() >= 0, 1.0, -1.0).double()
    assert float(method.loss(draw(), BATCH)["likelihood"]) == pytest.approx(
        float(expected.loss(signs, BATCH)["likelihood"]), rel=1e-9
    )


def test_a_batch_of_one_kind_of_pair_is_finite():
    for labels in (torch.zeros(6, dtype=torch.int64), torch.arange(6)):
        codes = draw().requires_grad_()
        value = build().loss(codes, Batch(labels, torch.arange(6)))["likelihood"]
        (gradient,) = torch.autograd.grad(value, codes)
        assert torch.isfinite(value)
        assert gradient.any()
        assert torch.isfinite(gradient).all()


def test_growth_cannot_be_negative():
    with pytest.raises(InvalidSetting, match="growth: expected 0 or more, got -1"):
        HashNet.Config(growth=-1)
