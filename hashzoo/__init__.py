"""hashzoo: binary codes for image retrieval, learned, ranked exactly and reported with numbers that say what they are.

Everything here is imported on first use: `import hashzoo` loads neither torch nor any plugin.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hashzoo import errors, retrieval
    from hashzoo.backbones.base import BACKBONES, Backbone
    from hashzoo.datasets.arrays import ArrayDataset
    from hashzoo.datasets.base import DATASETS, Augmentation, Dataset, LoadedDataset, Pool, Protocol, Split
    from hashzoo.errors import HashzooError
    from hashzoo.evaluators.base import EVALUATORS, CodeSet, Evaluation, Evaluator
    from hashzoo.losses.base import LOSSES, Batch, Loss
    from hashzoo.methods.base import METHODS, DeepMethod, Method, ShallowMethod, Task
    from hashzoo.methods.encoder import Encoder, load_encoder
    from hashzoo.methods.paper_tables import PaperRow, PaperTable
    from hashzoo.methods.presets import Preset

__version__ = "0.1.0"
PLUGIN_API = 1  # changes when a plugin that works may stop working: docs/plugins.md

_HOMES = {
    "hashzoo.backbones.base": ("BACKBONES", "Backbone"),
    "hashzoo.datasets.arrays": ("ArrayDataset",),
    "hashzoo.datasets.base": ("DATASETS", "Augmentation", "Dataset", "LoadedDataset", "Pool", "Protocol", "Split"),
    "hashzoo.errors": ("HashzooError",),
    "hashzoo.evaluators.base": ("EVALUATORS", "CodeSet", "Evaluation", "Evaluator"),
    "hashzoo.losses.base": ("LOSSES", "Batch", "Loss"),
    "hashzoo.methods.base": ("METHODS", "DeepMethod", "Method", "ShallowMethod", "Task"),
    "hashzoo.methods.encoder": ("Encoder", "load_encoder"),
    "hashzoo.methods.paper_tables": ("PaperRow", "PaperTable"),
    "hashzoo.methods.presets": ("Preset",),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "BACKBONES",
    "DATASETS",
    "EVALUATORS",
    "LOSSES",
    "METHODS",
    "PLUGIN_API",
    "ArrayDataset",
    "Augmentation",
    "Backbone",
    "Batch",
    "CodeSet",
    "Dataset",
    "DeepMethod",
    "Encoder",
    "Evaluation",
    "Evaluator",
    "HashzooError",
    "LoadedDataset",
    "Loss",
    "Method",
    "PaperRow",
    "PaperTable",
    "Pool",
    "Preset",
    "Protocol",
    "ShallowMethod",
    "Split",
    "Task",
    "errors",
    "load_encoder",
    "retrieval",
]


def __getattr__(name: str) -> object:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    if name in ("errors", "retrieval"):
        return import_module(f"hashzoo.{name}")
    raise AttributeError(f"module 'hashzoo' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
