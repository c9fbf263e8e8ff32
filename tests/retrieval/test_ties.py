"""The closed forms against every order of every group of equal distances, one by one."""

from __future__ import annotations

from itertools import chain, permutations, product

import numpy as np
import pytest

from hashzoo import retrieval

pytestmark = pytest.mark.usefixtures("device")

DISTANCES_AND_RELEVANCE = [
    ([0, 1, 1, 1, 2], [1, 1, 0, 0, 1]),
    ([1, 1, 1, 1, 1], [1, 0, 1, 0, 0]),
    ([0, 0, 2, 2, 2, 2, 2, 3], [0, 1, 1, 0, 0, 1, 0, 1]),
    ([0, 1, 1, 1, 1, 1, 1], [1, 0, 0, 0, 1, 0, 0]),
    ([2, 2, 2, 2, 0, 0], [1, 1, 1, 1, 0, 0]),
    ([3, 0, 3, 1, 3, 1, 0], [1, 0, 1, 0, 1, 1, 0]),
    ([0, 1, 2, 3], [0, 0, 0, 1]),
    ([1, 1, 2, 2], [0, 0, 0, 0]),
]


def codes_at(distances: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """A query and a database of 4-bit codes at the given distances from it."""
    return np.zeros((1, 4), np.int8), (np.arange(4) < np.array(distances)[:, None]).astype(np.int8)


def every_ranking(distances: list[int]) -> list[list[int]]:
    groups = [[i for i, d in enumerate(distances) if d == value] for value in sorted(set(distances))]
    return [list(chain(*orders)) for orders in product(*(permutations(group) for group in groups))]


def by_definition(relevant: list[int], topk: int, denominator: str) -> float:
    found, total = 0, 0.0
    for place, hit in enumerate(relevant[:topk], 1):
        found += hit
        total += hit * found / place
    below = sum(relevant) if denominator == "relevant" else found
    return total / below if below else 0.0


@pytest.mark.parametrize("denominator", ["relevant", "hits"])
@pytest.mark.parametrize(("distances", "relevant"), DISTANCES_AND_RELEVANCE)
def test_every_order(distances: list[int], relevant: list[int], denominator: str) -> None:
    query, database = codes_at(distances)
    rankings = [[relevant[i] for i in order] for order in every_ranking(distances)]
    for topk in range(1, len(distances) + 2):
        values = [by_definition(ranking, topk, denominator) for ranking in rankings]
        m = retrieval.evaluate(query, [1], database, relevant, topk=topk, denominator=denominator)
        assert m.map_expected == pytest.approx(np.mean(values), abs=1e-14)
        assert m.map_worst == pytest.approx(min(values), abs=1e-14)
        assert m.map_best == pytest.approx(max(values), abs=1e-14)
        stable = [relevant[i] for i in np.argsort(distances, kind="stable")]
        assert m.map_stable == pytest.approx(by_definition(stable, topk, denominator), abs=1e-14)
        hits = [sum(ranking[:topk]) for ranking in rankings]
        assert m.precision_at(topk) == pytest.approx(np.mean(hits) / topk, abs=1e-14)
        assert m.recall_at(topk) == pytest.approx(np.mean(hits) / max(1, sum(relevant)), abs=1e-14)


def test_a_late_hit_keeps_its_digits() -> None:
    """The only relevant row stands alone in the last place of a million: every order has average precision 1e-6."""
    rows = 1_000_000
    database, labels = np.zeros((rows, 1), np.uint64), np.zeros(rows, np.int64)
    database[-1] = labels[-1] = 1
    m = retrieval.evaluate(np.zeros((1, 1), np.uint64), [1], database, labels, bits=4)
    digits = pytest.approx(1e-6, rel=1e13 * float(np.finfo(np.longdouble).eps))
    assert (m.map_expected, m.map_worst, m.map_best, m.map_stable) == (digits, digits, digits, digits)


def test_a_large_cut_group_needs_no_factorials() -> None:
    """10,000 equal distances, half of them relevant, cut in the middle: the mean is 1/2 up to the lone first place."""
    relevant = np.arange(10_000) % 2
    m = retrieval.evaluate(np.ones((1, 8)), [1], np.ones((10_000, 8)), relevant, topk=5000, denominator="hits")
    assert 0.5 < m.map_expected < 0.51
    assert m.map_best == 1.0
    assert 0 <= m.map_worst < 0.5
