"""What training leaves: an encoder from images to packed codes, which saves and loads without executing anything."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hashzoo import retrieval
from hashzoo.errors import CheckpointError, HashzooError, InvalidInput, UnknownName
from hashzoo.files import write_atomically
from hashzoo.methods.base import METHODS, DeepMethod, Method, ShallowMethod, Task

if TYPE_CHECKING:
    import torch
    from torch import nn

    from hashzoo.backbones.base import Preprocess
    from hashzoo.datasets.base import Split

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
        blocks = [self._packed(images[i : i + BLOCK]) for i in range(0, len(images), BLOCK)]
        return np.concatenate(blocks) if blocks else np.zeros((0, -(-self.bits // 64)), np.uint64)

    def encode_split(self, split: Split) -> np.ndarray:
        """The codes of a split, (M, W) uint64, without holding all its images at once."""
        blocks = [self._packed(split.take(slice(i, i + BLOCK))) for i in range(0, len(split), BLOCK)]
        return np.concatenate(blocks)

    def _packed(self, images: np.ndarray) -> np.ndarray:
        relaxed = self.relaxed(images)
        if relaxed.shape != (len(images), self.bits):
            raise InvalidInput(
                f"{self.method.name}: expected ({len(images)}, {self.bits}) relaxed codes of {len(images)} images, "
                f"got {relaxed.shape}"
            )
        try:
            return retrieval.pack(relaxed)
        except InvalidInput as reason:
            raise InvalidInput(f"{self.method.name}: {reason}") from None

    def save(self, file: Path) -> None:
        """Write `file` in safetensors format, with what `load_encoder` needs in its header."""
        from safetensors.numpy import save

        config = self.method.config.to_dict()
        if "weights" in config:  # what they were is in the tensors, and a path means nothing elsewhere
            config["weights"] = None
        header = {
            "method": self.method.name,
            "bits": self.bits,
            "task": asdict(self.method.task),
            "config": config,
        }
        arrays = {name: np.ascontiguousarray(array) for name, array in self.tensors().items()}
        write_atomically(file, save(arrays, metadata={"hashzoo": json.dumps(header, sort_keys=True)}))


class ProjectionEncoder(Encoder):
    """A shallow method and its model."""

    method: ShallowMethod

    def __init__(self, method: ShallowMethod, model: dict[str, np.ndarray]) -> None:
        super().__init__(method)
        self.model = model

    def relaxed(self, images: np.ndarray) -> np.ndarray:
        return np.asarray(self.method.project(features(images), self.model), np.float32)

    def tensors(self) -> dict[str, np.ndarray]:
        return self.model


class NetworkEncoder(Encoder):
    """A deep method's trained network, on the device where it was trained; always runs in float32."""

    def __init__(self, method: DeepMethod, preprocess: Preprocess, network: nn.Module) -> None:
        super().__init__(method)
        self.preprocess = preprocess
        self.network = network.eval()

    @property
    def device(self) -> torch.device:
        return self.preprocess.mean.device

    def relaxed(self, images: np.ndarray) -> np.ndarray:
        import torch

        outputs = []
        with torch.inference_mode():
            for i in range(0, len(images), BLOCK):
                pixels = torch.from_numpy(np.ascontiguousarray(images[i : i + BLOCK])).to(self.device)
                outputs.append(self.network(self.preprocess(pixels)).float().cpu().numpy())
        return np.concatenate(outputs)

    def tensors(self) -> dict[str, np.ndarray]:
        modules = {"preprocess": self.preprocess, "network": self.network}
        return {
            f"{prefix}.{name}": tensor.detach().cpu().contiguous().numpy()
            for prefix, module in modules.items()
            for name, tensor in module.state_dict().items()
        }


def features(images: np.ndarray) -> np.ndarray:
    """(N, H, W, 3) uint8 -> (N, H*W*3) float32 in 0..1, the `pixels` features of shallow methods."""
    pixels: np.ndarray = images.reshape(len(images), -1).astype(np.float32) / np.float32(255)
    return pixels


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


def _rebuild(cls: type[Method], header: dict[str, Any], tensors: dict[str, np.ndarray]) -> Encoder:
    config: Any = cls.Config(**{k: tuple(v) if isinstance(v, list) else v for k, v in header["config"].items()})
    task = Task(**{**header["task"], "image_size": tuple(header["task"]["image_size"])})
    if issubclass(cls, ShallowMethod):
        return ProjectionEncoder(cls(header["bits"], task, config), tensors)
    assert issubclass(cls, DeepMethod)
    import torch

    from hashzoo.backbones.base import Preprocess

    method = cls(header["bits"], task, config)
    network = method.network()
    preprocess = Preprocess([0.0] * 3, [1.0] * 3, config.input_size)
    for prefix, module in (("network.", network), ("preprocess.", preprocess)):
        part = {n.removeprefix(prefix): torch.from_numpy(a) for n, a in tensors.items() if n.startswith(prefix)}
        module.load_state_dict(part)
    return NetworkEncoder(method, preprocess, network.to(memory_format=torch.channels_last))
