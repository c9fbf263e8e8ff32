"""ITQ: iterative quantization of principal components."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hashzoo.errors import InvalidInput
from hashzoo.methods.base import METHODS, ShallowMethod
from hashzoo.settings import require
from hashzoo.shallow.linear import centred_product, mean_of, principal_axes
from hashzoo.shallow.rotation import quantizing_rotation, random_rotation


@METHODS.register("itq")
class ITQ(ShallowMethod):
    """Principal components, rotated so that they lie near the corners of a hypercube."""

    paper = "Gong & Lazebnik, Iterative Quantization: A Procrustean Approach to Learning Binary Codes, CVPR 2011"
    year = 2011
    supervision = "none"
    multi_label = True
    defaults_from = "the authors' code"

    @dataclass(frozen=True)
    class Config(ShallowMethod.Config):
        iterations: int = 50  # of codes and rotation in turn

        def __post_init__(self) -> None:
            super().__post_init__()
            require(self.iterations >= 0, "iterations", "0 or more", self.iterations)

    def fit(self, features: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Raises InvalidInput if there are more bits than dimensions."""
        if self.bits > features.shape[1]:
            raise InvalidInput(f"itq: expected at most a bit for each of {features.shape[1]} features, got {self.bits}")
        mean, axes = mean_of(features), principal_axes(features, self.bits)
        components = centred_product(features, mean, axes)
        rotation, _ = quantizing_rotation(components, random_rotation(self.bits, rng), self.config.iterations)
        return {"mean": mean.astype(np.float32), "projection": (axes @ rotation).astype(np.float32)}

    def project(self, features: np.ndarray, model: dict[str, np.ndarray]) -> np.ndarray:
        relaxed: np.ndarray = (features - model["mean"]) @ model["projection"]
        return relaxed
