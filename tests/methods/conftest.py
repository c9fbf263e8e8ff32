from __future__ import annotations

import numpy as np
import pytest

from hashzoo.datasets.base import Split
from hashzoo.testing import toy_split


@pytest.fixture(scope="session")
def split() -> Split:
    """48 images of 16x16 in four classes."""
    return toy_split(image_size=16)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(11)
