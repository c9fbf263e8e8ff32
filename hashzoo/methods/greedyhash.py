"""GreedyHash: the sign itself in training, with a gradient that goes straight through."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from hashzoo.losses.base import Batch
from hashzoo.losses.quantization import Quantization
from hashzoo.methods.base import METHODS, DeepMethod


class StraightThroughSign(torch.autograd.Function):
    """+1 where the input is >= 0, else -1; its gradient is taken to be 1 everywhere."""

    @staticmethod
    def forward(ctx: Any, relaxed: Tensor) -> Tensor:
        return torch.where(relaxed >= 0, 1.0, -1.0).to(relaxed.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return gradients[0]


@METHODS.register("greedyhash")
class GreedyHash(DeepMethod):
    """A linear classifier of the binary codes; outputs near +-1 keep the gradient of the sign honest."""

    paper = (
        "Su, Zhang, Han & Tian, Greedy Hash: Towards Fast Optimization for Accurate Hash Coding in CNN, NeurIPS 2018"
    )
    year = 2018
    supervision = "labels"
    multi_label = False
    defaults_from = "alpha: the authors' code for CIFAR-10; optimiser and schedule: ours"
    deviations = (
        "a small network from scratch by default; the authors fine-tune AlexNet on 224x224 images",
        "by default AdamW with a one-cycle schedule; the authors take 50 epochs of SGD in batches of 32",
    )

    @dataclass(frozen=True)
    class Config(DeepMethod.Config):
        alpha: float = 0.1  # weight of the cubic penalty, a mean over bits

    def on_train_start(self, labels: Tensor) -> None:
        self.extra["classifier"] = nn.Linear(self.bits, self.task.num_classes, bias=False).to(labels.device)
        self.quantization = Quantization(self.bits, norm="l3")

    def loss(self, codes: Tensor, batch: Batch) -> dict[str, Tensor]:
        binary: Tensor = StraightThroughSign.apply(codes)
        penalty = self.quantization(codes, batch)["quantization"] / self.bits
        return {
            "classification": cross_entropy(self.extra["classifier"](binary), batch.labels),
            "quantization": self.config.alpha * penalty,
        }
