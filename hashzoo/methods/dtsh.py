"""DTSH: deep supervised hashing with triplet labels."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from hashzoo.losses.base import Loss
from hashzoo.losses.quantization import Quantization
from hashzoo.losses.triplet_likelihood import TripletLikelihood
from hashzoo.methods.base import METHODS, DeepMethod


@METHODS.register("dtsh")
class DTSH(DeepMethod):
    """Likelihood that each image is nearer to a similar one than to a dissimilar one, pulled towards +-1.

    The likelihood is over all triplets of a batch, which are at most batch_size^3: 32 MB a copy at 200 images.
    """

    paper = "Wang, Shi & Kitani, Deep Supervised Hashing with Triplet Labels, ACCV 2016"
    year = 2016
    supervision = "triplets"
    multi_label = True
    defaults_from = "margin and eta: widespread ports of the method; optimiser and schedule: ours"
    deviations = (
        "a small network from scratch by default; the authors fine-tune CNN-F on 224x224 images",
        "by default margin 5 and the quantization term as a mean over bits times 1, as in ports; "
        "the authors' code has half the code length and 100 times the sum over bits",
        "outputs are batch-normalized: in a small network from scratch they start near 0, where the likelihood has a "
        "saddle",
        "a mean over the triplets of each anchor, then over anchors, where the paper has a sum",
        "by default AdamW with a one-cycle schedule; the authors take SGD",
    )

    @dataclass(frozen=True)
    class Config(DeepMethod.Config):
        margin: float = 5.0  # on the difference of halved inner products
        eta: float = 1.0  # weight of the quantization term, a mean over bits

    def head(self, features: int) -> nn.Module:
        return self.normalized_head(features)

    def losses(self) -> list[tuple[float, Loss]]:
        return [
            (1.0, TripletLikelihood(self.bits, self.config.margin)),
            (self.config.eta / self.bits, Quantization(self.bits, norm="l2")),
        ]
