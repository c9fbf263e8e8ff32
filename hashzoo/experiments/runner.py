"""Runs cells: (method, data, code length, seed) in, a finished record on disk out."""

from __future__ import annotations

import hashlib
import json
import shlex
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

import hashzoo
from hashzoo.backbones.base import BACKBONES
from hashzoo.datasets.base import LoadedDataset
from hashzoo.errors import HashzooError, InvalidInput, InvalidSetting, StorageError
from hashzoo.evaluators.base import CodeSet, Evaluation
from hashzoo.evaluators.bit_statistics import BitStatistics
from hashzoo.evaluators.hamming_ranking import HammingRanking
from hashzoo.experiments import store
from hashzoo.experiments.budget import check_budget, fit_epochs
from hashzoo.experiments.environment import choose_device, describe, has_native_bf16, owner_of
from hashzoo.experiments.selection import facts_of, with_held_out
from hashzoo.experiments.store import Record
from hashzoo.features.base import described, features_of
from hashzoo.features.table import split_features
from hashzoo.files import write_atomically
from hashzoo.methods.base import METHODS, DeepMethod, Method, ShallowMethod, Task, require_contrast
from hashzoo.methods.encoder import Encoder, NetworkEncoder, ProjectionEncoder
from hashzoo.methods.presets import preset_settings
from hashzoo.reports.curves import pr_curve_png
from hashzoo.settings import configure, require
from hashzoo.training.checkpoint import Checkpoint
from hashzoo.training.profile import Profile
from hashzoo.training.trainer import Observer, TrainOptions, train
from hashzoo.training.validation import BestEpoch


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


@dataclass(frozen=True)
class RunOptions:
    """How to run cells, as opposed to what they are."""

    out: Path = Path("runs")
    resume: bool = False
    force: bool = False
    download: bool = False  # of pretrained weights
    checkpoint_every: int = 1  # epochs
    command: Sequence[str] = ()  # as typed, for the record
    profile: Profile | None = None  # to be filled in


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
        precision: "auto", "fp32" or "bf16"; auto takes bf16 where the hardware multiplies it.
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
        check_budget(cls, budget_s, settings)
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
        precision = "bf16" if has_native_bf16(device) else "fp32"
    elif precision == "bf16" and not has_native_bf16(device):
        reporter.note(f"bf16 is only emulated on this {device}, which is many times slower than fp32")
    kind: Literal["fp32", "bf16"] = "bf16" if precision == "bf16" else "fp32"
    return [Cell(cls.name, length, config, seed, device, kind, image_size, topk, preset, budget_s) for length in bits]


def run_cells(cells: Sequence[Cell], data: LoadedDataset, options: RunOptions, reporter: Reporter) -> list[Record]:
    """Check every cell, then run them in order.

    Raises:
        InvalidInput: a method cannot take the data, or a cell was left unfinished and neither `resume` nor `force` says
            what to do with it; nothing has run by then.
        HashzooError: from a cell; those before it are finished and stored.
    """
    for note in data.notes:
        reporter.note(f"{data.title}: {note}")
    cells = [_within_budget(cell, data, options, reporter) for cell in cells]
    folders = [_checked_folder(cell, data, options) for cell in cells]
    for cell in cells[:1]:
        method = method_of(cell, data, options)
        if _sampler(method) == "shuffled" and cell.config.sampler == "class_aware":
            reporter.note(
                f"{cell.method}: images have several labels, so batches are shuffled, not class-aware; "
                "--set sampler=label_balanced draws for every label equally often"
            )
    return [_run(cell, data, folder, options, reporter) for cell, folder in zip(cells, folders, strict=True)]


def run_cell(cell: Cell, data: LoadedDataset, options: RunOptions, reporter: Reporter) -> Record:
    """`run_cells` of one."""
    return run_cells([cell], data, options, reporter)[0]


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


def config_hash(cell: Cell, data: LoadedDataset) -> str:
    """Twelve hexadecimal digits over `identity`."""
    return _short_hash(identity(cell, data))


def series_hash(cell: Cell, data: LoadedDataset) -> str:
    """The same, but for the code length: what a row of a table has in common."""
    return _short_hash({key: value for key, value in identity(cell, data).items() if key != "bits"})


