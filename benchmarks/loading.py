"""How fast images are loaded: CIFAR-10 from image files, and pictures of 224x224 decoded and resized.

    python benchmarks/loading.py --data-root DIR

First the time of `cifar10` from an image tree in DIR, without and with a cache, and of drawing the split of each
protocol from labels at NUS-WIDE's length. Then JPEGs of 224x224 that the script makes, by as many threads as there are
cores: decoded by Pillow alone; decoded and resized by Pillow alone; the same by hashzoo; and stored in its cache as
well. These take turns, so that a busy moment of the machine hits all.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from hashzoo import DATASETS
from hashzoo.datasets.base import Pool
from hashzoo.datasets.images import Decoding, load_images
from hashzoo.datasets.workers import workers
from hashzoo.experiments.environment import describe
from hashzoo.memory import default_budget

SIDE = 224


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def with_empty_cache(work: Callable[[], object]) -> float:
    shutil.rmtree(os.environ["HASHZOO_CACHE"], ignore_errors=True)
    return seconds(work)


def cifar10(root: Path, rounds: int) -> dict[str, Any]:
    """Seconds of the first load and the median of later ones."""

    def load() -> None:
        loaded = DATASETS.get("cifar10")(root).load()
        figures["what"] = loaded.title
        figures["mapped"] = not loaded.train.images.flags.owndata

    figures: dict[str, Any] = {"first_s": 0.0}
    figures["first_s"] = round(with_empty_cache(load), 2)
    figures["later_s"] = round(statistics.median(seconds(load) for _ in range(rounds)), 2)
    return figures


def make_pictures(folder: Path, count: int) -> list[str]:
    """JPEGs of SIDE x SIDE and about 20 kB: noise at five scales, coarse ones stronger, as in photographs."""
    rng = np.random.default_rng(0)
    names = [f"{number:05}.jpg" for number in range(count)]
    for name in names:
        pixels = np.full((SIDE, SIDE, 3), 128.0)
        for cells, strength in ((7, 40), (14, 30), (28, 20), (56, 12), (112, 12)):
            coarse = Image.fromarray(rng.integers(0, 256, (cells, cells, 3), dtype=np.uint8))
            pixels += (np.asarray(coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC)) - 127.5) * (strength / 74)
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / name, quality=90)
    return names


def drawing() -> dict[str, float]:
    """Seconds to draw each protocol that draws for a label or class, from 195,834 rows of 21 labels."""
    rng = np.random.default_rng(0)
    labels = (rng.random((195_834, 21)) < 0.1).astype(np.uint8)
    labels[~labels.any(axis=1), 0] = 1
    pool = Pool.without_images(labels, tuple(f"label {i}" for i in range(21)), 0)
    names = DATASETS.get("nuswide").protocols
    return {
        f"nuswide@{name}": round(seconds(partial(DATASETS.get("nuswide")(protocol=name).rows, pool)), 2)
        for name in names
    }


def pillow(folder: Path, names: list[str], side: int | None = None) -> None:
    """What the cores can decode, and resize, at all: nothing is kept."""

    def decode(start: int) -> None:
        for name in names[start :: workers()]:
            with Image.open(folder / name) as image:
                image.load()
                if side and image.size != (side, side):
                    image.resize((side, side), Image.Resampling.BILINEAR)

    with ThreadPoolExecutor(workers()) as pool:
        list(pool.map(decode, range(workers())))


def pictures(count: int, size: int, rounds: int) -> dict[str, Any]:
    """Images a second, and the share of decoding alone."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        names = make_pictures(folder, count)
        decoding = Decoding(folder, names, (size, size), None, size, "benchmark", default_budget(), "")
        load = partial(load_images, folder, names, owner="benchmark", image_size=size)
        ways: dict[str, Callable[[], float]] = {
            "decoded by Pillow": lambda: seconds(lambda: pillow(folder, names)),
            "and resized": lambda: seconds(lambda: pillow(folder, names, size)),
            "both by hashzoo": lambda: seconds(lambda: sum(map(len, decoding.blocks()))),
            "and stored": lambda: with_empty_cache(load),
        }
        pillow(folder, names)  # from now on the files are in memory
        times = [{way: measure() for way, measure in ways.items()} for _ in range(rounds)]
    best = {way: min(time[way] for time in times) for way in ways}
    return {
        "size": size,
        "images_per_second": {way: round(count / time) for way, time in best.items()},
        "ratio": {way: round(best["decoded by Pillow"] / time, 2) for way, time in best.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", type=Path, help="with cifar10/{train,test}/<class>/; left out without")
    parser.add_argument("--pictures", type=int, default=2000)
    parser.add_argument("--sizes", type=int, nargs="+", default=[SIDE, 64], help="sides to which pictures are resized")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as cache:
        os.environ["HASHZOO_CACHE"] = str(Path(cache) / "hashzoo")
        figures = {
            "cifar10": cifar10(arguments.data_root, arguments.rounds) if arguments.data_root else None,
            "drawing_s": drawing(),
            "pictures": [pictures(arguments.pictures, size, arguments.rounds) for size in arguments.sizes],
            "workers": workers(),
            "machine": describe("cpu", owner={})["device"],
            "date": date.today().isoformat(),
        }
    if arguments.json:
        print(json.dumps(figures, indent=1))
        return
    print(f"loading, {figures['machine']}, {figures['workers']} workers, {figures['date']}")
    if figures["cifar10"]:
        print(f"  {figures['cifar10']['what']}, first load             {figures['cifar10']['first_s']:8.2f} s")
        print(f"  {figures['cifar10']['what']}, later loads            {figures['cifar10']['later_s']:8.2f} s")
    for name, time_s in figures["drawing_s"].items():
        print(f"  {f'drawing {name}':<40}{time_s:8.2f} s")
    for row in figures["pictures"]:
        print(f"  {SIDE}x{SIDE} JPEG to {row['size']}x{row['size']}, images/s (share of decoding alone)")
        for way, speed in row["images_per_second"].items():
            print(f"    {way:<24} {speed:8}  {row['ratio'][way]:.0%}")


if __name__ == "__main__":
    main()
