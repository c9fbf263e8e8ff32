"""BRE: binary reconstructive embeddings, with labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hashzoo.methods.base import METHODS, ShallowMethod
from hashzoo.settings import require
from hashzoo.shallow.kernels import draw, unit_rows
from hashzoo.shallow.linear import mean_of
from hashzoo.shallow.pairs import similar_rows


@METHODS.register("bre")
class BRE(ShallowMethod):
    """Kernel functions of a few anchors a bit, their weights moved one by one, so that codes differ as labels do."""

    paper = "Kulis & Darrell, Learning to Hash with Binary Reconstructive Embeddings, NIPS 2009"
    year = 2009
    supervision = "pairs"
    multi_label = True
    defaults_from = "the wrapper that tables in the literature use; its supervised variant"

    @dataclass(frozen=True)
    class Config(ShallowMethod.Config):
        images: int = 1000  # training images that are learned from
        anchors: int = 20  # of each bit
        partners: float = 0.05  # share of the other images that each one is compared with
        sweeps: int = 200  # over the bits, one weight of each, at most
        settled: float = 1.0  # change of the objective in a sweep at which training ends

        def __post_init__(self) -> None:
            super().__post_init__()
            require(self.images >= 2, "images", "at least 2", self.images)
            require(self.anchors >= 1, "anchors", "at least 1", self.anchors)
            require(0 < self.partners <= 1, "partners", "more than 0, at most 1", self.partners)
            require(self.sweeps >= 0, "sweeps", "0 or more", self.sweeps)
            require(self.settled >= 0, "settled", "0 or more", self.settled)

    def sampling(self, images: int) -> dict[str, int]:
        return {"drawn": min(self.config.images, images)}

    def fit(self, features: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Images are drawn evenly, without regard to their class; anchors are drawn from those."""
        mean = mean_of(features).astype(np.float32)
        rows = draw(len(features), self.config.images, rng)
        vectors = unit_rows(features[rows] - mean).astype(np.float64)
        first, second = draw_pairs(len(rows), self.config.partners, rng)
        wanted = np.where(similar_rows(labels[rows[first]], labels[rows[second]]), 0, self.bits)
        anchors = [draw(len(rows), self.config.anchors, rng) for _ in range(self.bits)]
        weights = 1e-3 * rng.standard_normal((self.bits, len(anchors[0])))
        search = Search(vectors @ vectors.T, anchors, weights, (first, second), wanted)
        cost = search.cost()
        for _ in range(self.config.sweeps):
            for bit in range(self.bits):
                search.improve(bit, int(rng.integers(len(anchors[bit]))))
            reached = search.cost()
            if (cost - reached) / (2 * self.bits**2) <= self.config.settled:
                break
            cost = reached
        directions = np.stack([w @ vectors[a] for w, a in zip(search.weights, anchors, strict=True)], axis=1)
        return {"mean": mean, "directions": directions.astype(np.float32)}

    def project(self, features: np.ndarray, model: dict[str, np.ndarray]) -> np.ndarray:
        """With a linear kernel the anchors of a bit add up to one direction."""
        relaxed: np.ndarray = unit_rows(features - model["mean"]) @ model["directions"]
        return relaxed


