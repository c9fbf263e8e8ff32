from __future__ import annotations

import os
import platform
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch._dynamo.exc import TorchDynamoException

from hashzoo.datasets.base import Augmentation
from hashzoo.errors import InvalidSetting
from hashzoo.methods.base import Task
from hashzoo.methods.dsh import DSH
from hashzoo.settings import configure
from hashzoo.training import trainer
from hashzoo.training.speed import can_compile, compiled, keep_freed_memory
from hashzoo.training.trainer import TrainOptions, measure_pace, train


def test_glibc_takes_what_it_is_told():
    assert keep_freed_memory() == (platform.libc_ver()[0] == "glibc")


def test_average_pooling_in_ceil_mode_is_not_compiled():
    assert can_compile(nn.Sequential(nn.AvgPool2d(3, 2), nn.MaxPool2d(3, 2, ceil_mode=True)))
    assert not can_compile(nn.Sequential(nn.Identity(), nn.Sequential(nn.AvgPool2d(3, 2, ceil_mode=True))))


@pytest.mark.parametrize(("backbone", "compiles"), [("resnet_cifar", True), ("dsh_cnn", False)])
def test_training_goes_through_the_compiled_network_if_it_can_be(split, backbone, compiles, monkeypatch):
    steps = []

    def recorded(network, dynamic):
        return lambda images: steps.append(images) or network(images)

    monkeypatch.setattr(torch, "compile", recorded)
    words = {"epochs": "1", "batch_size": "12", "classes_per_batch": "4", "backbone": backbone}
    method = DSH(12, Task(5, len(split), (16, 16)), configure(DSH.Config, words, owner="dsh"))
    encoder, _ = train(method, split, Augmentation(shift=1, mirror=True), TrainOptions(compile=True))
    assert len(steps) == 5 * compiles  # 60 images, 12 in a batch
    assert np.isfinite(encoder.relaxed(split.images)).all()


COMPARED = """
import copy, torch
from hashzoo.backbones.resnet_cifar import ResidualBlock
from hashzoo.training.speed import compiled

def gradient(network, call):
    (call(images) - wanted).square().sum().backward()
    return torch.cat([parameter.grad.flatten() for parameter in network.parameters()])

torch.manual_seed(0)
plain = ResidualBlock(3, 8, 2).double().train()
other = copy.deepcopy(plain)
images, wanted = torch.randn(6, 3, 8, 8, dtype=torch.float64), torch.randn(6, 8, 4, 4, dtype=torch.float64)
print(torch.allclose(gradient(other, compiled(other)), gradient(plain, plain), rtol=1e-9, atol=1e-9))
"""


def test_the_gradient_of_a_compiled_residual_block_is_that_of_the_plain_one(tmp_path):
    """In a process of its own: the compiler imports setuptools, which minds what was imported before."""
    environment = {**os.environ, "TORCHINDUCTOR_CACHE_DIR": str(tmp_path)}  # compiled here, not found
    done = subprocess.run([sys.executable, "-c", COMPARED], env=environment, capture_output=True, text=True)
    assert done.stdout.strip() == "True", done.stderr


def test_a_machine_that_cannot_compile_gets_one_line(monkeypatch):
    def fails(network, dynamic):
        def call(images):
            raise TorchDynamoException("no compiler found\n\nSet TORCHDYNAMO_VERBOSE=1 for the trace")

        return call

    monkeypatch.setattr(torch, "compile", fails)
    with pytest.raises(InvalidSetting, match=r"^compile: expected a C.* compiler, .*; got no compiler found$"):
        compiled(nn.Identity())(torch.zeros(1))


def test_the_time_to_compile_is_no_part_of_a_pace(split, monkeypatch):
    clock = [0.0]

    def slow_at_first(network, dynamic):
        def call(images):
            clock[0] += 1.0 if clock[0] else 100.0
            return network(images)

        return call

    monkeypatch.setattr(torch, "compile", slow_at_first)
    monkeypatch.setattr(trainer, "time", SimpleNamespace(perf_counter=lambda: clock[0]))
    words = {"batch_size": "12", "classes_per_batch": "4", "backbone": "resnet_cifar"}
    method = DSH(12, Task(5, len(split), (16, 16)), configure(DSH.Config, words, owner="dsh"))
    pace = measure_pace(method, split, Augmentation(shift=1, mirror=True), TrainOptions(compile=True), seconds=1)
    assert (pace.step_s, pace.prepare_s) == (1, 99)
