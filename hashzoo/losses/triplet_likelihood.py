"""Logistic likelihood of triplet labels."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import softplus

from hashzoo.losses.base import LOSSES, Batch, Loss
from hashzoo.losses.triplets import triplets


@LOSSES.register("triplet_likelihood")
class TripletLikelihood(Loss):
    """Mean over anchors of the mean over their triplets of log(1 + exp(margin - t_ap + t_an)).

    t_ab is <u_a, u_b> / 2. Anchors without a similar or without a dissimilar image in the batch are left out.

    Source: Wang, Shi & Kitani, "Deep Supervised Hashing with Triplet Labels", ACCV 2016, eq. 3 to 5.

    Args:
        bits: code length K.
        margin: on the difference of inner products.
    """

    def __init__(self, bits: int, margin: float = 5.0) -> None:
        super().__init__(bits)
        self.margin = margin

    def forward(self, codes: Tensor, batch: Batch) -> dict[str, Tensor]:
        """(B, bits) -> {"triplet": scalar}; 0 without a triplet."""
        anchor, positive, negatives = triplets(batch.labels)
        inner = codes @ codes.T / 2
        cost = softplus(self.margin - inner[anchor, positive][:, None] + inner[anchor]) * negatives
        per_anchor = codes.new_zeros(len(codes)).index_add(0, anchor, negatives.sum(1).to(codes.dtype))
        with_triplets = (per_anchor > 0).sum().clamp_min(1)
        return {"triplet": (cost.sum(1) / per_anchor[anchor].clamp_min(1)).sum() / with_triplets}
