"""What the residual networks without published weights share."""

from __future__ import annotations

from abc import abstractmethod

from torch import Tensor, nn

from hashzoo.backbones.base import Backbone
from hashzoo.errors import InvalidSetting


class FromScratch(Backbone):
    """Layers that make a map; convolutions start from He's normal distribution.

    Raises:
        InvalidSetting: weights are named, and there are none.
    """

    def __init__(
        self, *, in_channels: int = 3, image_size: int = 32, weights: str | None = None, download: bool = False
    ) -> None:
        super().__init__()
        if weights is not None:
            raise InvalidSetting(f"weights: expected none ({self.name} has no published weights), got {weights!r}")
        self.layers, channels = self.make_layers(in_channels)
        self.map_channels = self.out_features = channels
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    @abstractmethod
    def make_layers(self, in_channels: int) -> tuple[nn.Sequential, int]:
        """The layers, and the channels of the map they end in."""

    def maps(self, images: Tensor) -> Tensor:
        return self.layers(images)  # type: ignore[no-any-return]