def _within_budget(cell: Cell, data: LoadedDataset, options: RunOptions, reporter: Reporter) -> Cell:
    if cell.budget_s is None or cell.probe is not None:
        return cell
    if options.resume:
        raise InvalidInput(
            "a budget would be measured anew: --resume goes on with the --epochs that the first run named"
        )
    method = method_of(cell, data, options)
    assert isinstance(method, DeepMethod)
    return fit_epochs(cell, method, data, reporter)


def _checked_folder(cell: Cell, data: LoadedDataset, options: RunOptions) -> Path:
    method_of(cell, data, options)
    folder = store.cell_folder(
        options.out,
        dataset=data.name,
        protocol=data.protocol,
        method=cell.method,
        bits=cell.bits,
        seed=cell.seed,
        config_hash=config_hash(cell, data),
    )
    checkpoint = Checkpoint(folder, "")
    if checkpoint.exists() and not (folder / store.RESULT).exists() and not (options.resume or options.force):
        raise InvalidInput(
            f"{folder} holds an unfinished run ({_progress(checkpoint.index, cell)}): "
            "--resume goes on with it, --force starts over"
        )
    return folder


def _run(cell: Cell, data: LoadedDataset, folder: Path, options: RunOptions, reporter: Reporter) -> Record:
    result = folder / store.RESULT
    if result.exists() and not options.force:
        try:
            record = store.read_record(result)
        except InvalidInput as reason:
            reporter.note(f"{reason}; running it again")
        else:
            reporter.note(f"{cell.title}: already in {folder}; --force runs it again")
            return record
    checkpoint = Checkpoint(folder, config_hash(cell, data))
    if options.resume and not options.force and not checkpoint.exists():
        reporter.note(f"{cell.title}: no checkpoint in {folder}; starting from the beginning")
    with store.made_folder(folder):
        try:
            result.unlink(missing_ok=True)
            if options.force:
                checkpoint.remove()
            with (options.profile or Profile()).whole():
                record = _fresh(cell, data, folder, options, reporter)
            checkpoint.remove()
        except BaseException as cause:
            if not result.exists():
                store.discard(folder, keep_log=checkpoint.exists())
            if isinstance(cause, OSError) and not isinstance(cause, HashzooError):
                raise StorageError(f"cannot write in {folder}: {cause.strerror or cause}") from cause
            raise
    metrics = record["metrics"]
    reporter.note(f"{cell.title}: mAP {metrics['map_expected']:.4f}, stored in {folder}")
    return record


def _fresh(cell: Cell, data: LoadedDataset, folder: Path, options: RunOptions, reporter: Reporter) -> Record:
    """Train, encode, measure and write."""
    profile = options.profile or Profile()
    data, best = with_held_out(cell.config, data, cell.seed)
    method = method_of(cell, data, options)
    encoder: Encoder
    selection = None
    if isinstance(method, DeepMethod):
        with reporter.training(cell.title, cell.config.epochs) as observer:
            encoder, train_s = _train_network(method, cell, data, folder, options, observer, best)
        if best is not None:
            selection = facts_of(best) | {"last": _ranking(_codes(encoder, cell, data), cell, data).metrics}
            encoder = best.encoder(encoder)
    else:
        assert isinstance(method, ShallowMethod)
        encoder, train_s = _fit(method, cell, data, profile)

    started = time.perf_counter()
    with profile.stage("encode"):
        codes = _codes(encoder, cell, data)
    encoded = time.perf_counter()
    with profile.stage("evaluate"):
        ranking = _ranking(codes, cell, data)
        evaluated = time.perf_counter()
        bits = BitStatistics().evaluate(codes)

    encoder.save(folder / store.MODEL)
    store.write_codes(folder / store.CODES, codes)
    facts = identity(cell, data)
    record = {
        "schema": store.SCHEMA,
        "method": cell.method,
        "dataset": data.name,
        "protocol": data.protocol,
        "title": data.title,
        "split_sha256": data.split_sha256,
        "split": dict(data.split),
        "images_sha256": data.images_sha256,
        "data_notes": list(data.notes),
        "bits": cell.bits,
        "seed": cell.seed,
        "precision": cell.precision,
        "image_size": cell.image_size,
        "augmentation": facts["augmentation"],
        "preset": cell.preset,
        "config": facts["config"],
        "sampler": _sampler(method),
        "config_hash": _short_hash(facts),
        "series": series_hash(cell, data),
        "selection": selection,
        "metrics": ranking.metrics | bits.metrics,
        "metric_definition": ranking.definition,
        "bit_definition": bits.definition,
        "curves": ranking.curves,
        "timings": {
            "train_s": round(train_s, 3),
            "encode_s": round(encoded - started, 3),
            "evaluate_s": round(evaluated - encoded, 3),
        },
        "environment": describe(cell.device, owner_of(type(method))),
        "budget": None if cell.budget_s is None else {"seconds": cell.budget_s, "probe": dict(cell.probe or {})},
        "codes_sha256": store.codes_sha256(codes),
        "model_sha256": hashlib.sha256((folder / store.MODEL).read_bytes()).hexdigest(),
        "training": {"images": len(data.train), **_sampling(method, len(data.train))},
        "paper": method.paper,
        "deviations": list(method.deviations),
        "hashzoo": hashzoo.__version__,
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "command": without_paths(options.command),
    }
    write_atomically(folder / store.CURVE, pr_curve_png(record))
    store.write_record(folder, record)
    return record


