"""Gaussian kernels between feature vectors and a few anchors."""

from __future__ import annotations

import numpy as np

from hashzoo.shallow.linear import row_blocks


def draw(count: int, most: int, rng: np.random.Generator) -> np.ndarray:
    """At most `most` of 0..count-1, each once, ascending; the rule by which methods take some of many images."""
    if most >= count:
        return np.arange(count)
    return np.sort(rng.choice(count, most, replace=False))


def squared_distances(features: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """(n, d), (m, d) -> (n, m) float32, never negative."""
    squares = np.einsum("ij,ij->i", features, features)[:, None] + np.einsum("ij,ij->i", anchors, anchors)
    distances: np.ndarray = np.maximum(squares - 2 * (features @ anchors.T), 0)
    return distances


def mean_squared_distance(features: np.ndarray, anchors: np.ndarray) -> float:
    """Over all pairs of a vector and an anchor."""
    sums = [squared_distances(features[rows], anchors).sum(dtype=np.float64) for rows in row_blocks(len(features))]
    return float(sum(sums)) / (len(features) * len(anchors))


def gaussian(features: np.ndarray, anchors: np.ndarray, width: float) -> np.ndarray:
    """(n, d), (m, d) -> exp(-squared distance / width), (n, m) float32."""
    kernel: np.ndarray = np.exp(squared_distances(features, anchors) * np.float32(-1 / width))
    return kernel


def unit_rows(features: np.ndarray) -> np.ndarray:
    """Each row divided by its length; rows of zeros stay."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    scaled: np.ndarray = features / np.where(lengths > 0, lengths, 1)
    return scaled
