"""CCA-ITQ: iterative quantization of canonical components."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hashzoo.errors import InvalidInput
from hashzoo.methods.base import METHODS, ShallowMethod
from hashzoo.settings import require
from hashzoo.shallow.linear import centred_product, covariance, fixed_signs, mean_of
from hashzoo.shallow.pairs import indicators
from hashzoo.shallow.rotation import quantizing_rotation, random_rotation


@METHODS.register("cca_itq")
class CCAITQ(ShallowMethod):
    """The directions that correlate most with the labels, rotated so that they lie near the corners of a hypercube.

    Labels of C classes have C - 1 correlations that are not zero: longer codes spread those over more bits.
    """

    paper = "Gong, Lazebnik, Gordo & Perronnin, Iterative Quantization, TPAMI 2013 (first in CVPR 2011)"
    year = 2013
    supervision = "labels"
    multi_label = True
    defaults_from = "the authors' code"

    @dataclass(frozen=True)
    class Config(ShallowMethod.Config):
        iterations: int = 50  # of codes and rotation in turn
        ridge: float = 1e-4  # added to the variances of features and labels

        def __post_init__(self) -> None:
            super().__post_init__()
            require(self.iterations >= 0, "iterations", "0 or more", self.iterations)
            require(self.ridge > 0, "ridge", "more than 0", self.ridge)

    def fit(self, features: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Raises InvalidInput if there are more bits than dimensions."""
        if self.bits > features.shape[1]:
            raise InvalidInput(
                f"cca_itq: expected at most a bit for each of {features.shape[1]} features, got {self.bits}"
            )
        mean = mean_of(features)
        directions, correlations = canonical_directions(
            features, indicators(labels, self.task.num_classes), self.bits, self.config.ridge
        )
        weighted = directions * correlations
        components = centred_product(features, mean, weighted)
        rotation, _ = quantizing_rotation(components, random_rotation(self.bits, rng), self.config.iterations)
        return {"mean": mean.astype(np.float32), "projection": (weighted @ rotation).astype(np.float32)}

    def project(self, features: np.ndarray, model: dict[str, np.ndarray]) -> np.ndarray:
        relaxed: np.ndarray = (features - model["mean"]) @ model["projection"]
        return relaxed


def canonical_directions(
    features: np.ndarray, labels: np.ndarray, count: int, ridge: float
) -> tuple[np.ndarray, np.ndarray]:
    """Directions w that solve Cxy Cyy^-1 Cyx w = r^2 Cxx w, by correlation r, largest first.

    Args:
        features: (n, d).
        labels: (n, C) of 0 and 1.
        count: 1 to d directions.
        ridge: added to the diagonals of Cxx and Cyy.

    Returns:
        (d, count) float64 with W' Cxx W = I, and (count,) correlations in 0..1.
    """
    from scipy.linalg import eigh, solve

    length = features.shape[1]
    within = covariance(features) + ridge * np.eye(length)
    across = covariance(features, labels)
    between = across @ solve(covariance(labels) + ridge * np.eye(labels.shape[1]), across.T, assume_a="pos")
    squares, directions = eigh((between + between.T) / 2, within, subset_by_index=(length - count, length - 1))
    return fixed_signs(directions[:, ::-1]), np.sqrt(np.clip(squares[::-1], 0, 1))
