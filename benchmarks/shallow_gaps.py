"""Why printed values of ITQ and CCA-ITQ may be lower than ours: features that are not centred, few training images.

python benchmarks/shallow_gaps.py --dataset cifar10 --data-root DIR --bits 12,24,36,48

"codes of uncentred features" has the model of the method as registered, whose codes are made of features that still
have their mean; "nothing centred" has axes and rotation of such features, too.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from hashzoo import DATASETS, METHODS, ShallowMethod, Task, retrieval
from hashzoo.cli.types import code_lengths
from hashzoo.datasets.base import LoadedDataset
from hashzoo.features.base import features_of
from hashzoo.features.table import split_features
from hashzoo.shallow.rotation import quantizing_rotation, random_rotation

ITQ, CCAITQ = METHODS.get("itq"), METHODS.get("cca_itq")


class Uncentred:
    """Codes of features whose mean is still there."""

    def project(self, features: np.ndarray, model: dict[str, np.ndarray]) -> np.ndarray:
        return features @ model["projection"]


class UncentredITQ(Uncentred, ITQ):
    """Learned from centred features, used on others."""


class UncentredCCAITQ(Uncentred, CCAITQ):
    """Learned from centred features, used on others."""


class NeverCentredITQ(Uncentred, ITQ):
    """The largest directions of the second moment, rotated as ITQ does."""

    def fit(self, features: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
        wide = features.astype(np.float64)
        axes = np.linalg.eigh(wide.T @ wide)[1][:, : -self.bits - 1 : -1]
        components = (features @ axes).astype(np.float64)
        rotation, _ = quantizing_rotation(components, random_rotation(self.bits, rng), self.config.iterations)
        return {"projection": (axes @ rotation).astype(np.float32)}


ROWS = (  # label, class, training images
    ("itq", ITQ, None),
    ("itq, codes of uncentred features", UncentredITQ, None),
    ("itq, nothing centred", NeverCentredITQ, None),
    ("cca_itq", CCAITQ, None),
    ("cca_itq, codes of uncentred features", UncentredCCAITQ, None),
    ("cca_itq, learned from 1,000 images", CCAITQ, 1000),
)


@dataclass(frozen=True)
class Described:
    """A dataset and its features."""

    data: LoadedDataset
    train: np.ndarray
    query: np.ndarray
    database: np.ndarray

    @property
    def task(self) -> Task:
        height, width = self.data.train.images.shape[1:3]
        return Task(len(self.data.classes), len(self.train), (height, width))


def score(method: ShallowMethod, described: Described, images: int | None) -> tuple[float, float]:
    """mAP, and how far from 0 the mean of a bit in -1..1 is at most."""
    rng = np.random.default_rng(0)
    rows = slice(None) if images is None else np.sort(rng.choice(len(described.train), images, replace=False))
    model = method.fit(described.train[rows], described.data.train.labels[rows], rng)
    query, database = (method.project(part, model) >= 0 for part in (described.query, described.database))
    metrics = retrieval.evaluate(
        retrieval.pack(query),
        described.data.query.labels,
        retrieval.pack(database),
        described.data.database.labels,
        bits=method.bits,
        stable=False,
    )
    return metrics.map_expected, float(np.abs(2 * database.mean(0) - 1).max())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="digits", metavar="NAME[@PROTOCOL]", help="default: digits")
    parser.add_argument("--data-root", type=Path, default=Path("data"), metavar="DIR")
    parser.add_argument("--bits", type=code_lengths, default=[12, 24, 36, 48])
    arguments = parser.parse_args()

    name, _, protocol = arguments.dataset.partition("@")
    data = DATASETS.get(name)(arguments.data_root, protocol=protocol or None).load()
    task = Task(len(data.classes), len(data.train), (data.train.images.shape[1], data.train.images.shape[2]))
    features = features_of(ITQ(arguments.bits[0], task), data.train)
    described = Described(data, *(split_features(features, part) for part in (data.train, data.query, data.database)))

    print(f"{data.title} @{data.protocol}, {ITQ.Config().features}, mAP@all (expected), {date.today().isoformat()}\n")
    print(f"| | {' | '.join(f'{bits} bits' for bits in arguments.bits)} | largest mean of a bit |")
    print(f"|---|{'---:|' * (len(arguments.bits) + 1)}")
    for label, cls, images in ROWS:
        scores = [score(cls(bits, described.task), described, images) for bits in arguments.bits]
        maps = " | ".join(f"{value:.4f}" for value, _ in scores)
        print(f"| {label} | {maps} | {max(bias for _, bias in scores):.2f} |", flush=True)


if __name__ == "__main__":
    main()
