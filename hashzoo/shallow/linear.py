"""Moments, principal axes and products of many feature vectors, in blocks, with float64 sums."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hashzoo.errors import InvalidInput

MOST_DIMENSIONS = 16384  # a covariance of more fills 2 GiB
_ROWS = 4096


def row_blocks(count: int, rows: int = _ROWS) -> Iterator[slice]:
    """Slices of at most `rows` rows that cover 0..count."""
    return (slice(start, start + rows) for start in range(0, count, rows))


def mean_of(features: np.ndarray) -> np.ndarray:
    """(n, d) -> (d,) float64."""
    mean: np.ndarray = features.mean(0, dtype=np.float64)
    return mean


def covariance(features: np.ndarray, others: np.ndarray | None = None) -> np.ndarray:
    """(n, d) and (n, e) -> their (d, e) float64 covariance, divided by n; with themselves if there are no others.

    Raises:
        InvalidInput: the features are too long for a covariance to fit in memory.
    """
    if features.shape[1] > MOST_DIMENSIONS:
        raise InvalidInput(f"features: expected at most {MOST_DIMENSIONS} dimensions, got {features.shape[1]}")
    second = features if others is None else others
    means = mean_of(features), mean_of(second)
    total = np.zeros((features.shape[1], second.shape[1]))
    for rows in row_blocks(len(features)):
        centred = features[rows] - means[0]
        total += centred.T @ (centred if others is None else second[rows] - means[1])
    return total / len(features)


def principal_axes(features: np.ndarray, count: int) -> np.ndarray:
    """The `count` directions of largest variance, largest first.

    Args:
        features: (n, d).
        count: 1 to d.

    Returns:
        (d, count) float64, orthonormal columns with `fixed_signs`.
    """
    from scipy.linalg import eigh

    length = features.shape[1]
    _, axes = eigh(covariance(features), subset_by_index=(length - count, length - 1))
    return fixed_signs(axes[:, ::-1])


def fixed_signs(columns: np.ndarray) -> np.ndarray:
    """Each column turned so that its entry of largest magnitude is positive; a solver may return either sign."""
    largest = columns[np.abs(columns).argmax(0), np.arange(columns.shape[1])]
    return columns * np.where(largest < 0, -1.0, 1.0)


def centred_product(features: np.ndarray, mean: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """(n, d), (d,), (d, k) -> (features - mean) @ matrix, of the type of `matrix`."""
    product = np.empty((len(features), matrix.shape[1]), matrix.dtype)
    for rows in row_blocks(len(features)):
        product[rows] = (features[rows] - mean) @ matrix
    return product


def signs(values: np.ndarray) -> np.ndarray:
    """-1 where negative, else +1, of the type of `values`."""
    codes: np.ndarray = np.where(values >= 0, values.dtype.type(1), values.dtype.type(-1))
    return codes
