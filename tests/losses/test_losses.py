from __future__ import annotations

import math
from itertools import combinations, permutations

import pytest
import torch
from scipy.linalg import hadamard

from hashzoo.losses.balance import Balance
from hashzoo.losses.base import LOSSES, Batch, Loss, similar
from hashzoo.losses.centre_cross_entropy import CentreCrossEntropy
from hashzoo.losses.centres import hash_centres
from hashzoo.losses.contrastive import Contrastive
from hashzoo.losses.cosine_margin import CosineMargin
from hashzoo.losses.pairwise_likelihood import PairwiseLikelihood
from hashzoo.losses.quantization import Quantization
from hashzoo.losses.triplet_hinge import TripletHinge
from hashzoo.losses.triplet_likelihood import TripletLikelihood
from hashzoo.losses.weighted_likelihood import WeightedLikelihood

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
    "l3": lambda: Quantization(BITS, norm="l3"),
    "log_cosh": lambda: Quantization(BITS, norm="log_cosh"),
    "balance": lambda: Balance(BITS),
    "likelihood": lambda: PairwiseLikelihood(BITS),
    "whole products": lambda: PairwiseLikelihood(BITS, scale=1.0),
    "weighted likelihood": lambda: WeightedLikelihood(BITS),
    "triplet likelihood": lambda: TripletLikelihood(BITS),
    "triplet hinge": lambda: TripletHinge(BITS),
}
CENTRES = torch.from_numpy(hash_centres(4, BITS, seed=2)).double()
CENTRE_TERMS = {
    "centre cross-entropy": lambda: CentreCrossEntropy(BITS, CENTRES).double(),
    "cosine margin": lambda: CosineMargin(BITS, CENTRES).double(),
}
ALL_TERMS = TERMS | CENTRE_TERMS
NORMS = {
    "l1": abs,
    "l2": lambda gap: gap**2,
    "l3": lambda gap: abs(gap) ** 3,
    "log_cosh": lambda gap: math.log(math.cosh(gap)),
}
needs_labels = pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
needs_terms = pytest.mark.parametrize("term", TERMS)
needs_all_terms = pytest.mark.parametrize("term", ALL_TERMS)


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
    return math.fsum(NORMS[norm](abs(value) - 1) for row in codes.tolist() for value in row) / len(codes)


def naive_balance(codes):
    return math.fsum((math.fsum(column) / len(codes)) ** 2 for column in codes.T.tolist())


def inner(codes, i, j):
    return math.fsum(a * b for a, b in zip(codes[i].tolist(), codes[j].tolist(), strict=True))


def squared_distance(codes, i, j):
    return math.fsum((a - b) ** 2 for a, b in zip(codes[i].tolist(), codes[j].tolist(), strict=True))


def naive_likelihood(codes, labels, scale):
    costs = []
    for i in range(len(codes)):
        for j in range(len(codes)):
            theta = scale * inner(codes, i, j)
            costs.append(math.log(1 + math.exp(theta)) - alike(labels, i, j) * theta)
    return math.fsum(costs) / len(costs)


def naive_weighted_likelihood(codes, labels, alpha):
    costs, weights = [], []
    pairs = list(combinations(range(len(codes)), 2))
    near = sum(alike(labels, i, j) for i, j in pairs)
    for i, j in pairs:
        share = 1.0
        if labels.ndim == 2:
            a, b = set(labels[i].nonzero().flatten().tolist()), set(labels[j].nonzero().flatten().tolist())
            share = len(a & b) / len(a | b) if a | b else 0.0
        same = alike(labels, i, j)
        theta = alpha * inner(codes, i, j)
        weights.append(share * len(pairs) / near if same else len(pairs) / (len(pairs) - near))
        costs.append(weights[-1] * (math.log(1 + math.exp(theta)) - same * theta))
    if labels.ndim == 1:
        assert math.fsum(weights) == pytest.approx(2 * len(pairs))
    return math.fsum(costs) / len(pairs)


def all_triplets(labels):
    return [
        (a, p, n) for a, p, n in permutations(range(len(labels)), 3) if alike(labels, a, p) and not alike(labels, a, n)
    ]


