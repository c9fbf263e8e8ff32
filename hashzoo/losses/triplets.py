"""Which images of a batch form triplets."""

from __future__ import annotations

import torch
from torch import Tensor

from hashzoo.losses.base import similar


def triplets(labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """All triplets of a batch: an anchor, another image similar to it, and one that is not.

    Args:
        labels: (B,) class ids or (B, C) multi-hot.

    Returns:
        Anchors (P,) and positives (P,) of all ordered pairs of two similar images, int64, and (P, B) bool: which images
        are negatives of the pair. P is at most B (B - 1), and B (B / C - 1) for C classes of equal size: a float32 for
        each triplet takes at most 32 MB for 200 images, and 3 MB if they are of ten classes.
    """
    alike = similar(labels, labels)
    itself = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    anchor, positive = (alike & ~itself).nonzero(as_tuple=True)
    return anchor, positive, ~alike[anchor]
