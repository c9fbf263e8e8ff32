"""The small network of deep supervised hashing."""

from __future__ import annotations

from torch import Tensor, nn

from hashzoo.backbones.base import BACKBONES, Backbone
from hashzoo.errors import InvalidSetting


@BACKBONES.register("dsh_cnn")
class DshCnn(Backbone):
    """Three 5x5 convolutions (32, 32, 64 channels), each pooled 3/2 with rounding up, then 500 units.

    0.59 million parameters at 32x32. Weights start from Xavier's uniform distribution, biases from 0. Source: Liu et
    al., CVPR 2016, figure 2 and the authors' network definition, without its two response normalizations: with their
    alpha of 5e-5 they do next to nothing to activations of normalized images.
    """

    map_channels = 64
    out_features = 500

    def __init__(
        self, *, in_channels: int = 3, image_size: int = 32, weights: str | None = None, download: bool = False
    ) -> None:
        super().__init__()
        if weights is not None:
            raise InvalidSetting(f"weights: expected none (dsh_cnn has no published weights), got {weights!r}")
        self.convolutions = nn.Sequential(
            nn.Conv2d(in_channels, 32, 5, padding=2),
            nn.MaxPool2d(3, 2, ceil_mode=True),
            nn.ReLU(),
            nn.Conv2d(32, 32, 5, padding=2),
            nn.AvgPool2d(3, 2, ceil_mode=True),
            nn.ReLU(),
            nn.Conv2d(32, 64, 5, padding=2),
            nn.ReLU(),
            nn.AvgPool2d(3, 2, ceil_mode=True),
        )
        side = image_size
        for _ in range(3):
            side = _pooled(side)
        self.dense = nn.Sequential(nn.Flatten(), nn.Linear(64 * side * side, self.out_features), nn.ReLU())
        for parameter in self.parameters():
            if parameter.ndim > 1:
                nn.init.xavier_uniform_(parameter)
            else:
                nn.init.zeros_(parameter)

    def maps(self, images: Tensor) -> Tensor:
        return self.convolutions(images)  # type: ignore[no-any-return]

    def vector(self, maps: Tensor) -> Tensor:
        return self.dense(maps)  # type: ignore[no-any-return]


def _pooled(side: int) -> int:
    """Side of a map after a 3/2 pooling in ceil mode: no window starts beyond the edge."""
    windows = -(-(side - 3) // 2) + 1
    return windows - 1 if (windows - 1) * 2 >= side else windows
