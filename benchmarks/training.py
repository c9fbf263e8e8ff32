"""Training speed: hashzoo's loop beside the loop that everyone writes, on the same network, data and machine.

    python benchmarks/training.py --batches 40
    python benchmarks/training.py --methods all --batch-size 50

The other loop: a DataLoader with two worker processes, PIL transforms (random crop, mirror, to tensor, normalize),
float32, planes before pixels (NCHW). Both do forward, contrastive and quantization loss, backward and an optimiser
step. The two take turns, so that a busy moment of the machine hits both.

With --methods, hashzoo's loop alone: the speed of each method beside that of dsh on the same network, with as many
images to remember as CIFAR-10 has for training. Methods take turns; a ratio is the median over rounds of dsh's time in
that round over the method's.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from datetime import date
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from hashzoo import METHODS, Augmentation, Batch, DeepMethod, Split, Task
from hashzoo.experiments.environment import describe, has_native_bf16
from hashzoo.settings import configure, parse_assignments
from hashzoo.training.trainer import TrainOptions, measure_pace, train

CLASSES, SIDE = 10, 32
REMEMBERED = 50_000  # images, for --methods


class PilImages(Dataset[tuple[torch.Tensor, int]]):
    """Images held as arrays and transformed one by one, as torchvision's CIFAR10 does."""

    def __init__(self, images: np.ndarray, labels: np.ndarray) -> None:
        self.images, self.labels = images, labels
        self.transform = transforms.Compose(
            [
                transforms.RandomCrop(SIDE, padding=4),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize((0.49, 0.48, 0.45), (0.25, 0.24, 0.26)),
            ]
        )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return self.transform(Image.fromarray(self.images[index])), int(self.labels[index])


def usual_loop(method: DeepMethod, images: np.ndarray, labels: np.ndarray, batch_size: int) -> Iterator[int]:
    """Train for ever, yielding the images of each step."""
    network = method.network().train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    loader = DataLoader(PilImages(images, labels), batch_size, shuffle=True, num_workers=2, drop_last=True)
    while True:
        for batch_images, batch_labels in loader:
            terms = method.loss(network(batch_images), Batch(batch_labels, batch_labels))
            optimizer.zero_grad()
            sum(terms.values()).backward()  # type: ignore[union-attr]
            optimizer.step()
            yield len(batch_images)


def usual_speed(method: DeepMethod, images: np.ndarray, labels: np.ndarray, batch_size: int, batches: int) -> float:
    """Images per second, the start of the workers and the first three batches not counted."""
    loop = usual_loop(method, images, labels, batch_size)
    for _ in range(3):
        next(loop)
    started = time.perf_counter()
    count = sum(next(loop) for _ in range(batches))
    return count / (time.perf_counter() - started)


class Clock:
    """Times steps 3 onwards."""

    def __init__(self, batch_size: int) -> None:
        self.batch_size = batch_size
        self.marks: list[tuple[int, float]] = []

    def on_step(self, done: int, total: int, terms: dict[str, float], images_per_second: float) -> None:
        self.marks.append((done, time.perf_counter()))

    def speed(self) -> float:
        marks = [mark for mark in self.marks if mark[0] >= 3]
        return (marks[-1][0] - marks[0][0]) * self.batch_size / (marks[-1][1] - marks[0][1])


def our_speed(method: DeepMethod, split: Split, batch_size: int, precision: Any) -> float:
    clock = Clock(batch_size)
    train(method, split, Augmentation(), TrainOptions(precision=precision), observer=clock)
    return clock.speed()


def method_speeds(variants: list[str], split: Split, arguments: argparse.Namespace, precision: Any) -> dict[str, Any]:
    """Images per second of each variant, "dpsh" or "dpsh:memory=true", in each round."""
    speeds: dict[str, list[float]] = {variant: [] for variant in variants}
    for _ in range(arguments.rounds):
        for variant in variants:
            method = made(variant, arguments.batch_size, arguments.backbone, len(split))
            options = TrainOptions(precision=precision)
            speeds[variant].append(measure_pace(method, split, Augmentation(), options, seconds=2.0).images_per_second)
    return {
        variant: {
            "images_per_second": round(max(of)),
            "of_dsh": round(float(np.median(np.array(of) / np.array(speeds["dsh"]))), 2),
        }
        for variant, of in speeds.items()
    }


