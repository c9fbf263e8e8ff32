"""The feature enhancement block: parallel scales, a channel gate, a bottleneck and a shortcut.

The paper names such a layer and its purpose (better features, fewer redundant ones) but no copy we could read gives its
structure; this one is a design choice of the reconstruction.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

Kind = Literal["se", "multiscale"]


class Enhancement(nn.Module):
    """(B, in_channels, H, W) -> (B, out_channels, H, W).

    "multiscale" looks through 1x1, 3x3 and 5x5 windows side by side, "se" through 3x3 alone; both then scale each
    channel by a gate in 0..1 that depends on the whole image (Hu et al., "Squeeze-and-Excitation Networks", CVPR 2018)
    and mix the channels down by 1x1.

    Args:
        width: channels of each branch.
    """

    def __init__(self, kind: Kind, in_channels: int, out_channels: int, width: int) -> None:
        super().__init__()
        windows = (1, 3, 5) if kind == "multiscale" else (3,)
        joint = width * len(windows)
        self.branches = nn.ModuleList(
            nn.Conv2d(in_channels, width, window, padding=window // 2, bias=False) for window in windows
        )
        self.activation = nn.Sequential(nn.BatchNorm2d(joint), nn.ReLU(inplace=True))
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(joint, joint // 4, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(joint // 4, joint, 1),
            nn.Sigmoid(),
        )
        self.bottleneck = nn.Sequential(
            nn.Conv2d(joint, out_channels, 1, bias=False), nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True)
        )
        self.shortcut = nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        scales = self.activation(torch.cat([branch(x) for branch in self.branches], dim=1))
        enhanced: Tensor = self.bottleneck(self.gate(scales) * scales) + self.shortcut(x)
        return enhanced