def naive_triplet_likelihood(codes, labels, margin):
    by_anchor = {}
    for a, p, n in all_triplets(labels):
        theta = (inner(codes, a, p) - inner(codes, a, n)) / 2 - margin
        by_anchor.setdefault(a, []).append(math.log(1 + math.exp(-theta)))  # -log sigma(theta)
    return math.fsum(math.fsum(costs) / len(costs) for costs in by_anchor.values()) / len(by_anchor)


def naive_triplet_hinge(codes, labels, margin):
    costs = [
        max(margin + squared_distance(codes, a, p) - squared_distance(codes, a, n), 0)
        for a, p, n in all_triplets(labels)
    ]
    return math.fsum(costs) / len(costs)


def label_sets(labels):
    return [[int(row)] if labels.ndim == 1 else row.nonzero().flatten().tolist() for row in labels]


def naive_centre_cross_entropy(codes, labels, ties):
    costs = []
    for code, own in zip(codes.tolist(), label_sets(labels), strict=True):
        for bit, value in enumerate(code):
            votes = sum(float(CENTRES[c, bit]) for c in own)
            target = (1 if votes > 0 else 0) if votes else (float(ties[bit]) + 1) / 2
            share = (math.tanh(value) + 1) / 2
            if own:
                costs.append(-target * math.log(share) - (1 - target) * math.log(1 - share))
    return math.fsum(costs) / len(costs)


def naive_cosine_margin(codes, labels, scale, margin):
    costs = []
    for code, own in zip(codes, label_sets(labels), strict=True):
        classes = 4 if labels.ndim == 1 else labels.shape[1]
        cosines = [float(code @ CENTRES[c] / code.norm() / CENTRES[c].norm()) for c in range(classes)]
        logits = [scale * (cosine - margin * (c in own)) for c, cosine in enumerate(cosines)]
        total = math.fsum(math.exp(logit) for logit in logits)
        if own:
            costs.append(-math.fsum(math.log(math.exp(logits[c]) / total) for c in own) / len(own))
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


@pytest.mark.parametrize("norm", NORMS)
def test_quantization_equals_a_double_loop(norm):
    codes = draw()
    got = float(only(Quantization(BITS, norm)(codes, batch(IDS))))
    assert got == pytest.approx(naive_quantization(codes, norm), rel=1e-12)


def test_balance_equals_a_double_loop():
    codes = draw()
    assert float(only(Balance(BITS)(codes, batch(IDS)))) == pytest.approx(naive_balance(codes), rel=1e-12)


@needs_labels
@pytest.mark.parametrize("scale", [0.5, 1.0])
def test_likelihood_equals_a_double_loop(labels, scale):
    codes = draw()
    got = float(only(PairwiseLikelihood(BITS, scale)(codes, batch(labels))))
    assert got == pytest.approx(naive_likelihood(codes, labels, scale), rel=1e-12)


@needs_labels
@pytest.mark.parametrize("alpha", [None, 0.3])
def test_weighted_likelihood_equals_a_double_loop(labels, alpha):
    codes = draw()
    got = float(only(WeightedLikelihood(BITS, alpha)(codes, batch(labels))))
    expected = naive_weighted_likelihood(codes, labels, 10 / BITS if alpha is None else alpha)
    assert got == pytest.approx(expected, rel=1e-12)


@needs_labels
@pytest.mark.parametrize("margin", [5.0, 0.5])
def test_triplet_likelihood_equals_a_triple_loop(labels, margin):
    codes = draw()
    got = float(only(TripletLikelihood(BITS, margin)(codes, batch(labels))))
    assert got == pytest.approx(naive_triplet_likelihood(codes, labels, margin), rel=1e-12)


@needs_labels
@pytest.mark.parametrize("margin", [1.0, 9.0])
def test_triplet_hinge_equals_a_triple_loop(labels, margin):
    codes = draw()
    got = float(only(TripletHinge(BITS, margin)(codes, batch(labels))))
    assert got == pytest.approx(naive_triplet_hinge(codes, labels, margin), rel=1e-12)


