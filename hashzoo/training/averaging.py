"""A running average of a network's weights while it trains."""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


def running_average(network: nn.Module, decay: float) -> AveragedModel:
    """A copy of `network` that `update_parameters(network)` moves towards it, statistics of batch norms included.

    After n updates the copy keeps min(decay, (1 + n) / (10 + n)) of itself, so that a short run forgets its random
    start, too.

    Source: Polyak & Juditsky, "Acceleration of Stochastic Approximation by Averaging", 1992, with exponential weights.
    """

    def update(averaged: Any, current: Any, count: Any) -> None:
        done = int(count)
        get_ema_multi_avg_fn(min(decay, (1 + done) / (10 + done)))(averaged, current, count)  # type: ignore[no-untyped-call]

    return AveragedModel(network, multi_avg_fn=update, use_buffers=True)
