"""GIST: how much of each orientation and scale there is in each of 4x4 blocks of an image.

Source: Oliva & Torralba, Modeling the Shape of the Scene, IJCV 2001, with the usual settings for 32x32 images: 4 scales
of 8 orientations, a prefilter of 4 cycles an image, mirrored borders.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np

from hashzoo.features.base import Features
from hashzoo.retrieval.backend import thread_count

SIZE = 32  # pixels; other images are resized to it
SCALES, ORIENTATIONS = 4, 8
BLOCKS = 4  # along each side
LENGTH = SCALES * ORIENTATIONS * BLOCKS**2
PREFILTER = 4  # cycles an image: slower changes of brightness are taken out
BORDER = SIZE  # mirrored pixels around the image while it is filtered
PREFILTER_BORDER = 5  # likewise while it is prefiltered
SOFTENING = 0.2  # of the division by local contrast, so that flat parts stay flat

_SHARPNESS = 2 * 16 * ORIENTATIONS**2 / 32**2  # of a lobe's fall with the angle; grows with the orientations
_BATCH = 16  # images, so that the filtered ones stay in cache


class Gist(Features):
    """(N, H, W, 3) uint8 -> (N, 512) float32, never negative; by scale, then orientation, then block.

    An image is averaged over its channels, resized to 32x32 if it has another size (bilinear, antialiased), stretched
    to 0..255, and prefiltered: the logarithm of 1 + its values, less its low frequencies, by its local contrast.
    A feature is the mean magnitude of a filter's complex response over a block of 8x8 pixels.
    """

    def __call__(self, images: np.ndarray) -> np.ndarray:
        batches = [images[i : i + _BATCH] for i in range(0, len(images), _BATCH)]
        with ThreadPoolExecutor(thread_count(None)) as pool:
            parts = list(pool.map(lambda batch: _energies(_prefiltered(_grey(batch))), batches))
        return np.concatenate([np.empty((0, LENGTH), np.float32), *parts])

    def header(self) -> dict[str, Any]:
        return {"kind": "gist", "version": 1}


def _grey(images: np.ndarray) -> np.ndarray:
    """(B, H, W, 3) uint8 -> (B, 32, 32) float32, stretched to 0..255; 0 where all pixels are equal."""
    grey = images.mean(3, dtype=np.float32)
    if grey.shape[1:] != (SIZE, SIZE):
        from PIL import Image

        resized = [Image.fromarray(g).resize((SIZE, SIZE), Image.Resampling.BILINEAR) for g in grey]
        grey = np.stack([np.asarray(image) for image in resized])
    low = grey.min((1, 2), keepdims=True)
    spread = grey.max((1, 2), keepdims=True) - low
    stretched: np.ndarray = (grey - low) * (np.float32(255) / np.where(spread > 0, spread, 1))
    return stretched


def _prefiltered(grey: np.ndarray) -> np.ndarray:
    """(B, 32, 32) of 0..255 -> (B, 32, 32) of local contrasts."""
    around = ((0, 0), (PREFILTER_BORDER,) * 2, (PREFILTER_BORDER,) * 2)
    logarithm = np.pad(np.log1p(grey), around, "symmetric")
    blur = prefilter(logarithm.shape[1])
    detail = logarithm - _filtered(logarithm, blur)
    contrast = np.sqrt(np.abs(_filtered(detail**2, blur)))
    inner = slice(PREFILTER_BORDER, -PREFILTER_BORDER)
    local: np.ndarray = (detail / (SOFTENING + contrast))[:, inner, inner]
    return local


def _filtered(images: np.ndarray, transfer: np.ndarray) -> np.ndarray:
    from scipy import fft

    response: np.ndarray = fft.ifft2(fft.fft2(images) * transfer).real
    return response


def _energies(images: np.ndarray) -> np.ndarray:
    """(B, 32, 32) -> (B, 512), the mean magnitude of each filter's response in each block."""
    from scipy import fft

    spectrum = fft.fft2(np.pad(images, ((0, 0), (BORDER,) * 2, (BORDER,) * 2), "symmetric"))
    inner = slice(BORDER, BORDER + SIZE)
    energies = np.empty((len(images), SCALES * ORIENTATIONS, BLOCKS, BLOCKS), np.float32)
    for f, transfer in enumerate(filters(spectrum.shape[1])):
        rows = fft.ifft(spectrum * transfer, axis=2)[:, :, inner]  # the columns of the border are of no use
        response = np.abs(fft.ifft(rows, axis=1)[:, inner])
        energies[:, f] = response.reshape(len(images), BLOCKS, SIZE // BLOCKS, BLOCKS, SIZE // BLOCKS).mean((2, 4))
    return energies.reshape(len(images), LENGTH)


@cache
def prefilter(side: int) -> np.ndarray:
    """(side, side) float32: the low-pass transfer function, which is a half at PREFILTER cycles an image."""
    radius, _ = _polar(side)
    transfer: np.ndarray = np.exp(-(radius**2) * np.log(2) / PREFILTER**2).astype(np.float32)
    return transfer


@cache
def filters(side: int) -> np.ndarray:
    """(32, side, side) float32: transfer functions, one lobe each, at frequencies 0.3 / 1.85^scale cycles a pixel."""
    radius, angle = _polar(side)
    bank = []
    for scale in range(SCALES):
        peak = 0.3 / 1.85**scale * side
        for orientation in range(ORIENTATIONS):
            turned = angle + np.pi / ORIENTATIONS * orientation
            turned = (turned + np.pi) % (2 * np.pi) - np.pi
            bank.append(np.exp(-3.5 * (radius / peak - 1) ** 2 - _SHARPNESS * np.pi * turned**2))
    return np.array(bank, np.float32)


def _polar(side: int) -> tuple[np.ndarray, np.ndarray]:
    """Cycles an image and direction of each frequency, in the order of the FFT."""
    x, y = np.meshgrid(*[np.fft.fftfreq(side, 1 / side)] * 2)
    return np.hypot(x, y), np.arctan2(y, x)