@needs_labels
def test_centre_cross_entropy_equals_a_double_loop(labels):
    codes, ties = draw(), -CENTRES[3]
    got = float(only(CentreCrossEntropy(BITS, CENTRES, ties).double()(codes, batch(labels))))
    assert got == pytest.approx(naive_centre_cross_entropy(codes, labels, ties), rel=1e-12)


@needs_labels
@pytest.mark.parametrize(("scale", "margin"), [(8.0, 0.2), (3.0, 0.0)])
def test_cosine_margin_equals_a_double_loop(labels, scale, margin):
    codes = draw()
    got = float(only(CosineMargin(BITS, CENTRES, scale, margin).double()(codes, batch(labels))))
    assert got == pytest.approx(naive_cosine_margin(codes, labels, scale, margin), rel=1e-12)


@needs_all_terms
@needs_labels
def test_gradients_equal_numerical_ones_off_the_kinks(term, labels):
    codes = draw(seed=4)
    off = [codes.abs(), (codes.abs() - 1).abs()]
    distances = torch.cdist(codes, codes).square()[~torch.eye(7, dtype=torch.bool)]
    off += [(distances - margin).abs() for margin in (3.0, 2.0 * BITS)]
    assert min(float(gap.min()) for gap in off) > 1e-4
    loss = ALL_TERMS[term]()
    assert torch.autograd.gradcheck(lambda leaf: only(loss(leaf, batch(labels))), (codes.requires_grad_(),))


@needs_all_terms
@needs_labels
def test_the_order_of_images_does_not_matter(term, labels):
    loss, codes = ALL_TERMS[term](), draw()
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
    for norm in NORMS:
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


@pytest.mark.parametrize("norm", NORMS)
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
@needs_all_terms
def test_terms_are_finite_at_extremes(term, labels, scale):
    codes = torch.full((7, BITS), scale, requires_grad=True)
    signs = torch.where(torch.arange(7) % 2 == 0, 1.0, -1.0)[:, None]
    for extreme in (codes, codes * signs):
        value = only(ALL_TERMS[term]().float()(extreme, batch(labels)))
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
    for make in ALL_TERMS.values():
        value = only(make()(codes, batch(IDS[:1])))
        (gradient,) = torch.autograd.grad(value, codes)
        assert torch.isfinite(value)
        assert torch.isfinite(gradient).all()
    assert only(Contrastive(BITS)(codes, batch(IDS[:1]))).item() == 0


@needs_all_terms
@pytest.mark.parametrize(
    "labels", [torch.zeros(7, dtype=torch.int64), torch.arange(7) % 4, torch.zeros(7, 3, dtype=torch.uint8)]
)
def test_equal_codes_and_codes_of_0_have_a_finite_gradient(term, labels):
    for code in (draw(1).repeat(7, 1), torch.zeros(7, BITS, dtype=torch.float64)):
        leaf = code.clone().requires_grad_()
        value = only(ALL_TERMS[term]()(leaf, batch(labels)))
        (gradient,) = torch.autograd.grad(value, leaf)
        assert torch.isfinite(value)
        assert torch.isfinite(gradient).all()
        assert gradient.abs().max() < 1e4


@pytest.mark.parametrize("loss", [TripletLikelihood, TripletHinge])
@pytest.mark.parametrize(
    "labels", [torch.zeros(7, dtype=torch.int64), torch.arange(7)], ids=["one class", "all differ"]
)
def test_without_a_triplet_the_loss_is_0_and_has_a_gradient(loss, labels):
    codes = draw().requires_grad_()
    value = only(loss(BITS)(codes, batch(labels)))
    (gradient,) = torch.autograd.grad(value, codes)
    assert value.item() == 0
    assert not gradient.any()


