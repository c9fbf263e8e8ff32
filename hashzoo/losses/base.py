"""The interface of a loss term, and the two things every term needs: a batch and pair labels."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from hashzoo.registry import Registry


@dataclass(frozen=True, eq=False)
class Batch:
    """One training batch of B images."""

    labels: Tensor  # (B,) int64 class ids, or (B, C) uint8 multi-hot
    index: Tensor  # (B,) int64, positions in the training split


class Loss(nn.Module, ABC):
    """Relaxed codes (B, bits) and a batch to named scalar terms, unweighted.

    Weights, sums and logs are the caller's. `Loss(bits)` must work for every registered loss.
    """

    name: ClassVar[str] = ""

    def __init__(self, bits: int) -> None:
        super().__init__()
        self.bits = bits

    @abstractmethod
    def forward(self, codes: Tensor, batch: Batch) -> dict[str, Tensor]:
        """(B, bits) float -> {term: scalar}."""


def similar(a: Tensor, b: Tensor) -> Tensor:
    """Pair labels: (A,), (B,) class ids or (A, C), (B, C) multi-hot -> (A, B) bool.

    Two images are similar when they have the same class or share at least one label.
    """
    if a.ndim == 1:
        return a[:, None] == b[None, :]
    return (a.float() @ b.float().T) > 0


LOSSES: Registry[Loss] = Registry("loss", Loss, package="hashzoo.losses")
