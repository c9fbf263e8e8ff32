from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from safetensors.torch import save_file as save_torch
from torchvision import models

from hashzoo import load_encoder, retrieval
from hashzoo.datasets.base import Augmentation, Split
from hashzoo.errors import CheckpointError, UnknownName
from hashzoo.methods import encoder as module
from hashzoo.methods.base import METHODS, ShallowMethod, Task
from hashzoo.methods.dsh import DSH
from hashzoo.methods.encoder import NetworkEncoder, fit_encoder
from hashzoo.methods.lsh import LSH
from hashzoo.training.trainer import TrainOptions, train

TASK = Task(4, 48, (16, 16))


def trained(split, **settings):
    config = replace(DSH.Config(), epochs=1, batch_size=16, **settings)
    return train(DSH(12, TASK, config), split, Augmentation(shift=1, mirror=False), TrainOptions())[0]


@pytest.fixture(scope="module")
def deep(split):
    return trained(split)


@pytest.fixture
def shallow(split):
    return fit_encoder(LSH(70, TASK), split, np.random.default_rng(0))


@pytest.fixture(params=["deep", "shallow"])
def encoder(request):
    return request.getfixturevalue(request.param)


def test_codes_are_the_signs_of_the_relaxed_ones(encoder, split):
    relaxed, codes = encoder.relaxed(split.images), encoder.encode(split.images)
    assert relaxed.shape == (48, encoder.bits)
    assert relaxed.dtype == np.float32
    assert codes.dtype == np.uint64
    assert np.array_equal(retrieval.unpack(codes, encoder.bits), np.where(relaxed >= 0, 1, -1))


def test_codes_of_an_image_and_its_mirror_image_are_one(split, tmp_path):
    config = replace(DSH.Config(), epochs=1, batch_size=16, mirror=True)
    encoder, _ = train(DSH(12, TASK, config), split, Augmentation(shift=1, mirror=True), TrainOptions())
    relaxed = encoder.relaxed(split.images)
    np.testing.assert_allclose(encoder.relaxed(split.images[:, :, ::-1]), relaxed, atol=1e-5)
    encoder.mirror = False
    apart = encoder.relaxed(split.images), encoder.relaxed(split.images[:, :, ::-1])
    np.testing.assert_allclose((apart[0] + apart[1]) / 2, relaxed, atol=1e-5)
    encoder.mirror = True
    encoder.save(tmp_path / "model.safetensors")
    assert np.array_equal(load_encoder(tmp_path).relaxed(split.images), relaxed)


def test_data_that_is_not_mirrored_in_training_is_not_mirrored_in_encoding(split):
    assert not trained(split, mirror=True).mirror


def test_a_split_is_encoded_in_the_order_of_its_rows(encoder, split):
    rows = np.array([40, 3, 3, 17])
    part = Split(split.images, rows, split.labels[rows])
    assert np.array_equal(encoder.encode_split(part), encoder.encode(split.images)[rows])


def test_images_are_encoded_in_blocks(shallow, split, monkeypatch):
    expected = shallow.encode(split.images)
    monkeypatch.setattr(module, "BLOCK", 7)
    assert np.array_equal(shallow.encode(split.images), expected)
    assert np.array_equal(shallow.encode_split(split), expected)


