"""The check of a backbone."""

from __future__ import annotations

import numpy as np
import torch

from hashzoo.backbones.base import BACKBONES, Backbone
from hashzoo.errors import HashzooError
from hashzoo.testing.common import check_registered, need_finite
from hashzoo.testing.rules import Examination
from hashzoo.testing.writes import writes_nothing


def check_backbone(cls: type[Backbone], *, image_size: int = 32) -> None:
    """Check a registered backbone, without pretrained weights.

    Raises:
        ConformanceError: a rule is broken.
    """
    examination = Examination(cls)
    check_registered(examination, BACKBONES, cls)
    with torch.random.fork_rng(devices=[]), writes_nothing(examination):
        torch.manual_seed(0)
        with examination.rule("construct"):
            backbone = cls(image_size=image_size)
        images = torch.randn(5, 3, image_size, image_size)
        with examination.rule("features"):
            maps = backbone.eval().maps(images)
            output = backbone(images)
            examination.need(
                output.shape == (5, backbone.out_features),
                f"5 images give {tuple(output.shape)}, out_features is {backbone.out_features}",
            )
            if backbone.map_channels is not None:
                examination.need(
                    maps.ndim == 4 and maps.shape[:2] == (5, backbone.map_channels),
                    f"5 images give a map of {tuple(maps.shape)}, map_channels is {backbone.map_channels}",
                )
        with examination.rule("finite"):
            need_finite(examination, output.detach().numpy(), "features")
        with examination.rule("batch-independence"), torch.no_grad():
            alone = torch.cat([backbone(images[i : i + 1]) for i in range(5)])
            gap, scale = float((alone - output.detach()).abs().max()), float(output.detach().abs().max())
            examination.need(
                gap <= 1e-3 * scale, f"features one by one differ by up to {gap:g}, where the largest is {scale:g}"
            )
        with examination.rule("gradient"):
            backbone.train()(images).square().sum().backward()
            trained = {name: p for name, p in backbone.named_parameters() if p.requires_grad}
            unreached = [name for name, p in trained.items() if p.grad is None]
            examination.need(not unreached, f"none for {len(unreached)} parameters: {', '.join(unreached[:5])}")
            for name, parameter in trained.items():
                need_finite(examination, np.asarray(parameter.grad), f"the gradient of {name}")
    with examination.rule("weights-refused"):
        try:
            cls(image_size=image_size, weights="no such weights")
        except HashzooError:
            return
        examination.need(False, "weights='no such weights' is accepted")