def _codes(encoder: Encoder, cell: Cell, data: LoadedDataset) -> CodeSet:
    return CodeSet.checked(
        bits=cell.bits,
        query_codes=encoder.encode_split(data.query),
        query_labels=data.query.labels,
        database_codes=encoder.encode_split(data.database),
        database_labels=data.database.labels,
        exclude=data.exclude,
    )


def _ranking(codes: CodeSet, cell: Cell, data: LoadedDataset) -> Evaluation:
    return HammingRanking(HammingRanking.Config(topk=cell.topk or data.topk)).evaluate(codes)


def _train_network(
    method: DeepMethod,
    cell: Cell,
    data: LoadedDataset,
    folder: Path,
    options: RunOptions,
    observer: Observer,
    best: BestEpoch | None,
) -> tuple[NetworkEncoder, float]:
    how = TrainOptions(
        seed=cell.seed,
        device=cell.device,
        precision=cell.precision,
        checkpoint_every=options.checkpoint_every,
        resume=options.resume and not options.force,
    )
    return train(
        method,
        data.train,
        data.augmentation,
        how,
        folder=folder,
        fingerprint=config_hash(cell, data),
        observer=observer,
        profile=options.profile,
        best=best,
    )


def _fit(method: ShallowMethod, cell: Cell, data: LoadedDataset, profile: Profile) -> tuple[Encoder, float]:
    started = time.perf_counter()
    with profile.stage("data"):
        features = features_of(method, data.train)
        vectors = split_features(features, data.train)
    with profile.stage("fit"):
        model = method.fit(vectors, data.train.labels, np.random.default_rng(cell.seed))
    return ProjectionEncoder(method, model, features), time.perf_counter() - started


def _sampling(method: Method, images: int) -> dict[str, int]:
    return method.sampling(images) if isinstance(method, ShallowMethod) else {}


def method_of(cell: Cell, data: LoadedDataset, options: RunOptions) -> Method:
    """The method of a cell, ready to learn from the data.

    Raises:
        InvalidInput: it cannot take the data.
    """
    cls = METHODS.get(cell.method)
    if data.multi_label and not cls.multi_label:
        able = [name for name in METHODS.names() if METHODS.get(name).multi_label][:3]
        raise InvalidInput(
            f"{cell.method} needs one label an image, and {data.name} has several; these can: {', '.join(able)}"
        )
    require_contrast(cls, data.train.labels)
    height, width = data.train.images.shape[1:3]
    task = Task(len(data.classes), len(data.train), (height, width), data.multi_label)
    return cls(cell.bits, task, cell.config, download=options.download)


def _sampler(method: Method) -> str | None:
    """What made the batches of a deep method."""
    return method.sampler_in_effect() if isinstance(method, DeepMethod) else None


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


def _progress(index: Path, cell: Cell) -> str:
    try:
        position = json.loads(index.read_text())["position"]
        return f"{position['epoch']} of {cell.config.epochs} epochs done"
    except (OSError, ValueError, KeyError, TypeError):
        return "its checkpoint is damaged"


def _short_hash(facts: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]


def without_paths(words: Sequence[str]) -> str:
    """The command in one line, with PATH for every absolute path."""
    shown = []
    for word in words:
        name, equals, value = word.partition("=")
        if word.startswith(("/", "~")):
            shown.append("PATH")
        elif equals and value.startswith(("/", "~")):
            shown.append(f"{name}=PATH")
        else:
            shown.append(word)
    return shlex.join(shown)
