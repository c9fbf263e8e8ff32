"""Every classification network of torchvision, under torchvision's own name, without its last layer."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from hashzoo.backbones.base import BACKBONES, Backbone
from hashzoo.errors import DataError, InvalidSetting

# torchvision's classification networks, spelled out since importing torchvision.models takes a second; a test compares.
ARCHITECTURES = """
    alexnet convnext_base convnext_large convnext_small convnext_tiny densenet121 densenet161 densenet169
    densenet201 efficientnet_b0 efficientnet_b1 efficientnet_b2 efficientnet_b3 efficientnet_b4 efficientnet_b5
    efficientnet_b6 efficientnet_b7 efficientnet_v2_l efficientnet_v2_m efficientnet_v2_s googlenet inception_v3
    maxvit_t mnasnet0_5 mnasnet0_75 mnasnet1_0 mnasnet1_3 mobilenet_v2 mobilenet_v3_large mobilenet_v3_small
    regnet_x_16gf regnet_x_1_6gf regnet_x_32gf regnet_x_3_2gf regnet_x_400mf regnet_x_800mf regnet_x_8gf
    regnet_y_128gf regnet_y_16gf regnet_y_1_6gf regnet_y_32gf regnet_y_3_2gf regnet_y_400mf regnet_y_800mf
    regnet_y_8gf resnet101 resnet152 resnet18 resnet34 resnet50 resnext101_32x8d resnext101_64x4d resnext50_32x4d
    shufflenet_v2_x0_5 shufflenet_v2_x1_0 shufflenet_v2_x1_5 shufflenet_v2_x2_0 squeezenet1_0 squeezenet1_1 swin_b
    swin_s swin_t swin_v2_b swin_v2_s swin_v2_t vgg11 vgg11_bn vgg13 vgg13_bn vgg16 vgg16_bn vgg19 vgg19_bn vit_b_16
    vit_b_32 vit_h_14 vit_l_16 vit_l_32 wide_resnet101_2 wide_resnet50_2
""".split()  # noqa: SIM905 - quoted one by one they would fill a page


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
        from torchvision import models

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
    if file.suffix in (".safetensors", ".pth", ".pt"):
        return _read(file), None
    from torchvision import models

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


def _read(file: Path) -> dict[str, Tensor]:
    """The state dict in a file, without executing anything."""
    from safetensors.torch import load_file

    if not file.is_file():
        raise DataError(f"weights: no such file {file}")
    try:
        safe = file.suffix == ".safetensors"
        state = load_file(file) if safe else torch.load(file, map_location="cpu", weights_only=True)
    except Exception as cause:  # there is no end to what unpickling a damaged file may raise
        raise DataError(f"weights: {file} is damaged or holds more than tensors") from cause
    if not (isinstance(state, dict) and all(isinstance(tensor, Tensor) for tensor in state.values())):
        raise DataError(f"weights: expected a state dict of tensors in {file}, got {type(state).__name__}")
    return state


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


for _architecture in ARCHITECTURES:
    BACKBONES.register(_architecture)(
        type(
            f"Torchvision_{_architecture}",
            (TorchvisionBackbone,),
            {"__module__": __name__, "architecture": _architecture, "__doc__": TorchvisionBackbone.__doc__},
        )
    )
