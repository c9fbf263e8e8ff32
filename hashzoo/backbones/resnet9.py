"""The residual network of nine layers, made for quick training on small images."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from hashzoo.backbones.base import BACKBONES, Backbone
from hashzoo.errors import InvalidSetting


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


@BACKBONES.register("resnet9")
class ResNet9(Backbone):
    """A convolution, three more that halve the map and double the channels, residual blocks in the first and third.

    Widths are w, 2w, 4w and 8w, then the maximum over all positions. `resnet9` has w = 16 and 0.41 million parameters;
    `resnet9_24`, `_32` and `_48` are wider, `resnet9_64` is the original. Images need 8x8 pixels at least.

    Source: D. Page, "How to Train Your ResNet", 2018, with the pooling before the batch norm.
    """

    width: ClassVar[int] = 16

    def __init__(
        self, *, in_channels: int = 3, image_size: int = 32, weights: str | None = None, download: bool = False
    ) -> None:
        super().__init__()
        if weights is not None:
            raise InvalidSetting(f"weights: expected none ({self.name} has no published weights), got {weights!r}")
        w = self.width
        self.layers = nn.Sequential(
            _convolution(in_channels, w),
            _convolution(w, 2 * w, halved=True),
            Residual(2 * w),
            _convolution(2 * w, 4 * w, halved=True),
            _convolution(4 * w, 8 * w, halved=True),
            Residual(8 * w),
        )
        self.map_channels = self.out_features = 8 * w
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def maps(self, images: Tensor) -> Tensor:
        return self.layers(images)  # type: ignore[no-any-return]

    def vector(self, maps: Tensor) -> Tensor:
        return maps.amax((2, 3))


for _width in (24, 32, 48, 64):
    BACKBONES.register(f"resnet9_{_width}")(
        type(
            f"ResNet9_{_width}",
            (ResNet9,),
            {"__module__": __name__, "__doc__": f"`resnet9` with {_width} channels at first.", "width": _width},
        )
    )
