"""A time budget for training, turned into a number of epochs before training starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from hashzoo.errors import InvalidSetting
from hashzoo.methods.base import DeepMethod, Method
from hashzoo.settings import require
from hashzoo.training.trainer import TrainOptions, measure_pace

if TYPE_CHECKING:
    from hashzoo.datasets.base import LoadedDataset
    from hashzoo.experiments.runner import Cell, Reporter

PROBE = 0.02  # of the budget, and not taken from it


def check_budget(cls: type[Method], budget_s: float, settings: Mapping[str, str]) -> None:
    """Refuse a budget that cannot be, or beside `epochs`.

    Raises:
        InvalidSetting: with the reason.
    """
    if not issubclass(cls, DeepMethod):
        raise InvalidSetting(f"{cls.name} trains no network: it has no budget")
    if "epochs" in settings:
        raise InvalidSetting("expected either a budget or epochs, got both")
    require(budget_s > 0, "budget", "more than 0 seconds", budget_s)


def fit_epochs(cell: Cell, method: DeepMethod, data: LoadedDataset, reporter: Reporter) -> Cell:
    """The cell with as many whole epochs as its budget holds, and what they were chosen by.

    A probe trains for `PROBE` of the budget and is thrown away. The epochs are the budget, less what comes before the
    first epoch, over the time of an epoch, rounded down. They become a setting like any other, so that schedules end
    where training does, and a run with the same `epochs` and no budget gives the same codes.

    Raises:
        InvalidSetting: the budget is shorter than an epoch.
    """
    assert cell.budget_s is not None
    options = TrainOptions(seed=cell.seed, device=cell.device, precision=cell.precision)
    pace = measure_pace(method, data.train, data.augmentation, options, seconds=PROBE * cell.budget_s)
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
    }
    reporter.note(
        f"{cell.title}: {pace.images_per_second:,.0f} images/s over {pace.measured_steps} steps; {epochs} epochs fit "
        f"into {cell.budget_s:g} s (--epochs {epochs} gives the same codes)"
    )
    return replace(cell, config=replace(cell.config, epochs=epochs), probe=probe)
