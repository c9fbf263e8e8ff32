"""Logistic likelihood of pair labels in which the rarer kind of pair weighs more."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import softplus

from hashzoo.losses.base import LOSSES, Batch, Loss, similar


@LOSSES.register("weighted_likelihood")
class WeightedLikelihood(Loss):
    """Mean over pairs i < j of w (log(1 + exp(a t)) - a s t), with t = <u_i, u_j> and s = 1 for similar images.

    Of N pairs, the N1 similar ones have w = c N / N1, the others w = N / (N - N1). c is the share of labels that two
    images have in common among those that either has. With one label an image c is 1, and both kinds weigh N in total,
    however rare one of them is; with several, similar pairs weigh less.

    Source: Cao et al., "HashNet: Deep Learning to Hash by Continuation", ICCV 2017, eq. 2 to 4.

    Args:
        bits: code length K.
        alpha: a; None takes 10 / K, as the authors' code does.
    """

    def __init__(self, bits: int, alpha: float | None = None) -> None:
        super().__init__(bits)
        self.alpha = 10 / bits if alpha is None else alpha

    def forward(self, codes: Tensor, batch: Batch) -> dict[str, Tensor]:
        """(B, bits) -> {"likelihood": scalar}; 0 for fewer than two images."""
        pairs = torch.ones(len(codes), len(codes), device=codes.device).triu(diagonal=1)
        return {"likelihood": self.between(codes, batch.labels, codes, batch.labels, pairs)}

    def between(self, codes: Tensor, labels: Tensor, others: Tensor, other_labels: Tensor, pairs: Tensor) -> Tensor:
        """The loss over the pairs of an image of A with one of B, a scalar; kinds of pairs that are missing count 0.

        Args:
            codes, labels: (A, bits) and their labels.
            others, other_labels: (B, bits) and theirs.
            pairs: (A, B), 1 for the pairs that count, 0 for others.
        """
        inner = self.alpha * codes @ others.T
        alike = similar(labels, other_labels) * pairs
        unlike = pairs - alike
        near = (softplus(-inner) * alike * _shared(labels, other_labels, codes.dtype)).sum() / alike.sum().clamp_min(1)
        far = (softplus(inner) * unlike).sum() / unlike.sum().clamp_min(1)
        return near + far


def _shared(a: Tensor, b: Tensor, dtype: torch.dtype) -> Tensor | float:
    """Labels in common over labels in either: (A, C), (B, C) multi-hot -> (A, B); 1 for class ids."""
    if a.ndim == 1:
        return 1.0
    a, b = a.to(dtype), b.to(dtype)
    common = a @ b.T
    return common / (a.sum(1)[:, None] + b.sum(1)[None, :] - common).clamp_min(1)
