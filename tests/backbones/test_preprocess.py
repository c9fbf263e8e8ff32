from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

from hashzoo.backbones.base import Preprocess

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (5, 12, 10, 3), dtype=np.uint8)


def test_it_equals_the_obvious_formula(images):
    got = Preprocess(MEAN, STD)(torch.from_numpy(images))
    expected = (images / 255 - np.array(MEAN)) / np.array(STD)
    assert got.dtype == torch.float32
    assert got.shape == (5, 3, 12, 10)
    assert np.allclose(got.numpy().transpose(0, 2, 3, 1), expected, atol=2e-6)


def test_images_are_channels_last_in_memory(images):
    assert Preprocess(MEAN, STD)(torch.from_numpy(images)).is_contiguous(memory_format=torch.channels_last)


def test_measured_means_and_deviations_give_standard_pixels(images):
    images[..., 1] //= 2
    preprocess = Preprocess.measured(images)
    pixels = images.reshape(-1, 3) / 255
    assert np.allclose(preprocess.mean.numpy(), pixels.mean(0), atol=1e-6)
    assert np.allclose(preprocess.std.numpy(), pixels.std(0), atol=1e-6)
    planes = preprocess(torch.from_numpy(images)).double()
    assert np.allclose(planes.mean((0, 2, 3)).numpy(), 0, atol=1e-5)
    assert np.allclose(planes.std((0, 2, 3), correction=0).numpy(), 1, atol=1e-5)


def test_images_of_one_colour_stay_finite():
    images = np.full((3, 4, 4, 3), 255, np.uint8)
    planes = Preprocess.measured(images)(torch.from_numpy(images))
    assert torch.isfinite(planes).all()
    assert float(planes.abs().max()) < 1e-2


def test_a_size_resizes_with_antialiasing(images):
    got = Preprocess(MEAN, STD, size=6)(torch.from_numpy(images))
    whole = Preprocess(MEAN, STD)(torch.from_numpy(images))
    assert got.shape == (5, 3, 6, 6)
    assert torch.allclose(got, interpolate(whole, (6, 6), mode="bilinear", antialias=True), atol=1e-6)


def test_its_numbers_are_part_of_a_saved_model():
    assert set(Preprocess(MEAN, STD).state_dict()) == {"mean", "std"}
