"""Residual networks of nine and of seven layers, made for quick training on small images."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from hashzoo.backbones.base import BACKBONES
from hashzoo.backbones.from_scratch import FromScratch


def _convolution(in_channels: int, channels: int, *, halved: bool = False) -> nn.Sequential:
    """3x3 convolution, batch norm, ReLU; pooled before the norm, where there is a quarter left to do."""
    pooling = [nn.MaxPool2d(2)] if halved else []
    return nn.Sequential(
        nn.Conv2d(in_channels, channels, 3, padding=1, bias=False),
        *pooling,
        nn.BatchNorm2d(channels),
        nn.ReLU(inplace=True),
    )


class Residual(nn.Module):
    """x plus two convolutions of it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(_convolution(channels, channels), _convolution(channels, channels))

    def forward(self, x: Tensor) -> Tensor:
        total: Tensor = x + self.body(x)
        return total


class Stage(nn.Module):
    """A convolution that halves the map, plus one convolution of it."""

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        self.down = _convolution(in_channels, channels, halved=True)
        self.body = _convolution(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        x = self.down(x)
        total: Tensor = x + self.body(x)
        return total


class _QuickResNet(FromScratch):
    """The maximum over all positions is the vector."""

    def vector(self, maps: Tensor) -> Tensor:
        return maps.amax((2, 3))


@BACKBONES.register("resnet9")
class ResNet9(_QuickResNet):
    """A convolution, three more that halve the map and double the channels, residual blocks in the first and third.

    Widths are w, 2w, 4w and 8w, then the maximum over all positions. `resnet9` has w = 16 and 0.41 million parameters;
    `resnet9_24`, `_32` and `_48` are wider, `resnet9_64` is the original. Images need 8x8 pixels at least.

    Source: D. Page, "How to Train Your ResNet", 2018, with the pooling before the batch norm.
    """

    width: ClassVar[int] = 16

    def make_layers(self, in_channels: int) -> tuple[nn.Sequential, int]:
        w = self.width
        layers = nn.Sequential(
            _convolution(in_channels, w),
            _convolution(w, 2 * w, halved=True),
            Residual(2 * w),
            _convolution(2 * w, 4 * w, halved=True),
            _convolution(4 * w, 8 * w, halved=True),
            Residual(8 * w),
        )
        return layers, 8 * w


for _width in (24, 32, 48, 64):
    BACKBONES.register(f"resnet9_{_width}")(
        type(
            f"ResNet9_{_width}",
            (ResNet9,),
            {"__module__": __name__, "__doc__": f"`resnet9` with {_width} channels at first.", "width": _width},
        )
    )


@BACKBONES.register("resnet7")
class ResNet7(_QuickResNet):
    """Three stages of a convolution that halves the map and a residual one, of 64, 256 and 256 channels.

    Halving at once leaves a quarter of the positions to the wide convolutions. 2.0 million parameters; images need 8x8
    pixels at least.

    Source: the widths and the early halving of K. Jordan, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU", 2024
    (arXiv:2404.00498); residual sums, batch norm with weights and ReLU as in `resnet9`.
    """

    def make_layers(self, in_channels: int) -> tuple[nn.Sequential, int]:
        return nn.Sequential(Stage(in_channels, 64), Stage(64, 256), Stage(256, 256)), 256
