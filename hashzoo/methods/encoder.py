"""What training leaves: an encoder from images to packed codes, which saves and loads without executing anything."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hashzoo import retrieval
from hashzoo.errors import CheckpointError, HashzooError, InvalidInput, UnknownName
from hashzoo.features.base import Features, described, features_of, from_header
from hashzoo.features.table import feature_blocks, split_features
from hashzoo.files import write_atomically
from hashzoo.methods.base import METHODS, DeepMethod, Method, ShallowMethod, Task, require_contrast

if TYPE_CHECKING:
    import torch
    from torch import nn

    from hashzoo.backbones.base import Preprocess
    from hashzoo.datasets.base import Split

_OF_FEATURES = "features."  # before the names of their tensors
BLOCK = 100  # images at a time: the feature maps of more would not fit a processor's cache


class Encoder(ABC):
    """Images (N, H, W, 3) uint8 to codes of `bits` bits."""

    def __init__(self, method: Method) -> None:
        self.method = method
        self.bits = method.bits

    @abstractmethod
    def relaxed(self, images: np.ndarray) -> np.ndarray:
        """(N, H, W, 3) uint8 -> (N, bits) float32, before the sign is taken."""

    @abstractmethod
    def tensors(self) -> dict[str, np.ndarray]:
        """Everything learned, by name."""

    def encode(self, images: np.ndarray) -> np.ndarray:
        """(N, H, W, 3) uint8 -> (N, W) uint64 packed codes."""
        parts = (images[i : i + BLOCK] for i in range(0, len(images), BLOCK))
        blocks = [self._packed(self.relaxed(part), len(part)) for part in parts]
        return np.concatenate(blocks) if blocks else np.zeros((0, -(-self.bits // 64)), np.uint64)

    def encode_split(self, split: Split) -> np.ndarray:
        """The codes of a split, (M, W) uint64, without holding all its images at once."""
        parts = (split.take(slice(i, i + BLOCK)) for i in range(0, len(split), BLOCK))
        return np.concatenate([self._packed(self.relaxed(part), len(part)) for part in parts])

    def _packed(self, relaxed: np.ndarray, images: int) -> np.ndarray:
        if relaxed.shape != (images, self.bits):
            raise InvalidInput(
                f"{self.method.name}: expected ({images}, {self.bits}) relaxed codes of {images} images, "
                f"got {relaxed.shape}"
            )
        try:
            return retrieval.pack(relaxed)
        except InvalidInput as reason:
            raise InvalidInput(f"{self.method.name}: {reason}") from None

    def header(self) -> dict[str, Any]:
        """What `load_encoder` needs beside the tensors."""
        config = self.method.config.to_dict()
        if "weights" in config:  # what they were is in the tensors, and a path means nothing elsewhere
            config["weights"] = None
        return {
            "method": self.method.name,
            "bits": self.bits,
            "task": asdict(self.method.task),
            "config": config,
        }

    def save(self, file: Path) -> None:
        """Write `file` in safetensors format, with `header` in it."""
        from safetensors.numpy import save

        arrays = {name: np.ascontiguousarray(array) for name, array in self.tensors().items()}
        write_atomically(file, save(arrays, metadata={"hashzoo": json.dumps(self.header(), sort_keys=True)}))


class ProjectionEncoder(Encoder):
    """A shallow method, its model and what describes an image to it."""

    method: ShallowMethod

    def __init__(self, method: ShallowMethod, model: dict[str, np.ndarray], features: Features) -> None:
        super().__init__(method)
        self.model = model
        self.features = features

    def relaxed(self, images: np.ndarray) -> np.ndarray:
        return self._project(self.features(images))

    def encode_split(self, split: Split) -> np.ndarray:
        blocks = feature_blocks(self.features, split)
        return np.concatenate([self._packed(self._project(block), len(block)) for block in blocks])

    def header(self) -> dict[str, Any]:
        header = super().header()
        header["config"]["features"] = described(self.method.config.features, self.method.config.weights)
        return {**header, "features": self.features.header()}

    def tensors(self) -> dict[str, np.ndarray]:
        return {**self.model, **{_OF_FEATURES + name: array for name, array in self.features.tensors().items()}}

    def _project(self, features: np.ndarray) -> np.ndarray:
        return np.asarray(self.method.project(features, self.model), np.float32)


class NetworkEncoder(Encoder):
    """A deep method's trained network, on the device where it was trained; always runs in float32.

    Args:
        mirror: whether relaxed codes are means over an image and its mirror image.
    """

    def __init__(self, method: DeepMethod, preprocess: Preprocess, network: nn.Module, *, mirror: bool = False) -> None:
        super().__init__(method)
        self.preprocess = preprocess
        self.network = network.eval()
        self.mirror = mirror

    def with_network(self, network: nn.Module) -> NetworkEncoder:
        """The same encoder with another network of the same method."""
        assert isinstance(self.method, DeepMethod)
        return NetworkEncoder(self.method, self.preprocess, network, mirror=self.mirror)

    @property
    def device(self) -> torch.device:
        return self.preprocess.mean.device

    def relaxed(self, images: np.ndarray) -> np.ndarray:
        import torch

        outputs = []
        with torch.inference_mode():
            for i in range(0, len(images), BLOCK):
                pixels = torch.from_numpy(np.ascontiguousarray(images[i : i + BLOCK])).to(self.device)
                inputs = self.preprocess(pixels)
                codes = self.network(inputs).float()
                if self.mirror:
                    codes = (codes + self.network(inputs.flip(3)).float()) / 2
                outputs.append(codes.cpu().numpy())
        return np.concatenate(outputs)

    def header(self) -> dict[str, Any]:
        return {**super().header(), "mirror": self.mirror}

    def tensors(self) -> dict[str, np.ndarray]:
        modules = {"preprocess": self.preprocess, "network": self.network}
        return {
            f"{prefix}.{name}": tensor.detach().cpu().contiguous().numpy()
            for prefix, module in modules.items()
            for name, tensor in module.state_dict().items()
        }


def fit_encoder(method: ShallowMethod, train: Split, rng: np.random.Generator) -> ProjectionEncoder:
    """Learn from the features of the training images.

    Raises:
        InvalidInput: they are too few, or of one class where labels are learned from.
        HashzooError: the features cannot be had.
    """
    require_contrast(type(method), train.labels)
    features = features_of(method, train)
    return ProjectionEncoder(method, method.fit(split_features(features, train), train.labels, rng), features)


def _is_of_its_record(file: Path) -> bool:
    """Whether a model is the one that a `result.json` beside it names; true where there is none."""
    try:
        stated = json.loads(file.with_name("result.json").read_text(encoding="utf-8"))["model_sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        return True
    return bool(hashlib.sha256(file.read_bytes()).hexdigest() == stated)


def load_encoder(path: str | Path, *, method: type[Method] | None = None) -> Encoder:
    """The encoder in a run's folder or in its `model.safetensors`.

    Args:
        method: the class that was trained, if it is not installed; None looks its name up.

    Raises:
        CheckpointError: the file is missing, damaged, not hashzoo's or of another version of its method.
        InvalidInput: `method` is another than the file's.
        UnknownName: its method is not installed, and `method` was not given.
    """
    from safetensors import SafetensorError, safe_open

    file = Path(path)
    if file.is_dir():
        file = file / "model.safetensors"
    try:
        with safe_open(file, framework="numpy") as opened:
            header = json.loads((opened.metadata() or {})["hashzoo"])
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 - not a dict
    except FileNotFoundError:
        raise CheckpointError(f"no model at {file}") from None
    except (SafetensorError, KeyError, json.JSONDecodeError) as cause:
        raise CheckpointError(f"{file} is damaged or not a hashzoo model ({cause})") from None
    if not _is_of_its_record(file):
        raise CheckpointError(f"{file} is damaged: it is not the model that the record beside it was measured with")
    try:
        return _rebuild(_owner(header["method"], method, file), header, tensors)
    except HashzooError:
        raise
    except (KeyError, RuntimeError, TypeError, ValueError) as cause:
        reason = str(cause).splitlines()[0]
        raise CheckpointError(f"{file} does not fit the installed method: {reason}") from cause


def _owner(name: str, given: type[Method] | None, file: Path) -> type[Method]:
    if given is None:
        try:
            return METHODS.get(name)
        except UnknownName as unknown:
            unknown.message += "; load_encoder(..., method=CLASS) takes one that is not installed"
            raise
    if given.name != name:
        raise InvalidInput(f"{file}: expected the class of method {name!r}, got that of {given.name!r}")
    return given


def method_of(header: dict[str, Any], cls: type[Method]) -> Method:
    """The method, with its settings, of an encoder that gave `header`."""
    config: Any = cls.Config(**{k: tuple(v) if isinstance(v, list) else v for k, v in header["config"].items()})
    task = Task(**{**header["task"], "image_size": tuple(header["task"]["image_size"])})
    return cls(header["bits"], task, config)


def _rebuild(cls: type[Method], header: dict[str, Any], tensors: dict[str, np.ndarray]) -> Encoder:
    method = method_of(header, cls)
    if isinstance(method, ShallowMethod):
        of_features = {n.removeprefix(_OF_FEATURES): a for n, a in tensors.items() if n.startswith(_OF_FEATURES)}
        model = {n: a for n, a in tensors.items() if not n.startswith(_OF_FEATURES)}
        return ProjectionEncoder(method, model, from_header(header["features"], of_features))
    assert isinstance(method, DeepMethod)
    import torch

    from hashzoo.backbones.base import Preprocess

    network = method.network()
    preprocess = Preprocess([0.0] * 3, [1.0] * 3, method.config.input_size)
    for prefix, module in (("network.", network), ("preprocess.", preprocess)):
        part = {n.removeprefix(prefix): torch.from_numpy(a) for n, a in tensors.items() if n.startswith(prefix)}
        module.load_state_dict(part)
    network = network.to(memory_format=torch.channels_last)
    return NetworkEncoder(method, preprocess, network, mirror=header.get("mirror", False))
