from __future__ import annotations

import math

import pytest
import torch

from hashzoo.losses.base import Batch, similar
from hashzoo.losses.pairwise_likelihood import PairwiseLikelihood
from hashzoo.methods.base import Task
from hashzoo.methods.dhn import DHN
from hashzoo.methods.dpsh import DPSH

TASK = Task(3, 6, (16, 16))
LABELS = torch.tensor([0, 1, 0, 2, 1, 0])
BATCH = Batch(LABELS, torch.arange(6))


def draw(bits=8):
    return torch.tanh(torch.randn(6, bits, dtype=torch.float64, generator=torch.Generator().manual_seed(1)))


def test_it_equals_a_double_loop_over_whole_inner_products():
    codes = draw()
    likelihood = quantization = 0.0
    for i in range(6):
        for j in range(6):
            inner = float(codes[i] @ codes[j])
            likelihood += math.log(1 + math.exp(inner)) - (LABELS[i] == LABELS[j]).item() * inner
        quantization += sum(math.log(math.cosh(abs(value) - 1)) for value in codes[i].tolist())
    terms = DHN(8, TASK, DHN.Config(lambda_q=0.7)).loss(codes, BATCH)
    assert float(terms["likelihood"]) == pytest.approx(likelihood / 36, rel=1e-12)
    assert float(terms["quantization"]) == pytest.approx(0.7 * quantization / 6, rel=1e-12)


def test_with_halved_products_and_no_quantization_it_is_dpsh_without_eta():
    """In a batch of all training images, DPSH's memory holds what the batch does."""
    codes = draw()
    dpsh = DPSH(8, TASK, DPSH.Config(eta=0.0, memory=True))
    dpsh.on_train_start(LABELS)
    dpsh.extra.double()
    dhn = DHN(8, TASK, DHN.Config(lambda_q=0.0))
    dhn._losses = [(1.0, PairwiseLikelihood(8, scale=0.5)), dhn.losses()[1]]
    one, other = dhn.loss(codes, BATCH), dpsh.loss(codes, BATCH)
    assert float(sum(one.values())) == pytest.approx(float(sum(other.values())), rel=1e-12)


def test_outputs_are_bounded():
    torch.manual_seed(0)
    network = DHN(24, TASK).network().eval()
    codes = network(100 * torch.randn(5, 3, 16, 16))
    assert codes.abs().max() <= 1
    assert codes.abs().max() > 0.9


def test_both_terms_push_towards_similar_codes_of_plus_and_minus_1():
    codes = draw().requires_grad_()
    terms = DHN(8, TASK).loss(codes, BATCH)
    (gradient,) = torch.autograd.grad(terms["quantization"], codes)
    assert (gradient * codes.detach() < 0).all()
    (gradient,) = torch.autograd.grad(terms["likelihood"], codes)
    inner = codes.detach() @ codes.detach().T
    closed = 2 * (torch.sigmoid(inner) - similar(LABELS, LABELS).double()) @ codes.detach() / 36
    assert torch.allclose(gradient, closed, rtol=1e-10, atol=1e-14)
