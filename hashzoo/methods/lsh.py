"""LSH: random hyperplanes."""

from __future__ import annotations

import numpy as np

from hashzoo.methods.base import METHODS, ShallowMethod
from hashzoo.shallow.linear import mean_of


@METHODS.register("lsh")
class LSH(ShallowMethod):
    """Signs of Gaussian random projections of the centred features; the first k bits of a long code are a k-bit one."""

    paper = "Charikar, Similarity Estimation Techniques from Rounding Algorithms, STOC 2002"
    year = 2002
    supervision = "none"
    multi_label = True
    defaults_from = "there is nothing to set but the seed and the features"

    def fit(self, features: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
        directions = rng.standard_normal((self.bits, features.shape[1]), dtype=np.float32)
        return {"mean": mean_of(features).astype(np.float32), "directions": directions}

    def project(self, features: np.ndarray, model: dict[str, np.ndarray]) -> np.ndarray:
        relaxed: np.ndarray = (features - model["mean"]) @ model["directions"].T
        return relaxed
