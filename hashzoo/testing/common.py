"""What several kinds of check share: made-up images, registration, settings, numbers."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any, get_type_hints

import numpy as np
import torch
from torch import Tensor

from hashzoo.datasets.base import Split
from hashzoo.registry import Registry
from hashzoo.settings import configure, describe
from hashzoo.testing.rules import Examination


def toy_split(*, multi_label: bool = False, image_size: int = 32) -> Split:
    """48 noisy images of four easy classes; with `multi_label` each second image has two labels."""
    rng = np.random.default_rng(7)
    classes = np.arange(48) % 4
    pattern = rng.integers(0, 200, (4, image_size, image_size, 3))
    images = (pattern[classes] + rng.integers(0, 56, (48, image_size, image_size, 3))).astype(np.uint8)
    labels: np.ndarray = classes.astype(np.int64)
    if multi_label:
        labels = np.eye(4, dtype=np.uint8)[classes]
        labels[::2, 0] = 1
    return Split(images, np.arange(48), labels)


def check_registered(examination: Examination, registry: Registry[Any], cls: type) -> None:
    with examination.rule("registered"):
        name = getattr(cls, "name", "")
        examination.need(bool(name), f"it has no name; decorate it with @...register(...) of the {registry.kind}s")
        owner = registry.get(name)
        examination.need(owner is cls, f"{registry.kind} {name!r} is {owner.__module__}.{owner.__qualname__}")
        examination.need(bool((cls.__doc__ or "").strip()), "the docstring is empty")


def checked_config(examination: Examination, config: Any, base: type, owner: str) -> Any:
    """An instance with the defaults, which equals what the command line makes of them."""
    examination.need(
        "__dataclass_fields__" in vars(config) and config.__dataclass_params__.frozen,
        f"{config.__qualname__} is no @dataclass(frozen=True)",
    )
    examination.need(issubclass(config, base), f"{config.__qualname__} does not derive from {base.__qualname__}")
    default = config()
    typed = {name: _as_typed(getattr(default, name)) for name in _names(config)}
    parsed = configure(config, typed, owner)
    examination.need(parsed == default, f"{default} comes back from the command line as {parsed}")
    hints = get_type_hints(config)
    for name in _names(config):
        examination.need(bool(describe(hints[name])), f"{name} has the type {hints[name]}")
    json.dumps(default.to_dict(), allow_nan=False)
    return default


def _names(config: Any) -> list[str]:
    return [field.name for field in fields(config)]


def _as_typed(value: Any) -> str:
    if isinstance(value, (tuple, list)):
        return ",".join(map(_as_typed, value))
    return "none" if value is None else str(value)


def need_scalars(examination: Examination, terms: Any) -> None:
    examination.need(isinstance(terms, dict) and len(terms) > 0, f"got {terms!r}")
    for name, term in terms.items():
        examination.need(isinstance(name, str), f"a term is called {name!r}")
        examination.need(isinstance(term, Tensor), f"{name} is a {type(term).__name__}, expected a tensor")
        examination.need(term.ndim == 0, f"{name} has shape {tuple(term.shape)}, expected a scalar")


def need_finite_terms(examination: Examination, terms: dict[str, Tensor], where: str) -> None:
    for name, term in terms.items():
        examination.need(bool(torch.isfinite(term)), f"{name} is {term.item()} for {where}")


def need_finite(examination: Examination, array: np.ndarray, what: str) -> None:
    bad = int((~np.isfinite(array)).sum())
    examination.need(bad == 0, f"{what}: {bad} of {array.size} values are NaN or infinite")


def summed(terms: dict[str, Tensor]) -> Tensor:
    return torch.stack(list(terms.values())).sum()
