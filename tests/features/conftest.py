from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hashzoo.datasets.base import Augmentation, Split
from hashzoo.methods.base import Task
from hashzoo.methods.dsh import DSH
from hashzoo.methods.encoder import NetworkEncoder
from hashzoo.testing import toy_split
from hashzoo.training.trainer import TrainOptions, train

TASK = Task(num_classes=4, num_train=48, image_size=(16, 16))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own."""
    monkeypatch.setenv("HASHZOO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="session")
def split() -> Split:
    """48 images of 16x16 in four classes."""
    return replace(toy_split(image_size=16), content="ab" * 32)


@pytest.fixture(scope="session")
def network(split: Split) -> NetworkEncoder:
    """A trained encoder."""
    config = replace(DSH.Config(), epochs=1, batch_size=16)
    return train(DSH(12, TASK, config), split, Augmentation(shift=1, mirror=False), TrainOptions())[0]


@pytest.fixture
def run_folder(network: NetworkEncoder, tmp_path: Path) -> Path:
    """The folder of a run that left that encoder."""
    folder = tmp_path / "run"
    folder.mkdir()
    network.save(folder / "model.safetensors")
    return folder
