"""DPSH: deep pairwise-supervised hashing."""

from __future__ import annotations

from dataclasses import dataclass

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
    """Likelihood of the pair labels of a batch given the inner products of its outputs, which are pulled to +-1.

    With `memory`, a batch is compared with the latest outputs of all training images, as the authors do, and not with
    itself. These are up to an epoch old, which suits pretrained networks and low learning rates: in a fast run from
    scratch, outputs run after those of an epoch ago and classes stay mixed.
    """

    paper = "Li, Wang & Kang, Feature Learning based Deep Supervised Hashing with Pairwise Labels, IJCAI 2016"
    year = 2016
    supervision = "pairs"
    multi_label = True
    defaults_from = "eta: the authors' CIFAR-10 demo; optimiser and schedule: ours"
    deviations = (
        "a small network from scratch by default; the authors fine-tune CNN-F on 224x224 images",
        "by default AdamW with a one-cycle schedule, where the authors ran 150 epochs of SGD",
        "a batch is compared with itself by default; the authors' with remembered outputs (--set memory=true)",
        "outputs are batch-normalized: in a small network from scratch they start near 0, where the likelihood has a "
        "saddle; their deviation starts from sqrt(2 / K), since inner products of K outputs of deviation 1 are large "
        "and the first epochs would go into shrinking them",
        "in memory, images not yet seen in the first epoch are left out instead of counting as zero outputs",
    )

    @dataclass(frozen=True)
    class Config(DeepMethod.Config):
        eta: float = 10.0  # weight of the quantization term: eta / training images, to a mean over pairs
        memory: bool = False  # compare with the latest outputs of all training images, not with the batch

    def head(self, features: int) -> nn.Module:
        return self.normalized_head(features, gain=(2 / self.bits) ** 0.5)

    def on_train_start(self, labels: Tensor) -> None:
        if self.config.memory:
            self.extra["memory"] = OutputMemory(labels, self.bits)
        self.likelihood = PairwiseLikelihood(self.bits)
        self.quantization = Quantization(self.bits, norm="l2")

    def loss(self, codes: Tensor, batch: Batch) -> dict[str, Tensor]:
        if self.config.memory:
            likelihood = self._against_memory(codes, batch)
        else:
            likelihood = self.likelihood(codes, batch)["likelihood"]
        quantization = self.quantization(codes, batch)["quantization"]
        return {
            "likelihood": likelihood,
            "quantization": self.config.eta * quantization / self.task.num_train,
        }

    def _against_memory(self, codes: Tensor, batch: Batch) -> Tensor:
        memory = self.extra["memory"]
        assert isinstance(memory, OutputMemory)
        positions = torch.arange(len(codes), device=codes.device)
        latest = ((batch.index[:, None] == batch.index) * positions).amax(1)  # an image may come twice in a batch
        memory.outputs[batch.index] = codes.detach()[latest]
        memory.seen[batch.index] = True
        return self.likelihood.against_constants(codes, batch.labels, memory.outputs, memory.labels, memory.seen)
