"""MLH: minimal loss hashing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hashzoo.methods.base import METHODS, ShallowMethod
from hashzoo.settings import require
from hashzoo.shallow.linear import mean_of, row_blocks, signs
from hashzoo.shallow.pairs import similar_rows


@METHODS.register("mlh")
class MLH(ShallowMethod):
    """Hyperplanes that lower a bound of a hinge loss on the Hamming distances of pairs, by gradient descent."""

    paper = "Norouzi & Fleet, Minimal Loss Hashing for Compact Binary Codes, ICML 2011"
    year = 2011
    supervision = "pairs"
    multi_label = True
    defaults_from = (
        "pairs of an epoch and of a step, share of similar ones, rho, momentum and schedule: the authors' code; lr and "
        "weight decay: ours, within the ranges that it validates; epochs: ours"
    )
    deviations = (
        "weight decay keeps the hyperplanes short, as in the authors' code; the paper brings them back to length 1",
        "the losses of similar and of dissimilar pairs are divided so that both lie in 0..1, as in the authors' code",
    )

    @dataclass(frozen=True)
    class Config(ShallowMethod.Config):
        epochs: int = 30  # of `pairs` pairs each
        pairs: int = 100_000  # drawn for each epoch
        batch_size: int = 100  # pairs a step
        similar: float = 0.5  # share of pairs, at least, that are drawn to be similar
        rho: float = 0.35  # the distance, as a share of the bits, that parts similar from dissimilar
        lr: float = 0.1  # at the start; falls to 0 in even steps
        momentum: float = 0.9
        weight_decay: float = 1e-3  # of the hyperplanes' directions, not their offsets

        def __post_init__(self) -> None:
            super().__post_init__()
            for name in ("epochs", "pairs", "batch_size"):
                require(getattr(self, name) >= 1, name, "at least 1", getattr(self, name))
            require(0 <= self.similar <= 1, "similar", "0 to 1", self.similar)
            require(0 <= self.rho <= 1, "rho", "0 to 1", self.rho)
            require(self.lr > 0, "lr", "more than 0", self.lr)
            require(0 <= self.momentum < 1, "momentum", "0 up to 1, without 1", self.momentum)
            require(self.weight_decay >= 0, "weight_decay", "0 or more", self.weight_decay)

    def fit(self, features: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
        mean = mean_of(features).astype(np.float32)
        scale = root_mean_square(features, mean)
        weights = self._hyperplanes(standardized(features, mean, scale), labels, rng)
        return {"mean": mean, "scale": np.array([scale], np.float32), "weights": weights}

    def project(self, features: np.ndarray, model: dict[str, np.ndarray]) -> np.ndarray:
        vectors = standardized(features, model["mean"], float(model["scale"][0]))
        relaxed: np.ndarray = vectors @ model["weights"].T
        return relaxed

    def _hyperplanes(self, vectors: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """(n, d + 1) -> (K, d + 1), the last column the offsets."""
        c = self.config
        weights = 0.1 * rng.standard_normal((self.bits, vectors.shape[1]), dtype=np.float32)
        weights[:, -1] = 0
        velocity = np.zeros_like(weights)
        losses = hinge_losses(self.bits, round(c.rho * self.bits))
        steps = max(1, c.pairs // c.batch_size)
        partners = Partners(labels)
        for epoch in range(c.epochs):
            rate = np.float32(c.lr * (1 - epoch / c.epochs))
            first, second = partners.draw(steps * c.batch_size, c.similar, rng)
            alike = similar_rows(labels[first], labels[second]).astype(np.int64)
            for step in range(steps):
                batch = slice(step * c.batch_size, (step + 1) * c.batch_size)
                ascent = bound_ascent(weights, vectors[first[batch]], vectors[second[batch]], losses[alike[batch]])
                ascent[:, :-1] -= np.float32(c.weight_decay) * weights[:, :-1]
                velocity = np.float32(c.momentum) * velocity + rate * ascent
                weights += velocity
        return weights


class Partners:
    """Draws pairs of images, by label. Images without a label are similar to none."""

    def __init__(self, labels: np.ndarray) -> None:
        self.count = len(labels)
        if labels.ndim == 1:
            labels = np.eye(int(labels.max()) + 1, dtype=np.uint8)[labels]
        self.owner, self.label = np.nonzero(labels)
        order = np.argsort(self.label, kind="stable")
        self.members = self.owner[order]
        self.sizes = np.bincount(self.label, minlength=labels.shape[1])
        self.starts = np.cumsum(self.sizes) - self.sizes

    def draw(self, count: int, similar: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Rows (count,) twice: a share has a label in common, the others are any two images; in random order."""
        first, second = rng.integers(0, self.count, (2, count))
        of_label = np.flatnonzero(rng.random(count) < similar)
        entry = rng.integers(0, len(self.owner), len(of_label))
        label = self.label[entry]
        first[of_label] = self.owner[entry]
        second[of_label] = self.members[self.starts[label] + rng.integers(0, self.sizes[label])]
        return first, second


