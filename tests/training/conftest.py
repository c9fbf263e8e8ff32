from __future__ import annotations

import numpy as np
import pytest

from hashzoo.datasets.base import Split


@pytest.fixture(scope="session")
def split() -> Split:
    """60 noisy 16x16 images of five classes."""
    rng = np.random.default_rng(5)
    labels = np.arange(60) % 5
    pattern = rng.integers(0, 180, (5, 4, 4, 3)).repeat(4, axis=1).repeat(4, axis=2)
    images = (pattern[labels] + rng.integers(0, 76, (60, 16, 16, 3))).astype(np.uint8)
    return Split(images, np.arange(60), labels)
