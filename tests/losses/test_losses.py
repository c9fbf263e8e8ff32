from __future__ import annotations

import math
from itertools import combinations

import pytest
import torch
from scipy.linalg import hadamard

from hashzoo.losses.balance import Balance
from hashzoo.losses.base import LOSSES, Batch, Loss, similar
from hashzoo.losses.contrastive import Contrastive
from hashzoo.losses.pairwise_likelihood import PairwiseLikelihood
from hashzoo.losses.quantization import Quantization

BITS = 12
IDS = torch.tensor([0, 1, 0, 2, 1, 0, 3])
MULTI_HOT = torch.tensor(
    [[1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 0, 1], [0, 0, 0], [1, 0, 1], [0, 1, 1]], dtype=torch.uint8
)
LABELS = {"class ids": IDS, "multi-hot": MULTI_HOT}
TERMS = {
    "contrastive": lambda: Contrastive(BITS),
    "narrow margin": lambda: Contrastive(BITS, margin=3.0),
    "l1": lambda: Quantization(BITS),
    "l2": lambda: Quantization(BITS, norm="l2"),
    "balance": lambda: Balance(BITS),
    "likelihood": lambda: PairwiseLikelihood(BITS),
}
needs_labels = pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
needs_terms = pytest.mark.parametrize("term", TERMS)


