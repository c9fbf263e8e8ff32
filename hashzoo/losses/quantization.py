"""Quantization loss: the distance of relaxed codes from the nearest binary ones."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from hashzoo.losses.base import LOSSES, Batch, Loss


@LOSSES.register("quantization")
class Quantization(Loss):
    """Mean over images of sum_k | |u_k| - 1 | ("l1") or sum_k (|u_k| - 1)^2 = |u - sgn u|^2 ("l2").

    Source: "l1" Liu et al., CVPR 2016, eq. 3 (the authors' code counts each image once, as here); "l2" Li et al.,
    "Feature Learning based Deep Supervised Hashing with Pairwise Labels", IJCAI 2016, eq. 5.
    """

    def __init__(self, bits: int, norm: Literal["l1", "l2"] = "l1") -> None:
        super().__init__(bits)
        self.norm = norm

    def forward(self, codes: Tensor, batch: Batch) -> dict[str, Tensor]:
        """(B, bits) -> {"quantization": scalar}."""
        magnitude = torch.where(codes > 0, codes, -codes)  # unlike abs(), has a gradient at 0
        gap = magnitude - 1
        cost = gap.abs() if self.norm == "l1" else gap.square()
        return {"quantization": cost.sum(1).mean()}
