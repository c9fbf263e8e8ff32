from __future__ import annotations

import math
from itertools import pairwise

import pytest

from hashzoo.training.schedules import SCHEDULES, cosine, one_cycle, step


@pytest.mark.parametrize(
    ("schedule", "done", "factor"),
    [
        (one_cycle, 0.0, 0.04),
        (one_cycle, 0.125, 0.52),
        (one_cycle, 0.25, 1.0),
        (one_cycle, 0.625, 0.5005),
        (one_cycle, 1.0, 0.001),
        (cosine, 0.0, 1.0),
        (cosine, 0.5, 0.5005),
        (cosine, 1.0, 0.001),
        (step, 0.0, 1.0),
        (step, 0.59, 1.0),
        (step, 0.6, 0.1),
        (step, 0.84, 0.1),
        (step, 0.85, 0.01),
        (step, 1.0, 0.01),
    ],
)
def test_factors(schedule, done, factor):
    assert math.isclose(schedule(done), factor, rel_tol=1e-12)


@pytest.mark.parametrize("name", SCHEDULES)
def test_factors_stay_above_0_and_up_to_1(name):
    factors = [SCHEDULES[name](i / 1000) for i in range(1001)]
    assert min(factors) > 0
    assert max(factors) == 1.0
    highest = factors.index(1.0)
    assert all(a <= b for a, b in pairwise(factors[: highest + 1]))
    assert all(a >= b for a, b in pairwise(factors[highest:]))
