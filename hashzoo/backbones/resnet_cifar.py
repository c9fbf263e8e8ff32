"""Residual network for small images."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn
from torch.nn.functional import relu

from hashzoo.backbones.base import BACKBONES
from hashzoo.backbones.from_scratch import FromScratch


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with batch norm around a shortcut (1x1 where the shape changes)."""

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(in_channels, channels, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or in_channels != channels:
            self.shortcut = nn.Sequential(
                nn.Conv2d(in_channels, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
            )

    def forward(self, x: Tensor) -> Tensor:
        return relu(self.body(x) + self.shortcut(x), inplace=True)


@BACKBONES.register("resnet_cifar")
class ResNetCifar(FromScratch):
    """Three stages of 16, 32 and 64 channels, depth 6n + 2, global average pooling.

    Source: He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, section 4.2 (with projection
    shortcuts).

    `resnet_cifar` has depth 20 and 0.27 million parameters; `resnet_cifar32`, `44` and `56` are deeper.
    """

    depth: ClassVar[int] = 20

    def make_layers(self, in_channels: int) -> tuple[nn.Sequential, int]:
        layers: list[nn.Module] = [
            nn.Conv2d(in_channels, 16, 3, padding=1, bias=False),
            nn.BatchNorm2d(16),
            nn.ReLU(inplace=True),
        ]
        channels = 16
        for width, stride in ((16, 1), (32, 2), (64, 2)):
            for block in range((self.depth - 2) // 6):
                layers.append(ResidualBlock(channels, width, stride if block == 0 else 1))
                channels = width
        return nn.Sequential(*layers), channels

    def vector(self, maps: Tensor) -> Tensor:
        return maps.mean((2, 3))


for _depth in (32, 44, 56):
    BACKBONES.register(f"resnet_cifar{_depth}")(
        type(
            f"ResNetCifar{_depth}",
            (ResNetCifar,),
            {"__module__": __name__, "__doc__": f"`resnet_cifar` with {_depth} layers.", "depth": _depth},
        )
    )
