from __future__ import annotations

import json
import os

import pytest
import torch
from torch import nn

from hashzoo.errors import CheckpointError, StorageError
from hashzoo.training import checkpoint as module
from hashzoo.training.checkpoint import Checkpoint, Position

AT = Position(epoch=3, step=2, seconds=1.25, sums=(("contrastive", 0.1 + 0.2), ("quantization", 1e-17)))


class Training:
    """A network with a few steps behind it."""

    def __init__(self, kind="adamw", seed=0):
        torch.manual_seed(seed)
        self.network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Flatten(), nn.LazyLinear(4))
        self.network(torch.zeros(2, 3, 8, 8))
        self.network = self.network.to(memory_format=torch.channels_last)
        parameters = list(self.network.parameters())
        if kind == "sgd":
            self.optimizer = torch.optim.SGD(parameters, lr=0.001, momentum=0.9)
        else:
            self.optimizer = torch.optim.AdamW(parameters, lr=0.01, fused=True)
        self.modules = {"network": self.network, "extra": nn.ModuleDict()}

    def steps(self, count, seed):
        generator = torch.Generator().manual_seed(seed)
        for _ in range(count):
            images = torch.randn(4, 3, 8, 8, generator=generator).contiguous(memory_format=torch.channels_last)
            self.optimizer.zero_grad()
            self.network(images).square().sum().backward()
            self.optimizer.step()
        return self

    def state(self):
        return {name: tensor.clone() for name, tensor in self.network.state_dict().items()}


@pytest.fixture
def saved(tmp_path):
    """A checkpoint on disk and the training that it was made of."""
    training = Training().steps(3, seed=1)
    checkpoint = Checkpoint(tmp_path, "abc")
    checkpoint.save(AT, training.modules, training.optimizer)
    return checkpoint, training


def tensor_file(checkpoint):
    (file,) = checkpoint.folder.glob("*.safetensors")
    return file


@pytest.mark.parametrize("kind", ["sgd", "adamw"])
def test_training_goes_on_from_it_as_if_nothing_had_happened(tmp_path, kind):
    training = Training(kind).steps(3, seed=1)
    checkpoint = Checkpoint(tmp_path, "abc")
    checkpoint.save(AT, training.modules, training.optimizer)
    other = Training(kind, seed=9)
    assert checkpoint.load(other.modules, other.optimizer) == AT
    expected, got = training.steps(3, seed=2).state(), other.steps(3, seed=2).state()
    assert all(torch.equal(expected[name], got[name]) for name in expected)


def test_it_exists_until_it_is_removed(saved):
    checkpoint, _ = saved
    assert checkpoint.exists()
    assert sorted(os.listdir(checkpoint.folder)) == ["checkpoint-00003-000002.safetensors", "checkpoint.json"]
    checkpoint.remove()
    assert not checkpoint.exists()
    assert os.listdir(checkpoint.folder) == []
    checkpoint.remove()


def test_a_later_one_replaces_it(saved):
    checkpoint, training = saved
    checkpoint.save(Position(epoch=4), training.modules, training.optimizer)
    assert sorted(os.listdir(checkpoint.folder)) == ["checkpoint-00004-000000.safetensors", "checkpoint.json"]
    assert checkpoint.load(training.modules, training.optimizer) == Position(epoch=4)


@pytest.mark.parametrize("length", [0, 7, 1000, -1])
def test_a_truncated_tensor_file_is_refused(saved, length):
    checkpoint, training = saved
    file = tensor_file(checkpoint)
    file.write_bytes(file.read_bytes()[:length])
    with pytest.raises(
        CheckpointError, match=r"is damaged \(its sha256 differs\); delete it, or start over with --force"
    ):
        checkpoint.load(training.modules, training.optimizer)


@pytest.mark.parametrize("place", [0, 20, 2000, -1])
def test_a_changed_byte_is_found(saved, place):
    checkpoint, training = saved
    file = tensor_file(checkpoint)
    data = bytearray(file.read_bytes())
    data[place] ^= 1
    file.write_bytes(data)
    with pytest.raises(CheckpointError, match=str(file)):
        checkpoint.load(training.modules, training.optimizer)


@pytest.mark.parametrize(
    "change",
    [
        {"epoch": 4},
        {"step": 0},
        {"seconds": None},
        {"sums": 3},
        {"sums": [["contrastive", 0.0], ["quantization", 0.0]]},
        {"extra": 1},
    ],
)
def test_a_changed_position_is_found(saved, change):
    checkpoint, training = saved
    index = json.loads(checkpoint.index.read_text())
    index["position"] |= change
    checkpoint.index.write_text(json.dumps(index))
    with pytest.raises(CheckpointError, match="is damaged"):
        checkpoint.load(training.modules, training.optimizer)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", '"x"', '{"file": "checkpoint.json"}', "\x00\x01"])
def test_a_damaged_index_is_refused(saved, text):
    checkpoint, training = saved
    checkpoint.index.write_text(text)
    with pytest.raises(CheckpointError, match=r"checkpoint\.json is damaged"):
        checkpoint.load(training.modules, training.optimizer)


@pytest.mark.parametrize("key", ["fingerprint", "file", "sha256", "position"])
def test_an_index_without_one_of_its_entries_is_refused(saved, key):
    checkpoint, training = saved
    index = json.loads(checkpoint.index.read_text())
    del index[key]
    checkpoint.index.write_text(json.dumps(index))
    with pytest.raises(CheckpointError, match="is damaged"):
        checkpoint.load(training.modules, training.optimizer)


def test_a_missing_tensor_file_is_refused(saved):
    checkpoint, training = saved
    tensor_file(checkpoint).unlink()
    with pytest.raises(CheckpointError, match="No such file"):
        checkpoint.load(training.modules, training.optimizer)


def test_a_checkpoint_of_other_settings_is_refused_and_nothing_is_loaded(saved):
    checkpoint, _ = saved
    other = Training(seed=9)
    before = other.state()
    with pytest.raises(CheckpointError, match=r"belongs to other settings \(fingerprint abc, expected xyz\)"):
        Checkpoint(checkpoint.folder, "xyz").load(other.modules, other.optimizer)
    assert all(torch.equal(before[name], tensor) for name, tensor in other.state().items())


@pytest.mark.parametrize("failing_write", [1, 2])
def test_a_crash_while_saving_leaves_the_old_one_valid(saved, monkeypatch, failing_write):
    """The first write is the tensor file, the second the index."""
    checkpoint, training = saved
    expected = training.state()
    writes = []

    def write(file, data):
        writes.append(file.name)
        if len(writes) == failing_write:
            raise StorageError("disk full")
        file.write_bytes(data)

    monkeypatch.setattr(module, "write_atomically", write)
    training.steps(1, seed=3)
    with pytest.raises(StorageError):
        checkpoint.save(Position(epoch=4), training.modules, training.optimizer)
    assert len(writes) == failing_write
    other = Training(seed=9)
    assert checkpoint.load(other.modules, other.optimizer) == AT
    assert all(torch.equal(expected[name], tensor) for name, tensor in other.state().items())
    monkeypatch.undo()
    checkpoint.save(Position(epoch=5), training.modules, training.optimizer)
    assert sorted(os.listdir(checkpoint.folder)) == ["checkpoint-00005-000000.safetensors", "checkpoint.json"]
