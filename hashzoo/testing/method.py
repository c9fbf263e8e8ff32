"""The check of a method, deep or shallow."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch

from hashzoo import retrieval
from hashzoo.datasets.base import Augmentation, Split
from hashzoo.losses.base import Batch
from hashzoo.methods.base import METHODS, DeepMethod, Method, ShallowMethod, Supervision, Task
from hashzoo.methods.encoder import Encoder, fit_encoder, load_encoder
from hashzoo.settings import configure
from hashzoo.testing.common import (
    check_registered,
    checked_config,
    need_finite,
    need_finite_terms,
    need_scalars,
    summed,
    toy_split,
)
from hashzoo.testing.rules import Examination
from hashzoo.testing.writes import writes_nothing
from hashzoo.training.trainer import TrainOptions, train


def check_method(
    cls: type[Method],
    *,
    settings: Mapping[str, Any] | None = None,
    lengths: Sequence[int] = (12, 48),
    image_size: int = 32,
) -> None:
    """Check a registered method, deep or shallow.

    Args:
        settings: changes to the defaults, such as a small backbone; two short epochs are set for deep methods.
        lengths: code lengths; the first one is checked in full.
        image_size: side of the made-up images.

    Raises:
        ConformanceError: a rule is broken.
    """
    examination = Examination(cls)
    check_registered(examination, METHODS, cls)
    with examination.rule("metadata"):
        _check_metadata(examination, cls)
    with examination.rule("config"):
        base = DeepMethod if issubclass(cls, DeepMethod) else ShallowMethod
        config = checked_config(examination, cls.Config, base.Config, cls.name)
        if issubclass(cls, DeepMethod):
            config = replace(config, weights=None, epochs=2, batch_size=16)
        config = replace(config, **(settings or {}))
    with examination.rule("presets"):
        _check_presets(examination, cls)

    split = toy_split(image_size=image_size)
    # the author's own random numbers go on undisturbed
    with torch.random.fork_rng(devices=[]), writes_nothing(examination):
        for bits in lengths:
            if issubclass(cls, DeepMethod):
                _check_objective(examination, cls, bits, config, split)
            encoder = _checked_encoder(examination, cls, bits, config, split)
            _check_codes(examination, encoder, split.images)
        _check_randomness(examination, cls, lengths[0], config, split)
        if cls.supervision == "none":
            with examination.rule("label-blind"):
                order = np.random.default_rng(1).permutation(len(split))
                changed = _code_difference(cls, lengths[0], config, split, replace(split, labels=split.labels[order]))
                examination.need(not changed, f"shuffled labels change {changed}")
        if cls.multi_label:
            with examination.rule("multi-label"):
                encoder, _ = _learn(cls, lengths[0], config, toy_split(multi_label=True, image_size=image_size))
                need_finite(examination, encoder.relaxed(split.images), "relaxed codes")


def _check_metadata(examination: Examination, cls: type[Method]) -> None:
    need = examination.need
    for name in ("paper", "defaults_from"):
        text = getattr(cls, name)
        need(isinstance(text, str) and bool(text.strip()), f"{name} is {text!r}")
    need(isinstance(cls.year, int) and 1900 <= cls.year <= 2100, f"year is {cls.year!r}")
    kinds = get_args(Supervision)
    need(cls.supervision in kinds, f"supervision is {cls.supervision!r}, expected one of {', '.join(kinds)}")
    need(isinstance(cls.multi_label, bool), f"multi_label is {cls.multi_label!r}")
    listed = isinstance(cls.deviations, (tuple, list))
    need(
        listed and all(isinstance(text, str) and text.strip() for text in cls.deviations),
        f"deviations is {cls.deviations!r}, expected a tuple of texts",
    )


def _check_presets(examination: Examination, cls: type[Method]) -> None:
    for name, preset in cls.presets.items():
        examination.need(bool(preset.summary.strip()), f"preset {name!r} has no summary")
        configure(cls.Config, preset.settings, cls.name)
    for table in cls.tables:
        labels = [row.label for row in table.rows]
        examination.need(len(set(labels)) == len(labels), f"two rows of table {table.name!r} have one label")
        for row in table.rows:
            if row.method == cls.name:
                base = cls.presets[table.preset].settings if table.preset in cls.presets else {}
                configure(cls.Config, {**base, **row.settings}, cls.name)


def _check_objective(examination: Examination, cls: type[DeepMethod], bits: int, config: Any, split: Split) -> None:
    """One forward and backward step, by hand, so that each thing that can go wrong has its own message."""
    with examination.rule("construct"):
        torch.manual_seed(0)
        method = cls(bits, _task(split), config)
        network = method.network()
        size = config.input_size or split.images.shape[1]
        images = torch.randn(16, 3, size, size)
    with examination.rule("code-shape"):
        codes = network(images)
        examination.need(
            tuple(codes.shape) == (16, bits), f"the network turns 16 images into {tuple(codes.shape)} at {bits} bits"
        )
    with examination.rule("finite"):
        need_finite(examination, codes.detach().numpy(), "relaxed codes")
    with examination.rule("loss-terms"):
        method.on_train_start(torch.from_numpy(split.labels))
        method.on_epoch_start(0, network)
        terms = method.loss(network(images).float(), Batch(torch.from_numpy(split.labels[:16]), torch.arange(16)))
        need_scalars(examination, terms)
    with examination.rule("finite"):
        need_finite_terms(examination, terms, "a first batch")
    with examination.rule("gradient"):
        summed(terms).backward()  # type: ignore[no-untyped-call]
        gradients = {name: p.grad for name, p in network.named_parameters() if p.grad is not None}
        for name, gradient in gradients.items():
            need_finite(examination, gradient.numpy(), f"the gradient of {name}")
        reached = sum(bool(gradient.any()) for gradient in gradients.values())
        total = len(list(network.parameters()))
        examination.need(reached > 0, f"it is zero for all {total} parameters of the network")


def _checked_encoder(examination: Examination, cls: type[Method], bits: int, config: Any, split: Split) -> Encoder:
    images, labels = split.images.copy(), split.labels.copy()
    with examination.rule("construct"):
        encoder, _ = _learn(cls, bits, config, split)
    with examination.rule("inputs-untouched"):
        examination.need(np.array_equal(images, split.images), "images were changed")
        examination.need(np.array_equal(labels, split.labels), "labels were changed")
    return encoder


def _check_codes(examination: Examination, encoder: Encoder, images: np.ndarray) -> None:
    bits, count = encoder.bits, len(images)
    with examination.rule("code-shape"):
        relaxed = encoder.relaxed(images)
        examination.need(relaxed.shape == (count, bits), f"{count} images give {relaxed.shape} at {bits} bits")
    with examination.rule("finite"):
        need_finite(examination, relaxed, "relaxed codes")
    with examination.rule("code-shape"):
        packed, words = encoder.encode(images), -(-bits // 64)
        examination.need(
            packed.shape == (count, words) and packed.dtype == np.uint64,
            f"packed codes are {packed.shape} {packed.dtype}, expected ({count}, {words}) uint64",
        )
    with examination.rule("batch-independence"):
        parts = np.concatenate([encoder.relaxed(images[:1]), encoder.relaxed(images[1:8]), encoder.relaxed(images[8:])])
        certain = np.abs(relaxed) > 1e-4 * np.abs(relaxed).max()
        flipped = int((((relaxed >= 0) != (parts >= 0)) & certain).sum())
        examination.need(
            flipped == 0, f"{flipped} of {relaxed.size} bits differ when encoded in parts of 1, 7 and {count - 8}"
        )
    with examination.rule("save-load"), tempfile.TemporaryDirectory() as folder:
        encoder.save(Path(folder, "model.safetensors"))
        difference = _difference(packed, load_encoder(folder).encode(images), bits)
        examination.need(not difference, f"{difference} differ after loading")


def _check_randomness(examination: Examination, cls: type[Method], bits: int, config: Any, split: Split) -> None:
    with examination.rule("same-seed"):
        difference = _code_difference(cls, bits, config, split, split)
        examination.need(not difference, f"{difference} differ in a second run")
    with examination.rule("seed-matters"):
        encoder, random = _learn(cls, bits, config, split, seed=0)
        other, _ = _learn(cls, bits, config, split, seed=1)
        same = np.array_equal(encoder.relaxed(split.images), other.relaxed(split.images))
        examination.need(not (random and same), "seeds 0 and 1 give equal relaxed codes")


def _code_difference(cls: type[Method], bits: int, config: Any, first: Split, second: Split) -> str:
    """What differs between the codes learned from two splits with one seed; empty if nothing does."""
    one, other = (_learn(cls, bits, config, split)[0].encode(first.images) for split in (first, second))
    return _difference(one, other, bits)


def _difference(a: np.ndarray, b: np.ndarray, bits: int) -> str:
    differ = int((retrieval.unpack(a, bits) != retrieval.unpack(b, bits)).sum())
    return f"{differ} of {len(a) * bits} bits" if differ else ""


def _learn(cls: type[Method], bits: int, config: Any, split: Split, seed: int = 0) -> tuple[Encoder, bool]:
    """An encoder, and whether random numbers went into it."""
    method = cls(bits, _task(split), config)
    if isinstance(method, DeepMethod):
        encoder, _ = train(method, split, Augmentation(shift=1, mirror=False), TrainOptions(seed=seed))
        return encoder, True
    assert isinstance(method, ShallowMethod)
    rng = np.random.default_rng(seed)
    untouched = rng.bit_generator.state
    learned = fit_encoder(method, split, rng)
    return learned, rng.bit_generator.state != untouched


def _task(split: Split) -> Task:
    height, width = split.images.shape[1:3]
    return Task(4, len(split), (height, width), multi_label=split.labels.ndim == 2)
