"""DHN: deep hashing network."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from hashzoo.losses.base import Loss
from hashzoo.losses.pairwise_likelihood import PairwiseLikelihood
from hashzoo.losses.quantization import Quantization
from hashzoo.methods.base import METHODS, DeepMethod


@METHODS.register("dhn")
class DHN(DeepMethod):
    """Likelihood of pair labels given the inner products of bounded outputs, pulled to +-1 by a smooth L1 norm."""

    paper = "Zhu, Long, Wang & Cao, Deep Hashing Network for Efficient Similarity Retrieval, AAAI 2016"
    year = 2016
    supervision = "pairs"
    multi_label = True
    defaults_from = "lambda_q: ours (the authors choose it by validation); optimiser and schedule: ours"
    deviations = (
        "a small network from scratch by default; the authors fine-tune AlexNet",
        "one learning rate, and by default AdamW with a one-cycle schedule; the authors take SGD, ten times faster at "
        "the end",
        "outputs are batch-normalized before tanh: in a small network from scratch they start near 0, where the "
        "likelihood has a saddle",
        "both terms are means, over pairs and over images, where the paper has sums",
    )

    @dataclass(frozen=True)
    class Config(DeepMethod.Config):
        lambda_q: float = 0.1  # weight of the quantization term, a sum over bits

    def head(self, features: int) -> nn.Module:
        return nn.Sequential(self.normalized_head(features), nn.Tanh())

    def losses(self) -> list[tuple[float, Loss]]:
        return [
            (1.0, PairwiseLikelihood(self.bits, scale=1.0)),
            (self.config.lambda_q, Quantization(self.bits, norm="log_cosh")),
        ]
