"""The kit over everything that is registered here, plugins included."""

from __future__ import annotations

from pathlib import Path

import pytest

from hashzoo import BACKBONES, DATASETS, EVALUATORS, LOSSES, METHODS
from hashzoo.backbones.torchvision import ARCHITECTURES
from hashzoo.errors import DataError
from hashzoo.registry import broken_plugins
from hashzoo.testing import (
    check_backbone,
    check_dataset,
    check_evaluator,
    check_loss,
    check_method,
    toy_split,
)

FROM_TORCHVISION = ("resnet18", "mobilenet_v3_small")  # one class makes them all, so a sample will do
OWN_BACKBONES = [name for name in BACKBONES.names() if name not in ARCHITECTURES]


def test_every_installed_plugin_can_be_imported():
    assert broken_plugins() == {}


@pytest.mark.parametrize("name", METHODS.names())
def test_methods(name):
    check_method(METHODS.get(name), image_size=16)


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
