"""OrthoHash: one cosine loss for codes and classes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from hashzoo.losses.base import Batch
from hashzoo.losses.centres import hash_centres
from hashzoo.losses.cosine_margin import CosineMargin
from hashzoo.methods.base import METHODS, DeepMethod


@METHODS.register("orthohash")
class OrthoHash(DeepMethod):
    """Classification by the cosine with a fixed binary code of each class: the angle to it is the quantization error.

    Outputs are batch-normalized, so that bits start balanced; images are encoded with the running means of training.
    The codes of the classes are drawn by the run's seed.
    """

    paper = (
        "Hoe, Ng, Zhang, Chan, Song & Xiang, One Loss for All: Deep Hashing with a Single Cosine Similarity based "
        "Learning Objective, NeurIPS 2021"
    )
    year = 2021
    supervision = "labels"
    multi_label = True
    defaults_from = "scale and margin: the authors' code; optimiser and schedule: ours"
    deviations = (
        "a small network from scratch by default; the authors fine-tune AlexNet on 224x224 images",
        "the classes' codes are the hash centres of csq (orthogonal where a Hadamard matrix exists); "
        "the authors' default draws every bit at random",
        "by default AdamW with a one-cycle schedule; the authors take 100 epochs of Adam in batches of 256",
    )

    @dataclass(frozen=True)
    class Config(DeepMethod.Config):
        scale: float = 8.0  # of cosines before the softmax
        margin: float = 0.2  # taken from the cosine with the image's own class

    def head(self, features: int) -> nn.Module:
        return self.normalized_head(features)

    def on_train_start(self, labels: Tensor) -> None:
        centres = torch.from_numpy(hash_centres(self.task.num_classes, self.bits, torch.initial_seed()))
        self.extra["cosine"] = CosineMargin(self.bits, centres, self.config.scale, self.config.margin).to(labels.device)

    def loss(self, codes: Tensor, batch: Batch) -> dict[str, Tensor]:
        return self.extra["cosine"](codes, batch)  # type: ignore[no-any-return]
