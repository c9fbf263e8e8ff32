"""DPSH: deep pairwise-supervised hashing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from hashzoo.losses.base import Batch
from hashzoo.losses.pairwise_likelihood import PairwiseLikelihood
from hashzoo.losses.quantization import Quantization
from hashzoo.methods.base import METHODS, DeepMethod


class OutputMemory(nn.Module):
    """The latest output of every training image, and whether there has been one."""

    outputs: Tensor
    labels: Tensor
    seen: Tensor

    def __init__(self, labels: Tensor, bits: int) -> None:
        super().__init__()
        self.register_buffer("outputs", torch.zeros(len(labels), bits, device=labels.device))
        self.register_buffer("labels", labels)
        self.register_buffer("seen", torch.zeros(len(labels), dtype=torch.bool, device=labels.device))


@METHODS.register("dpsh")
class DPSH(DeepMethod):
    """Likelihood of the pair labels of each batch against all training images, whose outputs are remembered."""

    paper = "Li, Wang & Kang, Feature Learning based Deep Supervised Hashing with Pairwise Labels, IJCAI 2016"
    year = 2016
    supervision = "pairs"
    multi_label = True
    defaults_from = "eta: the authors' CIFAR-10 demo; optimiser and schedule: ours"
    deviations = (
        "a small network from scratch by default; the authors fine-tune CNN-F on 224x224 images",
        "AdamW with a one-cycle schedule, where the authors ran 150 epochs of SGD",
        "images not yet seen in the first epoch are left out of the pairs instead of counting as zero outputs",
    )

    @dataclass(frozen=True)
    class Config(DeepMethod.Config):
        eta: float = 10.0  # weight of the quantization term; both terms are divided by batch size x training images
        sampler: Literal["class_aware", "shuffled", "label_balanced"] = "shuffled"

    def on_train_start(self, labels: Tensor) -> None:
        self.extra["memory"] = OutputMemory(labels, self.bits)
        self.likelihood = PairwiseLikelihood(self.bits)
        self.quantization = Quantization(self.bits, norm="l2")

    def loss(self, codes: Tensor, batch: Batch) -> dict[str, Tensor]:
        memory = self.extra["memory"]
        assert isinstance(memory, OutputMemory)
        memory.outputs[batch.index] = codes.detach()
        memory.seen[batch.index] = True
        cost = self.likelihood.between(codes, batch.labels, memory.outputs, memory.labels)
        pairs = len(codes) * memory.seen.sum()
        quantization = self.quantization(codes, batch)["quantization"]
        return {
            "likelihood": (cost * memory.seen).sum() / pairs,
            "quantization": self.config.eta * quantization / self.task.num_train,
        }
