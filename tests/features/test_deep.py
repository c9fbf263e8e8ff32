from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torchvision import models

from hashzoo import load_encoder
from hashzoo.errors import InvalidSetting
from hashzoo.features.base import features_of, from_header
from hashzoo.features.deep import of_model
from hashzoo.methods.base import Task
from hashzoo.methods.encoder import fit_encoder
from hashzoo.methods.lsh import LSH

TASK = Task(num_classes=4, num_train=48, image_size=(16, 16))


def lsh(**settings):
    return LSH(24, TASK, LSH.Config(**settings))


@pytest.fixture
def weights(tmp_path):
    torch.manual_seed(0)
    save_file(models.shufflenet_v2_x0_5().state_dict(), tmp_path / "mine.safetensors")
    return str(tmp_path / "mine.safetensors")


def test_a_trained_model_gives_what_reaches_its_last_layer(run_folder, network, split):
    features = of_model(run_folder / "model.safetensors")
    vectors = features(split.images)
    assert vectors.shape == (48, 500)
    head = network.network.head
    codes = vectors @ head.weight.detach().numpy().T + head.bias.detach().numpy()
    assert np.allclose(codes, network.relaxed(split.images), atol=1e-4)


def test_a_backbone_with_weights_gives_its_features(weights, split):
    settings = {"features": "deep:shufflenet_v2_x0_5", "weights": weights, "input_size": 32}
    features = features_of(lsh(**settings), split)
    whole = models.shufflenet_v2_x0_5()
    whole.load_state_dict(load_file(weights))
    whole.fc = torch.nn.Identity()
    with torch.inference_mode():
        expected = whole.eval()(features.preprocess(torch.from_numpy(split.images)))
    assert np.allclose(features(split.images), expected.numpy(), atol=1e-4)
    assert features.preprocess.size == 32
    pixels = split.images.reshape(-1, 3) / 255
    assert np.allclose(features.preprocess.mean.numpy(), pixels.mean(0), atol=1e-6)


@pytest.fixture(params=["model", "backbone"])
def settings(request, run_folder, weights):
    if request.param == "model":
        return {"features": f"deep:{run_folder}"}
    return {"features": "deep:shufflenet_v2_x0_5", "weights": weights, "input_size": 32}


def test_features_come_back_from_header_and_tensors(settings, split):
    features = features_of(lsh(**settings), split)
    again = from_header(features.header(), features.tensors())
    assert np.array_equal(again(split.images), features(split.images))
    assert again.header() == features.header()


def test_an_encoder_on_deep_features_needs_nothing_else(settings, run_folder, weights, split, tmp_path):
    encoder = fit_encoder(lsh(**settings), split, np.random.default_rng(0))
    encoder.save(tmp_path / "model.safetensors")
    shutil.rmtree(run_folder)
    Path(weights).unlink()
    assert str(tmp_path).encode() not in (tmp_path / "model.safetensors").read_bytes()
    assert np.array_equal(load_encoder(tmp_path).relaxed(split.images), encoder.relaxed(split.images))


def test_other_tensors_make_other_headers(run_folder, network, split):
    features = of_model(run_folder / "model.safetensors")
    before = features.header()["sha256"]
    with torch.no_grad():
        features.network.whole.head.bias += 1
    assert features.header()["sha256"] != before


def test_a_shallow_model_has_no_features(split, tmp_path):
    fit_encoder(lsh(), split, np.random.default_rng(0)).save(tmp_path / "model.safetensors")
    with pytest.raises(InvalidSetting, match="expected a model with a network, got one of 'lsh'"):
        of_model(tmp_path / "model.safetensors")
