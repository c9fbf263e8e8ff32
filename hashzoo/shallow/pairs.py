"""Which images are similar: of the same class, or with a label in common."""

from __future__ import annotations

import numpy as np


def similar(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Labels (n,) and (m,), or (n, C) and (m, C) -> (n, m) bool."""
    if first.ndim == 1:
        same: np.ndarray = first[:, None] == second
        return same
    shared: np.ndarray = first.astype(np.float32) @ second.astype(np.float32).T > 0
    return shared


def similar_rows(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Labels (n,) twice, or (n, C) twice -> (n,) bool, row by row."""
    rows: np.ndarray = first == second if first.ndim == 1 else (first & second).any(1)
    return rows


def indicators(labels: np.ndarray, classes: int) -> np.ndarray:
    """(n,) class ids or (n, C) multi-hot -> (n, C) float64 of 0 and 1."""
    return np.eye(classes)[labels] if labels.ndim == 1 else labels.astype(np.float64)