class Search:
    """Weights, the codes they give, and the exact search along one weight.

    The objective, times 2 K^2, is the sum over pairs of (wanted - Hamming distance)^2 in whole numbers.

    Args:
        kernel: (n, n) float64.
        anchors: of each bit, rows of the kernel.
        weights: (K, s), changed in place.
        pairs: rows (P,) and rows (P,).
        wanted: (P,) int64 Hamming distances, 0 or K.
    """

    def __init__(
        self,
        kernel: np.ndarray,
        anchors: list[np.ndarray],
        weights: np.ndarray,
        pairs: tuple[np.ndarray, np.ndarray],
        wanted: np.ndarray,
    ) -> None:
        self.kernel, self.anchors, self.weights, self.wanted = kernel, anchors, weights, wanted
        self.first, self.second = pairs
        self.values = np.stack([kernel[:, a] @ w for a, w in zip(anchors, weights, strict=True)])  # (K, n)
        bits = self.values >= 0
        self.distances = (bits[:, self.first] != bits[:, self.second]).sum(0, dtype=np.int64)

    def cost(self) -> int:
        """The objective, times 2 K^2."""
        return int(((self.wanted - self.distances) ** 2).sum())

    def improve(self, bit: int, anchor: int) -> None:
        """Move one weight to the middle of the interval of lowest cost; not at all if it is there already."""
        slope = self.kernel[self.anchors[bit][anchor]]
        movable = np.flatnonzero(slope)  # a value that does not depend on the weight never changes its sign
        shifts = -self.values[bit, movable] / slope[movable]  # of the weight, at which the sign changes
        order = np.argsort(shifts, kind="stable")
        place = np.full(len(slope), len(movable))
        place[movable[order]] = np.arange(len(movable))
        shifts = shifts[order]

        now = self.values[bit] >= 0
        leftmost = now.copy()
        leftmost[movable] = slope[movable] < 0
        differ = now[self.first] != now[self.second]
        gap = self.wanted - (self.distances - differ)
        costs = interval_costs(
            1 - 2 * gap,
            leftmost[self.first] != leftmost[self.second],
            place[self.first],
            place[self.second],
            len(movable),
        )
        here = np.searchsorted(shifts, 0.0, side="left")
        best = lowest_interval(costs, shifts, int(here))
        if best == here:
            return
        shift = middle(shifts, best)
        self.weights[bit, anchor] += shift
        self.values[bit] += shift * slope
        after = self.values[bit] >= 0
        self.distances += (after[self.first] != after[self.second]).astype(np.int64) - differ


def interval_costs(
    price: np.ndarray, differ: np.ndarray, first: np.ndarray, second: np.ndarray, flips: int
) -> np.ndarray:
    """Costs along a line on which signs flip one after the other.

    Args:
        price: (P,) int64, what it costs if the signs of a pair differ.
        differ: (P,) bool, whether they do before the first flip.
        first: (P,) which flip turns the sign of one of the pair; `flips` for none.
        second: likewise of the other.
        flips: F.

    Returns:
        (F + 1,) int64: before the first flip, after it, ... after the last one.
    """
    turned = np.where(differ, -price, price)  # a pair's own cost changes at its first flip, and back at its second
    steps = np.bincount(np.minimum(first, second), turned, flips + 1) - np.bincount(
        np.maximum(first, second), turned, flips + 1
    )
    start = int(price[differ].sum())
    return start + np.concatenate([[0], np.cumsum(steps[:flips])]).astype(np.int64)


def lowest_interval(costs: np.ndarray, shifts: np.ndarray, here: int) -> int:
    """The cheapest interval that is not empty; `here` unless another one is cheaper."""
    empty = np.zeros(len(costs), bool)
    empty[1:-1] = shifts[1:] <= shifts[:-1]
    open_costs = np.where(empty, np.iinfo(np.int64).max, costs)
    best = int(open_costs.argmin())
    return best if costs[best] < costs[here] else here


def middle(shifts: np.ndarray, interval: int) -> float:
    """Of the interval between two shifts, or as far outside as they lie apart on average."""
    outside = max(float(shifts[-1] - shifts[0]) / len(shifts), float(np.abs(shifts).max()) * 1e-3)
    if interval == 0:
        return float(shifts[0]) - outside
    if interval == len(shifts):
        return float(shifts[-1]) + outside
    return float(shifts[interval - 1] + shifts[interval]) / 2


def draw_pairs(count: int, share: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Each row with a share of the others, every pair once."""
    partners = max(1, round(share * (count - 1)))
    first = np.repeat(np.arange(count), partners)
    drawn = np.concatenate([rng.choice(count - 1, partners, replace=False) for _ in range(count)])
    second = drawn + (drawn >= first)
    pairs = np.unique(np.sort(np.stack([first, second]), axis=0), axis=1)
    return pairs[0], pairs[1]