@pytest.mark.parametrize("make", CENTRE_TERMS.values(), ids=CENTRE_TERMS)
def test_images_without_labels_have_no_centre(make):
    labels = torch.zeros(7, 3, dtype=torch.uint8)
    codes = draw().requires_grad_()
    value = only(make()(codes, batch(labels)))
    (gradient,) = torch.autograd.grad(value, codes)
    assert value.item() == 0
    assert not gradient.any()
    labels[2, 1] = 1
    (gradient,) = torch.autograd.grad(only(make()(codes, batch(labels))), codes)
    assert gradient.any(1).tolist() == [row == 2 for row in range(7)]


def test_weighted_likelihood_of_pairs_of_one_kind():
    """The missing kind costs nothing, and nothing is divided by 0."""
    codes = draw()
    near = math.fsum(math.log1p(math.exp(-0.3 * inner(codes, i, j))) for i, j in combinations(range(7), 2)) / 21
    far = math.fsum(math.log1p(math.exp(0.3 * inner(codes, i, j))) for i, j in combinations(range(7), 2)) / 21
    loss = WeightedLikelihood(BITS, alpha=0.3)
    assert float(only(loss(codes, batch(torch.zeros(7, dtype=torch.int64))))) == pytest.approx(near, rel=1e-12)
    assert float(only(loss(codes, batch(torch.arange(7))))) == pytest.approx(far, rel=1e-12)


@needs_labels
def test_two_batches_may_change_places_in_the_weighted_likelihood(labels):
    loss, codes = WeightedLikelihood(BITS), draw()
    here, there = (codes[:3], labels[:3]), (codes[3:], labels[3:])
    pairs = torch.ones(3, 4, dtype=torch.float64)
    assert torch.isclose(loss.between(*here, *there, pairs), loss.between(*there, *here, pairs.T), rtol=1e-12)


def test_triplet_likelihood_falls_as_the_similar_image_comes_nearer():
    anchor, other = torch.tensor([1.0, -1.0, 0.5]), torch.tensor([-1.0, 1.0, 1.0])
    loss = TripletLikelihood(3)
    values = [
        float(only(loss(torch.stack([anchor, scale * anchor, other]), batch(torch.tensor([0, 0, 1])))))
        for scale in (-1.0, 0.0, 1.0, 4.0)
    ]
    assert values == sorted(values, reverse=True)


def test_triplet_hinge_is_0_iff_all_margins_hold():
    codes = torch.tensor([[0.0, 0.0], [0.0, 0.0], [1.0, 1.0], [1.0, 1.0]], dtype=torch.float64)
    labels = torch.tensor([0, 0, 1, 1])
    assert float(only(TripletHinge(2, margin=2.0)(codes, batch(labels)))) == 0
    assert float(only(TripletHinge(2, margin=2.1)(codes, batch(labels)))) > 0
    codes[1, 0] = 0.3
    assert float(only(TripletHinge(2, margin=2.0)(codes, batch(labels)))) > 0


def test_centre_cross_entropy_falls_towards_the_centre():
    labels = torch.tensor([0, 1, 2, 3])
    loss = CentreCrossEntropy(BITS, CENTRES)
    at = [float(only(loss(scale * CENTRES, batch(labels)))) for scale in (0.0, 1.0, 20.0)]
    assert at[0] == pytest.approx(math.log(2))
    assert at[0] > at[1] > at[2]
    assert at[2] < 1e-15
    assert float(only(loss(20 * CENTRES.roll(1, 0), batch(labels)))) > 1


def test_cosine_margin_goes_on_an_images_own_classes_alone():
    """At the codes of the classes, cos is 1 for the own class and 0 for the three others."""
    loss = CosineMargin(BITS, CENTRES, scale=8.0, margin=0.2).double()
    value = float(only(loss(3.0 * CENTRES, batch(torch.arange(4)))))
    own = math.exp(8 * (1 - 0.2))
    assert value == pytest.approx(-math.log(own / (own + 3)), rel=1e-12)


def test_log_cosh_is_straight_far_from_0():
    loss = Quantization(1, norm="log_cosh")
    far = [float(only(loss(torch.tensor([[value]], dtype=torch.float64), batch(IDS[:1])))) for value in (1e3, 2e3)]
    assert far == pytest.approx([999 - math.log(2), 1999 - math.log(2)], rel=1e-12)


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
