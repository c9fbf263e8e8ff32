"""Cross-entropy of each bit with that of a hash centre."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from hashzoo.losses.base import LOSSES, Batch
from hashzoo.losses.centres import CentreLoss, majority


@LOSSES.register("centre_cross_entropy")
class CentreCrossEntropy(CentreLoss):
    """Mean over images and bits of log(1 + exp(-2 c u)), the cross-entropy of (tanh u + 1) / 2 with (c + 1) / 2.

    c is the centre of the image's class, or the majority of the centres of its labels; an image without labels is left
    out.

    Source: Yuan et al., "Central Similarity Quantization for Efficient Image and Video Retrieval", CVPR 2020, eq. 2;
    (tanh u + 1) / 2 is the logistic function of 2u.

    Args:
        bits: code length K.
        centres: (C, bits) of +-1, C at least the number of classes; None takes `hash_centres(10, bits)`.
        ties: (bits,) of +-1, the bits of a majority that is none; None takes those of the first centre.
    """

    ties: Tensor

    def __init__(self, bits: int, centres: Tensor | None = None, ties: Tensor | None = None) -> None:
        super().__init__(bits, centres)
        self.register_buffer("ties", (self.centres[0] if ties is None else ties).float())

    def forward(self, codes: Tensor, batch: Batch) -> dict[str, Tensor]:
        """(B, bits) -> {"centre": scalar}; 0 if no image has a label."""
        labels = batch.labels
        if labels.ndim == 1:
            targets, labelled = self.centres[labels], torch.ones_like(codes[:, 0])
        else:
            targets = majority(labels, self.centres[: labels.shape[1]], self.ties)
            labelled = labels.any(1).to(codes.dtype)
        cost = binary_cross_entropy_with_logits(2 * codes, (targets + 1) / 2, reduction="none").mean(1)
        return {"centre": (cost * labelled).sum() / labelled.sum().clamp_min(1)}
