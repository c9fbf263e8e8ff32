"""Logistic likelihood of pair labels."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import softplus

from hashzoo.losses.base import LOSSES, Batch, Loss, similar


@LOSSES.register("pairwise_likelihood")
class PairwiseLikelihood(Loss):
    """Mean over pairs of log(1 + exp(t)) - s t, with t = scale <u_i, u_j> and s = 1 for similar images.

    Source: Li et al., IJCAI 2016, eq. 3 and 4; a pair of an image with itself counts, as in the authors' code. With
    scale 1, Zhu et al., AAAI 2016, eq. 4.

    Args:
        bits: code length K.
        scale: of the inner product.
    """

    def __init__(self, bits: int, scale: float = 0.5) -> None:
        super().__init__(bits)
        self.scale = scale

    def forward(self, codes: Tensor, batch: Batch) -> dict[str, Tensor]:
        """(B, bits) -> {"likelihood": scalar} over the B x B pairs of the batch."""
        return {"likelihood": self.between(codes, batch.labels, codes, batch.labels).mean()}

    def between(self, codes: Tensor, labels: Tensor, others: Tensor, other_labels: Tensor) -> Tensor:
        """(A, bits), (B, bits) and their labels -> (A, B), the cost of each pair; finite for any finite codes."""
        inner = self.scale * codes @ others.T
        return softplus(inner) - similar(labels, other_labels) * inner
