"""Choosing an epoch by training images that were held out, never by the queries."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hashzoo.datasets.base import LoadedDataset
from hashzoo.training.validation import BestEpoch, hold_out


def with_held_out(config: Any, data: LoadedDataset, seed: int) -> tuple[LoadedDataset, BestEpoch | None]:
    """The data without the training images that `config.validate` holds out, and who chooses an epoch by these.

    Raises:
        InvalidSetting: there are not enough training images.
    """
    count = getattr(config, "validate", 0)  # methods without a network have no such setting
    if not count:
        return data, None
    train, held_out = hold_out(data.train, count, seed)
    return replace(data, train=train), BestEpoch(held_out)


def facts_of(best: BestEpoch) -> dict[str, Any]:
    """Which epoch was chosen and why, for the record."""
    return {
        "held_out": len(best.held_out),
        "epoch": int(best.epoch),
        "validation_map": float(best.score),
    }
