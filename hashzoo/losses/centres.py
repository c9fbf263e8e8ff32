"""Hash centres: one code for each class, far from all others; and what losses with centres share."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from hashzoo.losses.base import Loss

WHOLE_POOL = 12  # up to this many bits, centres are chosen among all codes
POOL = 4096  # from there on, among so many random ones, or 4 for each class if that is more


class CentreLoss(Loss):
    """A loss that compares codes with the hash centres of classes.

    Args:
        bits: code length K.
        centres: (C, bits) of +-1, C at least the number of classes; None takes `hash_centres(10, bits)`.
    """

    centres: Tensor

    def __init__(self, bits: int, centres: Tensor | None = None) -> None:
        super().__init__(bits)
        centres = torch.from_numpy(hash_centres(10, bits)) if centres is None else centres
        self.register_buffer("centres", centres.float())


def hash_centres(classes: int, bits: int, seed: int = 0) -> np.ndarray:
    """Centres of `classes` classes, (classes, bits) int8 of +-1.

    Where `hadamard(bits)` exists and there are at most 2 x bits classes: its rows in random order, each with a random
    sign, and from class number `bits` on the negatives of those. Two centres are then bits / 2 apart, or `bits` if one
    is the other's negative. Otherwise codes with as many +1 as -1 (one more or less for odd lengths) are drawn, and of
    these the one farthest from its nearest centre is taken, again and again (Gonzalez, "Clustering to Minimize the
    Maximum Intercluster Distance", 1985). That leaves at least bits / 4 between any two of up to 1,000 classes, from 64
    bits on, and of up to 10 from 6 bits on. Short codes are chosen among all codes, so centres are equal only if there
    are fewer codes than classes.

    Source: Yuan et al., "Central Similarity Quantization for Efficient Image and Video Retrieval", CVPR 2020,
    algorithm 1, with farthest-first choice where the paper draws every bit of the rest at random.
    """
    rng = np.random.default_rng(seed)
    matrix = hadamard(bits)
    if matrix is not None and classes <= 2 * bits:
        rows = rng.permutation(matrix) * rng.choice(np.array([-1, 1], np.int8), (bits, 1))
        return np.concatenate([rows, -rows])[:classes]
    pool = _all_codes(bits, rng) if bits <= WHOLE_POOL else _balanced_codes(max(POOL, 4 * classes), bits, rng)
    return np.resize(_farthest_first(pool, min(classes, len(pool))), (classes, bits))


def hadamard(order: int) -> np.ndarray | None:
    """An (order, order) int8 matrix of +-1 with H H^T = order I, or None where none of these constructions has one.

    Sylvester's doubling, and Paley's two constructions for prime fields: all orders 4 to 48 that are divisible by 4.

    Source: Paley, "On Orthogonal Matrices", 1933.
    """
    if order == 1:
        return np.ones((1, 1), np.int8)
    doubled = np.array([[1, 1], [1, -1]], np.int8)
    if order == 2:
        return doubled
    if order % 4:
        return None
    if _is_prime(order - 1):  # order - 1 is 3 modulo 4
        conference = _bordered(_residues(order - 1), corner=-1)
        return conference + np.eye(order, dtype=np.int8)
    half = order // 2
    if half % 4 == 2 and _is_prime(half - 1):
        conference = _bordered(_residues(half - 1), corner=1)
        diagonal = np.kron(np.eye(half, dtype=np.int8), np.array([[1, -1], [-1, -1]], np.int8))
        return np.kron(conference, doubled) + diagonal
    smaller = hadamard(half)
    return None if smaller is None else np.kron(doubled, smaller)


def smallest_distance(centres: np.ndarray) -> int:
    """The Hamming distance of the two nearest of (C, bits) centres; `bits` for fewer than two."""
    bits = centres.shape[1]
    inner = centres.astype(np.float32) @ centres.T.astype(np.float32)
    np.fill_diagonal(inner, -bits)
    return int(bits - inner.max()) // 2


def majority(labels: Tensor, centres: Tensor, ties: Tensor) -> Tensor:
    """(B, C) multi-hot labels -> (B, bits) of +-1: each bit as in most centres of an image's labels.

    Args:
        centres: (C, bits) of +-1.
        ties: (bits,) of +-1, taken where as many centres are for +1 as for -1.
    """
    votes = labels.to(centres.dtype) @ centres
    return torch.where(votes == 0, ties, votes.sign())


def _is_prime(number: int) -> bool:
    return number > 1 and all(number % divisor for divisor in range(2, int(number**0.5) + 1))


def _residues(prime: int) -> np.ndarray:
    """(prime, prime): 0 where row equals column, +1 where their difference is a square modulo `prime`, -1 elsewhere."""
    character = np.full(prime, -1, np.int8)
    character[np.arange(1, prime) ** 2 % prime] = 1
    character[0] = 0
    numbers = np.arange(prime)
    table: np.ndarray = character[(numbers[:, None] - numbers[None, :]) % prime]
    return table


def _bordered(residues: np.ndarray, corner: int) -> np.ndarray:
    """A row of 1 above, a column of `corner` to the left, 0 where they meet."""
    size = len(residues) + 1
    matrix = np.zeros((size, size), np.int8)
    matrix[0, 1:], matrix[1:, 0], matrix[1:, 1:] = 1, corner, residues
    return matrix


def _all_codes(bits: int, rng: np.random.Generator) -> np.ndarray:
    """In random order, the most balanced ones first."""
    numbers = rng.permutation(2**bits)
    codes = np.where(numbers[:, None] >> np.arange(bits) & 1, 1, -1).astype(np.int8)
    return codes[np.argsort(np.abs(codes.sum(1)), kind="stable")]


def _balanced_codes(count: int, bits: int, rng: np.random.Generator) -> np.ndarray:
    halves = np.where(np.arange(bits) < bits // 2, 1, -1).astype(np.int8)
    codes: np.ndarray = rng.permuted(np.tile(halves, (count, 1)), axis=1)
    return codes


def _farthest_first(pool: np.ndarray, count: int) -> np.ndarray:
    """Rows of `pool`: the first one, then always the one whose nearest chosen row is farthest, the first of equals."""
    codes = pool.astype(np.float32)
    nearest = np.full(len(pool), -np.inf, np.float32)  # the largest inner product with a chosen row
    chosen = [0]
    for _ in range(count - 1):
        np.maximum(nearest, codes @ codes[chosen[-1]], out=nearest)
        chosen.append(int(nearest.argmin()))
    return pool[chosen]
