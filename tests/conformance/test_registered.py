"""The kit over everything that is registered here, plugins included."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from hashzoo import BACKBONES, DATASETS, EVALUATORS, LOSSES, METHODS
from hashzoo.backbones.torchvision import ARCHITECTURES
from hashzoo.datasets.base import Augmentation
from hashzoo.errors import DataError, InvalidInput
from hashzoo.methods.base import DeepMethod, ShallowMethod, Task
from hashzoo.methods.encoder import fit_encoder
from hashzoo.registry import broken_plugins
from hashzoo.testing import (
    check_backbone,
    check_dataset,
    check_evaluator,
    check_loss,
    check_method,
    toy_split,
)
from hashzoo.training.trainer import TrainOptions, train

FROM_TORCHVISION = ("resnet18", "mobilenet_v3_small")  # one class makes them all, so a sample will do
SHALLOW = [name for name in METHODS.names() if issubclass(METHODS.get(name), ShallowMethod)]
SHORT = {"mlh": {"epochs": 1, "pairs": 1000}, "ksh": {"steps": 5}, "bre": {"sweeps": 5}}  # trainings
OWN_BACKBONES = [name for name in BACKBONES.names() if name not in ARCHITECTURES]


def test_every_installed_plugin_can_be_imported():
    assert broken_plugins() == {}


@pytest.mark.parametrize("name", METHODS.names())
def test_methods(name):
    check_method(METHODS.get(name), settings=SHORT.get(name), image_size=16)


@pytest.mark.parametrize("name", SHALLOW)
def test_the_shortest_and_longer_codes(name):
    check_method(METHODS.get(name), settings=SHORT.get(name), lengths=(100, 1), image_size=16)


@pytest.mark.parametrize("name", [name for name in METHODS.names() if METHODS.get(name).supervision != "none"])
def test_one_class_is_refused(name):
    split = toy_split(image_size=16)
    split = replace(split, labels=np.zeros_like(split.labels))
    method = METHODS.get(name)(12, Task(4, len(split), (16, 16)))
    if isinstance(method, DeepMethod):
        learn = partial(train, method, split, Augmentation(), TrainOptions())
    else:
        learn = partial(fit_encoder, method, split, np.random.default_rng(0))
    with pytest.raises(InvalidInput, match=f"{name}: expected training images of two classes or more, got 48 of one"):
        learn()


@pytest.mark.parametrize("name", LOSSES.names())
def test_losses(name):
    check_loss(LOSSES.get(name))


@pytest.mark.parametrize("name", EVALUATORS.names())
def test_evaluators(name):
    check_evaluator(EVALUATORS.get(name))


@pytest.mark.parametrize("name", [*OWN_BACKBONES, *FROM_TORCHVISION])
def test_backbones(name):
    check_backbone(BACKBONES.get(name), image_size=32)


@pytest.mark.parametrize("name", DATASETS.names())
def test_datasets(name, tmp_path):
    """Data that is not there is missed in one line; a dataset that brings its data along is checked in full."""
    cls = DATASETS.get(name)
    missing = ""
    try:
        cls(tmp_path).load()
    except DataError as error:
        missing = str(error)
    if missing:
        assert name in missing
        assert str(tmp_path) in missing
        assert "\n" not in missing
    else:
        check_dataset(cls)


def test_the_folder_dataset_on_a_tree(tmp_path):
    from PIL import Image

    split = toy_split(image_size=16)
    for row, (image, label) in enumerate(zip(split.images, split.labels, strict=True)):
        file = Path(tmp_path, "query" if row < 12 else "train", f"class{label}", f"{row}.png")
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(file)
    check_dataset(DATASETS.get("folder"), root=tmp_path)
