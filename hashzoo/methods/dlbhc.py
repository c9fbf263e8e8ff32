"""DLBHC: deep learning of binary hash codes."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from hashzoo.losses.base import Batch
from hashzoo.methods.base import METHODS, DeepMethod


@METHODS.register("dlbhc")
class DLBHC(DeepMethod):
    """A classifier that sees the image through a layer of as many logistic units as there are bits.

    Its cross-entropy is the whole objective. A unit above 1/2 is a set bit, so relaxed codes are the units' inputs.
    """

    paper = "Lin, Yang, Hsiao & Chen, Deep Learning of Binary Hash Codes for Fast Image Retrieval, CVPR Workshops 2015"
    year = 2015
    supervision = "labels"
    multi_label = False
    defaults_from = "the objective has no setting; optimiser and schedule: ours"
    deviations = (
        "a small network from scratch by default; the authors fine-tune AlexNet on 227x227 images, with dropout",
        "one learning rate, and by default AdamW with a one-cycle schedule; the authors take SGD, ten times faster at "
        "the end",
        "the units start from Xavier weights and bias 0; the authors' bias of 1 sets every bit at first",
        "images are ranked by Hamming distance alone, not again by the features of the layer before",
    )

    def on_train_start(self, labels: Tensor) -> None:
        self.extra["classifier"] = nn.Linear(self.bits, self.task.num_classes).to(labels.device)

    def loss(self, codes: Tensor, batch: Batch) -> dict[str, Tensor]:
        logits = self.extra["classifier"](torch.sigmoid(codes))
        return {"classification": cross_entropy(logits, batch.labels)}
