"""Logistic likelihood of pair labels."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import softplus

from hashzoo.losses.base import LOSSES, Batch, Loss, similar

BLOCK = 2048  # constant codes at a time, so that a block of pairs stays in a processor's cache


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

    def against_constants(
        self, codes: Tensor, labels: Tensor, constants: Tensor, constant_labels: Tensor, counted: Tensor
    ) -> Tensor:
        """The mean cost of the pairs of an image of A with a counted one of N, whose codes get no gradient; a scalar.

        No A x N matrix is kept, neither here nor for the gradient.

        Args:
            codes, labels: (A, bits) and their labels.
            constants, constant_labels: (N, bits) and theirs.
            counted: (N,) bool, at least one of them true.
        """
        total: Tensor = _AgainstConstants.apply(codes, labels, constants, constant_labels, counted, self.scale)
        return total / (len(codes) * counted.sum())


class _AgainstConstants(torch.autograd.Function):
    """The sum over pairs, block by block, with the gradient scale x (sum_j sigmoid(t_ij) v_j - sum_(similar j) v_j)."""

    @staticmethod
    def forward(
        ctx: Any,
        codes: Tensor,
        labels: Tensor,
        constants: Tensor,
        constant_labels: Tensor,
        counted: Tensor,
        scale: float,
    ) -> Tensor:
        weight = counted.to(codes.dtype)
        weighted = weight[:, None] * constants
        near = _sums_of_similar(labels, constant_labels, weighted)
        total, gradient = -scale * (codes * near).sum(), -near
        for start in range(0, len(constants), BLOCK):
            block = slice(start, start + BLOCK)
            inner = scale * codes @ constants[block].T
            total += (softplus(inner) @ weight[block]).sum()
            gradient += inner.sigmoid_() @ weighted[block]
        ctx.save_for_backward(scale * gradient)
        return total

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = ctx.saved_tensors
        return (upstream[0] * gradient, None, None, None, None, None)


def _sums_of_similar(labels: Tensor, other_labels: Tensor, vectors: Tensor) -> Tensor:
    """The sum of the vectors (N, K) of all images of N that are similar to one of A, (A, K)."""
    if labels.ndim == 1:
        classes = int(torch.maximum(labels.max(), other_labels.max())) + 1
        return vectors.new_zeros(classes, vectors.shape[1]).index_add_(0, other_labels, vectors)[labels]
    blocks = range(0, len(vectors), BLOCK)
    sums = vectors.new_zeros(len(labels), vectors.shape[1])
    for block in (slice(start, start + BLOCK) for start in blocks):
        sums += similar(labels, other_labels[block]).to(vectors.dtype) @ vectors[block]
    return sums
