"""Conformance checks for authors of plugins: does a class keep what the rest of hashzoo relies on?

```python
from hashzoo.testing import check_method

def test_conformance():
    check_method(MyMethod)
```

Each check runs on tiny made-up data and needs no test framework. It raises `ConformanceError`, which names the broken
rule, says what the rule asks for and shows the numbers; `RULES` lists them all.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, get_args, get_type_hints

import numpy as np
import torch
from torch import Tensor

from hashzoo import retrieval
from hashzoo.backbones.base import BACKBONES, Backbone
from hashzoo.datasets.base import DATASETS, Augmentation, Dataset, LoadedDataset, Protocol, Split
from hashzoo.errors import HashzooError
from hashzoo.evaluators.base import EVALUATORS, CodeSet, Evaluation, Evaluator
from hashzoo.losses.base import LOSSES, Batch, Loss
from hashzoo.methods.base import METHODS, DeepMethod, Method, ShallowMethod, Supervision, Task
from hashzoo.methods.encoder import Encoder, ProjectionEncoder, features, load_encoder
from hashzoo.registry import Registry
from hashzoo.settings import configure, describe
from hashzoo.training.trainer import TrainOptions, train

__all__ = [
    "RULES",
    "ConformanceError",
    "check_backbone",
    "check_dataset",
    "check_evaluator",
    "check_loss",
    "check_method",
    "toy_split",
]

RULES = {
    "registered": "the class is filed in its registry under its own name, and has a docstring",
    "metadata": "paper, year, supervision, deviations and the origin of the defaults are stated",
    "config": "`Config` is a frozen dataclass whose defaults can be typed on the command line and written as JSON",
    "construct": "an instance can be made with defaults",
    "code-shape": "relaxed codes are (n, bits) and packed codes (n, words) uint64",
    "finite": "finite input gives finite output",
    "loss-terms": "a loss is a non-empty dict of named scalars",
    "gradient": "gradients are finite and reach what is trained",
    "inputs-untouched": "what is passed in is not changed",
    "same-seed": "the same seed gives the same codes",
    "seed-matters": "another seed gives other codes, if anything random is drawn",
    "batch-independence": "the code of an image does not depend on the images encoded with it",
    "save-load": "a saved and loaded encoder gives the same codes",
    "label-blind": 'with supervision "none", other labels give the same codes',
    "multi-label": "with `multi_label`, multi-hot labels can be learned from",
    "gradcheck": "gradients equal numerical ones in float64",
    "permutation": "the order of the images in a batch does not matter",
    "features": "the output is (n, out_features), of the map (n, map_channels, h, w) if there is one",
    "weights-refused": "unknown weights are refused with a HashzooError",
    "protocols": "there is at least one protocol, each with a summary",
    "splits": "each split holds rows of the pool without repetition, and no query is trained on",
    "images": "images are (n, h, w, 3) uint8",
    "labels": "labels are (n,) int64 class ids or (n, c) uint8 multi-hot, as `multi_label` says",
    "hashes": "loading again gives the same splits and images",
    "metrics": "metrics are finite floats, each with a meaning; curves are columns of equal length",
    "definition": "the definition is written as JSON and holds every knob",
    "repeatable": "the same codes give the same numbers, with any number of threads",
}


class ConformanceError(AssertionError):
    """A class breaks a rule.

    Attributes:
        rule: a key of `RULES`.
    """

    def __init__(self, subject: str, rule: str, detail: str) -> None:
        self.rule = rule
        super().__init__(f"{subject} breaks rule {rule!r} ({RULES[rule]}): {detail}")


class _Examination:
    """Of one class. Whatever is raised within `rule(name)` counts as breaking that rule."""

    def __init__(self, cls: type) -> None:
        self.subject = f"{cls.__module__}.{cls.__qualname__}"
        self.current = ""

    @contextmanager
    def rule(self, name: str) -> Iterator[None]:
        self.current = name
        try:
            yield
        except ConformanceError:
            raise
        except Exception as cause:
            raise ConformanceError(self.subject, name, f"raised {type(cause).__name__}: {cause}") from cause

    def need(self, condition: bool, detail: str) -> None:
        if not condition:
            raise ConformanceError(self.subject, self.current, detail)


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
    examination = _Examination(cls)
    _check_registered(examination, METHODS, cls)
    with examination.rule("metadata"):
        _check_metadata(examination, cls)
    with examination.rule("config"):
        base = DeepMethod if issubclass(cls, DeepMethod) else ShallowMethod
        config = _checked_config(examination, cls.Config, base.Config, cls.name)
        if issubclass(cls, DeepMethod):
            config = replace(config, weights=None, epochs=2, batch_size=16)
        config = replace(config, **(settings or {}))

    split = toy_split(image_size=image_size)
    with torch.random.fork_rng(devices=[]):  # the author's own random numbers go on undisturbed
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
                _need_finite(examination, encoder.relaxed(split.images), "relaxed codes")


def check_loss(cls: type[Loss], *, bits: int = 12, multi_label: bool = True, ordered: bool = False) -> None:
    """Check a registered loss.

    Args:
        multi_label: whether it takes multi-hot labels too.
        ordered: whether it depends on the order of the images in a batch.

    Raises:
        ConformanceError: a rule is broken.
    """
    examination = _Examination(cls)
    _check_registered(examination, LOSSES, cls)
    with examination.rule("construct"):
        loss = cls(bits).double()
    kinds = {"class ids": toy_split().labels}
    if multi_label:
        kinds["multi-hot labels"] = toy_split(multi_label=True).labels
    generator = torch.Generator().manual_seed(0)
    codes = 1.5 * torch.randn(8, bits, generator=generator, dtype=torch.float64)
    order = torch.randperm(8, generator=generator)
    extremes = {
        "codes of +-1e4": 1e4 * torch.where(codes > 0, 1.0, -1.0),
        "codes of 1e4": torch.full_like(codes, 1e4),
        "codes of 0": torch.zeros_like(codes),
        "one image": codes[:1],
    }
    for kind, labels in kinds.items():
        batch = Batch(torch.from_numpy(labels[:8]), torch.arange(8))
        with examination.rule("loss-terms"):
            _need_scalars(examination, loss(codes, batch))
        for what, extreme in extremes.items():
            leaf = extreme.float().requires_grad_()
            part = Batch(batch.labels[: len(leaf)], batch.index[: len(leaf)])
            with examination.rule("finite"):
                terms = cls(bits)(leaf, part)
                _need_finite_terms(examination, terms, f"{what}, {kind}")
            with examination.rule("gradient"):
                (gradient,) = torch.autograd.grad(_total(terms), leaf)
                _need_finite(examination, gradient.numpy(), f"the gradient at {what}, {kind},")

        def value(leaf: Tensor, batch: Batch = batch) -> tuple[Tensor, ...]:
            torch.manual_seed(0)
            return tuple(loss(leaf, batch).values())

        with examination.rule("gradcheck"), torch.random.fork_rng(devices=[]):
            torch.autograd.gradcheck(value, (codes.clone().requires_grad_(),))
        if not ordered:
            with examination.rule("permutation"):
                terms = loss(codes, batch)
                for name, term in loss(codes[order], Batch(batch.labels[order], batch.index[order])).items():
                    examination.need(
                        bool(torch.isclose(term, terms[name], rtol=1e-9, atol=1e-12)),
                        f"{name} is {terms[name].item()}, and {term.item()} in another order ({kind})",
                    )


def check_backbone(cls: type[Backbone], *, image_size: int = 32) -> None:
    """Check a registered backbone, without pretrained weights.

    Raises:
        ConformanceError: a rule is broken.
    """
    examination = _Examination(cls)
    _check_registered(examination, BACKBONES, cls)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        with examination.rule("construct"):
            backbone = cls(image_size=image_size)
        images = torch.randn(5, 3, image_size, image_size)
        with examination.rule("features"):
            maps = backbone.eval().maps(images)
            output = backbone(images)
            examination.need(
                output.shape == (5, backbone.out_features),
                f"5 images give {tuple(output.shape)}, out_features is {backbone.out_features}",
            )
            if backbone.map_channels is not None:
                examination.need(
                    maps.ndim == 4 and maps.shape[:2] == (5, backbone.map_channels),
                    f"5 images give a map of {tuple(maps.shape)}, map_channels is {backbone.map_channels}",
                )
        with examination.rule("finite"):
            _need_finite(examination, output.detach().numpy(), "features")
        with examination.rule("batch-independence"), torch.no_grad():
            alone = torch.cat([backbone(images[i : i + 1]) for i in range(5)])
            gap, scale = float((alone - output.detach()).abs().max()), float(output.detach().abs().max())
            examination.need(
                gap <= 1e-3 * scale, f"features one by one differ by up to {gap:g}, where the largest is {scale:g}"
            )
        with examination.rule("gradient"):
            backbone.train()(images).square().sum().backward()
            trained = {name: p for name, p in backbone.named_parameters() if p.requires_grad}
            unreached = [name for name, p in trained.items() if p.grad is None]
            examination.need(not unreached, f"none for {len(unreached)} parameters: {', '.join(unreached[:5])}")
            for name, parameter in trained.items():
                _need_finite(examination, np.asarray(parameter.grad), f"the gradient of {name}")
    with examination.rule("weights-refused"):
        try:
            cls(image_size=image_size, weights="no such weights")
        except HashzooError:
            return
        examination.need(False, "weights='no such weights' is accepted")


def check_dataset(cls: type[Dataset], *, root: Path | None = None) -> None:
    """Check a registered dataset under each of its protocols.

    Args:
        root: the folder of its data; None if it brings its data along.

    Raises:
        ConformanceError: a rule is broken.
    """
    examination = _Examination(cls)
    _check_registered(examination, DATASETS, cls)
    with examination.rule("protocols"):
        examination.need(bool(cls.protocols), "there is none")
        for name, protocol in cls.protocols.items():
            examination.need(
                isinstance(protocol, Protocol) and bool(protocol.summary.strip()), f"{name!r} is {protocol!r}"
            )
        examination.need(isinstance(cls.augmentation, Augmentation), f"augmentation is {cls.augmentation!r}")
    for chosen in cls.protocols:
        with examination.rule("construct"):
            loaded = cls(root, protocol=chosen).load()
        _check_loaded(examination, cls, loaded)
        with examination.rule("hashes"):
            again = cls(root, protocol=chosen).load()
            for name in ("split_sha256", "images_sha256"):
                first, second = getattr(loaded, name), getattr(again, name)
                examination.need(first == second, f"{name} of {chosen!r} is {first}, then {second}")


def check_evaluator(cls: type[Evaluator]) -> None:
    """Check a registered evaluator with its default knobs.

    Raises:
        ConformanceError: a rule is broken.
    """
    examination = _Examination(cls)
    _check_registered(examination, EVALUATORS, cls)
    with examination.rule("config"):
        config = _checked_config(examination, cls.Config, Evaluator.Config, cls.name)
    rng = np.random.default_rng(3)
    for bits, multi_label in ((12, False), (70, True)):
        labels = toy_split(multi_label=multi_label).labels
        codes = CodeSet.checked(
            query_codes=rng.standard_normal((8, bits)),
            query_labels=labels[:8],
            database_codes=rng.standard_normal((40, bits)),
            database_labels=labels[8:],
        )
        before = [array.copy() for array in _arrays(codes)]
        with examination.rule("construct"):
            found = cls(threads=1).evaluate(codes)
        with examination.rule("metrics"):
            _check_numbers(examination, cls, found)
        with examination.rule("definition"):
            json.dumps(found.definition, allow_nan=False)
            missing = [name for name in config.to_dict() if name not in found.definition]
            examination.need(not missing, f"{', '.join(missing)} of the settings is not in it: {found.definition}")
        with examination.rule("inputs-untouched"):
            same = all(np.array_equal(a, b) for a, b in zip(before, _arrays(codes), strict=True))
            examination.need(same, "codes or labels were changed")
        with examination.rule("repeatable"):
            again = cls(threads=2).evaluate(codes)
            examination.need(again.metrics == found.metrics, f"{found.metrics}, then {again.metrics}")
            examination.need(again.curves == found.curves, "a curve differs")


def _check_registered(examination: _Examination, registry: Registry[Any], cls: type) -> None:
    with examination.rule("registered"):
        name = getattr(cls, "name", "")
        examination.need(bool(name), f"it has no name; decorate it with @...register(...) of the {registry.kind}s")
        owner = registry.get(name)
        examination.need(owner is cls, f"{registry.kind} {name!r} is {owner.__module__}.{owner.__qualname__}")
        examination.need(bool((cls.__doc__ or "").strip()), "the docstring is empty")


def _check_metadata(examination: _Examination, cls: type[Method]) -> None:
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


def _checked_config(examination: _Examination, config: Any, base: type, owner: str) -> Any:
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


def _check_objective(examination: _Examination, cls: type[DeepMethod], bits: int, config: Any, split: Split) -> None:
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
        _need_finite(examination, codes.detach().numpy(), "relaxed codes")
    with examination.rule("loss-terms"):
        method.on_train_start(torch.from_numpy(split.labels))
        method.on_epoch_start(0, network)
        terms = method.loss(network(images).float(), Batch(torch.from_numpy(split.labels[:16]), torch.arange(16)))
        _need_scalars(examination, terms)
    with examination.rule("finite"):
        _need_finite_terms(examination, terms, "a first batch")
    with examination.rule("gradient"):
        _total(terms).backward()  # type: ignore[no-untyped-call]
        gradients = {name: p.grad for name, p in network.named_parameters() if p.grad is not None}
        for name, gradient in gradients.items():
            _need_finite(examination, gradient.numpy(), f"the gradient of {name}")
        reached = sum(bool(gradient.any()) for gradient in gradients.values())
        total = len(list(network.parameters()))
        examination.need(reached > 0, f"it is zero for all {total} parameters of the network")


def _checked_encoder(examination: _Examination, cls: type[Method], bits: int, config: Any, split: Split) -> Encoder:
    images, labels = split.images.copy(), split.labels.copy()
    with examination.rule("construct"):
        encoder, _ = _learn(cls, bits, config, split)
    with examination.rule("inputs-untouched"):
        examination.need(np.array_equal(images, split.images), "images were changed")
        examination.need(np.array_equal(labels, split.labels), "labels were changed")
    return encoder


def _check_codes(examination: _Examination, encoder: Encoder, images: np.ndarray) -> None:
    bits, count = encoder.bits, len(images)
    with examination.rule("code-shape"):
        relaxed = encoder.relaxed(images)
        examination.need(relaxed.shape == (count, bits), f"{count} images give {relaxed.shape} at {bits} bits")
    with examination.rule("finite"):
        _need_finite(examination, relaxed, "relaxed codes")
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


def _check_randomness(examination: _Examination, cls: type[Method], bits: int, config: Any, split: Split) -> None:
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
    model = method.fit(features(split.images), split.labels, rng)
    return ProjectionEncoder(method, model), rng.bit_generator.state != untouched


def _task(split: Split) -> Task:
    height, width = split.images.shape[1:3]
    return Task(4, len(split), (height, width), multi_label=split.labels.ndim == 2)


def _check_loaded(examination: _Examination, cls: type[Dataset], loaded: LoadedDataset) -> None:
    parts = {"train": loaded.train, "query": loaded.query, "database": loaded.database}
    where = f"{loaded.name}@{loaded.protocol}"
    for part, split in parts.items():
        with examination.rule("images"):
            sample = split.take(np.arange(min(4, len(split))))
            examination.need(
                sample.ndim == 4 and sample.shape[3] == 3 and sample.dtype == np.uint8,
                f"{where} {part}: {sample.shape} {sample.dtype}",
            )
        with examination.rule("splits"):
            repeated = len(split) - len(np.unique(split.rows))
            examination.need(repeated == 0, f"{where} {part}: {repeated} rows come twice")
            low, high = int(split.rows.min()), int(split.rows.max())
            examination.need(
                low >= 0 and high < len(split.images), f"{where} {part}: rows {low}..{high} of {len(split.images)}"
            )
        with examination.rule("labels"):
            multi_label = loaded.multi_label if cls.multi_label is None else cls.multi_label
            _check_labels(examination, multi_label, split, len(loaded.classes), f"{where} {part}")
    with examination.rule("splits"):
        shared = len(np.intersect1d(loaded.train.rows, loaded.query.rows))
        examination.need(shared == 0, f"{where}: {shared} queries are training images")


def _check_labels(examination: _Examination, multi_label: bool, split: Split, classes: int, where: str) -> None:
    labels = split.labels
    shape, dtype = ((len(split), classes), np.uint8) if multi_label else ((len(split),), np.int64)
    examination.need(
        labels.shape == shape and labels.dtype == dtype,
        f"{where}: {labels.shape} {labels.dtype}, expected {shape} {np.dtype(dtype)}",
    )
    most = 1 if multi_label else classes - 1
    low, high = int(labels.min()), int(labels.max())
    examination.need(low >= 0 and high <= most, f"{where}: values {low}..{high}, expected 0..{most}")


def _check_numbers(examination: _Examination, cls: type[Evaluator], found: Evaluation) -> None:
    examination.need(bool(found.metrics), "there are none")
    for name, value in found.metrics.items():
        examination.need(isinstance(value, float) and bool(np.isfinite(value)), f"{name} is {value!r}")
        examination.need(name in cls.meanings, f"{name} is not in `meanings`")
    for name, columns in found.curves.items():
        sizes = {column: len(values) for column, values in columns.items()}
        examination.need(len(set(sizes.values())) == 1, f"the columns of {name} have lengths {sizes}")
        for column, values in columns.items():
            _need_finite(examination, np.asarray(values, np.float64), f"{name}: {column}")


def _arrays(codes: CodeSet) -> list[np.ndarray]:
    return [codes.query_codes, codes.query_labels, codes.database_codes, codes.database_labels]


def _need_scalars(examination: _Examination, terms: Any) -> None:
    examination.need(isinstance(terms, dict) and len(terms) > 0, f"got {terms!r}")
    for name, term in terms.items():
        examination.need(isinstance(name, str), f"a term is called {name!r}")
        examination.need(isinstance(term, Tensor), f"{name} is a {type(term).__name__}, expected a tensor")
        examination.need(term.ndim == 0, f"{name} has shape {tuple(term.shape)}, expected a scalar")


def _need_finite_terms(examination: _Examination, terms: dict[str, Tensor], where: str) -> None:
    for name, term in terms.items():
        examination.need(bool(torch.isfinite(term)), f"{name} is {term.item()} for {where}")


def _need_finite(examination: _Examination, array: np.ndarray, what: str) -> None:
    bad = int((~np.isfinite(array)).sum())
    examination.need(bad == 0, f"{what}: {bad} of {array.size} values are NaN or infinite")


def _total(terms: dict[str, Tensor]) -> Tensor:
    return torch.stack(list(terms.values())).sum()
