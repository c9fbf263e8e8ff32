"""DNNH: deep neural network hashing with triplets, also called NINH."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from hashzoo.losses.base import Batch
from hashzoo.losses.triplet_hinge import TripletHinge
from hashzoo.methods.base import METHODS, DeepMethod
from hashzoo.settings import require


class DivideAndEncode(nn.Module):
    """(B, features) -> (B, bits): `width` hidden units for each bit, which no other bit sees."""

    def __init__(self, features: int, bits: int, width: int) -> None:
        super().__init__()
        self.bits, self.width = bits, width
        self.divide = nn.Linear(features, bits * width)
        self.weight = nn.Parameter(torch.empty(bits, width))
        self.bias = nn.Parameter(torch.zeros(bits))
        nn.init.xavier_uniform_(self.divide.weight)
        nn.init.zeros_(self.divide.bias)
        bound = (6 / (width + 1)) ** 0.5  # Xavier's for a layer from `width` units to one
        nn.init.uniform_(self.weight, -bound, bound)

    def forward(self, features: Tensor) -> Tensor:
        return self.encode(torch.relu(self.divide(features)))

    def encode(self, hidden: Tensor) -> Tensor:
        """(B, bits x width) hidden units -> (B, bits)."""
        slices = hidden.view(-1, self.bits, self.width)
        return (slices * self.weight).sum(2) + self.bias


@METHODS.register("dnnh")
class DNNH(DeepMethod):
    """Triplet ranking of bits in 0..1, each computed from a slice of the features of its own.

    A bit is a logistic unit; relaxed codes are the units' inputs. The loss is over all triplets of a batch, which are
    at most batch_size^3: 32 MB a copy at 200 images.
    """

    paper = "Lai, Pan, Liu & Yan, Simultaneous Feature Learning and Hash Coding with Deep Neural Networks, CVPR 2015"
    year = 2015
    supervision = "triplets"
    multi_label = True
    defaults_from = "margin and width of a slice: the paper; optimiser and schedule: ours"
    deviations = (
        "the network under the codes is the DSH network by default; the authors take a network in network, "
        "whose last 1x1 convolution makes the slices",
        "all triplets of a batch; the authors draw 100 triplets a step",
        "several labels an image: similar is at least one in common, where the authors compare how many",
        "without the piece-wise threshold that rounds bits outside 1/2 +- epsilon: it has no gradient there, "
        "and changes no code",
        "by default AdamW with a one-cycle schedule; the authors take up to 100,000 iterations of SGD",
    )

    @dataclass(frozen=True)
    class Config(DeepMethod.Config):
        margin: float = 1.0  # on squared distances of bits in 0..1
        width: int = 50  # features of each bit's slice

        def __post_init__(self) -> None:
            super().__post_init__()
            require(self.width >= 1, "width", "at least 1", self.width)

    def head(self, features: int) -> nn.Module:
        return DivideAndEncode(features, self.bits, self.config.width)

    def loss(self, codes: Tensor, batch: Batch) -> dict[str, Tensor]:
        return TripletHinge(self.bits, self.config.margin)(torch.sigmoid(codes), batch)  # type: ignore[no-any-return]
