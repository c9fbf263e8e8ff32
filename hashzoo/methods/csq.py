"""CSQ: central similarity quantization."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from hashzoo.losses.base import Batch
from hashzoo.losses.centre_cross_entropy import CentreCrossEntropy
from hashzoo.losses.centres import hash_centres
from hashzoo.losses.quantization import Quantization
from hashzoo.methods.base import METHODS, DeepMethod


@METHODS.register("csq")
class CSQ(DeepMethod):
    """Each image is pulled to the hash centre of its class, a code far from all others.

    Centres are those of `hashzoo.losses.centres.hash_centres`, for any code length and number of classes, drawn by the
    run's seed: half of the bits apart where a Hadamard matrix of that order is known and classes are no more than bits.
    An image of several labels has the majority of their centres, ties broken by a random code.
    """

    paper = (
        "Yuan, Wang, Zhang, Tay, Jie, Liu & Feng, "
        "Central Similarity Quantization for Efficient Image and Video Retrieval, CVPR 2020"
    )
    year = 2020
    supervision = "labels"
    multi_label = True
    defaults_from = "lambda_q: widespread ports of the method; optimiser and schedule: ours"
    deviations = (
        "a small network from scratch by default; the authors fine-tune AlexNet or ResNet-50",
        "rows of Paley's Hadamard matrices where the length is no power of two, and where there is none codes chosen "
        "farthest first; the authors draw bits at random",
        "rows have random signs and come in random order: the first column of some matrices is constant",
        "by default AdamW with a one-cycle schedule; the authors take Adam, slower in the backbone",
    )

    @dataclass(frozen=True)
    class Config(DeepMethod.Config):
        lambda_q: float = 1e-4  # weight of the quantization term, a mean over bits

    def on_train_start(self, labels: Tensor) -> None:
        centres = torch.from_numpy(hash_centres(self.task.num_classes, self.bits, torch.initial_seed()))
        ties = 2 * torch.randint(2, (self.bits,)) - 1
        self.extra["centre"] = CentreCrossEntropy(self.bits, centres, ties).to(labels.device)
        self.quantization = Quantization(self.bits, norm="l2")

    def loss(self, codes: Tensor, batch: Batch) -> dict[str, Tensor]:
        quantization = self.quantization(torch.tanh(codes), batch)["quantization"] / self.bits
        return {**self.extra["centre"](codes, batch), "quantization": self.config.lambda_q * quantization}
