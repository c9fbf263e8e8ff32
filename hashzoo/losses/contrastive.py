"""Contrastive loss on squared Euclidean distances."""

from __future__ import annotations

import torch
from torch import Tensor

from hashzoo.losses.base import LOSSES, Batch, Loss, similar


@LOSSES.register("contrastive")
class Contrastive(Loss):
    """Mean over pairs i < j of D/2 if similar, [margin - D]+ / 2 if not, with D = |u_i - u_j|^2.

    Source: Liu et al., "Deep Supervised Hashing for Fast Image Retrieval", CVPR 2016, eq. 1, with the mean over pairs
    of the authors' code.

    Args:
        bits: code length K.
        margin: on the squared distance; None takes 2K, half of the largest distance between two codes.
    """

    def __init__(self, bits: int, margin: float | None = None) -> None:
        super().__init__(bits)
        self.margin = 2.0 * bits if margin is None else margin

    def forward(self, codes: Tensor, batch: Batch) -> dict[str, Tensor]:
        """(B, bits) -> {"contrastive": scalar}; 0 for fewer than two images."""
        norms = codes.square().sum(1)
        distance = (norms[:, None] + norms[None, :] - 2 * codes @ codes.T).clamp_min(0)
        cost = torch.where(similar(batch.labels, batch.labels), distance, (self.margin - distance).clamp_min(0))
        pairs = max(len(codes) * (len(codes) - 1) // 2, 1)
        return {"contrastive": cost.triu(diagonal=1).sum() / (2 * pairs)}
