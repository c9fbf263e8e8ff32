"""Runs cells: (method, data, code length, seed) in, a finished record on disk out."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import shutil
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import numpy as np

import hashzoo
from hashzoo.datasets.base import LoadedDataset
from hashzoo.errors import HashzooError, InvalidInput, StorageError
from hashzoo.evaluators.base import CodeSet, Evaluation
from hashzoo.evaluators.bit_statistics import BitStatistics
from hashzoo.evaluators.hamming_ranking import HammingRanking
from hashzoo.evaluators.query_ranking import QueryRanking
from hashzoo.experiments import store
from hashzoo.experiments.budget import begun, superseded, within_budget, write_budget
from hashzoo.experiments.cell import (
    Cell,
    Reporter,
    config_hash,
    identity,
    method_of,
    preset_changes,
    series_hash,
    short_hash,
)
from hashzoo.experiments.environment import describe, owner_of, source_tree
from hashzoo.experiments.selection import facts_of, with_held_out
from hashzoo.experiments.store import Record
from hashzoo.features.base import features_of
from hashzoo.features.table import split_features
from hashzoo.files import write_atomically
from hashzoo.methods.base import DeepMethod, Method, ShallowMethod
from hashzoo.methods.encoder import Encoder, NetworkEncoder, ProjectionEncoder
from hashzoo.reports.curves import pr_curve_png
from hashzoo.training.checkpoint import Checkpoint
from hashzoo.training.profile import Profile
from hashzoo.training.speed import can_compile
from hashzoo.training.trainer import Observer, TrainOptions, train
from hashzoo.training.validation import BestEpoch

_ABSOLUTE = re.compile(r"(?:^|(?<=[=:,]))(?!//)[/~][^,]*")  # tcp://host is an address


@dataclass(frozen=True)
class RunOptions:
    """How to run cells, as opposed to what they are."""

    out: Path = Path("runs")
    resume: bool = False
    force: bool = False
    download: bool = False  # of pretrained weights
    compile: bool = False  # networks that torch.compile can be trusted with
    checkpoint_every: int = 1  # epochs
    command: Sequence[str] = ()  # as typed, for the record
    profile: Profile | None = None  # to be filled in


def run_cells(cells: Sequence[Cell], data: LoadedDataset, options: RunOptions, reporter: Reporter) -> list[Record]:
    """Check every cell, then run them in order.

    Raises:
        InvalidInput: a method cannot take the data, or a cell was left unfinished and neither `resume` nor `force` says
            what to do with it; nothing has run by then.
        HashzooError: from a cell; those before it are finished and stored.
    """
    for note in data.notes:
        reporter.note(f"{data.title}: {note}")
    cells = [
        within_budget(
            cell,
            data,
            options.out,
            reporter,
            anew=options.force,
            download=options.download,
            compile=options.compile,
        )
        for cell in cells
    ]
    folders = [_checked_folder(cell, data, options) for cell in cells]
    for cell in cells[:1]:
        method = method_of(cell, data, download=options.download)
        if _sampler(method) == "shuffled" and cell.config.sampler == "class_aware":
            reporter.note(
                f"{cell.method}: images have several labels, so batches are shuffled, not class-aware; "
                "--set sampler=label_balanced draws for every label equally often"
            )
    return [_run(cell, data, folder, options, reporter) for cell, folder in zip(cells, folders, strict=True)]


def run_cell(cell: Cell, data: LoadedDataset, options: RunOptions, reporter: Reporter) -> Record:
    """`run_cells` of one."""
    return run_cells([cell], data, options, reporter)[0]


def stored_record(cell: Cell, data: LoadedDataset, out: Path) -> Record | None:
    """The record of a cell below `out`; None if it is not finished.

    Raises:
        UnsuitableData: the data is not for the method.
        InvalidInput: it cannot take the data for another reason, or the record is damaged.
    """
    if cell.budget_s is not None:
        known = begun(cell, data, out)
        if known is None:
            return None
        cell = known
    method_of(cell, data)
    result = _folder(cell, data, out) / store.RESULT
    return store.read_record(result) if result.exists() else None


def _folder(cell: Cell, data: LoadedDataset, out: Path) -> Path:
    return store.cell_folder(
        out,
        dataset=data.name,
        protocol=data.protocol,
        method=cell.method,
        bits=cell.bits,
        seed=cell.seed,
        config_hash=config_hash(cell, data),
    )


def _checked_folder(cell: Cell, data: LoadedDataset, options: RunOptions) -> Path:
    method_of(cell, data, download=options.download)
    folder = _folder(cell, data, options.out)
    checkpoint = Checkpoint(folder, "")
    if checkpoint.exists() and not (folder / store.RESULT).exists() and not (options.resume or options.force):
        done = _progress(checkpoint.index, cell)
        state = done or "its checkpoint is damaged"
        ways = "--resume goes on with it, --force starts over" if done else "--force starts over, as does removing it"
        raise InvalidInput(f"{folder} holds an unfinished run ({state}): {ways}")
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
    source_tree()  # now, before hours in which it may change
    with store.made_folder(folder):
        try:
            if options.force:
                store.set_aside(folder)
                checkpoint.remove()
            result.unlink(missing_ok=True)
            write_budget(folder, cell)
            with (options.profile or Profile()).whole():
                record = _fresh(cell, data, folder, options, reporter)
            checkpoint.remove()
            (folder / store.BUDGET).unlink(missing_ok=True)
            shutil.rmtree(folder / store.REPLACED, ignore_errors=True)
            if options.force:
                for before in superseded(cell, data, folder):
                    shutil.rmtree(before)
        except BaseException as cause:
            if not result.exists():
                with suppress(OSError):  # of which the first is told
                    store.discard(folder, resumable=checkpoint.exists())
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
    method = method_of(cell, data, download=options.download)
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
        among = QueryRanking(_ranking_of(cell, data)).evaluate(codes)
        bits = BitStatistics().evaluate(codes)

    encoder.save(folder / store.MODEL)
    store.write_codes(folder / store.CODES, codes)
    compiled = options.compile and isinstance(encoder, NetworkEncoder) and can_compile(encoder.network)
    if options.compile and not compiled:
        reporter.note(f"{cell.title}: not compiled, which is for networks that torch.compile can be trusted with")
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
        "preset_changes": preset_changes(cell),
        "config": facts["config"],
        "sampler": _sampler(method),
        "config_hash": short_hash(facts),
        "series": series_hash(cell, data),
        "selection": selection,
        "metrics": ranking.metrics | among.metrics | bits.metrics,
        "metric_definition": ranking.definition,
        "bit_definition": bits.definition,
        "curves": ranking.curves,
        "timings": {
            "train_s": round(train_s, 3),
            "encode_s": round(encoded - started, 3),
            "evaluate_s": round(evaluated - encoded, 3),
        },
        "environment": describe(cell.device, owner_of(type(method))) | {"compiled": compiled},
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
    return HammingRanking(_ranking_of(cell, data)).evaluate(codes)


def _ranking_of(cell: Cell, data: LoadedDataset) -> HammingRanking.Config:
    return HammingRanking.Config(topk=cell.topk or data.topk)


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
        compile=options.compile,
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


def _sampler(method: Method) -> str | None:
    """What made the batches of a deep method."""
    return method.sampler_in_effect() if isinstance(method, DeepMethod) else None


def _progress(index: Path, cell: Cell) -> str:
    """What a checkpoint says of its run; empty if it is damaged."""
    try:
        position = json.loads(index.read_text())["position"]
        return f"{position['epoch']} of {cell.config.epochs} epochs done"
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def without_paths(words: Sequence[str]) -> str:
    """The command in one line, with PATH for every absolute path."""
    return shlex.join(_ABSOLUTE.sub("PATH", word) for word in words)
