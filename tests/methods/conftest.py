from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from hashzoo import retrieval
from hashzoo.datasets.base import DATASETS, LoadedDataset, Split
from hashzoo.methods.base import METHODS, ShallowMethod, Task
from hashzoo.methods.encoder import fit_encoder
from hashzoo.testing import toy_split


@pytest.fixture(scope="session")
def split() -> Split:
    """48 images of 16x16 in four classes."""
    return toy_split(image_size=16)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(11)


@pytest.fixture(scope="session")
def digits() -> LoadedDataset:
    return DATASETS.get("digits")().load()


@pytest.fixture(scope="session")
def map_on_digits(digits: LoadedDataset) -> Callable[..., float]:
    """map_on_digits("itq", iterations=5) is the mAP of 24 bits, learned with seed 0 from GIST features."""

    def measure(name: str, **settings: Any) -> float:
        cls = METHODS.get(name)
        assert issubclass(cls, ShallowMethod)
        method = cls(24, Task(10, len(digits.train), (32, 32)), cls.Config(**settings))
        encoder = fit_encoder(method, digits.train, np.random.default_rng(0))
        query, database = encoder.encode_split(digits.query), encoder.encode_split(digits.database)
        return float(retrieval.evaluate(query, digits.query.labels, database, digits.database.labels, bits=24).map)

    return measure


@pytest.fixture(scope="session")
def lsh_on_digits(map_on_digits: Callable[..., float]) -> float:
    return map_on_digits("lsh")