def chosen_methods(text: str) -> list[str]:
    """The variants of `--methods`, dsh first; "all" is every method that trains a network, and DPSH's memory."""
    if text == "all":
        deep = [name for name in METHODS.names() if issubclass(METHODS.get(name), DeepMethod)]
        text = ",".join([*deep, "dpsh:memory=true"])
    return ["dsh", *(variant for variant in text.split(",") if variant != "dsh")]


def compare_methods(arguments: argparse.Namespace, precision: Any) -> None:
    images, labels = noise(REMEMBERED)
    split = Split(images, np.arange(REMEMBERED), labels)
    figures = {
        "backbone": arguments.backbone,
        "batch_size": arguments.batch_size,
        "methods": method_speeds(chosen_methods(arguments.methods), split, arguments, precision),
        "precision": precision,
        "machine": describe_machine(),
        "date": date.today().isoformat(),
    }
    if arguments.json:
        print(json.dumps(figures, indent=1))
        return
    print(f"{arguments.backbone}, batch {arguments.batch_size}, {SIDE}x{SIDE}, {REMEMBERED:,} images, {precision}")
    print(f"  {figures['machine']}")
    for variant, speed in figures["methods"].items():
        print(f"  {variant:<20} {speed['images_per_second']:>6} images/s   {speed['of_dsh']:.2f} of dsh")


def noise(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Random images and labels."""
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (count, SIDE, SIDE, 3), dtype=np.uint8), np.arange(count) % CLASSES


def made(variant: str, batch_size: int, backbone: str, count: int) -> DeepMethod:
    name, _, setting = variant.partition(":")
    cls = METHODS.get(name)
    settings = {"batch_size": str(batch_size), "backbone": backbone, "epochs": "1"}
    config = configure(cls.Config, settings | parse_assignments([setting] if setting else []), owner=name)
    method = cls(48, Task(CLASSES, count, (SIDE, SIDE)), config)
    assert isinstance(method, DeepMethod)
    return method


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--method", default="dsh")
    parser.add_argument("--backbone", default="dsh_cnn")
    parser.add_argument("--batch-size", type=int, default=200)
    parser.add_argument("--batches", type=int, default=40, help="timed batches a turn (default 40)")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each loop; the best one counts (default 3)")
    parser.add_argument("--methods", metavar="NAME[:K=V],...", help="compare these with dsh, or all of them")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    arguments = parser.parse_args()

    precision = "bf16" if has_native_bf16("cpu") else "fp32"
    if arguments.methods:
        compare_methods(arguments, precision)
        return

    count = arguments.batch_size * (arguments.batches + 3)
    images, labels = noise(count)
    split = Split(images, np.arange(count), labels)

    usual, ours = [], []
    for _ in range(arguments.rounds):
        shape = (arguments.method, arguments.batch_size, arguments.backbone, count)
        usual.append(usual_speed(made(*shape), images, labels, arguments.batch_size, arguments.batches))
        ours.append(our_speed(made(*shape), split, arguments.batch_size, precision))
    figures = {
        "method": arguments.method,
        "backbone": arguments.backbone,
        "batch_size": arguments.batch_size,
        "usual_images_per_second": round(max(usual)),
        "hashzoo_images_per_second": round(max(ours)),
        "precision": precision,
        "ratio": round(max(ours) / max(usual), 2),
        "machine": describe_machine(),
        "date": date.today().isoformat(),
    }
    if arguments.json:
        print(json.dumps(figures, indent=1))
        return
    print(f"{arguments.method} on {arguments.backbone}, batch {arguments.batch_size}, {SIDE}x{SIDE}")
    print(f"  {figures['machine']}")
    print(f"  DataLoader, 2 workers, PIL, fp32, NCHW   {figures['usual_images_per_second']:>6} images/s")
    print(f"  hashzoo, {precision}, channels last          {figures['hashzoo_images_per_second']:>6} images/s")
    print(f"  ratio {figures['ratio']}   ({figures['date']}, best of {arguments.rounds})")


def describe_machine() -> str:
    environment = describe("cpu", owner={})
    return f"{environment['device']}, {environment['threads']} threads, torch {environment['versions']['torch']}"


if __name__ == "__main__":
    main()
