"""Quantization loss: the distance of relaxed codes from the nearest binary ones."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import softplus

from hashzoo.losses.base import LOSSES, Batch, Loss

Norm = Literal["l1", "l2", "l3", "log_cosh"]


@LOSSES.register("quantization")
class Quantization(Loss):
    """Mean over images of the sum over bits of f(|u| - 1), where f(t) is a norm.

    "l1" is |t|, "l2" t^2 (so that the sum is |u - sgn u|^2), "l3" |t|^3 and "log_cosh" log cosh t, which is t^2 / 2
    near 0 and |t| - log 2 far from it.

    Source: "l1" Liu et al., CVPR 2016, eq. 3 (the authors' code counts each image once, as here); "l2" Li et al.,
    "Feature Learning based Deep Supervised Hashing with Pairwise Labels", IJCAI 2016, eq. 5; "l3" Su et al., "Greedy
    Hash", NeurIPS 2018, eq. 8; "log_cosh" Zhu et al., "Deep Hashing Network for Efficient Similarity Retrieval", AAAI
    2016, eq. 6.
    """

    def __init__(self, bits: int, norm: Norm = "l1") -> None:
        super().__init__(bits)
        self.norm = norm

    def forward(self, codes: Tensor, batch: Batch) -> dict[str, Tensor]:
        """(B, bits) -> {"quantization": scalar}."""
        magnitude = torch.where(codes > 0, codes, -codes)  # unlike abs(), has a gradient at 0
        return {"quantization": _cost(magnitude - 1, self.norm).sum(1).mean()}


def _cost(gap: Tensor, norm: Norm) -> Tensor:
    if norm == "l1":
        return gap.abs()
    if norm == "l2":
        return gap.square()
    if norm == "l3":
        return gap.abs() ** 3
    return gap.abs() + softplus(-2 * gap.abs()) - math.log(2)  # does not overflow as cosh would
