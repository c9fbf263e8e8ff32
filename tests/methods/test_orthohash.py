from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from hashzoo.errors import InvalidSetting
from hashzoo.losses.base import Batch
from hashzoo.methods.base import Task
from hashzoo.methods.orthohash import OrthoHash

LABELS = torch.tensor([0, 1, 2, 3, 2])
BATCH = Batch(LABELS, torch.arange(5))


def build(bits=12, seed=0, **settings):
    torch.manual_seed(seed)
    method = OrthoHash(bits, Task(4, 5, (16, 16)), OrthoHash.Config(**settings))
    method.on_train_start(LABELS)
    method.extra.double()
    return method


def draw():
    return torch.randn(5, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize(("scale", "margin"), [(8.0, 0.2), (5.0, 0.0)])
def test_it_equals_a_loop_with_the_margin_on_the_own_class(scale, margin):
    method, codes = build(scale=scale, margin=margin), draw()
    centres = method.extra["cosine"].centres
    costs = []
    for code, label in zip(codes, LABELS.tolist(), strict=True):
        cosines = [float(code @ centre) / (float(code.norm()) * math.sqrt(12)) for centre in centres]
        logits = [scale * (cosine - margin * (c == label)) for c, cosine in enumerate(cosines)]
        costs.append(math.log(math.fsum(map(math.exp, logits))) - logits[label])
    terms = method.loss(codes, BATCH)
    assert set(terms) == {"cosine"}
    assert float(terms["cosine"]) == pytest.approx(math.fsum(costs) / 5, rel=1e-12)


def test_only_the_direction_of_a_code_counts():
    method = build()
    assert float(method.loss(draw(), BATCH)["cosine"]) == pytest.approx(
        float(method.loss(3 * draw(), BATCH)["cosine"]), rel=1e-12
    )


def test_descending_the_loss_lessens_the_angle_to_the_nearest_binary_code():
    """Down to that of c_y - sum of c_o / 3, which is as far from the three other codes as it can be."""
    method = build()
    codes = draw().requires_grad_()
    errors = []
    for _ in range(400):
        signs = torch.where(codes.detach() >= 0, 1.0, -1.0).double()
        errors.append(float(1 - nn.functional.cosine_similarity(codes.detach(), signs).mean()))
        (gradient,) = torch.autograd.grad(method.loss(codes, BATCH)["cosine"], codes)
        codes = (codes - 30 * gradient).detach().requires_grad_()
    centres = method.extra["cosine"].centres
    assert errors[-1] < 0.6 * errors[0]
    simplex = centres[LABELS] - (centres.sum(0) - centres[LABELS]) / 3
    assert nn.functional.cosine_similarity(codes.detach(), simplex).min() > 0.9
    assert ((codes.detach() * centres[LABELS])[simplex != 0] > 0).double().mean() > 0.95


def test_outputs_are_balanced_in_training_and_use_running_means_after():
    torch.manual_seed(0)
    network = OrthoHash(12, Task(4, 5, (16, 16))).network()
    images = torch.randn(40, 3, 16, 16)
    codes = network.train()(images)
    assert codes.mean(0).abs().max() < 1e-5
    assert ((codes >= 0).float().mean(0) - 0.5).abs().max() < 0.25
    assert network.head[0].bias is None
    network.eval()
    assert torch.allclose(network(images)[:1], network(images[:1]), atol=1e-5)


def test_a_code_of_0_has_a_gradient_of_ordinary_size():
    codes = torch.zeros(5, 12, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(build().loss(codes, BATCH)["cosine"], codes)
    assert torch.isfinite(gradient).all()
    assert gradient.abs().max() < 1e4


def test_batches_of_one_image_are_refused():
    with pytest.raises(InvalidSetting, match="batch_size: expected at least 2"):
        build(batch_size=1).network()


def test_the_seed_draws_the_codes_of_the_classes():
    first, again, other = (build(seed=seed).extra["cosine"].centres for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