def test_no_images_give_no_codes(encoder, split):
    codes = encoder.encode(split.images[:0])
    assert codes.shape == (0, -(-encoder.bits // 64))
    assert codes.dtype == np.uint64


def test_a_saved_encoder_comes_back(encoder, split, tmp_path):
    encoder.save(tmp_path / "model.safetensors")
    assert os.listdir(tmp_path) == ["model.safetensors"]
    for path in (tmp_path, tmp_path / "model.safetensors", str(tmp_path)):
        loaded = load_encoder(path)
        assert type(loaded) is type(encoder)
        assert loaded.bits == encoder.bits
        assert loaded.method.config == encoder.method.config
        assert loaded.method.task == encoder.method.task
        assert np.array_equal(loaded.relaxed(split.images), encoder.relaxed(split.images))


@pytest.mark.parametrize("settings", [{"backbone": "resnet_cifar"}, {"input_size": 24}])
def test_batch_statistics_and_resizing_are_saved_too(split, tmp_path, settings):
    encoder = trained(split, **settings)
    encoder.save(tmp_path / "model.safetensors")
    assert np.array_equal(load_encoder(tmp_path).relaxed(split.images), encoder.relaxed(split.images))


def test_the_file_holds_numbers_and_a_json_header_alone(deep, tmp_path):
    deep.save(tmp_path / "model.safetensors")
    with safe_open(tmp_path / "model.safetensors", framework="numpy") as opened:
        header = json.loads(opened.metadata()["hashzoo"])
        names = set(opened.keys())
    assert header["method"] == "dsh"
    assert header["bits"] == 12
    assert header["config"] == deep.method.config.to_dict()
    assert {"preprocess.mean", "preprocess.std", "network.head.weight"} <= names


def test_the_path_of_pretrained_weights_is_not_part_of_a_model(split, tmp_path):
    weights = tmp_path / "mine.safetensors"
    save_torch(models.shufflenet_v2_x0_5().state_dict(), weights)
    encoder = trained(split, backbone="shufflenet_v2_x0_5", weights=str(weights), input_size=32)
    encoder.save(tmp_path / "model.safetensors")
    weights.unlink()
    assert str(tmp_path).encode() not in (tmp_path / "model.safetensors").read_bytes()
    assert np.array_equal(load_encoder(tmp_path).relaxed(split.images), encoder.relaxed(split.images))


def test_the_same_encoder_is_saved_in_the_same_bytes(encoder, tmp_path):
    for name in ("a", "b"):
        encoder.save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_loaded_network_is_ready_to_encode(deep, tmp_path):
    deep.save(tmp_path / "model.safetensors")
    loaded = load_encoder(tmp_path)
    assert isinstance(loaded, NetworkEncoder)
    assert not loaded.network.training
    assert loaded.device.type == "cpu"


def test_a_missing_model_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=f"no model at {tmp_path / 'model.safetensors'}"):
        load_encoder(tmp_path)


@pytest.mark.parametrize("length", [0, 5, 300, -1])
def test_a_truncated_model_is_refused(shallow, tmp_path, length):
    file = tmp_path / "model.safetensors"
    shallow.save(file)
    file.write_bytes(file.read_bytes()[:length])
    with pytest.raises(CheckpointError, match="is damaged or not a hashzoo model"):
        load_encoder(file)


def test_tensors_of_another_program_are_refused(tmp_path):
    save_file({"weight": np.zeros(3)}, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match="is damaged or not a hashzoo model"):
        load_encoder(tmp_path)


def rewrite(file, header=(), **tensors):
    with safe_open(file, framework="numpy") as opened:
        stored = json.loads(opened.metadata()["hashzoo"]) | dict(header)
    save_file(load_file(file) | tensors, file, metadata={"hashzoo": json.dumps(stored)})


@pytest.mark.parametrize(
    "change",
    [
        {"header": {"config": {"no such setting": 1}}},
        {"header": {"task": {}}},
        {"header": {"bits": 24}},
        {"network.head.weight": np.zeros((12, 7), np.float32)},
        {"network.other": np.zeros(3, np.float32)},
    ],
    ids=["setting", "task", "bits", "shape", "tensor"],
)
def test_a_model_of_another_version_of_its_method_is_refused(deep, tmp_path, change):
    file = tmp_path / "model.safetensors"
    deep.save(file)
    rewrite(file, **change)
    with pytest.raises(CheckpointError, match="does not fit the installed method"):
        load_encoder(file)


def test_a_model_of_a_method_that_is_not_installed_is_refused(shallow, tmp_path):
    file = tmp_path / "model.safetensors"
    shallow.save(file)
    rewrite(file, header={"method": "lshh"})
    with pytest.raises(UnknownName, match="no method named 'lshh'; did you mean 'lsh'"):
        load_encoder(file)


def test_settings_that_are_tuples_come_back_as_tuples(split, tmp_path, monkeypatch):
    monkeypatch.setattr(METHODS, "_classes", dict(METHODS._classes))

    @METHODS.register("layered")
    class Layered(LSH):
        @dataclass(frozen=True)
        class Config(ShallowMethod.Config):
            widths: tuple[int, ...] = (3, 4)

    fit_encoder(Layered(12, TASK), split, np.random.default_rng(0)).save(tmp_path / "model.safetensors")
    assert load_encoder(tmp_path).method.config.widths == (3, 4)
