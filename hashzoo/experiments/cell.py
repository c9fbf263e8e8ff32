"""Cells: what decides a number, in words that are checked before anything runs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, Protocol

import hashzoo
from hashzoo.backbones.base import BACKBONES
from hashzoo.datasets.base import LoadedDataset
from hashzoo.errors import InvalidSetting, UnsuitableData
from hashzoo.evaluators.hamming_ranking import HammingRanking
from hashzoo.experiments import store
from hashzoo.experiments.environment import choose_device, gains_from_bf16, has_native_bf16, owner_of
from hashzoo.features.base import described
from hashzoo.methods.base import METHODS, DeepMethod, Method, ShallowMethod, Task, require_contrast
from hashzoo.methods.presets import preset_settings
from hashzoo.settings import configure, require
from hashzoo.training.trainer import Observer


class Reporter(Protocol):
    """Who is told what happens."""

    def note(self, text: str) -> None:
        """One line."""

    def training(self, title: str, epochs: int) -> AbstractContextManager[Observer]:
        """Open while a network trains for `epochs`."""


@dataclass(frozen=True)
class Cell:
    """Everything that decides a number, except for the data; made by `plan`.

    Preset and budget decide nothing but settings, which are in `config` by the time the cell runs.
    """

    method: str
    bits: int
    config: Any  # an instance of the method's Config
    seed: int = 0
    device: str = "cpu"
    precision: Literal["fp32", "bf16"] = "fp32"
    image_size: int | None = None
    topk: int | None = None  # None takes the protocol's
    preset: str | None = None  # what `config` started from, for the record
    budget_s: float | None = None  # how long to train; `epochs` is set by a probe then
    probe: Mapping[str, float] | None = None  # what the epochs of a budget were chosen by

    @property
    def title(self) -> str:
        return f"{self.method} {self.bits} bits"


def plan(
    method: str,
    bits: Sequence[int],
    settings: Mapping[str, str],
    *,
    seed: int = 0,
    device: str = "auto",
    precision: str = "auto",
    image_size: int | None = None,
    topk: int | None = None,
    preset: str | None = None,
    budget_s: float | None = None,
    reporter: Reporter,
) -> list[Cell]:
    """A cell for each code length; everything that can be checked without the data is.

    Args:
        settings: words as after `--set`, and `backbone`, `weights`, `epochs` from flags of their own.
        device: "auto", "cpu" or "cuda".
        precision: "auto", "fp32" or "bf16"; auto takes bf16 where it trains quicker.
        preset: one of the method's; `settings` go on top of it.
        budget_s: seconds to train for, instead of `epochs`.

    Raises:
        UnknownName: no such method, preset, setting or backbone.
        InvalidSetting: a value that cannot be.
    """
    cls = METHODS.get(method)
    deep = issubclass(cls, DeepMethod)
    if not deep and (given := [name for name in ("backbone", "epochs", "validate") if name in settings]):
        raise InvalidSetting(f"{cls.name} trains no network: it has no {' and no '.join(given)}")
    if budget_s is not None:
        if not deep:
            raise InvalidSetting(f"{cls.name} trains no network: it has no budget")
        if "epochs" in settings:
            raise InvalidSetting("expected either a budget or epochs, got both")
        require(budget_s > 0, "budget", "more than 0 seconds", budget_s)
    if deep and "features" in settings:
        raise InvalidSetting(f"{cls.name} learns from images: it has no features")
    config: Any = configure(cls.Config, {**preset_settings(cls, preset), **settings}, owner=cls.name)
    if deep:
        config = replace(config, backbone=BACKBONES.get(config.backbone).name)
    for length in bits:
        require(1 <= length <= 4096, "bits", "1 to 4096", length)
    require(0 <= seed < 2**32, "seed", "0 to 4294967295", seed)
    require(topk is None or topk >= 1, "topk", "at least 1", topk)

    if not deep:
        if precision == "bf16" or device == "cuda":
            reporter.note(f"{cls.name} trains no network: it runs on the CPU in fp32")
        device, precision = "cpu", "fp32"
    device = choose_device(device)
    if precision == "auto":
        precision = "bf16" if gains_from_bf16(device) else "fp32"
    elif precision == "bf16" and not has_native_bf16(device):
        reporter.note(f"bf16 is only emulated on this {device}, which is many times slower than fp32")
    kind: Literal["fp32", "bf16"] = "bf16" if precision == "bf16" else "fp32"
    return [Cell(cls.name, length, config, seed, device, kind, image_size, topk, preset, budget_s) for length in bits]


def identity(cell: Cell, data: LoadedDataset) -> dict[str, Any]:
    """Everything that can change the number, in types that JSON has."""
    ranking = HammingRanking.Config(topk=cell.topk or data.topk)
    return {
        "schema": store.SCHEMA,
        "method": cell.method,
        "config": _described(cell.config),
        "dataset": data.name,
        "protocol": data.protocol,
        "split_sha256": data.split_sha256,
        "images_sha256": data.images_sha256,
        "augmentation": asdict(data.augmentation),
        "bits": cell.bits,
        "seed": cell.seed,
        "device_type": cell.device,
        "precision": cell.precision,
        "image_size": cell.image_size,
        "evaluation": ranking.to_dict(),
        "versions": {"hashzoo": hashzoo.__version__, **owner_of(METHODS.get(cell.method))},
    }


def preset_changes(cell: Cell) -> dict[str, Any]:
    """The settings of a cell that are not as its preset has them, in types that JSON has; none without a preset."""
    if cell.preset is None:
        return {}
    cls = METHODS.get(cell.method)
    meant = configure(cls.Config, preset_settings(cls, cell.preset), owner=cls.name)
    ran, words = cell.config.to_dict(), _described(cell.config)
    return {name: words[name] for name, value in meant.to_dict().items() if ran[name] != value}


def config_hash(cell: Cell, data: LoadedDataset) -> str:
    """Twelve hexadecimal digits over `identity`."""
    return short_hash(identity(cell, data))


def series_hash(cell: Cell, data: LoadedDataset) -> str:
    """What a row of a table has in common: the same but for the code length, with a budget in place of its epochs."""
    facts = {key: value for key, value in identity(cell, data).items() if key != "bits"}
    if cell.budget_s is not None:
        facts["config"] = {key: value for key, value in facts["config"].items() if key != "epochs"}
        facts["budget_s"] = cell.budget_s
    return short_hash(facts)


def method_of(cell: Cell, data: LoadedDataset, *, download: bool = False) -> Method:
    """The method of a cell, ready to learn from the data.

    Args:
        download: fetch pretrained weights that are not here.

    Raises:
        UnsuitableData: it needs one label an image, and there are several.
        InvalidInput: it cannot take the data for another reason.
    """
    cls = METHODS.get(cell.method)
    if data.multi_label and not cls.multi_label:
        able = [name for name in METHODS.names() if METHODS.get(name).multi_label][:3]
        raise UnsuitableData(
            f"{cell.method} needs one label an image, and {data.name} has several; these can: {', '.join(able)}"
        )
    require_contrast(cls, data.train.labels)
    height, width = data.train.images.shape[1:3]
    task = Task(len(data.classes), len(data.train), (height, width), data.multi_label)
    return cls(cell.bits, task, cell.config, download=download)


def short_hash(facts: Mapping[str, Any]) -> str:
    """Twelve hexadecimal digits over facts that JSON has."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]


def _described(config: Any) -> dict[str, Any]:
    """The settings; a file of weights or a model by its content, since its path means nothing elsewhere."""
    settings: dict[str, Any] = config.to_dict()
    if isinstance(config, ShallowMethod.Config):
        settings["features"] = described(config.features, config.weights)
    weights = settings.get("weights")
    if isinstance(weights, str) and Path(weights).is_file():
        digest = hashlib.sha256(Path(weights).read_bytes()).hexdigest()
        settings["weights"] = f"{Path(weights).name} sha256:{digest}"
    return settings
