"""Seconds to fit and to encode with each shallow method, features at hand; their mAP is in the records of runs.

python benchmarks/shallow.py --dataset cifar10 --data-root DIR
python benchmarks/shallow.py --dataset digits --methods itq,sh
"""

from __future__ import annotations

import argparse
import time
from datetime import date
from pathlib import Path

import numpy as np

from hashzoo import DATASETS, METHODS, ShallowMethod, Task
from hashzoo.experiments.environment import describe
from hashzoo.features.base import features_of
from hashzoo.features.table import split_features


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="digits", metavar="NAME[@PROTOCOL]", help="default: digits")
    parser.add_argument("--data-root", type=Path, default=Path("data"), metavar="DIR")
    parser.add_argument("--features", default="gist", help="default: gist")
    parser.add_argument("--methods", metavar="NAME[,NAME...]", help="default: all shallow ones")
    parser.add_argument("--bits", type=int, default=48)
    arguments = parser.parse_args()

    name, _, protocol = arguments.dataset.partition("@")
    data = DATASETS.get(name)(arguments.data_root, protocol=protocol or None).load()
    task = Task(len(data.classes), len(data.train), (data.train.images.shape[1], data.train.images.shape[2]))
    shallow = [name for name in METHODS.names() if issubclass(METHODS.get(name), ShallowMethod)]
    methods = [
        METHODS.get(name)(arguments.bits, task, METHODS.get(name).Config(features=arguments.features))
        for name in (arguments.methods.split(",") if arguments.methods else shallow)
    ]
    started = time.perf_counter()
    features = features_of(methods[0], data.train)
    train, query, database = (split_features(features, part) for part in (data.train, data.query, data.database))
    described = time.perf_counter() - started

    machine = describe("cpu", owner={})["device"]
    print(f"{arguments.bits} bits, {machine}, {date.today().isoformat()}")
    print(f"{data.title} @{data.protocol}: {arguments.features} made or read from the cache in {described:.1f} s")
    images = len(query) + len(database)
    print(f"{'method':<10} {f'fit {len(train):,}':>14} {f'encode {images:,}':>16}")
    for method in methods:
        fit, encode = seconds(method, train, data.train.labels, np.concatenate([query, database]))
        print(f"{method.name:<10} {fit:>12.2f} s {encode:>14.2f} s", flush=True)


def seconds(method: ShallowMethod, train: np.ndarray, labels: np.ndarray, images: np.ndarray) -> tuple[float, float]:
    """To learn from `train`, and to project `images` in blocks of 1,000."""
    started = time.perf_counter()
    model = method.fit(train, labels, np.random.default_rng(0))
    fitted = time.perf_counter()
    for i in range(0, len(images), 1000):
        method.project(images[i : i + 1000], model)
    return fitted - started, time.perf_counter() - fitted


if __name__ == "__main__":
    main()
