from __future__ import annotations

import colorsys
import importlib.util
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

_LABELS = 21
_NAMES = tuple(f"hue {n}" for n in range(_LABELS))
_CELLS = 3  # a side: dots lie on a grid of 3x3


@pytest.fixture(scope="session", autouse=True)
def cache_of_the_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Decoded images never go to, or come from, the cache of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HASHZOO_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def pytest_sessionstart() -> None:
    """A shell starts what runs in the background with SIGINT ignored, and tests of Ctrl-C then wait for nothing."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("cuda"):
        from hashzoo.retrieval.devices import cuda_devices

        if cuda_devices() == 0:
            pytest.skip("no GPU")


@pytest.fixture(scope="session")
def cuda_on_cpu(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A `_native_cuda` that runs its kernels on this CPU."""
    import cuda_on_cpu_build

    if cuda_on_cpu_build.COMPILER is None:
        pytest.skip("no C++ compiler")
    path = cuda_on_cpu_build.module(tmp_path_factory.mktemp("cuda_on_cpu"))
    spec = importlib.util.spec_from_file_location("_native_cuda", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny image tree for the dataset `folder`: three easy classes of 8x8 images."""
    root: Path = tmp_path_factory.mktemp("tree")
    rng = np.random.default_rng(0)
    for split, count in (("train", 4), ("query", 2)):
        for shade, name in enumerate(("dark", "grey", "light")):
            (root / split / name).mkdir(parents=True)
            for i in range(count):
                pixels = (rng.integers(0, 60, (8, 8, 3)) + 90 * shade).astype(np.uint8)
                Image.fromarray(pixels).save(root / split / name / f"{i}.png")
    return root


@pytest.fixture(scope="session")
def finished_runs(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Records of `lsh` and `dsh` at 4 and 12 bits on the tiny tree, for the seeds 0 and 1."""
    from hashzoo.cli import main

    out: Path = tmp_path_factory.mktemp("runs")
    words = ["bench", "--methods", "lsh,dsh", "--datasets", "folder", "--data-root", str(tree), "--bits", "4,12"]
    assert main([*words, "--seeds", "1,0", "--set", "epochs=2", "--set", "dsh.batch_size=9", "--out", str(out)]) == 0
    return out


@pytest.fixture(scope="session")
def coloured_set() -> Callable[..., None]:
    """coloured_set(root, train, query) writes a made set with 21 labels in the format of text lists."""
    return _write_coloured_set


def _write_coloured_set(root: Path, train: int, query: int, *, side: int = 24, seed: int = 0) -> None:
    """Each label is a colour, and an image shows squares of all its colours.

    Writes ROOT/train.txt and ROOT/query.txt in the format of text lists, ROOT/classes.txt, and the images.
    """
    rng = np.random.default_rng(seed)
    palette = np.array([colorsys.hsv_to_rgb(n / _LABELS, 1, 1) for n in range(_LABELS)]) * 255
    root.joinpath("images").mkdir(parents=True)
    root.joinpath("classes.txt").write_text("".join(f"{name}\n" for name in _NAMES))
    for part, count in (("train", train), ("query", query)):
        lines = []
        for number in range(count):
            first = int(rng.integers(_LABELS))
            shown = sorted({first, *(int(n) for n in rng.integers(_LABELS, size=rng.integers(3)))})
            name = f"images/{part} {number:04}.png"
            Image.fromarray(_picture(rng, palette[shown], side)).save(root / name)
            lines.append(f"{name} {' '.join('1' if n in shown else '0' for n in range(_LABELS))}\n")
        root.joinpath(f"{part}.txt").write_text("".join(lines))


def _picture(rng: np.random.Generator, colours: np.ndarray, side: int) -> np.ndarray:
    """(side, side, 3) uint8: grey noise with a square of each colour in a cell of its own."""
    pixels = np.repeat(rng.integers(0, 60, (side, side, 1)), 3, axis=2).astype(np.float64)
    cell = side // _CELLS
    places = rng.permutation(_CELLS**2)
    for n, place in enumerate(places):
        row, column = (int(place) // _CELLS * cell, int(place) % _CELLS * cell)
        pixels[row : row + cell - 1, column : column + cell - 1] = colours[n % len(colours)]
    return pixels.astype(np.uint8)
