"""Augmentation of a whole batch in one gather, on stored pixels."""

from __future__ import annotations

import torch
from torch import Tensor

from hashzoo.datasets.base import Augmentation


def augment(images: Tensor, augmentation: Augmentation, generator: torch.Generator) -> Tensor:
    """(B, H, W, C) uint8 -> the same shape: each image shifted and mirrored on its own.

    Shifts are uniform over -shift..shift pixels in both directions; what moves in from outside repeats the edge.
    """
    batch, height, width, _ = images.shape
    shift = augmentation.shift
    offsets = torch.randint(-shift, shift + 1, (2, batch, 1), generator=generator)
    rows = (torch.arange(height) + offsets[0]).clamp_(0, height - 1)
    columns = (torch.arange(width) + offsets[1]).clamp_(0, width - 1)
    if augmentation.mirror:
        mirrored = torch.rand(batch, 1, generator=generator) < 0.5
        columns = torch.where(mirrored, width - 1 - columns, columns)
    device = images.device
    return images[
        torch.arange(batch, device=device)[:, None, None],
        rows.to(device)[:, :, None],
        columns.to(device)[:, None, :],
    ]
