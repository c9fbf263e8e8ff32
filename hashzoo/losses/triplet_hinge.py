"""Hinge loss on the distances within triplets."""

from __future__ import annotations

from torch import Tensor

from hashzoo.losses.base import LOSSES, Batch, Loss
from hashzoo.losses.triplets import triplets


@LOSSES.register("triplet_hinge")
class TripletHinge(Loss):
    """Mean over triplets of [margin + |u_a - u_p|^2 - |u_a - u_n|^2]+, over all triplets of a batch.

    Source: Lai et al., "Simultaneous Feature Learning and Hash Coding with Deep Neural Networks", CVPR 2015, eq. 3.

    Args:
        bits: code length K.
        margin: on the difference of squared distances.
    """

    def __init__(self, bits: int, margin: float = 1.0) -> None:
        super().__init__(bits)
        self.margin = margin

    def forward(self, codes: Tensor, batch: Batch) -> dict[str, Tensor]:
        """(B, bits) -> {"triplet": scalar}; 0 without a triplet."""
        anchor, positive, negatives = triplets(batch.labels)
        norms = codes.square().sum(1)
        distance = (norms[:, None] + norms[None, :] - 2 * codes @ codes.T).clamp_min(0)
        cost = (self.margin + distance[anchor, positive][:, None] - distance[anchor]).clamp_min(0) * negatives
        return {"triplet": cost.sum() / negatives.sum().clamp_min(1)}
