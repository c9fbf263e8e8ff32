"""GIST against its definition, written out: sums instead of Fourier transforms, one filter and one block at a time."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from hashzoo.features import gist
from hashzoo.features.gist import Gist


def mirrored(image: np.ndarray, border: int) -> np.ndarray:
    """Repeats the pixels at the edge in reverse order, the outermost one included."""
    size = len(image)
    at = [i if 0 <= i < size else (-1 - i if i < 0 else 2 * size - 1 - i) for i in range(-border, size + border)]
    return image[np.ix_(at, at)]


def waves(side: int) -> np.ndarray:
    """(side, side): exp(-2 pi i k x / side) of frequency k and place x."""
    return np.exp(-2j * np.pi * np.outer(np.arange(side), np.arange(side)) / side)


def cycles(side: int) -> np.ndarray:
    """The signed frequency that each wave stands for."""
    return np.array([k if k < side / 2 else k - side for k in range(side)])


def transferred(image: np.ndarray, transfer) -> np.ndarray:
    """The image with each of its waves multiplied by transfer(horizontal cycles, vertical cycles)."""
    side = len(image)
    wave = waves(side)
    spectrum = (wave @ image @ wave.T) * transfer(cycles(side)[None, :], cycles(side)[:, None])
    return wave.conj() @ spectrum @ wave.conj().T / side**2


def low_pass(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return 0.5 ** ((x**2 + y**2) / 4**2)  # a half at 4 cycles


def lobe(scale: int, orientation: int):
    def transfer(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        peak = 0.3 / 1.85**scale * 96
        angle = np.arctan2(y, x) + np.pi / 8 * orientation
        angle = (angle + np.pi) % (2 * np.pi) - np.pi
        return np.exp(-10 * 0.35 * (np.hypot(x, y) / peak - 1) ** 2 - 2 * np.pi * angle**2)

    return transfer


def defined(image: np.ndarray) -> np.ndarray:
    """(32, 32, 3) uint8 -> (512,) float64."""
    grey = image.astype(np.float64).sum(2) / 3
    grey = 255 * (grey - grey.min()) / (grey.max() - grey.min() or 1)
    padded = mirrored(np.log(1 + grey), 5)
    detail = padded - transferred(padded, low_pass).real
    contrast = np.sqrt(np.abs(transferred(detail**2, low_pass).real))
    local = (detail / (0.2 + contrast))[5:-5, 5:-5]
    wide = mirrored(local, 32)
    features = []
    for scale in range(4):
        for orientation in range(8):
            magnitude = np.abs(transferred(wide, lobe(scale, orientation)))[32:64, 32:64]
            for row in range(0, 32, 8):
                for column in range(0, 32, 8):
                    features.append(magnitude[row : row + 8, column : column + 8].mean())
    return np.array(features)


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    """Noise, a slope with an edge, and an image of one colour."""
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    slope = np.zeros((32, 32, 3), np.uint8)
    slope[..., 0] = 6 * np.arange(32)
    slope[10:20, 5:25, 1] = 200
    return np.stack([noise, slope, np.full((32, 32, 3), 90, np.uint8)])


def test_it_equals_its_definition(images):
    features = Gist()(images)
    assert features.shape == (3, 512)
    assert features.dtype == np.float32
    for image, row in zip(images[:2], features[:2], strict=True):
        expected = defined(image)
        assert expected.max() > 0.05
        assert np.abs(row - expected).max() < 1e-5 * expected.max()


def test_an_even_image_has_no_energy(images):
    assert np.abs(Gist()(images[2:])).max() < 1e-6


def test_an_image_is_described_by_itself(images):
    many = np.concatenate([images] * 7)
    together = Gist()(many)
    alone = np.concatenate([Gist()(many[i : i + 1]) for i in range(len(many))])
    assert np.abs(together - alone).max() < 1e-6


def test_brightness_and_contrast_hardly_matter(images):
    dark = (images[:2] // 2 + 20).astype(np.uint8)
    features, others = Gist()(images[:2]), Gist()(dark)
    assert np.abs(features - others).max() < 0.05 * features.max()


def test_a_turn_moves_the_energy_to_another_orientation():
    stripes = np.zeros((32, 32, 3), np.uint8)
    stripes[:, ::4] = stripes[:, 1::4] = 255
    upright, flat = (Gist()(s[None])[0].reshape(4, 8, 16).sum((0, 2)) for s in (stripes, stripes.transpose(1, 0, 2)))
    assert upright.argmax() == 0
    assert flat.argmax() == 4


@pytest.mark.parametrize("shape", [(64, 64), (40, 60), (8, 8)])
def test_other_sizes_are_resized_as_grey_images(shape):
    image = np.random.default_rng(1).integers(0, 256, (*shape, 3), dtype=np.uint8)
    grey = Image.fromarray(image.mean(2, dtype=np.float32)).resize((32, 32), Image.Resampling.BILINEAR)
    small = gist._grey(image[None])[0]
    expected = np.asarray(grey)
    assert np.allclose(small, 255 * (expected - expected.min()) / np.ptp(expected), atol=1e-3)
    assert Gist()(image[None]).shape == (1, 512)


def test_no_images():
    assert Gist()(np.zeros((0, 32, 32, 3), np.uint8)).shape == (0, 512)
