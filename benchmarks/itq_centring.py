"""ITQ with and without the mean taken off: does a missing centring explain results close to chance?

python benchmarks/itq_centring.py --dataset cifar10 --data-root DIR --bits 12,24,36,48

Three rows: `itq` as registered; its model, but codes made of features whose mean is still there; and axes, rotation and
codes all of such features.
"""

from __future__ import annotations

import argparse
from datetime import date
from pathlib import Path

import numpy as np

from hashzoo import DATASETS, METHODS, Task, retrieval
from hashzoo.cli.types import code_lengths
from hashzoo.features.base import features_of
from hashzoo.features.table import split_features
from hashzoo.shallow.rotation import quantizing_rotation, random_rotation

ITQ = METHODS.get("itq")


class CodesUncentred(ITQ):
    """Learned from centred features, used on others."""

    def project(self, features: np.ndarray, model: dict[str, np.ndarray]) -> np.ndarray:
        return features @ model["projection"]


class NeverCentred(CodesUncentred):
    """The largest directions of the second moment, rotated as ITQ does."""

    def fit(self, features: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
        wide = features.astype(np.float64)
        axes = np.linalg.eigh(wide.T @ wide)[1][:, : -self.bits - 1 : -1]
        components = (features @ axes).astype(np.float64)
        rotation, _ = quantizing_rotation(components, random_rotation(self.bits, rng), self.config.iterations)
        return {"projection": (axes @ rotation).astype(np.float32)}


ROWS = {"itq": ITQ, "itq, codes of uncentred features": CodesUncentred, "itq, nothing centred": NeverCentred}


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
    train, query, database = (split_features(features, part) for part in (data.train, data.query, data.database))

    print(f"{data.title} @{data.protocol}, {ITQ.Config().features}, mAP@all (expected), {date.today().isoformat()}\n")
    print(f"| | {' | '.join(f'{bits} bits' for bits in arguments.bits)} | largest mean of a bit |")
    print(f"|---|{'---:|' * (len(arguments.bits) + 1)}")
    for label, cls in ROWS.items():
        cells, bias = [], 0.0
        for bits in arguments.bits:
            method = cls(bits, task)
            model = method.fit(train, data.train.labels, np.random.default_rng(0))
            of_query, of_database = (method.project(part, model) >= 0 for part in (query, database))
            metrics = retrieval.evaluate(
                retrieval.pack(of_query),
                data.query.labels,
                retrieval.pack(of_database),
                data.database.labels,
                bits=bits,
                stable=False,
            )
            cells.append(f"{metrics.map_expected:.4f}")
            bias = max(bias, float(np.abs(2 * of_database.mean(0) - 1).max()))
        print(f"| {label} | {' | '.join(cells)} | {bias:.2f} |", flush=True)


if __name__ == "__main__":
    main()
