from __future__ import annotations

import ast
import importlib.metadata
from dataclasses import replace
from itertools import product
from pathlib import Path

import hashzoo_dfeh
import numpy as np
import pytest
import torch
from hashzoo_dfeh import DFEH, STEM_CHANNELS, Enhancement
from scipy.linalg import hadamard
from torch import nn

from hashzoo import METHODS, Batch, Split, Task
from hashzoo.datasets.base import Augmentation
from hashzoo.errors import InvalidSetting
from hashzoo.testing import check_method, toy_split
from hashzoo.training.trainer import TrainOptions, train

BITS = 12
TASK = Task(num_classes=10, num_train=1000, image_size=(32, 32))
LABELS = torch.tensor([0, 1, 2, 0, 1, 2, 0, 0, 1])
TERMS = {"contrastive", "quantization", "balance"}


def build(bits=BITS, cls=DFEH, **settings):
    return cls(bits, TASK, replace(cls.Config(), **settings))


def network(cls=DFEH, seed=0, **settings):
    torch.manual_seed(seed)
    return build(cls=cls, **settings).network().eval()


def parameters(module):
    return sum(p.numel() for p in module.parameters())


def draw(rows=9, bits=BITS, seed=2):
    return torch.randn(rows, bits, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def objective(codes, labels=LABELS, **settings):
    return build(codes.shape[1], **settings).loss(codes, Batch(labels, torch.arange(len(codes))))


def naive(codes, labels=LABELS):
    """The three terms by loops, unweighted."""
    u, n = codes.numpy(), len(codes)
    pairs = [(i, j) for i in range(n) for j in range(i + 1, n)]
    contrastive = 0.0
    for i, j in pairs:
        distance = ((u[i] - u[j]) ** 2).sum()
        contrastive += distance / 2 if labels[i] == labels[j] else max(2 * u.shape[1] - distance, 0) / 2
    return {
        "contrastive": contrastive / len(pairs),
        "quantization": sum(abs(abs(value) - 1) for row in u for value in row) / n,
        "balance": sum((sum(column) / n) ** 2 for column in u.T),
    }


@pytest.mark.parametrize("bits", [12, 24])
def test_the_loss_equals_loops(bits):
    codes = draw(bits=bits)
    terms, expected = objective(codes), naive(codes)
    assert set(terms) == TERMS
    for name, weight in (("contrastive", 1.0), ("quantization", 0.01), ("balance", 0.01)):
        assert float(terms[name]) == pytest.approx(weight * expected[name], rel=1e-12, abs=1e-12)


def test_without_weights_only_the_contrastive_loss_is_left():
    codes = draw()
    total = float(sum(objective(codes, lambda_q=0.0, lambda_b=0.0).values()))
    assert total == pytest.approx(naive(codes)["contrastive"], rel=1e-12, abs=1e-12)


def test_both_weights_are_settings_of_their_own():
    codes, expected = draw(), naive(draw())
    for weight in (0.0, 0.1, 0.001):
        terms = objective(codes, lambda_q=weight, lambda_b=2 * weight)
        assert float(terms["quantization"]) == pytest.approx(weight * expected["quantization"], rel=1e-12)
        assert float(terms["balance"]) == pytest.approx(2 * weight * expected["balance"], rel=1e-12)


def test_the_ablation_has_four_rows_which_coincide_at_0():
    codes = draw()
    totals = {
        (q, b, weight): float(sum(objective(codes, lambda_q=q * weight, lambda_b=b * weight).values()))
        for q, b, weight in product((0, 1), (0, 1), (0.0, 0.1, 0.01, 0.001))
    }
    assert len({total for (_, _, weight), total in totals.items() if weight == 0}) == 1
    for weight in (0.1, 0.01, 0.001):
        assert len({total for (_, _, w), total in totals.items() if w == weight}) == 4


def test_gradients_equal_numerical_ones_off_the_kinks():
    codes = draw(seed=5)
    distances = torch.cdist(codes, codes).square()[~torch.eye(9, dtype=torch.bool)]
    for gap in (codes.abs(), (codes.abs() - 1).abs(), (distances - 2 * BITS).abs()):
        assert float(gap.min()) > 1e-5
    method = build(lambda_q=0.3, lambda_b=0.7)
    batch = Batch(LABELS, torch.arange(9))
    assert torch.autograd.gradcheck(lambda u: tuple(method.loss(u, batch).values()), (codes.requires_grad_(),))


def test_each_term_has_its_zeros():
    rows = torch.tensor(hadamard(16), dtype=torch.float64)
    labels = torch.tensor([1, 2, 3, 1, 2, 3])
    terms = objective(rows[labels], labels)
    assert float(terms["contrastive"]) == 0
    assert float(terms["quantization"]) == 0
    assert float(objective(0.9 * rows[labels], labels)["quantization"]) > 0
    balanced = torch.cat([draw(), -draw()])
    assert float(objective(balanced, torch.arange(18))["balance"]) == pytest.approx(0, abs=1e-30)
    assert float(objective(balanced + 0.1, torch.arange(18))["balance"]) == pytest.approx(0.01 * BITS * 0.01)


def test_order_of_images_order_of_bits_and_signs_of_bits_do_not_matter():
    codes, expected = draw(), objective(draw())
    images = torch.tensor([8, 3, 0, 6, 1, 5, 7, 2, 4])
    bits = torch.randperm(BITS, generator=torch.Generator().manual_seed(0))
    signs = torch.where(torch.arange(BITS) % 3 == 0, -1.0, 1.0)
    for terms in (
        objective(codes[images], LABELS[images]),
        objective(codes[:, bits]),
        objective(codes * signs),
    ):
        for name in TERMS:
            assert float(terms[name]) == pytest.approx(float(expected[name]), rel=1e-12)


def test_without_block_and_balance_it_is_dsh_bit_for_bit():
    dsh = METHODS.get("dsh")
    ours, theirs = network(fe="none"), network(cls=dsh)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    images = torch.randn(5, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    codes = ours(images)
    assert torch.equal(codes, theirs(images))
    batch = Batch(LABELS[:5], torch.arange(5))
    total = sum(build(fe="none", lambda_b=0.0).loss(codes, batch).values())
    assert torch.equal(total, sum(build(cls=dsh).loss(codes, batch).values()))


def test_without_block_and_balance_training_is_that_of_dsh_bit_for_bit():
    split = toy_split()
    outcomes = []
    for cls, settings in ((DFEH, {"fe": "none", "lambda_b": 0.0}), (METHODS.get("dsh"), {})):
        method = build(cls=cls, epochs=2, batch_size=16, **settings)
        encoder, _ = train(method, split, Augmentation(shift=1, mirror=True), TrainOptions(seed=3))
        outcomes.append(encoder.relaxed(split.images))
    assert np.array_equal(*outcomes)


def test_the_block_has_about_4700_parameters():
    """Three branches and their norm, the gate, the bottleneck and its norm, the shortcut."""
    block = Enhancement("multiscale", 3, 32, width=16)
    branches = 16 * 3 * (1 + 9 + 25) + 2 * 48
    gate = 48 * 12 + 12 + 12 * 48 + 48
    bottleneck = 48 * 32 + 2 * 32
    shortcut = 3 * 32 + 32
    assert parameters(block) == branches + gate + bottleneck + shortcut == 4716
    stem = network(fe_position="stem").stem
    assert isinstance(stem, Enhancement)
    assert parameters(stem) == 4716


def test_on_the_last_map_the_block_has_about_87000_parameters():
    branches = 32 * 64 * (1 + 9 + 25) + 2 * 96
    gate = 96 * 24 + 24 + 24 * 96 + 96
    bottleneck = 96 * 64 + 2 * 64
    shortcut = 64 * 64 + 64
    assert parameters(network().post) == branches + gate + bottleneck + shortcut == 87032


def test_the_block_is_its_formula():
    torch.manual_seed(0)
    block = Enhancement("multiscale", 3, 32, width=16).eval()
    x = torch.randn(2, 3, 8, 8)
    z = torch.relu(block.activation[0](torch.cat([branch(x) for branch in block.branches], 1)))
    pooled = z.mean((2, 3), keepdim=True)
    gate = torch.sigmoid(block.gate[3](torch.relu(block.gate[1](pooled))))
    expected = torch.relu(block.bottleneck[1](block.bottleneck[0](gate * z))) + block.shortcut(x)
    assert torch.allclose(block(x), expected, atol=1e-6)


@pytest.mark.parametrize(("kind", "channels"), [("multiscale", 48), ("se", 16)])
def test_the_gate_is_one_number_a_channel_between_0_and_1(kind, channels):
    torch.manual_seed(0)
    block = Enhancement(kind, 3, 32, width=16)
    gates = []
    block.gate.register_forward_hook(lambda module, given, result: gates.append(result))
    block(5 * torch.randn(4, 3, 9, 7))
    (gate,) = gates
    assert gate.shape == (4, channels, 1, 1)
    assert 0 < gate.min() < gate.max() < 1


def test_an_open_gate_lets_everything_through():
    torch.manual_seed(0)
    block = Enhancement("multiscale", 3, 32, width=16).eval()
    nn.init.zeros_(block.gate[3].weight)
    nn.init.constant_(block.gate[3].bias, 100.0)
    x = torch.randn(2, 3, 8, 8)
    scales = block.activation(torch.cat([branch(x) for branch in block.branches], 1))
    assert torch.equal(block.gate(scales), torch.ones(2, 48, 1, 1))
    assert torch.equal(block(x), block.bottleneck(scales) + block.shortcut(x))


def test_se_is_one_branch_of_3x3():
    block = network(fe="se").post
    assert [branch.kernel_size for branch in block.branches] == [(3, 3)]
    assert [branch.kernel_size for branch in network().post.branches] == [(1, 1), (3, 3), (5, 5)]


@pytest.mark.parametrize("side", [7, 16, 33])
@pytest.mark.parametrize("kind", ["multiscale", "se"])
def test_the_block_keeps_the_size_of_an_image(kind, side):
    block = Enhancement(kind, 3, 32, width=16)
    assert block(torch.zeros(2, 3, side, side + 2)).shape == (2, 32, side, side + 2)


@pytest.mark.parametrize("backbone", ["dsh_cnn", "resnet_cifar"])
@pytest.mark.parametrize("fe", ["none", "se", "multiscale"])
@pytest.mark.parametrize("position", ["stem", "post"])
def test_every_block_fits_in_every_position(fe, position, backbone):
    model = network(fe=fe, fe_position=position, backbone=backbone)
    seen = []
    for module in model.modules():
        if isinstance(module, Enhancement):
            module.register_forward_hook(lambda module, given, result: seen.append((given[0].shape, result.shape)))
    assert model(torch.zeros(2, 3, 32, 32)).shape == (2, BITS)
    if fe == "none":
        assert seen == []
    elif position == "stem":
        assert seen == [((2, 3, 32, 32), (2, STEM_CHANNELS, 32, 32))]
    else:
        ((given, result),) = seen
        assert given == result
        assert given[1] == 64


def test_the_hash_layer_may_be_saturated():
    linear, saturated = network(), network(hash_act="tanh")
    images = 20 * torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(saturated(images), torch.tanh(linear(images)), atol=1e-6)
    assert isinstance(linear.head, nn.Linear)


@pytest.mark.parametrize("position", ["stem", "post"])
def test_a_torchvision_backbone_has_no_place_for_the_block(position):
    with pytest.raises(InvalidSetting, match="resnet18"):
        network(backbone="resnet18", fe_position=position)


def test_a_torchvision_backbone_works_without_the_block():
    model = network(backbone="resnet18", fe="none")
    assert model(torch.zeros(2, 3, 32, 32)).shape == (2, BITS)


def test_an_unknown_block_is_refused():
    from hashzoo.settings import configure

    with pytest.raises(InvalidSetting, match="fe: expected one of none, se, multiscale, got 'both'"):
        configure(DFEH.Config, {"fe": "both"}, owner="dfeh")


def test_every_unknown_of_the_paper_is_a_stated_deviation():
    stated = " ".join(DFEH.deviations)
    for what in ("reconstruction", "structure", "position", "hash layer", "balance", "optimiser", "schedule", "splits"):
        assert what in stated, what
    assert "reconstruction" in (DFEH.__doc__ or "")


def test_it_enters_by_its_entry_point():
    points = importlib.metadata.entry_points(group="hashzoo.plugins", name="dfeh")
    assert {point.value for point in points} == {"hashzoo_dfeh"}
    assert METHODS.get("dfeh") is DFEH


def test_it_uses_public_names_only():
    """No name with a leading underscore is imported from hashzoo, or read from what is."""
    files = sorted(Path(hashzoo_dfeh.__file__).parent.glob("*.py"))
    assert len(files) >= 2
    for file in files:
        tree = ast.parse(file.read_text())
        for node in ast.walk(tree):
            names = []
            if isinstance(node, ast.ImportFrom):
                names = [*(node.module or "").split("."), *(alias.name for alias in node.names)]
            elif isinstance(node, ast.Import):
                names = [part for alias in node.names for part in alias.name.split(".")]
            elif isinstance(node, ast.Attribute):
                names = [node.attr]
            private = [n for n in names if n.startswith("_") and n not in ("__future__", "__init__")]
            assert not private, f"{file.name}:{node.lineno}: {private}"


@pytest.mark.parametrize("fe", ["none", "se", "multiscale"])
def test_it_conforms(fe):
    check_method(DFEH, settings={"fe": fe, "fe_position": "post" if fe == "se" else "stem"}, image_size=16)


def test_several_labels_an_image():
    split = toy_split(multi_label=True, image_size=16)
    assert isinstance(split, Split)
    method = DFEH(BITS, Task(4, 48, (16, 16), multi_label=True), replace(DFEH.Config(), epochs=1, batch_size=16))
    encoder, _ = train(method, split, Augmentation(shift=1, mirror=False), TrainOptions())
    assert np.isfinite(encoder.relaxed(split.images)).all()
