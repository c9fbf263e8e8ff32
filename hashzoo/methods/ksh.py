"""KSH: supervised hashing with kernels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hashzoo.methods.base import METHODS, ShallowMethod
from hashzoo.settings import require
from hashzoo.shallow.kernels import draw, gaussian, mean_squared_distance
from hashzoo.shallow.linear import fixed_signs, row_blocks, signs
from hashzoo.shallow.pairs import similar

_RIDGE = 1e-6  # of the mean diagonal: the kernel's columns are nearly dependent
_NO_STEP = 1e-12  # length of a step that changes nothing any more
_SETTLED = 1e-2  # change of the objective for each labelled image below which the descent ends


@METHODS.register("ksh")
class KSH(ShallowMethod):
    """Kernel functions learned bit by bit, so that products of codes come to the labels of pairs."""

    paper = "Liu, Wang, Ji, Jiang & Chang, Supervised Hashing with Kernels, CVPR 2012"
    year = 2012
    supervision = "pairs"
    multi_label = True
    defaults_from = "the authors' demo"

    @dataclass(frozen=True)
    class Config(ShallowMethod.Config):
        anchors: int = 300  # training images that the kernel compares with
        labelled: int = 2000  # training images whose pairs are learned
        steps: int = 500  # of gradient descent for each bit, at most

        def __post_init__(self) -> None:
            super().__post_init__()
            for name in ("anchors", "labelled"):
                require(getattr(self, name) >= 1, name, "at least 1", getattr(self, name))
            require(self.steps >= 0, "steps", "0 or more", self.steps)

    def sampling(self, images: int) -> dict[str, int]:
        return {"anchors": min(self.config.anchors, images), "labelled": min(self.config.labelled, images)}

    def fit(self, features: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Anchors and labelled images are drawn evenly, without regard to their class."""
        anchors = features[draw(len(features), self.config.anchors, rng)]
        rows = draw(len(features), self.config.labelled, rng)
        width = max(2 * mean_squared_distance(features, anchors), float(np.finfo(np.float32).tiny))
        sums = [gaussian(features[r], anchors, width).sum(0, dtype=np.float64) for r in row_blocks(len(features))]
        mean = np.sum(sums, axis=0) / len(features)
        kernel = gaussian(features[rows], anchors, width) - mean
        weights = self._weights(kernel, Residual(labels[rows], self.bits))
        model = {"anchors": anchors, "mean": mean, "weights": weights, "width": np.array([width])}
        return {name: array.astype(np.float32) for name, array in model.items()}

    def project(self, features: np.ndarray, model: dict[str, np.ndarray]) -> np.ndarray:
        kernel = gaussian(features, model["anchors"], float(model["width"][0])) - model["mean"]
        relaxed: np.ndarray = kernel @ model["weights"]
        return relaxed

    def _weights(self, kernel: np.ndarray, residual: Residual) -> np.ndarray:
        """(l, m) -> (m, bits)."""
        gram = kernel.T @ kernel
        gram += np.eye(len(gram)) * max(_RIDGE * np.trace(gram) / len(gram), np.finfo(np.float64).tiny)
        weights = []
        for _ in range(self.bits):
            start = spectral_weights(kernel.T @ residual.times(kernel), gram) * np.sqrt(len(kernel))
            smooth = descend(kernel, residual, start, self.config.steps)
            best = max((start, smooth), key=lambda w: agreement(kernel, residual, w))
            weights.append(best)
            residual.take_off(signs(kernel @ best))
        return np.stack(weights, axis=1)


class Residual:
    """R = K S - B B': what the codes B of l images lack of K times their pair labels S, as a product with vectors.

    With a class id for each image S need not be held; with several labels it is, (l, l) float64.

    Args:
        labels: (l,) or (l, C).
        bits: K.
    """

    def __init__(self, labels: np.ndarray, bits: int) -> None:
        self.bits = bits
        self.labels = labels
        self.matrix = None if labels.ndim == 1 else np.where(similar(labels, labels), 1.0, -1.0)
        self.codes = np.empty((len(labels), 0))

    def times(self, vectors: np.ndarray) -> np.ndarray:
        """R @ vectors, of (l,) or (l, v) float64."""
        if self.matrix is None:
            sums = np.zeros((int(self.labels.max()) + 1, *vectors.shape[1:]))
            np.add.at(sums, self.labels, vectors)
            pairs = 2 * sums[self.labels] - vectors.sum(0)
        else:
            pairs = self.matrix @ vectors
        product: np.ndarray = self.bits * pairs - self.codes @ (self.codes.T @ vectors)
        return product

    def take_off(self, bit: np.ndarray) -> None:
        """Another column of B, (l,)."""
        self.codes = np.column_stack([self.codes, bit])


def agreement(kernel: np.ndarray, residual: Residual, weights: np.ndarray) -> float:
    """b' R b for the bit b of each image."""
    bit = signs(kernel @ weights)
    return float(bit @ residual.times(bit))


def spectral_weights(pull: np.ndarray, gram: np.ndarray) -> np.ndarray:
    """(m,) weights w that maximise w' pull w subject to w' gram w = 1."""
    from scipy.linalg import eigh

    last = len(gram) - 1
    _, vectors = eigh((pull + pull.T) / 2, gram, subset_by_index=(last, last))
    return fixed_signs(vectors)[:, 0]


def objective(kernel: np.ndarray, residual: Residual, weights: np.ndarray) -> float:
    """-f' R f with f = tanh(K w / 2), which tends to the signs of K w."""
    soft = np.tanh(kernel @ weights / 2)
    return -float(soft @ residual.times(soft))


def objective_and_gradient(kernel: np.ndarray, residual: Residual, weights: np.ndarray) -> tuple[float, np.ndarray]:
    """`objective`, and its gradient (m,)."""
    soft = np.tanh(kernel @ weights / 2)
    pulled = residual.times(soft)
    return -float(soft @ pulled), -kernel.T @ (pulled * (1 - soft**2))


def descend(kernel: np.ndarray, residual: Residual, start: np.ndarray, steps: int) -> np.ndarray:
    """Nesterov's accelerated descent of `objective`, its step halved until the quadratic bound holds."""
    here, before, momentum = start, start, 1.0
    value, gradient = objective_and_gradient(kernel, residual, start)
    rate = 1 / max(float(np.linalg.norm(gradient)), np.finfo(np.float64).tiny)
    for _ in range(steps):
        following = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        ahead = here + (momentum - 1) / following * (here - before)
        value_ahead, gradient = objective_and_gradient(kernel, residual, ahead)
        slope = float(gradient @ gradient)
        while True:
            candidate = ahead - rate * gradient
            reached = objective(kernel, residual, candidate)
            if reached <= value_ahead - rate / 2 * slope or rate * np.sqrt(slope) < _NO_STEP:
                break
            rate /= 2
        change = abs(value - reached)
        here, before, momentum, value = candidate, here, following, reached
        if change <= _SETTLED * len(kernel):
            break
    return here
