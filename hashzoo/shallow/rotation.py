"""The rotation that brings vectors near the corners of a hypercube.

Source: Gong & Lazebnik, Iterative Quantization, CVPR 2011, section 3.2.
"""

from __future__ import annotations

import numpy as np

from hashzoo.shallow.linear import signs


def random_rotation(size: int, rng: np.random.Generator) -> np.ndarray:
    """(size, size) float64, orthogonal."""
    q, r = np.linalg.qr(rng.standard_normal((size, size)))
    rotation: np.ndarray = q * np.where(np.diag(r) < 0, -1.0, 1.0)  # else QR's habits would show
    return rotation


def quantizing_rotation(vectors: np.ndarray, rotation: np.ndarray, iterations: int) -> tuple[np.ndarray, list[float]]:
    """Minimise ||B - V R||^2 over codes B and orthogonal R, one after the other.

    Args:
        vectors: V, (n, K) float64, centred.
        rotation: R to start from, (K, K).

    Returns:
        The last R, and the loss after each iteration, which never grows.
    """
    losses = []
    norm = float((vectors**2).sum())
    for _ in range(iterations):
        left, values, right = np.linalg.svd(signs(vectors @ rotation).T @ vectors)
        rotation = (left @ right).T
        losses.append(vectors.size + norm - 2 * float(values.sum()))
    return rotation, losses
