"""DSH: deep supervised hashing."""

from __future__ import annotations

from dataclasses import dataclass

from hashzoo.losses.base import Loss
from hashzoo.losses.contrastive import Contrastive
from hashzoo.losses.quantization import Quantization
from hashzoo.methods.base import METHODS, DeepMethod


@METHODS.register("dsh")
class DSH(DeepMethod):
    """Contrastive loss on real-valued outputs, pulled towards +-1, over all pairs of a batch."""

    paper = "Liu, Wang, Shan & Chen, Deep Supervised Hashing for Fast Image Retrieval, CVPR 2016"
    year = 2016
    supervision = "pairs"
    multi_label = True
    defaults_from = "margin, alpha and weight decay: the authors' code; optimiser and schedule: ours"
    deviations = (
        "by default AdamW with a one-cycle schedule for a few epochs, where the authors ran 70,000 iterations of SGD",
        "by default batches of 100 (20 images of each of 5 classes), where the authors took 200",
        "without the network's response normalizations: their alpha of 5e-5 hardly changes normalized images",
        "images are shifted as well as mirrored by default, and normalized per channel instead of by a mean image",
        "presets paper and strong take a residual network, normalize the outputs of the hash layer over a batch and "
        "average the weights",
        "all code lengths are trained from scratch; the authors may fine-tune long codes from short ones",
    )

    @dataclass(frozen=True)
    class Config(DeepMethod.Config):
        margin: float | None = None  # on squared distances; none is twice the code length
        alpha: float = 0.01  # weight of the quantization term, each image counted once

    def losses(self) -> list[tuple[float, Loss]]:
        return [
            (1.0, Contrastive(self.bits, self.config.margin)),
            (self.config.alpha, Quantization(self.bits, norm="l1")),
        ]
