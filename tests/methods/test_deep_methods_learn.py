"""Every method that trains a network learns: on small digits, in a few epochs, it finds its class mates."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hashzoo import retrieval
from hashzoo.datasets.digits import Digits
from hashzoo.methods.base import METHODS, DeepMethod, Task
from hashzoo.methods.encoder import fit_encoder
from hashzoo.methods.lsh import LSH
from hashzoo.training.trainer import TrainOptions, train

BITS = 24
MARGIN = 0.2  # of mAP above lsh
SUPERVISED = [
    name
    for name in METHODS.names()
    if issubclass(METHODS.get(name), DeepMethod) and METHODS.get(name).supervision != "none"
]


@pytest.fixture(scope="module")
def digits():
    return Digits(image_size=16).load()


@pytest.fixture(scope="module")
def task(digits):
    return Task(10, len(digits.train), (16, 16))


@pytest.fixture(scope="module")
def lsh(digits, task):
    method = LSH(BITS, task, LSH.Config(features="pixels"))
    return mean_average_precision(fit_encoder(method, digits.train, np.random.default_rng(0)), digits)


def mean_average_precision(encoder, digits):
    query, database = encoder.encode_split(digits.query), encoder.encode_split(digits.database)
    return retrieval.evaluate(query, digits.query.labels, database, digits.database.labels, bits=BITS).map


@pytest.mark.parametrize("name", SUPERVISED)
def test_it_beats_lsh(name, digits, task, lsh):
    cls = METHODS.get(name)
    method = cls(BITS, task, replace(cls.Config(), epochs=10, batch_size=50))
    encoder, _ = train(method, digits.train, digits.augmentation, TrainOptions())
    assert mean_average_precision(encoder, digits) > lsh + MARGIN
