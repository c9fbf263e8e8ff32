"""How fast images are loaded: CIFAR-10 from image files, and pictures of 224x224 decoded and resized.

    python benchmarks/loading.py --data-root DIR

First the time of `cifar10` from an image tree in DIR, without and with a cache. Then decoding, resizing and storing of
JPEGs that the script makes (smooth random pictures, quality 90) beside pure decoding by as many threads, in turns, so
that a busy moment of the machine hits both.
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
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from hashzoo import DATASETS
from hashzoo.datasets.images import load_images
from hashzoo.datasets.workers import workers
from hashzoo.experiments.environment import describe

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
    """JPEGs of SIDE x SIDE: noise of 14x14 enlarged, as smooth as photographs are."""
    rng = np.random.default_rng(0)
    names = [f"{number:05}.jpg" for number in range(count)]
    for name in names:
        small = Image.fromarray(rng.integers(0, 256, (14, 14, 3), dtype=np.uint8))
        small.resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(folder / name, quality=90)
    return names


def decode_only(folder: Path, names: list[str]) -> None:
    """What the cores can decode at all: nothing is kept."""

    def decode(start: int) -> None:
        for name in names[start :: workers()]:
            with Image.open(folder / name) as image:
                image.load()

    with ThreadPoolExecutor(workers()) as pool:
        list(pool.map(decode, range(workers())))


def pictures(count: int, size: int, rounds: int) -> dict[str, Any]:
    """Images a second of decoding alone and of the whole way into the cache, and their ratio."""
    with tempfile.TemporaryDirectory() as folder:
        names = make_pictures(Path(folder), count)
        decode_only(Path(folder), names)  # from now on the files are in memory
        alone, whole = [], []
        for _ in range(rounds):
            alone.append(seconds(lambda: decode_only(Path(folder), names)))
            whole.append(with_empty_cache(lambda: load_images(Path(folder), names, owner="benchmark", image_size=size)))
    return {
        "size": size,
        "decoding_alone_per_s": round(count / min(alone)),
        "whole_per_s": round(count / min(whole)),
        "ratio": round(min(alone) / min(whole), 2),
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
    for row in figures["pictures"]:
        print(f"  {SIDE}x{SIDE} JPEG, decoding alone           {row['decoding_alone_per_s']:8} images/s")
        print(
            f"  the same to {row['size']}x{row['size']} and into the cache  {row['whole_per_s']:8} images/s, "
            f"{row['ratio']:.0%} of it"
        )


if __name__ == "__main__":
    main()