def draw(rows=7, bits=BITS, seed=0):
    return torch.randn(rows, bits, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def batch(labels):
    return Batch(labels, torch.arange(len(labels)))


def only(terms):
    (value,) = terms.values()
    return value


def alike(labels, i, j):
    if labels.ndim == 1:
        return bool(labels[i] == labels[j])
    return any(a and b for a, b in zip(labels[i].tolist(), labels[j].tolist(), strict=True))


def naive_contrastive(codes, labels, margin):
    costs = []
    for i, j in combinations(range(len(codes)), 2):
        distance = sum((a - b) ** 2 for a, b in zip(codes[i].tolist(), codes[j].tolist(), strict=True))
        costs.append(distance / 2 if alike(labels, i, j) else max(margin - distance, 0) / 2)
    assert len(costs) == len(codes) * (len(codes) - 1) // 2
    return math.fsum(costs) / len(costs)


def naive_quantization(codes, norm):
    power = {"l1": 1, "l2": 2}[norm]
    return math.fsum(abs(abs(value) - 1) ** power for row in codes.tolist() for value in row) / len(codes)


def naive_balance(codes):
    return math.fsum((math.fsum(column) / len(codes)) ** 2 for column in codes.T.tolist())


def naive_likelihood(codes, labels):
    costs = []
    for i in range(len(codes)):
        for j in range(len(codes)):
            theta = math.fsum(a * b for a, b in zip(codes[i].tolist(), codes[j].tolist(), strict=True)) / 2
            costs.append(math.log(1 + math.exp(theta)) - alike(labels, i, j) * theta)
    return math.fsum(costs) / len(costs)


@needs_labels
def test_pair_labels_equal_a_loop(labels):
    pairs = similar(labels, labels[:4])
    assert pairs.dtype == torch.bool
    assert pairs.tolist() == [[alike(labels, i, j) for j in range(4)] for i in range(7)]


def test_an_image_without_labels_is_similar_to_nothing_not_even_itself():
    assert not similar(MULTI_HOT[4:5], MULTI_HOT).any()


@needs_labels
@pytest.mark.parametrize("margin", [None, 3.0, 0.5])
def test_contrastive_equals_a_double_loop(labels, margin):
    codes = draw()
    expected = naive_contrastive(codes, labels, 2 * BITS if margin is None else margin)
    assert float(only(Contrastive(BITS, margin)(codes, batch(labels)))) == pytest.approx(expected, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("norm", ["l1", "l2"])
def test_quantization_equals_a_double_loop(norm):
    codes = draw()
    got = float(only(Quantization(BITS, norm)(codes, batch(IDS))))
    assert got == pytest.approx(naive_quantization(codes, norm), rel=1e-12)


def test_balance_equals_a_double_loop():
    codes = draw()
    assert float(only(Balance(BITS)(codes, batch(IDS)))) == pytest.approx(naive_balance(codes), rel=1e-12)


@needs_labels
def test_likelihood_equals_a_double_loop(labels):
    codes = draw()
    got = float(only(PairwiseLikelihood(BITS)(codes, batch(labels))))
    assert got == pytest.approx(naive_likelihood(codes, labels), rel=1e-12)


@needs_terms
@needs_labels
def test_gradients_equal_numerical_ones_off_the_kinks(term, labels):
    codes = draw(seed=4)
    off = [codes.abs(), (codes.abs() - 1).abs()]
    distances = torch.cdist(codes, codes).square()[~torch.eye(7, dtype=torch.bool)]
    off += [(distances - margin).abs() for margin in (3.0, 2.0 * BITS)]
    assert min(float(gap.min()) for gap in off) > 1e-4
    loss = TERMS[term]()
    assert torch.autograd.gradcheck(lambda leaf: only(loss(leaf, batch(labels))), (codes.requires_grad_(),))


@needs_terms
@needs_labels
def test_the_order_of_images_does_not_matter(term, labels):
    loss, codes = TERMS[term](), draw()
    order = torch.tensor([3, 0, 6, 1, 5, 2, 4])
    expected, got = only(loss(codes, batch(labels))), only(loss(codes[order], batch(labels[order])))
    assert torch.allclose(got, expected, rtol=1e-12, atol=1e-14)


@needs_terms
def test_the_order_of_bits_does_not_matter(term):
    loss, codes = TERMS[term](), draw()
    order = torch.randperm(BITS, generator=torch.Generator().manual_seed(1))
    expected, got = only(loss(codes, batch(IDS))), only(loss(codes[:, order], batch(IDS)))
    assert torch.allclose(got, expected, rtol=1e-12, atol=1e-14)


@needs_terms
def test_the_sign_of_a_bit_does_not_matter(term):
    loss, codes = TERMS[term](), draw()
    flip = torch.ones(BITS, dtype=torch.float64)
    flip[[0, 5]] = -1
    expected, got = only(loss(codes, batch(IDS))), only(loss(codes * flip, batch(IDS)))
    assert torch.allclose(got, expected, rtol=1e-12, atol=1e-14)


def test_contrastive_is_0_when_classes_are_apart():
    """Rows of a Hadamard matrix of order K are at squared distance 2K, which is the margin."""
    rows = torch.tensor(hadamard(16), dtype=torch.float64)
    labels = torch.tensor([0, 1, 2, 0, 1, 2])
    loss = Contrastive(16)
    assert float(only(loss(rows[labels], batch(labels)))) == 0
    assert float(only(loss(0.99 * rows[labels], batch(labels)))) > 0
    closer = rows[labels].clone()
    closer[3, 0] *= -1
    assert float(only(loss(closer, batch(labels)))) > 0


def test_quantization_is_0_only_for_binary_codes():
    codes = torch.where(draw() > 0, 1.0, -1.0)
    for norm in ("l1", "l2"):
        loss = Quantization(BITS, norm)
        assert float(only(loss(codes, batch(IDS)))) == 0
        for value in (0.9, -1.1, 0.0):
            other = codes.clone()
            other[2, 3] = value
            assert float(only(loss(other, batch(IDS)))) > 0


def test_balance_is_0_only_for_columns_of_mean_0():
    half = draw(4)
    codes = torch.cat([half, -half])
    assert float(only(Balance(BITS)(codes, batch(torch.arange(8))))) == pytest.approx(0, abs=1e-30)
    codes[0, 0] += 1
    assert float(only(Balance(BITS)(codes, batch(torch.arange(8))))) == pytest.approx(1 / 64)


@pytest.mark.parametrize("norm", ["l1", "l2"])
def test_the_gradient_of_quantization_at_0_is_not_dead(norm):
    codes = torch.zeros(3, BITS, requires_grad=True)
    only(Quantization(BITS, norm)(codes, batch(IDS[:3]))).backward()
    assert (codes.grad.abs() > 0).all()


def test_the_subgradient_of_l1_quantization():
    points = torch.tensor([[-2.0, -0.5, 0.5, 2.0]], requires_grad=True)
    only(Quantization(4)(points, batch(IDS[:1]))).backward()
    assert points.grad.tolist() == [[-1.0, 1.0, -1.0, 1.0]]


@pytest.mark.parametrize("scale", [1e4, -1e4])
@needs_labels
def test_likelihood_is_finite_at_extremes(labels, scale):
    codes = torch.full((7, BITS), scale, requires_grad=True)
    signs = torch.where(torch.arange(7) % 2 == 0, 1.0, -1.0)[:, None]
    for extreme in (codes, codes * signs):
        value = only(PairwiseLikelihood(BITS)(extreme, batch(labels)))
        (gradient,) = torch.autograd.grad(value, codes)
        assert torch.isfinite(value)
        assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("theta", [-1e4, -100.0, 0.0, 100.0, 1e4])
@pytest.mark.parametrize("same", [False, True])
def test_likelihood_of_one_pair(theta, same):
    """log(1 + e^t) - s t, for any t: max(t, 0) + log1p(e^-|t|) - s t."""
    a, b = torch.tensor([[1.0]]), torch.tensor([[2 * theta]])
    cost = PairwiseLikelihood(1).between(a, torch.tensor([0]), b, torch.tensor([0 if same else 1]))
    expected = max(theta, 0) + math.log1p(math.exp(-abs(theta))) - same * theta
    assert cost.shape == (1, 1)
    assert float(cost) == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_likelihood_pulls_similar_codes_together_and_pushes_others_apart():
    codes = torch.tensor([[1.0, 0.5], [0.2, -0.3]], dtype=torch.float64, requires_grad=True)
    for labels, sign in ((torch.tensor([0, 0]), -1), (torch.tensor([0, 1]), 1)):
        cost = PairwiseLikelihood(2).between(codes[:1], labels[:1], codes[1:].detach(), labels[1:])
        (gradient,) = torch.autograd.grad(cost.sum(), codes)
        assert (sign * gradient[0] * codes[1] > 0).all()


def test_a_batch_of_one_image():
    codes = draw(1).requires_grad_()
    for make in TERMS.values():
        value = only(make()(codes, batch(IDS[:1])))
        (gradient,) = torch.autograd.grad(value, codes)
        assert torch.isfinite(value)
        assert torch.isfinite(gradient).all()
    assert only(Contrastive(BITS)(codes, batch(IDS[:1]))).item() == 0


def test_contrastive_distances_are_never_negative():
    """In float32 |a|^2 + |b|^2 - 2ab may fall below 0 for equal rows."""
    codes = (1e3 + draw(1)).float().repeat(7, 1)
    value = only(Contrastive(BITS)(codes, batch(torch.zeros(7, dtype=torch.int64))))
    assert float(value) >= 0


@pytest.mark.parametrize("name", LOSSES.names())
def test_every_loss_is_made_from_a_code_length_alone(name):
    loss = LOSSES.get(name)(24)
    assert isinstance(loss, Loss)
    assert loss.bits == 24
