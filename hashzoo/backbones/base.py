"""The interface of a backbone, and the step from stored pixels to what it takes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from hashzoo.registry import Registry


class Backbone(nn.Module, ABC):
    """(B, in_channels, S, S) float images -> (B, out_features) float features.

    Args:
        in_channels: 3, or the width of a block put in front.
        image_size: S, the side in pixels.
        weights: name or file of pretrained weights; None starts from random ones.
        download: whether missing weights may be fetched.

    Attributes:
        out_features: length of a feature vector.
        map_channels: channels of the feature map that `maps` returns, or None if the backbone is one piece.
        normalization: per-channel mean and deviation (of images in 0..1) that the weights were trained with, or None.
    """

    name: ClassVar[str] = ""
    out_features: int
    map_channels: int | None = None
    normalization: tuple[list[float], list[float]] | None = None

    @abstractmethod
    def __init__(
        self, *, in_channels: int = 3, image_size: int = 32, weights: str | None = None, download: bool = False
    ) -> None:
        super().__init__()

    @abstractmethod
    def maps(self, images: Tensor) -> Tensor:
        """The last feature map (B, map_channels, h, w), or the features themselves if there is none."""

    def vector(self, maps: Tensor) -> Tensor:
        """What `maps` returned -> (B, out_features)."""
        return maps

    def forward(self, images: Tensor) -> Tensor:
        return self.vector(self.maps(images))


class Preprocess(nn.Module):
    """(B, H, W, 3) uint8 -> (B, 3, S, S) float32, normalized, channels last in memory.

    Args:
        mean: per channel, of images in 0..1.
        std: likewise, positive.
        size: S; None keeps H x W.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: list[float], std: list[float], size: int | None = None) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32))

    @classmethod
    def measured(cls, blocks: Iterable[np.ndarray], size: int | None = None) -> Preprocess:
        """With the mean and deviation of all images in `blocks` of (B, H, W, 3) uint8."""
        levels = np.arange(256) / 255
        counts = np.zeros((3, 256), np.int64)
        for images in blocks:
            counts += np.stack([np.bincount(images[..., c].ravel(), minlength=256) for c in range(3)])
        share = counts / counts.sum(1, keepdims=True)
        mean = share @ levels
        std = np.sqrt(np.maximum(share @ levels**2 - mean**2, 1e-6))
        return cls(mean.tolist(), std.tolist(), size)

    def forward(self, images: Tensor) -> Tensor:
        scaled = torch.addcmul(-self.mean / self.std, images, 1 / (255 * self.std))
        planes = scaled.permute(0, 3, 1, 2)  # channels last costs nothing: it is how images are stored
        if self.size is not None and planes.shape[-2:] != (self.size, self.size):
            planes = functional.interpolate(
                planes, (self.size, self.size), mode="bilinear", antialias=True, align_corners=False
            )
        return planes


BACKBONES: Registry[Backbone] = Registry("backbone", Backbone, package="hashzoo.backbones")
