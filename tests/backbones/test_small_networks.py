from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.functional import avg_pool2d, linear, max_pool2d, relu

from hashzoo.backbones.base import BACKBONES
from hashzoo.backbones.dsh_cnn import DshCnn
from hashzoo.backbones.quick_resnet import ResNet7, ResNet9
from hashzoo.backbones.resnet_cifar import ResNetCifar
from hashzoo.errors import InvalidSetting


def parameters(module):
    return sum(p.numel() for p in module.parameters())


def test_dsh_cnn_has_the_size_of_the_authors_network():
    """1024 inputs to the dense layer of 500, and 597,840 parameters with a head of 12 bits."""
    backbone = DshCnn()
    assert backbone.dense[1].in_features == 1024
    assert parameters(backbone) + parameters(nn.Linear(backbone.out_features, 12)) == 597_840


def test_dsh_cnn_has_the_shapes_of_the_authors_network():
    backbone = DshCnn()
    x = torch.zeros(2, 3, 32, 32)
    sides = []
    for layer in backbone.convolutions:
        x = layer(x)
        sides.append(tuple(x.shape[1:]))
    assert sides[0] == (32, 32, 32)
    assert sides[1] == (32, 16, 16)
    assert sides[4] == (32, 8, 8)
    assert sides[-1] == (64, 4, 4)
    assert backbone(torch.zeros(2, 3, 32, 32)).shape == (2, 500)


def test_dsh_cnn_is_the_network_of_its_card():
    torch.manual_seed(0)
    backbone = DshCnn()
    images = torch.randn(3, 3, 32, 32)
    first, second, third = (m for m in backbone.convolutions if isinstance(m, nn.Conv2d))
    x = relu(max_pool2d(first(images), 3, 2, ceil_mode=True))
    x = relu(avg_pool2d(second(x), 3, 2, ceil_mode=True))
    x = avg_pool2d(relu(third(x)), 3, 2, ceil_mode=True)
    dense = backbone.dense[1]
    expected = relu(linear(x.flatten(1), dense.weight, dense.bias))
    assert torch.allclose(backbone(images), expected, atol=1e-6)


def test_dsh_cnn_starts_from_xavier_and_0():
    torch.manual_seed(0)
    for name, parameter in DshCnn().named_parameters():
        if parameter.ndim == 1:
            assert not parameter.any(), name
        else:
            fan_in = parameter[0].numel()
            fan_out = parameter.shape[0] * parameter[0, 0].numel()
            limit = (6 / (fan_in + fan_out)) ** 0.5
            assert 0.9 * limit < float(parameter.detach().abs().max()) <= limit, name


@pytest.mark.parametrize("side", [8, 9, 15, 16, 17, 28, 31, 33, 64, 65])
@pytest.mark.parametrize("name", ["dsh_cnn", "resnet7", "resnet9", "resnet_cifar"])
def test_other_image_sizes(name, side):
    backbone = BACKBONES.get(name)(image_size=side)
    with torch.no_grad():
        assert backbone(torch.zeros(2, 3, side, side)).shape == (2, backbone.out_features)


@pytest.mark.parametrize("name", ["dsh_cnn", "resnet7", "resnet9", "resnet_cifar"])
def test_a_block_in_front_may_widen_the_input(name):
    backbone = BACKBONES.get(name)(in_channels=32)
    images = torch.randn(2, 32, 32, 32)
    maps = backbone.maps(images)
    assert maps.shape[:2] == (2, backbone.map_channels)
    assert backbone(images).shape == (2, backbone.out_features)


@pytest.mark.parametrize(
    ("name", "depth", "count"),
    [
        ("resnet_cifar", 20, 269_722),
        ("resnet_cifar32", 32, 464_154),
        ("resnet_cifar44", 44, 658_586),
        ("resnet_cifar56", 56, 853_018),
    ],
)
def test_resnet_cifar_depth_and_size(name, depth, count):
    """With a linear layer of 10 outputs: the paper's 0.27, 0.46, 0.66 and 0.85 million, plus two projections."""
    backbone = BACKBONES.get(name)()
    assert isinstance(backbone, ResNetCifar)
    assert backbone.name == name
    layers = [m for n, m in backbone.named_modules() if isinstance(m, nn.Conv2d) and "shortcut" not in n]
    assert len(layers) + 1 == depth
    shortcuts = (16 * 32 + 2 * 32) + (32 * 64 + 2 * 64)
    assert parameters(backbone) + 64 * 10 + 10 == count + shortcuts


def test_resnet_cifar_halves_the_map_twice():
    assert ResNetCifar().maps(torch.zeros(1, 3, 32, 32)).shape == (1, 64, 8, 8)


def test_resnet7_is_the_network_of_its_card():
    torch.manual_seed(0)
    backbone = ResNet7().eval()
    assert parameters(backbone) == 9 * (3 * 64 + 64 * 64 + 64 * 256 + 3 * 256 * 256) + 2 * (2 * 64 + 4 * 256)
    x = images = torch.randn(2, 3, 32, 32)
    for stage, (channels, side) in zip(backbone.layers, [(64, 16), (256, 8), (256, 4)], strict=True):
        x = relu(stage.down[2](max_pool2d(stage.down[0](x), 2)))
        x = x + relu(stage.body[1](stage.body[0](x)))
        assert x.shape == (2, channels, side, side)
    assert torch.allclose(backbone.maps(images), x, atol=1e-6)
    assert torch.equal(backbone(images), backbone.maps(images).amax((2, 3)))


def test_resnet9_is_the_network_of_its_card():
    torch.manual_seed(0)
    backbone = ResNet9().eval()
    images = torch.randn(2, 3, 16, 16)

    def convolved(block, x, pooled=False):
        x = block[0](x)
        return relu(block[-2](max_pool2d(x, 2) if pooled else x))

    first, second, early, third, fourth, late = backbone.layers
    x = convolved(second, convolved(first, images), pooled=True)
    x = x + convolved(early.body[1], convolved(early.body[0], x))
    x = convolved(fourth, convolved(third, x, pooled=True), pooled=True)
    x = x + convolved(late.body[1], convolved(late.body[0], x))
    assert x.shape == (2, 128, 2, 2)
    assert torch.allclose(backbone(images), x.flatten(2).max(2).values, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "width", "count"),
    [
        ("resnet9", 16, 0.41),
        ("resnet9_24", 24, 0.93),
        ("resnet9_32", 32, 1.64),
        ("resnet9_48", 48, 3.70),
        ("resnet9_64", 64, 6.57),
    ],
)
def test_resnet9_has_eight_convolutions_and_a_width(name, width, count):
    backbone = BACKBONES.get(name)()
    widths = [m.out_channels for m in backbone.modules() if isinstance(m, nn.Conv2d)]
    assert widths == [width * factor for factor in (1, 2, 2, 2, 4, 8, 8, 8)]
    assert parameters(backbone) == pytest.approx(count * 1e6, rel=0.01)


@pytest.mark.parametrize("name", ["dsh_cnn", "resnet7", "resnet9", "resnet_cifar", "resnet_cifar32"])
def test_weights_that_do_not_exist_are_refused(name):
    with pytest.raises(
        InvalidSetting, match=rf"weights: expected none \({name} has no published weights\), got 'best'"
    ):
        BACKBONES.get(name)(weights="best")
