"""Learning rate schedules as pure functions: share of training done, 0 to 1, to a factor of the highest rate."""

from __future__ import annotations

import math
from collections.abc import Callable


def one_cycle(done: float) -> float:
    """Up in a straight line for the first quarter, then down along a cosine.

    Source: Smith & Topin, "Super-Convergence", 2018, with a cosine on the way down.
    """
    warmup = 0.25
    if done < warmup:
        return 0.04 + 0.96 * done / warmup
    return cosine((done - warmup) / (1 - warmup))


def cosine(done: float) -> float:
    """Down along half a cosine, to a thousandth. Source: Loshchilov & Hutter, "SGDR", 2017, without restarts."""
    return 0.001 + 0.999 * (1 + math.cos(math.pi * done)) / 2


def step(done: float) -> float:
    """A tenth after 60 % of training, a hundredth after 85 %."""
    return 1.0 if done < 0.6 else 0.1 if done < 0.85 else 0.01


SCHEDULES: dict[str, Callable[[float], float]] = {"one_cycle": one_cycle, "cosine": cosine, "step": step}
