"""The pixels themselves."""

from __future__ import annotations

from typing import Any

import numpy as np

from hashzoo.features.base import Features


class Pixels(Features):
    """(N, H, W, 3) uint8 -> (N, H*W*3) float32 in 0..1."""

    cached = False

    def __call__(self, images: np.ndarray) -> np.ndarray:
        pixels: np.ndarray = images.reshape(len(images), -1).astype(np.float32) / np.float32(255)
        return pixels

    def header(self) -> dict[str, Any]:
        return {"kind": "pixels"}
