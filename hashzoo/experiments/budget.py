"""A time budget for training, turned into a number of epochs before training starts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from hashzoo.datasets.base import LoadedDataset
from hashzoo.errors import InvalidInput, InvalidSetting
from hashzoo.experiments import store
from hashzoo.experiments.cell import Cell, Reporter, config_hash, method_of
from hashzoo.experiments.selection import with_held_out
from hashzoo.files import write_atomically
from hashzoo.methods.base import DeepMethod
from hashzoo.training.trainer import TrainOptions, measure_pace

PROBE = 0.02  # of the budget, and not taken from it


def within_budget(
    cell: Cell,
    data: LoadedDataset,
    out: Path,
    reporter: Reporter,
    *,
    anew: bool = False,
    download: bool = False,
    compile: bool = False,
) -> Cell:
    """The cell with as many whole epochs as its budget holds, and what they were chosen by; as it is without a budget.

    If there is a run of this cell below `out`, finished or with a checkpoint, its epochs are taken. Else a probe trains
    for `PROBE` of the budget and is thrown away: the epochs are the budget, less what comes before the first epoch,
    over the time of an epoch, rounded down. They become a setting like any other, so that schedules end where training
    does, and a run with the same `epochs` and no budget gives the same codes.

    Args:
        anew: measure even if there is a run.
        compile: as in `RunOptions`.

    Raises:
        InvalidSetting: the budget is shorter than an epoch.
        InvalidInput: the method cannot take the data.
    """
    if cell.budget_s is None or cell.probe is not None:
        return cell
    known = None if anew else begun(cell, data, out)
    return known or _probed(cell, data, reporter, download=download, compile=compile)


def write_budget(folder: Path, cell: Cell) -> None:
    """Note in the folder of an unfinished run what `within_budget` found, so that it can be gone on with."""
    if cell.budget_s is not None:
        facts = {"seconds": cell.budget_s, "probe": dict(cell.probe or {}), "epochs": cell.config.epochs}
        write_atomically(folder / store.BUDGET, json.dumps(facts, indent=1).encode())


def superseded(cell: Cell, data: LoadedDataset, folder: Path) -> list[Path]:
    """Folders of earlier runs of the cell that is in `folder`, with its budget and another number of epochs."""
    if cell.budget_s is None:
        return []
    alike = folder.with_name(folder.name.rpartition("-")[0] + "-*")
    return list(dict.fromkeys(run for run, _ in _runs_of(cell, data, alike) if run != folder))


def _probed(cell: Cell, data: LoadedDataset, reporter: Reporter, *, download: bool, compile: bool) -> Cell:
    assert cell.budget_s is not None
    data, best = with_held_out(cell.config, data, cell.seed)
    method = method_of(cell, data, download=download)
    assert isinstance(method, DeepMethod)
    options = TrainOptions(seed=cell.seed, device=cell.device, precision=cell.precision, compile=compile)
    pace = measure_pace(method, data.train, data.augmentation, options, seconds=PROBE * cell.budget_s, best=best)
    epochs = int((cell.budget_s - pace.prepare_s) / pace.epoch_s)
    if epochs < 1:
        needed = pace.prepare_s + pace.epoch_s
        raise InvalidSetting(
            f"budget: expected time for at least one epoch, which takes {needed:.1f} s here, got {cell.budget_s:g} s"
        )
    probe = {
        "steps": pace.measured_steps,
        "images_per_second": round(pace.images_per_second, 1),
        "prepare_s": round(pace.prepare_s, 3),
        "validate_s": round(pace.validate_s, 3),
    }
    reporter.note(
        f"{cell.title}: {pace.images_per_second:,.0f} images/s over {pace.measured_steps} steps; {epochs} epochs fit "
        f"into {cell.budget_s:g} s (--epochs {epochs} gives the same codes)"
    )
    return replace(cell, config=replace(cell.config, epochs=epochs), probe=probe)


def begun(cell: Cell, data: LoadedDataset, out: Path) -> Cell | None:
    """The cell as it was run before with this budget; None if it was not."""
    folders = store.cell_folder(
        out,
        dataset=data.name,
        protocol=data.protocol,
        method=cell.method,
        bits=cell.bits,
        seed=cell.seed,
        config_hash="*",
    )
    return next((alike for _, alike in _runs_of(cell, data, folders)), None)


def _runs_of(cell: Cell, data: LoadedDataset, folders: Path) -> Iterator[tuple[Path, Cell]]:
    """The runs of a cell and its budget: folder, and the cell with the epochs of that run."""
    for folder, facts in _stored_budgets(folders):
        if facts.get("seconds") == cell.budget_s:
            alike = replace(cell, config=replace(cell.config, epochs=facts["epochs"]), probe=facts["probe"])
            if folder.name.endswith(f"-{config_hash(alike, data)}"):
                yield folder, alike


def _stored_budgets(folders: Path) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """Folder, and what is known of its budget, finished runs first."""
    found = sorted(folders.parent.glob(folders.name))
    for folder in found:
        if (folder / store.RESULT).exists():
            try:
                record = store.read_record(folder / store.RESULT)
            except InvalidInput:
                continue  # run again, and said so, by whoever runs it
            yield folder, {**(record.get("budget") or {}), "epochs": record["config"].get("epochs")}
    for folder in found:
        try:
            facts = json.loads((folder / store.BUDGET).read_text())
        except (OSError, ValueError):
            continue
        if isinstance(facts, dict) and isinstance(facts.get("epochs"), int) and isinstance(facts.get("probe"), dict):
            yield folder, facts
