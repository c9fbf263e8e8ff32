"""Settings under one name, for `--preset`; those of the training are common to all methods with a network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hashzoo.errors import UnknownName

if TYPE_CHECKING:
    from hashzoo.methods.base import Method


@dataclass(frozen=True)
class Preset:
    """Settings that belong together."""

    summary: str  # one line for `hashzoo show`
    settings: Mapping[str, str]  # words as after `--set`

    def with_settings(self, **settings: str) -> Preset:
        """The same with other or more settings."""
        return Preset(self.summary, {**self.settings, **settings})


_SMALL = {
    "backbone": "dsh_cnn",
    "sampler": "class_aware",
    "classes_per_batch": "10",
    "augment": "true",
    "shift": "0",
    "optimizer": "adamw",
    "schedule": "one_cycle",
    "average": "0",
}

TRAINING = {
    "paper": Preset(
        "a residual network of twenty layers with the batches and the mirroring of DSH, from scratch",
        {
            **_SMALL,
            "backbone": "resnet_cifar",
            "epochs": "24",
            "batch_size": "200",
            "lr": "0.012",
            "weight_decay": "0.05",
            "average": "0.998",
            "normalize": "true",
        },
    ),
    "fast": Preset(
        "the network of DSH for a few minutes",
        {
            **_SMALL,
            "classes_per_batch": "5",  # a larger share of similar pairs
            "epochs": "6",
            "batch_size": "100",
            "lr": "0.002",
            "weight_decay": "0.004",
        },
    ),
    "strong": Preset(
        "a residual network of nine layers, from scratch, with an average of its weights",
        {
            **_SMALL,
            "backbone": "resnet9_48",
            "shift": "2",
            "epochs": "25",
            "batch_size": "200",
            "lr": "0.005",
            "weight_decay": "0.05",
            "average": "0.998",
            "normalize": "true",
            "mirror": "true",
        },
    ),
}


def preset_settings(cls: type[Method], name: str | None) -> Mapping[str, str]:
    """The words of a method's preset; none for None.

    Raises:
        UnknownName: the method has no such preset.
    """
    if name is None:
        return {}
    if name not in cls.presets:
        raise UnknownName(f"preset of {cls.name!r}", name, cls.presets)
    return cls.presets[name].settings
