"""Every classification network of torchvision, under torchvision's own name, without its last layer."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import torch
import torchvision.models as models
from torch import Tensor, nn

from hashzoo.backbones.base import BACKBONES, Backbone
from hashzoo.errors import DataError, InvalidSetting


class TorchvisionBackbone(Backbone):
    """A torchvision network whose last linear layer is taken off.

    Args:
        weights: a member of torchvision's weights for this network ("DEFAULT", "IMAGENET1K_V1"), or a file with a
            state dict of it (.safetensors, or .pth read without executing anything).
    """

    architecture: ClassVar[str]

    def __init__(
        self, *, in_channels: int = 3, image_size: int = 32, weights: str | None = None, download: bool = False
    ) -> None:
        super().__init__()
        if in_channels != 3:
            raise InvalidSetting(
                f"backbone: expected one that takes {in_channels} channels (dsh_cnn, resnet_cifar), "
                f"got {self.architecture!r}, which takes 3"
            )
        options: dict[str, Any] = {"transform_input": False} if self.architecture == "googlenet" else {}
        if self.architecture in ("googlenet", "inception_v3"):
            options |= {"aux_logits": False, "init_weights": True}
        network = models.get_model(self.architecture, weights=None, **options)
        if weights is not None:
            state, self.normalization = _state(self.architecture, weights, download)
            _load(network, state, weights)
        self.out_features = _drop_classifier(network, self.architecture)
        self.network = network

    def maps(self, images: Tensor) -> Tensor:
        return self.network(images)  # type: ignore[no-any-return]


def _drop_classifier(network: nn.Module, architecture: str) -> int:
    """Replace the last linear layer by nothing; return how many features reach it."""
    linear = [name for name, module in network.named_modules() if isinstance(module, nn.Linear)]
    if not linear:
        raise InvalidSetting(f"backbone: expected a network that ends in a linear layer, got {architecture!r}")
    parent, _, child = linear[-1].rpartition(".")
    owner = network.get_submodule(parent)
    features = int(getattr(owner, child).in_features)
    setattr(owner, child, nn.Identity())
    return features


def _state(
    architecture: str, weights: str, download: bool
) -> tuple[dict[str, Tensor], tuple[list[float], list[float]] | None]:
    """Pretrained tensors by name or file, and the normalization they were trained with if it is known."""
    file = Path(weights)
    if file.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(_existing(file)), None
    if file.suffix in (".pth", ".pt"):
        return torch.load(_existing(file), map_location="cpu", weights_only=True), None
    published = models.get_model_weights(architecture)
    if weights not in published.__members__:
        raise InvalidSetting(
            f"weights: expected a file (.safetensors, .pth) or one of {', '.join(published.__members__)}, "
            f"got {weights!r}"
        )
    chosen = published[weights]
    cached = Path(torch.hub.get_dir()) / "checkpoints" / Path(chosen.url).name
    if not cached.exists() and not download:
        raise DataError(f"weights {weights!r} of {architecture!r} are not at {cached}; --download fetches them")
    preset = chosen.transforms()
    return chosen.get_state_dict(check_hash=True), (list(preset.mean), list(preset.std))


def _existing(file: Path) -> Path:
    if not file.is_file():
        raise DataError(f"weights: no such file {file}")
    return file


def _load(network: nn.Module, state: dict[str, Tensor], weights: str) -> None:
    """Load `state`, ignoring auxiliary classifiers and a classifier of another size."""
    own = network.state_dict()
    fitting = {name: tensor for name, tensor in state.items() if name in own and own[name].shape == tensor.shape}
    missing = [name for name in own if name not in fitting]
    if len(missing) > 2:  # the classifier's weight and bias
        raise DataError(
            f"weights {weights!r} do not fit: {len(missing)} of {len(own)} tensors missing, first {missing[0]!r}"
        )
    network.load_state_dict(fitting, strict=False)


for _architecture in models.list_models(module=models):
    BACKBONES.register(_architecture)(
        type(
            f"Torchvision_{_architecture}",
            (TorchvisionBackbone,),
            {"__module__": __name__, "architecture": _architecture, "__doc__": TorchvisionBackbone.__doc__},
        )
    )
