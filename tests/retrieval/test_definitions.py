"""Named definitions against loops over the sorted rows, and over every joint order of equal distances."""

from __future__ import annotations

import doctest
from itertools import chain, permutations, product
from math import comb
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hashzoo import retrieval
from hashzoo.errors import InvalidInput
from hashzoo.retrieval import reference
from hashzoo.retrieval.definitions import LEGACY

pytestmark = pytest.mark.usefixtures("device")

Rankings = list[np.ndarray]  # of each query: whether the row in each place is relevant


def precisions_at_hits(ranking: np.ndarray) -> list[float]:
    return [float(ranking[: place + 1].mean()) for place in np.flatnonzero(ranking)]


def deephash_pytorch(rankings: Rankings, topk: int | None) -> float:
    values = []
    for ranking in rankings:
        at_hits = precisions_at_hits(ranking[:-1] if topk is None else ranking[:topk])
        values.append(sum(at_hits) / len(at_hits) if at_hits else 0.0)
    return sum(values) / len(values)


def fire(rankings: Rankings, topk: int | None) -> float:
    values = []
    for ranking in rankings:
        at_hits = precisions_at_hits(ranking[:topk])
        values.append(sum(at_hits) / max(1, len(at_hits)))
    return sum(values) / len(values)


def hashnet(rankings: Rankings, topk: int | None) -> float | None:
    values = []
    for ranking in rankings:
        if at_hits := precisions_at_hits(ranking[:topk]):
            values.append(sum(at_hits) / len(at_hits))
    return sum(values) / len(values) if values else None


def pml(rankings: Rankings, topk: int | None) -> float | None:
    values = []
    for ranking in rankings:
        if own := int(ranking.sum()):
            values.append(sum(precisions_at_hits(ranking[:own])) / own)
    return sum(values) / len(values) if values else None


LOOPS = {"deephash-pytorch": deephash_pytorch, "fire": fire, "hashnet": hashnet, "pml": pml}


@pytest.mark.parametrize("name", LOOPS)
@given(seed=st.integers(0, 2**32), topk=st.sampled_from([None, 1, 2, 5, 30, 90]), rows=st.integers(1, 60))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_stable_order_equals_the_loop(name: str, seed: int, topk: int | None, rows: int) -> None:
    rng = np.random.default_rng(seed)
    bits, topk = int(rng.integers(1, 9)), None if name == "pml" else topk
    query, database = rng.integers(0, 2, (70, bits)), rng.integers(0, 2, (rows, bits))
    query_labels, labels = rng.integers(0, 9, 70), rng.integers(0, 9, rows)
    order = retrieval.rank(query, database)
    truth = LOOPS[name]([labels[order[q]] == query_labels[q] for q in range(70)], topk)
    arguments = (query, query_labels, database, labels)
    if truth is None:
        with pytest.raises(InvalidInput, match="leaves none of the 70 queries"):
            retrieval.evaluate(*arguments, definition=name, topk=topk, threads=2)
        return
    m = retrieval.evaluate(*arguments, definition=name, topk=topk, threads=2)
    assert m.map == m.map_stable == pytest.approx(truth, rel=1e-12)
    assert m.map == pytest.approx(np.nanmean(m.average_precision), rel=1e-12)
    assert m.map_worst - 1e-12 <= m.map_expected <= m.map_best + 1e-12
    assert m.map_worst - 1e-12 <= m.map_stable <= m.map_best + 1e-12


def patterns_of_ties(distances: np.ndarray, relevant: np.ndarray) -> list[tuple[np.ndarray, float]]:
    """Every ranking that some order of equal distances gives, with the share of the orders that give it."""
    groups = [np.flatnonzero(distances == value) for value in np.unique(distances)]
    orders = [relevant[list(chain(*order))] for order in product(*(permutations(group) for group in groups))]
    patterns, counts = np.unique(orders, axis=0, return_counts=True)
    return list(zip(patterns, counts / len(orders), strict=True))


@pytest.mark.parametrize("name", LOOPS)
@pytest.mark.parametrize("seed", range(12))
def test_every_joint_order(name: str, seed: int) -> None:
    """Mean and extremes of the whole number: a query that "hashnet" drops in some orders changes the divisor there."""
    rng = np.random.default_rng(seed)
    queries, bits = int(rng.integers(1, 4)), int(rng.integers(1, 3))
    query, database = rng.integers(0, 2, (queries, bits)), rng.integers(0, 2, (6, bits))
    query_labels, labels = rng.integers(0, 3, queries), rng.integers(0, 4, 6)
    distances, order = retrieval.distances(query, database), retrieval.rank(query, database)
    weighted = [patterns_of_ties(distances[q], labels == query_labels[q]) for q in range(queries)]
    for topk in [None] if name == "pml" else [None, 1, 2, 3, 4, 7]:
        if LOOPS[name]([labels[order[q]] == query_labels[q] for q in range(queries)], topk) is None:
            continue
        numbers, weights = [], []
        for joint in product(*weighted):
            number = LOOPS[name]([ranking for ranking, _ in joint], topk)
            if number is not None:
                numbers.append(number)
                weights.append(np.prod([weight for _, weight in joint]))
        m = retrieval.evaluate(query, query_labels, database, labels, definition=name, topk=topk)
        assert m.map_expected == pytest.approx(np.average(numbers, weights=weights), abs=1e-13)
        assert m.map_worst == pytest.approx(min(numbers), abs=1e-13)
        assert m.map_best == pytest.approx(max(numbers), abs=1e-13)


