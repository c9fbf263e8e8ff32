"""DFEH-R: a reconstruction of deep feature enhancement hashing (Zhao & Liu 2022) for hashzoo."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor, nn

from hashzoo import METHODS, Backbone, DeepMethod, Loss, Preset
from hashzoo.errors import InvalidSetting
from hashzoo.losses.balance import Balance
from hashzoo.losses.contrastive import Contrastive
from hashzoo.losses.quantization import Quantization
from hashzoo_dfeh.enhancement import Enhancement
from hashzoo_dfeh.tables import TABLES

__all__ = ["DFEH", "Enhancement"]

STEM_CHANNELS = 32


@METHODS.register("dfeh")
class DFEH(DeepMethod):
    """A reconstruction: feature enhancement, a small network; contrastive, quantization and balance loss."""

    paper = (
        "Zhao & Liu, Leveraging Deep Features Enhance and Semantic-Preserving Hashing for Image Retrieval, "
        "Electronics 2022, 11(15), 2391"
    )
    year = 2022
    supervision = "pairs"
    multi_label = True
    defaults_from = "margin, weights and weight decay: the DSH authors' code, which the paper builds on; the rest: ours"
    deviations = (
        "a reconstruction: the paper's equations, figures and training settings could not be read",
        "enhancement layer: structure unknown; by default three scales, a channel gate, a bottleneck and a shortcut",
        "enhancement layer: position not certain; on the last feature map by default, where it costs a fraction of "
        "what it does in front; presets paper and strong have it before the feature extractor, where the paper "
        "describes it",
        "feature extractor: unknown; by default the DSH network, since the paper's deep rows look like small nets from "
        "scratch",
        "hash layer: unknown; by default linear without activation, as in DSH",
        "presets paper and strong take a residual network, normalize the outputs of the hash layer over a batch and "
        "average the weights",
        "contrastive loss: form unknown; that of DSH on squared distances, by default with margin 2K",
        "quantization loss: form unknown; L1 as in DSH, each image counted once",
        "balance loss: form unknown; the squared batch mean of each bit, summed",
        "weights: one value of 0.01 is known; whether quantization and balance share it is not, so they are separate",
        "batches: by default 100 images, 20 of each of 5 classes; the paper takes 20 of each class (for SVHN): "
        "--set batch_size=200 --set classes_per_batch=10",
        "optimiser, schedule, epochs, initialisation and augmentation: unknown; by default AdamW with a one-cycle "
        "schedule for a few epochs, Xavier weights in the trunk, what the dataset declares",
        "splits: the paper's are not fully specified; results name the protocol they were measured on",
    )
    presets: ClassVar[Mapping[str, Preset]] = {
        **DeepMethod.presets,
        # on the last map of resnet_cifar the block costs mAP, in front of it the block gains (docs/results/cifar10.md)
        "paper": DeepMethod.presets["paper"].with_settings(fe_position="stem"),
        # one scale has less than a third of the multiplications of three
        "strong": DeepMethod.presets["strong"].with_settings(fe="se", fe_position="stem"),
    }
    tables = TABLES

    @dataclass(frozen=True)
    class Config(DeepMethod.Config):
        fe: Literal["none", "se", "multiscale"] = "multiscale"  # enhancement block; none is DSH with a balance term
        fe_position: Literal["stem", "post"] = "post"  # before the backbone, or on its last feature map
        hash_act: Literal["none", "tanh"] = "none"  # activation of the hash layer
        margin: float | None = None  # on squared distances; none is twice the code length
        lambda_q: float = 0.01  # weight of the quantization term
        lambda_b: float = 0.01  # weight of the balance term

    def losses(self) -> list[tuple[float, Loss]]:
        c = self.config
        return [
            (1.0, Contrastive(self.bits, c.margin)),
            (c.lambda_q, Quantization(self.bits, norm="l1")),
            (c.lambda_b, Balance(self.bits)),
        ]

    def head(self, features: int) -> nn.Module:
        linear = super().head(features)
        return linear if self.config.hash_act == "none" else nn.Sequential(linear, nn.Tanh())

    def network(self) -> nn.Module:
        c = self.config
        if c.fe == "none":
            return super().network()
        if c.fe_position == "post":
            backbone = self.backbone()
            channels = backbone.map_channels
            if channels is None:
                raise InvalidSetting(f"fe_position=post: expected a backbone with a feature map, got {c.backbone!r}")
            block = Enhancement(c.fe, channels, channels, width=channels // 2)
            return Enhanced(None, backbone, block, self.head(backbone.out_features))
        backbone = self.backbone(in_channels=STEM_CHANNELS)
        block = Enhancement(c.fe, 3, STEM_CHANNELS, width=STEM_CHANNELS // 2)
        return Enhanced(block, backbone, None, self.head(backbone.out_features))


class Enhanced(nn.Module):
    """A backbone with a block in front of it, or between its feature map and its feature vector."""

    def __init__(self, stem: nn.Module | None, backbone: Backbone, post: nn.Module | None, head: nn.Module) -> None:
        super().__init__()
        self.stem = stem or nn.Identity()
        self.backbone = backbone
        self.post = post or nn.Identity()
        self.head = head

    def forward(self, images: Tensor) -> Tensor:
        maps = self.backbone.maps(self.stem(images))
        codes: Tensor = self.head(self.backbone.vector(self.post(maps)))
        return codes
