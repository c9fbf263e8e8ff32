"""A method put together on the command line from registered parts."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from hashzoo.errors import InvalidSetting
from hashzoo.losses.base import LOSSES, Loss
from hashzoo.losses.centres import CentreLoss, hash_centres
from hashzoo.methods.base import METHODS, DeepMethod


@METHODS.register("compose")
class Compose(DeepMethod):
    """A weighted sum of registered losses on any backbone: `--set losses=contrastive+quantization:0.01`.

    Each part of `losses` is a name of `hashzoo list losses`, with its weight after a colon (1 if left out). A loss is
    made with its own defaults; hash centres are drawn by the run's seed, one for each class of the data.
    """

    paper = "none: whatever its parts come from"
    year = 2026
    supervision = "pairs"
    multi_label = True
    defaults_from = "the losses are DFEH-R's, the rest is what every method with a network starts from"

    @dataclass(frozen=True)
    class Config(DeepMethod.Config):
        losses: str = "contrastive+quantization:0.01+balance:0.01"  # names and weights of the terms

        def __post_init__(self) -> None:
            super().__post_init__()
            parts = parse_losses(self.losses)
            object.__setattr__(self, "losses", "+".join(f"{n}:{w!r}" if w != 1 else n for n, w in parts))

    def losses(self) -> list[tuple[float, Loss]]:
        return [(weight, self._made(LOSSES.get(name))) for name, weight in parse_losses(self.config.losses)]

    def _made(self, cls: type[Loss]) -> Loss:
        if issubclass(cls, CentreLoss):
            centres = hash_centres(self.task.num_classes, self.bits, torch.initial_seed())
            return cls(self.bits, torch.from_numpy(centres))
        return cls(self.bits)


def parse_losses(text: str) -> list[tuple[str, float]]:
    """ "contrastive+balance:0.01" -> [("contrastive", 1.0), ("balance", 0.01)], with registered names.

    Raises:
        UnknownName: a part is no registered loss.
        InvalidSetting: a weight is not a positive number, or a loss comes twice.
    """
    parts: dict[str, float] = {}
    for word in text.split("+"):
        name, colon, weight = (piece.strip() for piece in word.partition(":"))
        if not name:
            raise InvalidSetting(f"losses: expected NAME[:WEIGHT]+..., such as contrastive+balance:0.01, got {text!r}")
        name = LOSSES.get(name).name
        if name in parts:
            raise InvalidSetting(f"losses: expected each loss once, got {name} twice")
        parts[name] = _positive(weight, name) if colon else 1.0
    return list(parts.items())


def _positive(text: str, name: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise InvalidSetting(f"losses: expected a positive number as weight of {name}, got {text!r}")
    return number
