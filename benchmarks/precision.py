"""Training in bfloat16, and compiled, beside float32: images a second of each backbone.

    python benchmarks/precision.py

Each backbone trains `dsh` on made images in each way in turns, so that a busy moment of the machine hits all; ratios
are medians over rounds of speeds in the same round, bf16 over fp32 and bf16 compiled over bf16. The first round
compiles, before it measures.
"""

from __future__ import annotations

import argparse
import statistics
from datetime import date

import numpy as np

from hashzoo import BACKBONES, METHODS, Augmentation, DeepMethod, Split, Task
from hashzoo.experiments.environment import describe, gains_from_bf16
from hashzoo.settings import configure
from hashzoo.training.speed import can_compile
from hashzoo.training.trainer import TrainOptions, measure_pace

CLASSES, SIDE, IMAGES = 10, 32, 2000
WAYS = (TrainOptions(), TrainOptions(precision="bf16"), TrainOptions(precision="bf16", compile=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbones", default="dsh_cnn,resnet9,resnet9_24,resnet_cifar")
    parser.add_argument("--batch-size", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement (default %(default)s)")
    arguments = parser.parse_args()

    split = made_images()
    environment = describe("cpu", {})
    machine = f"{environment['device']}, {environment['threads']} threads"
    print(f"{machine}, {date.today()}; batches of {arguments.batch_size}")
    print(f"--precision auto takes {'bf16' if gains_from_bf16('cpu') else 'fp32'}\n")
    print("| backbone | fp32, images/s | bf16, images/s | ratio | compiled, images/s | ratio |")
    print("|---|---:|---:|---:|---:|---:|")
    for backbone in arguments.backbones.split(","):
        ways = WAYS if can_compile(BACKBONES.get(backbone)()) else WAYS[:2]
        rounds = []
        for _ in range(arguments.rounds):
            rounds.append([images_per_second(backbone, way, split, arguments) for way in ways])
        fp32, *others = (statistics.median(column) for column in zip(*rounds, strict=True))
        cells = [f"{fp32:.0f}"]
        for place, speed in enumerate(others, 1):
            gain = statistics.median(speeds[place] / speeds[place - 1] for speeds in rounds)
            cells += [f"{speed:.0f}", f"{gain:.2f}"]
        print("| " + " | ".join([f"`{backbone}`", *cells, *[""] * (5 - len(cells))]) + " |", flush=True)


def made_images() -> Split:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (IMAGES, SIDE, SIDE, 3), np.uint8)
    return Split(images, np.arange(IMAGES), np.arange(IMAGES) % CLASSES)


def images_per_second(backbone: str, way: TrainOptions, split: Split, arguments: argparse.Namespace) -> float:
    cls = METHODS.get("dsh")
    words = {"backbone": backbone, "batch_size": str(arguments.batch_size)}
    method = cls(24, Task(CLASSES, IMAGES, (SIDE, SIDE)), configure(cls.Config, words, owner=cls.name))
    assert isinstance(method, DeepMethod)
    pace = measure_pace(method, split, Augmentation(shift=4, mirror=True), way, seconds=arguments.seconds)
    return pace.images_per_second


if __name__ == "__main__":
    main()
