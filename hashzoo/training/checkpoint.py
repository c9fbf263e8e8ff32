"""Checkpoints that survive a crash and execute nothing: tensors in safetensors, and a JSON that vouches for them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from hashzoo.errors import CheckpointError
from hashzoo.files import write_atomically


@dataclass(frozen=True)
class Position:
    """How far training has come."""

    epoch: int = 0  # the one to go on with
    step: int = 0  # the first step of it that has not been done
    seconds: float = 0.0  # spent so far
    sums: tuple[tuple[str, float], ...] = ()  # of each loss term over the steps of this epoch


class Checkpoint:
    """`checkpoint.json` and the tensor file that it names, in the folder of a run.

    Args:
        folder: where; it must exist when `save` is called.
        fingerprint: identifies everything that must be equal for training to go on.
    """

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self.folder, self.fingerprint = folder, fingerprint
        self.index = folder / "checkpoint.json"

    def exists(self) -> bool:
        return self.index.exists()

    def save(self, position: Position, modules: Mapping[str, nn.Module], optimizer: torch.optim.Optimizer) -> None:
        """Write a new tensor file, point to it, then drop the old one: there is a whole checkpoint at any moment."""
        tensors = {f"{prefix}.{n}": t for prefix, module in modules.items() for n, t in module.state_dict().items()}
        for number, state in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{number}.{key}": t for key, t in state.items() if isinstance(t, Tensor)}
        data = save_tensors({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()})
        file = self.folder / f"checkpoint-{position.epoch:05d}-{position.step:06d}.safetensors"
        write_atomically(file, data)
        index = {
            "fingerprint": self.fingerprint,
            "file": file.name,
            "sha256": _sha256(data, asdict(position)),
            "position": asdict(position),
        }
        write_atomically(self.index, json.dumps(index, indent=1).encode())
        for old in self._tensor_files():
            if old != file:
                old.unlink()

    def load(self, modules: Mapping[str, nn.Module], optimizer: torch.optim.Optimizer) -> Position:
        """Put everything back in place.

        Raises:
            CheckpointError: a file is truncated or changed, or the checkpoint belongs to other settings.
        """
        advice = "delete it, or start over with --force"
        try:
            index = json.loads(self.index.read_text())
            data = (self.folder / index["file"]).read_bytes()
            fingerprint, sha256, stored = index["fingerprint"], index["sha256"], index["position"]
            position = Position(**{**stored, "sums": tuple((name, value) for name, value in stored["sums"])})
        except (OSError, ValueError, KeyError, TypeError) as cause:
            raise CheckpointError(f"{self.index} is damaged ({cause}); {advice}") from None
        if _sha256(data, stored) != sha256:
            raise CheckpointError(f"{self.folder / index['file']} is damaged (its sha256 differs); {advice}")
        if fingerprint != self.fingerprint:
            raise CheckpointError(
                f"{self.index} belongs to other settings "
                f"(fingerprint {fingerprint}, expected {self.fingerprint}); {advice}"
            )
        tensors = load_tensors(data)
        for prefix, module in modules.items():
            module.load_state_dict(_below(tensors, f"{prefix}."))
        state: dict[int, dict[str, Tensor]] = {}
        for name, tensor in _below(tensors, "optimizer.").items():
            number, _, key = name.partition(".")
            state.setdefault(int(number), {})[key] = tensor
        optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
        for parameter, entries in optimizer.state.items():
            for key, tensor in entries.items():
                if tensor.shape == parameter.shape:  # a fused step reads memory in the parameter's own order
                    entries[key] = torch.empty_like(parameter.detach()).copy_(tensor)
        return position

    def remove(self) -> None:
        """Delete index and tensors, as after a finished run."""
        self.index.unlink(missing_ok=True)
        for file in self._tensor_files():
            file.unlink()

    def _tensor_files(self) -> list[Path]:
        return list(self.folder.glob("checkpoint-*.safetensors"))


def _sha256(data: bytes, position: dict[str, Any]) -> str:
    digest = hashlib.sha256(data)
    digest.update(json.dumps(position, sort_keys=True).encode())
    return digest.hexdigest()


def _below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
