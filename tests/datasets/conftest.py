from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hashzoo.datasets import images, pixel_cache


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test has an image cache of its own."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("HASHZOO_CACHE", str(folder))
    pixel_cache._warn_once.cache_clear()
    return folder


@pytest.fixture
def write_image() -> Callable[..., np.ndarray]:
    """write(path, seed, size=(H, W)) saves a noise image, makes its folders and returns its pixels (H, W, 3)."""

    def write(path: Path, seed: int, size: tuple[int, int] = (32, 32)) -> np.ndarray:
        pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
        return pixels

    return write


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Paths of the files decoded so far."""
    seen: list[str] = []
    decode = images._decode

    def spy(image: Image.Image) -> Image.Image:
        seen.append(image.filename)
        return decode(image)

    monkeypatch.setattr(images, "_decode", spy)
    return seen