def test_a_mean_that_no_mean_of_means_gives() -> None:
    """One query stays for certain with average precision 1/2; each of 40 others stays, with 1, in one order of four."""
    query = np.array([[1, 1]] + [[0, 0]] * 40)
    database = np.array([[0, 0]] * 4 + [[1, 1], [1, 0]])
    labels = np.array([1, 9, 9, 9, 9, 2])
    m = retrieval.evaluate(query, [2] + [1] * 40, database, labels, definition="hashnet", topk=1)
    assert m.map == m.map_expected == m.map_best == 1  # the first query has no hit in its first place
    m = retrieval.evaluate(query, [2] + [1] * 40, database, labels, definition="hashnet", topk=2)
    stay = [
        comb(40, c) * 0.5**40 for c in range(41)
    ]  # two of four places: an even chance, with 1 or 1/2 equally likely
    truth = sum(chance * (1 / 2 + 0.75 * c) / (1 + c) for c, chance in enumerate(stay))
    assert m.map_expected == pytest.approx(truth, rel=1e-13)
    assert m.map_best == pytest.approx((1 / 2 + 40) / 41)
    assert m.map_worst == pytest.approx(1 / 2)


ARGUMENTS = ([[0, 0, 0]], [7], [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0]], [7, 7, 0, 0, 7])


@pytest.mark.parametrize(
    ("name", "topk", "value"),
    [
        ("deephash-pytorch", None, 1.0),  # the last row, a hit, does not count
        ("deephash-pytorch", 5, 2.6 / 3),
        ("deephash-pytorch", 3, 1.0),
        ("fire", None, 2.6 / 3),
        ("fire", 3, 1.0),
        ("hashnet", 3, 1.0),
        ("pml", None, 2 / 3),
    ],
)
def test_the_five_items_of_the_documentation(name: str, topk: int | None, value: float) -> None:
    assert retrieval.evaluate(*ARGUMENTS, definition=name, topk=topk).map == pytest.approx(value, rel=1e-15)


def test_the_examples_of_the_documentation() -> None:
    done = doctest.testfile(str(Path(__file__).parents[2] / "docs" / "metrics.md"), module_relative=False)
    assert done.attempted > 5
    assert done.failed == 0


def test_one_row_of_which_the_last_is_dropped() -> None:
    m = retrieval.evaluate([[1]], [7], [[1]], [7], definition="deephash-pytorch")
    assert (m.map, m.map_expected, m.map_worst, m.map_best) == (0, 0, 0, 0)
    assert retrieval.evaluate([[1]], [7], [[1]], [7], definition="deephash-pytorch", topk=1).map == 1


@pytest.mark.parametrize("name", LEGACY)
def test_the_name_and_what_differs_are_part_of_the_result(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    m = retrieval.evaluate(*ARGUMENTS, definition=name)
    assert m.definition["definition"] == name
    assert "stable" in m.definition["definition_note"]
    assert m.definition["ties"] == "stable"
    assert m.definition["denominator"] == LEGACY[name].denominator
    assert m.definition["empty"] == LEGACY[name].empty
    assert "definition" not in retrieval.evaluate(*ARGUMENTS).definition
    monkeypatch.setattr("hashzoo.retrieval.labels.backend", lambda: reference)
    assert retrieval.evaluate(*ARGUMENTS, definition=name).to_dict() == m.to_dict()


def test_a_knob_that_agrees_may_be_given() -> None:
    m = retrieval.evaluate(*ARGUMENTS, definition="fire", ties="stable", denominator="hits", empty="zero")
    assert m.to_dict() == retrieval.evaluate(*ARGUMENTS, definition="fire").to_dict()


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"definition": "dhp"}, "definition: expected one of deephash-pytorch, fire, hashnet, pml, or None, got 'dhp'"),
        ({"definition": "fire", "ties": "expected"}, "ties: the definition 'fire' sets it to 'stable', got 'expected'"),
        ({"definition": "pml", "denominator": "hits"}, "denominator: the definition 'pml' sets it to 'relevant'"),
        ({"definition": "hashnet", "empty": "skip"}, "empty: the definition 'hashnet' sets it to 'skip_missed'"),
        ({"definition": "pml", "topk": 3}, "topk: the definition 'pml' cuts each query at its number of relevant rows"),
        ({"empty": "skip_missed"}, "empty: expected one of zero, skip, got 'skip_missed'"),
        ({"definition": "fire", "topk": 0}, "topk: expected a whole number from 1"),
    ],
)
def test_contradictions(knobs: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message) as caught:
        retrieval.evaluate(*ARGUMENTS, **knobs)
    assert "\n" not in str(caught.value)


def test_nothing_left() -> None:
    query, _, database, labels = ARGUMENTS
    with pytest.raises(
        InvalidInput, match="'skip_missed' leaves none of the 1 queries, for none has a hit in the first 2"
    ):
        retrieval.evaluate(query, [0], database, labels, definition="hashnet", topk=2)
    with pytest.raises(InvalidInput, match="'skip' leaves none of the 1 queries, for none has a relevant row"):
        retrieval.evaluate(query, [3], database, labels, definition="pml")
