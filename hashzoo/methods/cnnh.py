"""CNNH: convolutional neural network hashing, in two stages."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from hashzoo.losses.base import Batch, similar
from hashzoo.methods.base import METHODS, DeepMethod
from hashzoo.settings import require

BLOCK = 1000  # rows of the similarity matrix at a time


class Decomposition:
    """H in [-1, 1] such that |H H^T - K S|^2 is small, found by exact steps along one coordinate after the other.

    Neither H H^T nor its difference from K S is kept: H^T H (K x K) is enough for a step.

    Source: Xia et al., AAAI 2014, eq. 2 and algorithm 1, whose Newton steps may overshoot; these never raise the
    objective.

    Args:
        similarity: S, (m, m) symmetric, +1 for similar images and -1 for others.
        start: the first H, (m, K), within [-1, 1]; it is changed in place.
    """

    def __init__(self, similarity: np.ndarray, start: np.ndarray) -> None:
        self.similarity: np.ndarray = np.ascontiguousarray(similarity, np.float64)
        self.codes = start
        self.gram = start.T @ start

    def sweep(self, rng: np.random.Generator) -> None:
        """Every coordinate once, in random order."""
        rows, bits = self.codes.shape
        for position in rng.permutation(rows * bits):
            self.step(*divmod(int(position), bits))

    def step(self, row: int, bit: int) -> None:
        """Move one coordinate to where the objective is smallest.

        Moved by d it changes by 4 a d + b d^2 + 4 h d^3 + d^4, where h is the coordinate, a = sum_k L_ik h_kj and
        b = 2 sum_(k != i) h_kj^2 + 2 L_ii + 4 h^2, with L = H H^T - K S.
        """
        own, bits = self.codes[row], self.codes.shape[1]
        h = float(own[bit])
        a = float(own @ self.gram[bit]) - bits * float(self.similarity[row] @ self.codes[:, bit])
        diagonal = float(own @ own) - bits * float(self.similarity[row, row])
        b = 2 * (float(self.gram[bit, bit]) - h * h) + 2 * diagonal + 4 * h * h
        moved = _smallest(4 * a, b, 4 * h, -1 - h, 1 - h)
        if moved:
            self.gram[bit] += moved * own
            self.gram[:, bit] += moved * own
            self.gram[bit, bit] += moved * moved
            own[bit] = h + moved

    def objective(self) -> float:
        """|H H^T - K S|^2, without an m x m matrix of H H^T."""
        bits = self.codes.shape[1]
        fit = float(((self.similarity @ self.codes) * self.codes).sum())
        size = float(np.square(self.similarity).sum())
        return float(np.square(self.gram).sum() - 2 * bits * fit + bits * bits * size)


def decompose(similarity: np.ndarray, bits: int, sweeps: int, rng: np.random.Generator) -> np.ndarray:
    """(m, m) of +-1 -> H, (m, bits) in [-1, 1]: `sweeps` sweeps, or until one gains less than a thousandth."""
    problem = Decomposition(similarity, rng.uniform(-1, 1, (len(similarity), bits)))
    before = problem.objective()
    for _ in range(sweeps):
        problem.sweep(rng)
        after = problem.objective()
        if before - after < 1e-3 * before:
            break
        before = after
    return problem.codes


def extend(similarity: np.ndarray, codes: np.ndarray, sweeps: int = 10) -> np.ndarray:
    """Codes for further images that leave those of the decomposition as they are.

    Args:
        similarity: (n, m) of +-1, of each further image with those m.
        codes: (m, bits) in [-1, 1].

    Returns:
        (n, bits) in [-1, 1]: an h of each image with small |codes h - bits x similarity|^2, each coordinate moved to
        its best value `sweeps` times.
    """
    bits = codes.shape[1]
    gram = codes.T @ codes
    wanted = bits * (similarity @ codes)
    found = np.zeros((len(similarity), bits))
    for _ in range(sweeps):
        for bit in range(bits):
            rest = found @ gram[bit] - found[:, bit] * gram[bit, bit]
            found[:, bit] = np.clip((wanted[:, bit] - rest) / max(gram[bit, bit], 1e-12), -1, 1)
    return found


@METHODS.register("cnnh")
class CNNH(DeepMethod):
    """First codes whose inner products equal the similarities of pairs, then a network that regresses them.

    The similarity matrix of all pairs would have n^2 entries. Codes are found for `sample` training images, drawn by
    the run's seed; any other image gets one that is fitted to theirs in ten sweeps over its bits. The largest matrices
    are sample x sample and 1,000 x sample.
    """

    paper = (
        "Xia, Pan, Lai, Liu & Yan, Supervised Hashing for Image Retrieval via Image Representation Learning, AAAI 2014"
    )
    year = 2014
    supervision = "pairs"
    multi_label = True
    defaults_from = "sweeps: widespread ports of the method; sample, optimiser and schedule: ours"
    deviations = (
        "the decomposition is of the similarities of `sample` random training images, and extended to the others; "
        "the paper's is of those of all pairs",
        "each coordinate moves to the exact minimum, where the paper takes a Newton step",
        "CNNH, not CNNH+: the network is not trained to classify as well",
        "the network under the codes is the DSH network by default; the paper's has 32, 64 and 128 channels",
        "by default AdamW with a one-cycle schedule; the authors take SGD",
    )

    @dataclass(frozen=True)
    class Config(DeepMethod.Config):
        sample: int = 1000  # training images whose similarity matrix is decomposed
        sweeps: int = 10  # over all coordinates at most

        def __post_init__(self) -> None:
            super().__post_init__()
            for name in ("sample", "sweeps"):
                require(getattr(self, name) >= 1, name, "at least 1", getattr(self, name))

    def on_train_start(self, labels: Tensor) -> None:
        targets = self.targets(labels.cpu(), np.random.default_rng(torch.initial_seed()))
        self.extra["stage_one"] = Targets(torch.from_numpy(targets).to(labels.device))

    def targets(self, labels: Tensor, rng: np.random.Generator) -> np.ndarray:
        """The first stage: labels of the n training images -> their codes, (n, bits) float32 of +-1."""
        count = len(labels)
        drawn = rng.permutation(count)[: self.config.sample]
        codes = decompose(_similarity(labels[drawn], labels[drawn]), self.bits, self.config.sweeps, rng)
        relaxed = np.empty((count, self.bits))
        for start in range(0, count, BLOCK):
            relaxed[start : start + BLOCK] = extend(_similarity(labels[start : start + BLOCK], labels[drawn]), codes)
        relaxed[drawn] = codes
        return np.where(relaxed >= 0, 1, -1).astype(np.float32)

    def loss(self, codes: Tensor, batch: Batch) -> dict[str, Tensor]:
        targets = self.extra["stage_one"].codes[batch.index]  # type: ignore[index]
        return {"regression": mse_loss(torch.tanh(codes), targets)}


class Targets(nn.Module):
    """What the first stage leaves for the second."""

    codes: Tensor

    def __init__(self, codes: Tensor) -> None:
        super().__init__()
        self.register_buffer("codes", codes)


def _similarity(a: Tensor, b: Tensor) -> np.ndarray:
    return np.where(similar(a, b).numpy(), 1.0, -1.0)


def _smallest(a: float, b: float, c: float, low: float, high: float) -> float:
    """The d in [low, high] with the smallest a d + b d^2 + c d^3 + d^4; 0 if none is below that of 0."""
    candidates = [low, high, *(root for root in _roots(3 * c / 4, b / 2, a / 4) if low < root < high)]
    value, best = min((d * (a + d * (b + d * (c + d))), d) for d in candidates)
    return best if value < 0 else 0.0


def _roots(p: float, q: float, r: float) -> list[float]:
    """The real roots of x^3 + p x^2 + q x + r, by Cardano's and Viete's formulas."""
    shift = p / 3
    linear = q - p * shift
    constant = shift * (2 * shift * shift - q) + r
    discriminant = (constant / 2) ** 2 + (linear / 3) ** 3
    if discriminant > 0:
        root = math.sqrt(discriminant)
        outer = -constant / 2 - math.copysign(root, constant)  # the sum of two numbers of one sign: no cancellation
        u = math.copysign(abs(outer) ** (1 / 3), outer)
        return [u - linear / (3 * u) - shift if u else -shift]
    radius = math.sqrt(max(-linear / 3, 0))
    if radius == 0:
        return [-shift]
    angle = math.acos(max(-1.0, min(1.0, -constant / (2 * radius**3)))) / 3
    return [2 * radius * math.cos(angle + 2 * math.pi * k / 3) - shift for k in range(3)]
