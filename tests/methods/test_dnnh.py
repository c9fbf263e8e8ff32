from __future__ import annotations

import pytest
import torch

from hashzoo.errors import InvalidSetting
from hashzoo.losses.base import Batch
from hashzoo.methods.base import Task
from hashzoo.methods.dnnh import DNNH, DivideAndEncode

TASK = Task(3, 6, (16, 16))
LABELS = torch.tensor([0, 1, 0, 2, 1, 0])


def test_a_bit_sees_its_own_slice_alone():
    torch.manual_seed(0)
    module = DivideAndEncode(20, bits=5, width=7)
    jacobian = torch.autograd.functional.jacobian(module.encode, torch.rand(1, 35)).view(5, 5, 7)
    for bit in range(5):
        for part in range(5):
            assert jacobian[bit, part].any() == (bit == part)


def test_the_module_equals_a_layer_for_each_bit():
    torch.manual_seed(0)
    module = DivideAndEncode(20, bits=5, width=7)
    with torch.no_grad():
        module.bias.normal_()
    features = torch.randn(4, 20)
    hidden = torch.relu(module.divide(features))
    expected = [hidden[:, 7 * bit : 7 * bit + 7] @ module.weight[bit] + module.bias[bit] for bit in range(5)]
    assert torch.allclose(module(features), torch.stack(expected, 1), atol=1e-6)


def test_the_network_ends_in_slices():
    network = DNNH(12, TASK, DNNH.Config(width=9)).network()
    assert isinstance(network.head, DivideAndEncode)
    assert network.head.divide.out_features == 12 * 9
    with pytest.raises(InvalidSetting, match="width: expected at least 1, got 0"):
        DNNH.Config(width=0)


def test_the_loss_is_a_hinge_on_triplets_of_logistic_units():
    codes = torch.randn(6, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    bits = torch.sigmoid(codes)
    assert (bits >= 0).all()
    assert (bits <= 1).all()
    costs = []
    for a in range(6):
        for p in range(6):
            for n in range(6):
                if a != p and LABELS[a] == LABELS[p] and LABELS[a] != LABELS[n]:
                    near, far = (bits[a] - bits[p]).square().sum(), (bits[a] - bits[n]).square().sum()
                    costs.append(max(float(0.3 + near - far), 0))
    terms = DNNH(8, TASK, DNNH.Config(margin=0.3)).loss(codes, Batch(LABELS, torch.arange(6)))
    assert float(terms["triplet"]) == pytest.approx(sum(costs) / len(costs), rel=1e-12)
    assert set(terms) == {"triplet"}


def test_the_gradient_equals_a_numerical_one():
    codes = torch.randn(6, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).requires_grad_()
    method = DNNH(8, TASK)
    assert torch.autograd.gradcheck(lambda leaf: method.loss(leaf, Batch(LABELS, torch.arange(6)))["triplet"], (codes,))


def test_a_batch_without_a_triplet_trains_nothing():
    codes = torch.randn(4, 8, requires_grad=True)
    value = DNNH(8, TASK).loss(codes, Batch(torch.zeros(4, dtype=torch.int64), torch.arange(4)))["triplet"]
    value.backward()
    assert value.item() == 0
    assert not codes.grad.any()
