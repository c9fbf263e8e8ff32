from __future__ import annotations

import numpy as np
import pytest
import torch

from hashzoo.losses.base import Batch
from hashzoo.methods.base import Task
from hashzoo.methods.dsh import DSH

TASK = Task(num_classes=3, num_train=9, image_size=(16, 16))
LABELS = torch.tensor([0, 1, 2, 0, 1, 2, 0, 0, 1])


def objective(bits=12, **settings):
    codes = torch.randn(9, bits, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    terms = DSH(bits, TASK, DSH.Config(**settings)).loss(codes, Batch(LABELS, torch.arange(9)))
    return codes.numpy(), {name: float(term) for name, term in terms.items()}


def double_loop(codes, margin):
    total, pairs = 0.0, 0
    for i in range(len(codes)):
        for j in range(i + 1, len(codes)):
            distance = ((codes[i] - codes[j]) ** 2).sum()
            total += distance / 2 if LABELS[i] == LABELS[j] else max(margin - distance, 0) / 2
            pairs += 1
    return total / pairs


@pytest.mark.parametrize("bits", [12, 24])
def test_it_equals_a_double_loop_with_margin_2k(bits):
    codes, terms = objective(bits)
    assert terms["contrastive"] == pytest.approx(double_loop(codes, 2 * bits), rel=1e-12)
    assert terms["quantization"] == pytest.approx(0.01 * np.abs(np.abs(codes) - 1).sum() / 9, rel=1e-12)
    assert set(terms) == {"contrastive", "quantization"}


def test_without_alpha_only_the_contrastive_loss_is_left():
    codes, terms = objective(alpha=0.0)
    assert sum(terms.values()) == pytest.approx(double_loop(codes, 24), rel=1e-12)


def test_margin_and_alpha_are_settings():
    codes, terms = objective(margin=5.0, alpha=0.5)
    assert terms["contrastive"] == pytest.approx(double_loop(codes, 5.0), rel=1e-12)
    assert terms["quantization"] == pytest.approx(0.5 * np.abs(np.abs(codes) - 1).sum() / 9, rel=1e-12)


def test_the_network_is_the_backbone_and_a_linear_layer():
    torch.manual_seed(0)
    network = DSH(24, Task(10, 50_000, (32, 32))).network()
    assert sum(p.numel() for p in network.parameters()) == 597_840 + 12 * 501
    assert [name for name, _ in network.named_children()] == ["backbone", "head"]
    assert not network.head.bias.any()
