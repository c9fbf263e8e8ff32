"""HashNet: deep hashing by continuation."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from hashzoo.losses.base import Batch
from hashzoo.losses.weighted_likelihood import WeightedLikelihood
from hashzoo.methods.base import METHODS, DeepMethod
from hashzoo.settings import require


@METHODS.register("hashnet")
class HashNet(DeepMethod):
    """Weighted likelihood of pair labels given tanh(beta u), where beta grows until tanh is all but the sign.

    beta is sqrt(1 + growth x share of the epochs done), so it depends on nothing but the epoch: a resumed run goes on
    with the right one. Codes are the signs of u, which no beta changes.
    """

    paper = "Cao, Long, Wang & Yu, HashNet: Deep Learning to Hash by Continuation, ICCV 2017"
    year = 2017
    supervision = "pairs"
    multi_label = True
    defaults_from = "alpha and growth: the authors' code (0.005 x 10,000 iterations); optimiser and schedule: ours"
    deviations = (
        "a small network from scratch by default; the authors fine-tune AlexNet",
        "outputs are batch-normalized: in a small network from scratch they start near 0, where the likelihood has a "
        "saddle",
        "beta grows at the start of each epoch; the authors' every 200 of 10,000 iterations",
        "all pairs of one batch; the authors compare two batches of 36 with each other",
        "similar and dissimilar pairs are weighted by their numbers in the batch, as in the paper; "
        "the authors' code weights by a constant",
        "by default AdamW with a one-cycle schedule; the authors take SGD with momentum, halved every 2,000 iterations",
    )

    @dataclass(frozen=True)
    class Config(DeepMethod.Config):
        alpha: float | None = None  # scale of inner products; none is 10 / code length
        growth: float = 50.0  # of beta^2, from 1 before the first epoch to 1 + growth after the last

        def __post_init__(self) -> None:
            super().__post_init__()
            require(self.growth >= 0, "growth", "0 or more", self.growth)

    def head(self, features: int) -> nn.Module:
        return self.normalized_head(features)

    def on_epoch_start(self, epoch: int, network: nn.Module) -> None:
        self.beta = (1 + self.config.growth * epoch / self.config.epochs) ** 0.5

    def loss(self, codes: Tensor, batch: Batch) -> dict[str, Tensor]:
        return WeightedLikelihood(self.bits, self.config.alpha)(torch.tanh(self.beta * codes), batch)  # type: ignore[no-any-return]
