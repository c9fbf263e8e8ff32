"""What a trained network knows of an image: the vector that reaches its last layer."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from hashzoo.backbones.base import BACKBONES, Preprocess
from hashzoo.errors import InvalidSetting
from hashzoo.features.base import BLOCK, Features

if TYPE_CHECKING:
    from hashzoo.datasets.base import Split


class DeepFeatures(Features):
    """(N, H, W, 3) uint8 -> (N, d) float32 by a network, on the CPU.

    Args:
        network: (B, 3, S, S) float images -> (B, d).
        preprocess: from stored pixels to what it takes.
        origin: what `restored` builds the same network from, without its tensors.
    """

    def __init__(self, network: nn.Module, preprocess: Preprocess, origin: dict[str, Any]) -> None:
        self.network = network.eval().to(memory_format=torch.channels_last)
        self.preprocess = preprocess
        self.origin = origin

    def __call__(self, images: np.ndarray) -> np.ndarray:
        vectors = []
        with torch.inference_mode():
            for i in range(0, len(images), BLOCK):
                pixels = torch.from_numpy(np.ascontiguousarray(images[i : i + BLOCK]))
                vectors.append(self.network(self.preprocess(pixels)).flatten(1).numpy())
        return np.concatenate(vectors)

    def header(self) -> dict[str, Any]:
        digest = hashlib.sha256()
        for name, array in sorted(self.tensors().items()):
            digest.update(name.encode() + np.ascontiguousarray(array).tobytes())
        return {"kind": "deep", **self.origin, "size": self.preprocess.size, "sha256": digest.hexdigest()}

    def tensors(self) -> dict[str, np.ndarray]:
        parts = {"network": self.network.state_dict(), "preprocess": self.preprocess.state_dict()}
        return {f"{part}.{name}": tensor.numpy() for part, state in parts.items() for name, tensor in state.items()}


class Trunk(nn.Module):
    """A network up to its layer `head`: (B, 3, S, S) -> what reaches that layer."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        head = getattr(network, "head", None)
        if not isinstance(head, nn.Module):
            raise InvalidSetting("features: expected a model whose network has a layer `head`, got one without")
        self.whole = network
        self._reached: Tensor | None = None
        head.register_forward_pre_hook(self._keep)

    def _keep(self, _: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        self._reached = inputs[0]

    def forward(self, images: Tensor) -> Tensor:
        self.whole(images)
        assert self._reached is not None
        return self._reached


def of_backbone(name: str, weights: str, size: int, train: Split, *, download: bool) -> DeepFeatures:
    """The features of a backbone with pretrained weights, for images resized to `size`."""
    backbone = BACKBONES.get(name)(image_size=size, weights=weights, download=download)
    if backbone.normalization is not None:
        preprocess = Preprocess(*backbone.normalization, size)
    else:
        preprocess = Preprocess.measured(train.blocks(), size)
    return DeepFeatures(backbone, preprocess, {"backbone": name})


def of_model(file: Path) -> DeepFeatures:
    """The features of a trained encoder, of which only the layer that makes codes is left out.

    Raises:
        CheckpointError: the file is missing or damaged.
        InvalidSetting: it is the encoder of a shallow method.
    """
    from hashzoo.methods.encoder import NetworkEncoder, load_encoder

    encoder = load_encoder(file)
    if not isinstance(encoder, NetworkEncoder):
        raise InvalidSetting(f"features: expected a model with a network, got one of {encoder.method.name!r}")
    return DeepFeatures(Trunk(encoder.network), encoder.preprocess, {"encoder": encoder.header()})


def restored(header: dict[str, Any], tensors: dict[str, np.ndarray]) -> DeepFeatures:
    """The inverse of `DeepFeatures.header` and `tensors`."""
    size = header["size"]
    if "backbone" in header:
        network: nn.Module = BACKBONES.get(header["backbone"])(image_size=size)
        origin = {"backbone": header["backbone"]}
    else:
        from hashzoo.methods.base import METHODS
        from hashzoo.methods.encoder import method_of

        method = method_of(header["encoder"], METHODS.get(header["encoder"]["method"]))
        network = Trunk(method.network())  # type: ignore[attr-defined]
        origin = {"encoder": header["encoder"]}
    preprocess = Preprocess([0.0] * 3, [1.0] * 3, size)
    for prefix, module in (("network.", network), ("preprocess.", preprocess)):
        module.load_state_dict(
            {n.removeprefix(prefix): torch.from_numpy(a) for n, a in tensors.items() if n.startswith(prefix)}
        )
    return DeepFeatures(network, preprocess, origin)
