"""Classification by the cosine with the code of a class, with a margin."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import log_softmax, normalize, one_hot

from hashzoo.losses.base import LOSSES, Batch
from hashzoo.losses.centres import CentreLoss

SHORTEST = 1e-3  # shorter codes are not stretched to length 1, so that the gradient at 0 stays small


@LOSSES.register("cosine_margin")
class CosineMargin(CentreLoss):
    """Mean over images of the cross-entropy of softmax(s (cos(u, c) - m)), the margin m on its own classes alone.

    The targets are the classes of an image in equal shares; an image without labels is left out.

    Source: Hoe et al., "One Loss for All: Deep Hashing with a Single Cosine Similarity based Learning Objective",
    NeurIPS 2021, eq. 7 and 8.

    Args:
        bits: code length K.
        centres: (C, bits) of +-1, C at least the number of classes; None takes `hash_centres(10, bits)`.
        scale: s.
        margin: m.
    """

    def __init__(self, bits: int, centres: Tensor | None = None, scale: float = 8.0, margin: float = 0.2) -> None:
        super().__init__(bits, centres)
        self.scale, self.margin = scale, margin

    def forward(self, codes: Tensor, batch: Batch) -> dict[str, Tensor]:
        """(B, bits) -> {"cosine": scalar}; 0 if no image has a label."""
        labels = one_hot(batch.labels, len(self.centres)) if batch.labels.ndim == 1 else batch.labels
        own = labels.to(codes.dtype)
        centres = self.centres[: own.shape[1]] / self.bits**0.5
        cosine = normalize(codes, dim=1, eps=SHORTEST) @ centres.T
        share = own / own.sum(1, keepdim=True).clamp_min(1)
        cost = -(share * log_softmax(self.scale * (cosine - self.margin * own), dim=1)).sum(1)
        return {"cosine": cost.sum() / own.any(1).sum().clamp_min(1)}
