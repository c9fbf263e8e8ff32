"""Balance loss: every bit should be +1 for half of the images."""

from __future__ import annotations

from torch import Tensor

from hashzoo.losses.base import LOSSES, Batch, Loss


@LOSSES.register("balance")
class Balance(Loss):
    """Sum over bits of the squared batch mean: sum_k (mean_i u_ik)^2; 0 iff every bit is balanced.

    Source: the balance condition of Weiss et al., "Spectral Hashing", NIPS 2008, as a penalty.
    """

    def forward(self, codes: Tensor, batch: Batch) -> dict[str, Tensor]:
        """(B, bits) -> {"balance": scalar}."""
        return {"balance": codes.mean(0).square().sum()}
