from __future__ import annotations

import pytest

from hashzoo.errors import CheckpointError, InvalidSetting, UnknownName
from hashzoo.features.base import described, features_of, from_header
from hashzoo.features.gist import Gist
from hashzoo.features.pixels import Pixels
from hashzoo.methods.base import Task
from hashzoo.methods.lsh import LSH

TASK = Task(num_classes=4, num_train=48, image_size=(16, 16))


@pytest.mark.parametrize("name", ["gits", "", "deep", "deep:", "pixel"])
def test_what_is_no_feature_is_refused(name):
    with pytest.raises(InvalidSetting, match="features: expected gist, pixels, deep:BACKBONE or deep:RUN_FOLDER, got"):
        LSH.Config(features=name)


def test_weights_go_with_a_backbone_only():
    with pytest.raises(InvalidSetting, match="weights: expected none with features gist, got 'DEFAULT'"):
        LSH.Config(weights="DEFAULT")
    assert LSH.Config(features="deep:resnet18", weights="DEFAULT").weights == "DEFAULT"


@pytest.mark.parametrize("size", [0, -32])
def test_a_size_must_be_positive(size):
    with pytest.raises(InvalidSetting, match="input_size: expected at least 1"):
        LSH.Config(features="deep:resnet18", weights="DEFAULT", input_size=size)


def test_a_size_goes_with_a_backbone_only(run_folder, split):
    with pytest.raises(InvalidSetting, match="input_size: expected none with features gist, got 64"):
        LSH.Config(input_size=64)
    with pytest.raises(InvalidSetting, match="input_size: expected none with a trained model, got 64"):
        features_of(LSH(12, TASK, LSH.Config(features=f"deep:{run_folder}", input_size=64)), split)


@pytest.mark.parametrize(("name", "kind"), [("gist", Gist), ("pixels", Pixels)])
def test_features_by_name(name, kind, split):
    features = features_of(LSH(12, TASK, LSH.Config(features=name)), split)
    assert type(features) is kind
    assert described(name, None) == name
    assert type(from_header(features.header(), features.tensors())) is kind


def test_a_backbone_without_weights_is_refused():
    with pytest.raises(InvalidSetting, match="weights: expected pretrained ones for features deep:resnet18"):
        described("deep:resnet18", None)


def test_an_unknown_backbone_is_named():
    with pytest.raises(UnknownName, match="no backbone named 'resnet19'; did you mean 'resnet"):
        described("deep:resnet19", "DEFAULT")


def test_a_folder_without_a_model_is_named(tmp_path):
    for path in (tmp_path, tmp_path / "gone" / "run"):
        with pytest.raises(CheckpointError, match=f"features: no model at {path}"):
            described(f"deep:{path}", None)


def test_a_trained_model_is_described_by_its_content(run_folder):
    words = described(f"deep:{run_folder}", None)
    assert words.startswith("deep:model sha256:")
    assert str(run_folder) not in words
    assert described(f"deep:{run_folder / 'model.safetensors'}", None) == words


def test_a_trained_model_brings_its_own_weights(run_folder):
    with pytest.raises(InvalidSetting, match="weights: expected none with a trained model, got 'DEFAULT'"):
        described(f"deep:{run_folder}", "DEFAULT")