def hinge_losses(bits: int, rho: int) -> np.ndarray:
    """(2, bits + 1) float32: of each Hamming distance, if dissimilar and if similar; 0..1."""
    distance = np.arange(bits + 1)
    dissimilar = np.maximum(rho - distance + 1, 0) / (rho + 1)
    similar = np.maximum(distance - rho + 1, 0) / (bits - rho + 1)
    return np.stack([dissimilar, similar]).astype(np.float32)


def worst_codes(p: np.ndarray, q: np.ndarray, losses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Codes g, h that maximise loss(|g - h|) + g p + h q, exactly.

    Args:
        p: (B, K) relaxed codes of the first of each pair.
        q: (B, K) of the second.
        losses: (B, K + 1), of each Hamming distance.
    """
    gain = np.abs(p - q) - np.abs(p + q)  # of letting a bit differ
    order = np.argsort(-gain, axis=1, kind="stable")
    total = losses.copy()
    total[:, 1:] += np.cumsum(np.take_along_axis(gain, order, 1), axis=1)
    differing = np.empty(gain.shape, bool)
    np.put_along_axis(differing, order, np.arange(gain.shape[1]) < total.argmax(1)[:, None], 1)
    g = signs(np.where(differing, p - q, p + q))
    return g, np.where(differing, -g, g)


def bound_ascent(weights: np.ndarray, first: np.ndarray, second: np.ndarray, losses: np.ndarray) -> np.ndarray:
    """(K, d + 1): minus the gradient of the bound, the mean over pairs of vectors (B, d + 1)."""
    p, q = first @ weights.T, second @ weights.T
    g, h = worst_codes(p, q, losses)
    ascent: np.ndarray = ((signs(p) - g).T @ first + (signs(q) - h).T @ second) / np.float32(len(first))
    return ascent


def bound(weights: np.ndarray, first: np.ndarray, second: np.ndarray, losses: np.ndarray) -> np.ndarray:
    """(B,): what the loss of each pair cannot exceed."""
    p, q = first @ weights.T, second @ weights.T
    g, h = worst_codes(p, q, losses)
    distance = (g != h).sum(1)
    reached = np.take_along_axis(losses, distance[:, None], 1)[:, 0] + (g * p + h * q).sum(1)
    value: np.ndarray = reached - np.abs(p).sum(1) - np.abs(q).sum(1)
    return value


def root_mean_square(features: np.ndarray, mean: np.ndarray) -> float:
    """Of the lengths of the centred features; 1 if they are all equal."""
    total = sum(float(((features[rows] - mean) ** 2).sum(dtype=np.float64)) for rows in row_blocks(len(features)))
    return float(np.sqrt(total / len(features))) or 1.0


def standardized(features: np.ndarray, mean: np.ndarray, scale: float) -> np.ndarray:
    """(n, d) -> (n, d + 1) float32: centred, of length 1 in the mean square, with a constant 1."""
    vectors = np.ones((len(features), features.shape[1] + 1), np.float32)
    vectors[:, :-1] = (features - mean) / np.float32(scale)
    return vectors
