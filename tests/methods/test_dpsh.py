from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from hashzoo.datasets.base import Augmentation
from hashzoo.losses.base import Batch, similar
from hashzoo.methods.base import Task
from hashzoo.methods.dpsh import DPSH, OutputMemory
from hashzoo.training.trainer import TrainOptions, train

N, BITS = 10, 6
IDS = torch.tensor([0, 1, 2, 0, 1, 2, 0, 1, 1, 2])
MULTI_HOT = torch.randint(0, 2, (N, 4), generator=torch.Generator().manual_seed(5)).to(torch.uint8)
needs_labels = pytest.mark.parametrize("labels", [IDS, MULTI_HOT], ids=["class ids", "multi-hot"])


def build(labels, **settings):
    method = DPSH(BITS, Task(3, N, (8, 8), multi_label=labels.ndim == 2), DPSH.Config(memory=True, **settings))
    method.on_train_start(labels)
    method.extra.double()
    return method


def draw(seed, rows=4):
    return torch.randn(rows, BITS, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def step(method, labels, index, codes):
    index = torch.tensor(index)
    return method.loss(codes, Batch(labels[index], index))


@needs_labels
def test_it_equals_the_naive_formula_over_the_rows_seen(labels):
    method = build(labels, eta=10.0)
    first, second = draw(1), draw(2)
    step(method, labels, [0, 3, 5, 9], first)
    terms = step(method, labels, [3, 1, 8, 2], second)

    latest = {0: first[0], 5: first[2], 9: first[3], 3: second[0], 1: second[1], 8: second[2], 2: second[3]}
    pairs = similar(labels, labels)
    total = 0.0
    for i, u in zip([3, 1, 8, 2], second, strict=True):
        for j, v in latest.items():
            theta = float(u @ v) / 2
            total += np.log1p(np.exp(theta)) - float(pairs[i, j]) * theta
    assert float(terms["likelihood"]) == pytest.approx(total / (4 * len(latest)), rel=1e-12)
    binary = np.where(second.numpy() >= 0, 1.0, -1.0)
    quantization = ((binary - second.numpy()) ** 2).sum()
    assert float(terms["quantization"]) == pytest.approx(10.0 * quantization / (4 * N), rel=1e-12)


def test_rows_not_yet_seen_are_left_out():
    """Whatever stands in their place, the loss and its gradient stay the same."""
    results = []
    for value in (0.0, 100.0):
        method = build(IDS)
        method.extra["memory"].outputs.fill_(value)
        codes = draw(1).requires_grad_()
        terms = step(method, IDS, [0, 1, 2, 3], codes)
        (gradient,) = torch.autograd.grad(terms["likelihood"], codes)
        results.append((terms["likelihood"].item(), gradient))
    assert results[0][0] == results[1][0]
    assert torch.equal(results[0][1], results[1][1])


def test_the_memory_keeps_the_latest_outputs():
    method = build(IDS)
    memory = method.extra["memory"]
    assert isinstance(memory, OutputMemory)
    assert not memory.seen.any()
    step(method, IDS, [7, 2, 4, 9], draw(1).requires_grad_())
    step(method, IDS, [2, 0, 1, 3], draw(2))
    assert memory.seen.nonzero().flatten().tolist() == [0, 1, 2, 3, 4, 7, 9]
    assert torch.equal(memory.outputs[[2, 0, 1, 3]], draw(2))
    assert torch.equal(memory.outputs[[7, 4, 9]], draw(1)[[0, 2, 3]])
    assert not memory.outputs.requires_grad
    assert set(memory.state_dict()) == {"outputs", "labels", "seen"}


def test_of_an_image_that_comes_twice_the_memory_keeps_the_last():
    """And writes it in both places, since a GPU fills them in any order."""
    written = []

    class Watched(torch.Tensor):
        def __setitem__(self, index, values):
            written.append(values)
            super().__setitem__(index, values)

    method, codes = build(IDS), draw(1, rows=5)
    memory = method.extra["memory"]
    memory.outputs = memory.outputs.as_subclass(Watched)
    step(method, IDS, [7, 2, 7, 0, 2], codes)
    assert torch.equal(written[0], codes[[2, 4, 2, 3, 4]])


@needs_labels
def test_the_gradient_is_the_closed_one(labels):
    """With all rows in the batch: d/du_i of the batch rows against a constant memory is 1/2 sum_j (sigma - s) u_j."""
    method = build(labels, eta=3.0)
    codes = draw(3, rows=N).requires_grad_()
    terms = step(method, labels, list(range(N)), codes)
    (gradient,) = torch.autograd.grad(sum(terms.values()), codes)
    u = codes.detach()
    theta = u @ u.T / 2
    pull = (torch.sigmoid(theta) - similar(labels, labels).double()) @ u / 2 / N**2
    quantization = 3.0 * 2 * (u - torch.where(u >= 0, 1.0, -1.0)) / N**2
    assert torch.allclose(gradient, pull + quantization, rtol=1e-10, atol=1e-14)


def test_the_loss_is_finite_at_extremes():
    for value in (1e4, -1e4):
        method = build(IDS)
        codes = (draw(1).sign() * value).requires_grad_()
        terms = step(method, IDS, [0, 1, 2, 3], codes)
        (gradient,) = torch.autograd.grad(sum(terms.values()), codes)
        assert all(torch.isfinite(term) for term in terms.values())
        assert torch.isfinite(gradient).all()


def test_the_sign_of_a_bit_does_not_matter():
    flip = torch.ones(BITS, dtype=torch.float64)
    flip[2] = -1
    totals = []
    for signs in (torch.ones_like(flip), flip):
        method = build(IDS)
        step(method, IDS, [4, 5, 6, 7], draw(1) * signs)
        totals.append(float(sum(step(method, IDS, [0, 1, 2, 3], draw(2) * signs).values())))
    assert totals[0] == pytest.approx(totals[1], rel=1e-12)


def test_without_eta_it_is_logistic_matrix_factorization():
    terms = step(build(IDS, eta=0.0), IDS, [0, 1, 2, 3], draw(1))
    assert float(terms["quantization"]) == 0
    assert float(terms["likelihood"]) > 0


@needs_labels
def test_without_memory_a_batch_is_compared_with_itself(labels):
    method = DPSH(BITS, Task(3, N, (8, 8), multi_label=labels.ndim == 2), DPSH.Config(eta=7.0))
    method.on_train_start(labels)
    index, codes = torch.tensor([0, 3, 5, 9]), draw(1)
    pairs = similar(labels[index], labels[index])
    total = 0.0
    for i, u in enumerate(codes):
        for j, v in enumerate(codes):
            theta = float(u @ v) / 2
            total += np.log1p(np.exp(theta)) - float(pairs[i, j]) * theta
    terms = method.loss(codes, Batch(labels[index], index))
    assert float(terms["likelihood"]) == pytest.approx(total / 16, rel=1e-12)
    binary = torch.where(codes >= 0, 1.0, -1.0).double()
    assert float(terms["quantization"]) == pytest.approx(
        7.0 * float((codes - binary).square().sum()) / 4 / N, rel=1e-12
    )
    assert not method.extra


def test_outputs_start_centred():
    """And not near 0, where the gradient of the likelihood vanishes, with as long vectors at every code length."""
    torch.manual_seed(0)
    for bits in (BITS, 48):
        codes = DPSH(bits, Task(3, N, (16, 16))).network()(torch.randn(20, 3, 16, 16))
        assert codes.mean(0).abs().max() < 1e-5
        assert codes.square().sum(1).mean().item() == pytest.approx(2, rel=0.2)


def test_the_memory_is_filled_by_training_and_left_out_of_the_encoder(split):
    config = replace(DPSH.Config(), epochs=1, batch_size=16, memory=True, sampler="shuffled")
    method = DPSH(12, Task(4, 48, (16, 16)), config)
    encoder, _ = train(method, split, Augmentation(shift=0, mirror=False), TrainOptions())
    assert method.extra["memory"].seen.all()
    assert not [name for name in encoder.tensors() if "memory" in name]
