"""The interface of image features, and how the setting `features` becomes one."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hashzoo.errors import CheckpointError, InvalidSetting
from hashzoo.settings import require

if TYPE_CHECKING:
    from hashzoo.datasets.base import Split
    from hashzoo.methods.base import ShallowMethod

BLOCK = 100  # images at a time

_DEEP = "deep:"
_MODEL = "model.safetensors"


class Features(ABC):
    """(N, H, W, 3) uint8 -> (N, d) float32, each image by itself."""

    cached: bool = True  # whether making them again costs more than reading them

    @abstractmethod
    def __call__(self, images: np.ndarray) -> np.ndarray:
        """(N, H, W, 3) uint8 -> (N, d) float32."""

    @abstractmethod
    def header(self) -> dict[str, Any]:
        """What `from_header` makes them from, beside `tensors`; of types that JSON has."""

    def tensors(self) -> dict[str, np.ndarray]:
        """Everything learned that they need, by name."""
        return {}


def check_setting(features: str, weights: str | None, input_size: int | None) -> None:
    """Refuse what cannot be the settings of any features.

    Raises:
        InvalidSetting: neither gist, pixels nor deep:SOMETHING; weights for features that have none, or a size for
            features whose images are not resized.
    """
    known = features in ("gist", "pixels") or (features.startswith(_DEEP) and features != _DEEP)
    require(known, "features", "gist, pixels, deep:BACKBONE or deep:RUN_FOLDER", features)
    deep = features.startswith(_DEEP)
    require(deep or weights is None, "weights", f"none with features {features}", weights)
    require(deep or input_size is None, "input_size", f"none with features {features}", input_size)
    require(input_size is None or input_size >= 1, "input_size", "at least 1", input_size)


def described(features: str, weights: str | None) -> str:
    """The setting as a record has it: a trained model by its content, since its path means nothing elsewhere.

    Raises:
        UnknownName: no such backbone.
        CheckpointError: there is no model in the run's folder.
        InvalidSetting: a backbone without pretrained weights, or a trained model with them.
    """
    if not features.startswith(_DEEP):
        return features
    model = _model_file(features)
    if model is None:
        from hashzoo.backbones.base import BACKBONES

        name = BACKBONES.get(features.removeprefix(_DEEP)).name
        if weights is None:
            raise InvalidSetting(
                f"weights: expected pretrained ones for features {features} (--weights NAME or a file), got none; "
                "random features describe nothing, and a run's folder in place of the name brings its own"
            )
        return f"{_DEEP}{name}"
    require(weights is None, "weights", "none with a trained model", weights)
    try:
        digest = hashlib.sha256(model.read_bytes()).hexdigest()
    except OSError as cause:
        raise CheckpointError(f"features: no model at {model} ({cause.strerror})") from None
    return f"{_DEEP}model sha256:{digest}"


def features_of(method: ShallowMethod, train: Split) -> Features:
    """What the settings of `method` name.

    Args:
        train: whose pixel statistics normalize images for weights that do not say what theirs were.

    Raises:
        HashzooError: as `described`; pretrained weights are missing or do not fit; a size beside a trained model.
    """
    config = method.config
    described(config.features, config.weights)  # refuses what cannot be
    if not config.features.startswith(_DEEP):
        return from_header({"kind": config.features}, {})
    from hashzoo.features.deep import of_backbone, of_model

    model = _model_file(config.features)
    if model is not None:
        require(config.input_size is None, "input_size", "none with a trained model", config.input_size)
        return of_model(model)
    size = config.input_size or max(method.task.image_size)
    return of_backbone(config.features.removeprefix(_DEEP), config.weights, size, train, download=method.download)


def from_header(header: dict[str, Any], tensors: dict[str, np.ndarray]) -> Features:
    """The features that gave `header` and `tensors`.

    Raises:
        KeyError, RuntimeError: they do not fit together.
    """
    if header["kind"] == "deep":
        from hashzoo.features.deep import restored

        return restored(header, tensors)
    from hashzoo.features.gist import Gist
    from hashzoo.features.pixels import Pixels

    return {"gist": Gist, "pixels": Pixels}[header["kind"]]()


def _model_file(features: str) -> Path | None:
    """The file of a trained model; None where a backbone is named."""
    name = features.removeprefix(_DEEP)
    path = Path(name)
    if path.is_dir():
        return path / _MODEL
    return path if path.suffix == ".safetensors" or len(path.parts) > 1 else None
