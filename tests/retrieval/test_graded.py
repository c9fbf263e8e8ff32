"""Graded measures: native against the reference, closed forms against every order of ties, outside references."""

from __future__ import annotations

import json
import signal
import threading
from itertools import chain, permutations, product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hashzoo import _native, retrieval
from hashzoo.errors import InvalidInput
from hashzoo.retrieval import reference

pytestmark = pytest.mark.usefixtures("device")

RNG = np.random.default_rng(11)
QUERY, DATABASE = RNG.standard_normal((40, 9)), RNG.standard_normal((200, 9))
QUERY_SETS, DATABASE_SETS = RNG.random((40, 24)) < 0.15, RNG.random((200, 24)) < 0.15
QUERY_IDS, DATABASE_IDS = RNG.integers(0, 5, 40), RNG.integers(0, 5, 200)
NAMES = ("ndcg", "acg", "wap")


def evaluate(**changes: Any) -> retrieval.GradedMetrics:
    arguments: dict[str, Any] = {
        "query": QUERY,
        "query_labels": QUERY_SETS,
        "database": DATABASE,
        "database_labels": DATABASE_SETS,
        **changes,
    }
    return retrieval.evaluate_graded(**arguments)


def by_definition(shared: list[int], topk: int, gain: str) -> tuple[float, float, float]:
    """NDCG, ACG and WAP of one ranking, place by place."""

    def dcg(values: list[int]) -> float:
        worth = [value if gain == "linear" else 2**value - 1 for value in values[:topk]]
        return sum(w / np.log2(place + 1) for place, w in enumerate(worth, 1))

    at_hits = [sum(shared[:place]) / place for place in range(1, min(topk, len(shared)) + 1) if shared[place - 1]]
    ideal = dcg(sorted(shared, reverse=True))
    return dcg(shared) / ideal if ideal else 0.0, sum(shared[:topk]) / topk, sum(at_hits) / max(1, len(at_hits))


@given(
    seed=st.integers(0, 2**32),
    bits=st.one_of(st.integers(1, 130), st.sampled_from([1024, 4096])),
    queries=st.integers(0, 6),
    rows=st.one_of(st.integers(0, 40), st.integers(1020, 1030)),  # a tile has 1024
    labels=st.sampled_from([1, 30, 64, 70, 4096]),
    places=st.integers(0, 60),
    threads=st.integers(1, 3),
)
@settings(max_examples=50, deadline=None, derandomize=True)
def test_counts_equal_the_reference(
    core: Any, seed: int, bits: int, queries: int, rows: int, labels: int, places: int, threads: int
) -> None:
    rng = np.random.default_rng(seed)
    codes = [reference.pack(rng.integers(0, 2, (n, bits), dtype=np.int8)) for n in (queries, rows)]
    masks = [reference.pack(rng.random((n, labels)) < rng.choice([2 / labels, 0.9])) for n in (queries, rows)]
    classes = [rng.integers(-1, 3, n) for n in (queries, rows)]
    exclude = rng.integers(-1, rows, queries) if seed % 2 else None
    discount = 1 / np.log2(np.arange(2, places + 2))
    level = np.arange(int(np.bitwise_count(masks[0]).sum(axis=1).max(initial=1)) + 1.0)
    for kind, given_labels, gain in (("masks", masks, level), ("classes", classes, np.array([0.0, 3.0]))):
        native, truth = (
            getattr(which, f"count_graded_{kind}")(*codes, *given_labels, bits, gain, discount, threads, exclude)
            for which in (core, reference)
        )
        for got, expected in zip(native, truth, strict=True):
            assert got.dtype == expected.dtype
            if got.dtype == np.float64:
                np.testing.assert_allclose(got, expected, rtol=1e-12)
            else:
                assert np.array_equal(got, expected)


@pytest.mark.parametrize("gain", ["linear", "exponential"])
@pytest.mark.parametrize(
    ("distances", "shared"),
    [
        ([0, 1, 1, 1, 2], [2, 1, 0, 0, 3]),
        ([1, 1, 1, 1, 1], [3, 0, 1, 0, 1]),
        ([0, 0, 2, 2, 2, 2, 2, 3], [0, 3, 1, 0, 0, 2, 0, 1]),
        ([0, 1, 1, 1, 1, 1, 1], [1, 0, 2, 0, 3, 0, 0]),
        ([2, 2, 2, 2, 0, 0], [1, 3, 3, 2, 0, 0]),
        ([3, 0, 3, 1, 3, 1, 0], [2, 0, 1, 0, 1, 2, 0]),
        ([1, 1, 2, 2], [0, 0, 0, 0]),
    ],
)
def test_every_order(distances: list[int], shared: list[int], gain: str) -> None:
    database = (np.arange(4) < np.array(distances)[:, None]).astype(np.int8)
    labels = np.arange(3) < np.array(shared)[:, None]
    groups = [[i for i, d in enumerate(distances) if d == value] for value in sorted(set(distances))]
    rankings = [[shared[i] for i in chain(*order)] for order in product(*(permutations(group) for group in groups))]
    stable = [shared[i] for i in np.argsort(distances, kind="stable")]
    for topk in range(1, len(distances) + 2):
        m = retrieval.evaluate_graded(np.zeros((1, 4)) - 1, np.ones((1, 3)), database, labels, topk=topk, gain=gain)
        truth = np.mean([by_definition(ranking, topk, gain) for ranking in rankings], axis=0)
        assert [m.ndcg, m.acg, m.wap] == pytest.approx(truth.tolist(), abs=1e-14)
        in_order = by_definition(stable, topk, gain)
        assert [m.ndcg_stable, m.acg_stable, m.wap_stable] == pytest.approx(in_order, abs=1e-14)


@pytest.mark.parametrize("gain", ["linear", "exponential"])
@pytest.mark.parametrize("topk", [None, 1, 30, 500])
def test_scikit_learn_agrees_with_ties(gain: str, topk: int | None) -> None:
    ndcg_score = pytest.importorskip("sklearn.metrics").ndcg_score
    shared = QUERY_SETS.astype(int) @ DATABASE_SETS.T.astype(int)
    worth = shared if gain == "linear" else 2**shared - 1
    truth = ndcg_score(worth, -retrieval.distances(QUERY, DATABASE).astype(float), k=topk, ignore_ties=False)
    assert evaluate(topk=topk, gain=gain).ndcg == pytest.approx(truth, rel=1e-12)


@pytest.mark.parametrize("topk", [None, 1, 30])
def test_torchmetrics_agrees_where_nothing_ties(topk: int | None) -> None:
    torch, metrics = pytest.importorskip("torch"), pytest.importorskip("torchmetrics.functional.retrieval")
    places = RNG.permutation(60)
    database = (np.arange(59) < places[:, None]).astype(np.int8)
    shared = RNG.integers(0, 4, 60)
    m = retrieval.evaluate_graded(
        np.zeros((1, 59), np.int8), np.ones((1, 3)), database, np.arange(3) < shared[:, None], topk=topk
    )
    truth = metrics.retrieval_normalized_dcg(torch.from_numpy(-places.astype(float)), torch.from_numpy(shared), topk)
    assert m.ndcg == pytest.approx(float(truth), rel=1e-6)


@pytest.mark.parametrize("topk", [None, 1, 30, 500])
def test_one_label_each_gives_the_binary_measures(topk: int | None) -> None:
    m = evaluate(query_labels=QUERY_IDS, database_labels=DATABASE_IDS, topk=topk)
    binary = retrieval.evaluate(QUERY, QUERY_IDS, DATABASE, DATABASE_IDS, topk=topk, denominator="hits")
    assert m.wap == pytest.approx(binary.map_expected, rel=1e-12)
    assert m.wap_stable == pytest.approx(binary.map_stable, rel=1e-12)
    assert m.acg == pytest.approx(binary.precision_at(topk or 200), rel=1e-12)
    one_hot = [np.eye(5)[ids] for ids in (QUERY_IDS, DATABASE_IDS)]
    masks = evaluate(query_labels=one_hot[0], database_labels=one_hot[1], topk=topk)
    assert [getattr(masks, name) for name in NAMES] == [getattr(m, name) for name in NAMES]
    assert m.definition["relevance"] == "1 for the same class id"


@pytest.mark.parametrize("gain", ["linear", "exponential"])
def test_threads_backend_and_blocks_change_nothing(isa: str, gain: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first = evaluate(topk=20, gain=gain, threads=1)
    assert evaluate(topk=20, gain=gain, threads=3).to_dict() == first.to_dict()
    with monkeypatch.context() as patch:
        patch.setattr("hashzoo.retrieval.labels.backend", lambda: reference)
        truth = evaluate(topk=20, gain=gain)
    by_sevens = [slice(i, i + 7) for i in range(0, 40, 7)]
    monkeypatch.setattr("hashzoo.retrieval.graded.query_blocks", lambda *_: by_sevens)
    parts = evaluate(topk=20, gain=gain)
    for name in NAMES:
        assert np.array_equal(getattr(truth, f"query_{name}"), getattr(first, f"query_{name}"))
        assert getattr(truth, f"{name}_stable") == pytest.approx(getattr(first, f"{name}_stable"), rel=1e-12)
        np.testing.assert_allclose(getattr(parts, f"query_{name}"), getattr(first, f"query_{name}"), rtol=1e-12)
        assert getattr(parts, f"{name}_stable") == getattr(first, f"{name}_stable")


def test_the_order_of_the_database_matters_to_stable_alone() -> None:
    order = RNG.permutation(200)
    m, shuffled = evaluate(topk=30), evaluate(topk=30, database=DATABASE[order], database_labels=DATABASE_SETS[order])
    assert [getattr(m, name) for name in NAMES] == [getattr(shuffled, name) for name in NAMES]
    assert m.wap_stable != shuffled.wap_stable


@pytest.mark.parametrize("topk", [None, 30])
def test_an_excluded_row_is_as_if_it_were_not_there(topk: int | None) -> None:
    exclude = RNG.integers(-1, 200, 40)
    m = evaluate(exclude=exclude, topk=topk)
    for q, row in enumerate(exclude):
        left = np.arange(200) != row
        truth = evaluate(
            query=QUERY[[q]],
            query_labels=QUERY_SETS[[q]],
            database=DATABASE[left],
            database_labels=DATABASE_SETS[left],
            topk=topk,
        )
        values = [m.query_ndcg[q], m.query_acg[q], m.query_wap[q]]
        assert values == pytest.approx([truth.ndcg, truth.acg, truth.wap], rel=1e-13)
    assert m.definition["excluded_rows"] == (exclude >= 0).sum()
    assert evaluate(exclude=np.full(40, -1), topk=topk).to_dict() | {"definition": 0} == evaluate(
        topk=topk
    ).to_dict() | {"definition": 0}


def test_the_result_says_what_it_is() -> None:
    sets = QUERY_SETS.copy()
    sets[5] = False
    m = evaluate(query_labels=sets, topk=10, gain="exponential")
    assert [m.query_ndcg[5], m.query_acg[5], m.query_wap[5]] == [0, 0, 0]
    assert m.ndcg == pytest.approx(m.query_ndcg.mean())
    assert json.loads(json.dumps(m.to_dict(), allow_nan=False)) == m.to_dict()
    assert m.definition == {
        "metric": "NDCG, ACG and weighted average precision over the ranking by Hamming distance",
        "topk": 10,
        "gain": "exponential",
        "discount": "1 / log2(1 + place)",
        "ties": "expected; *_stable: database order",
        "relevance": "number of shared labels",
        "wap_denominator": "hits in the top k",
        "empty": "zero",
        "sign": "a bit is set iff the output is >= 0",
        "bits": 9,
        "queries": 40,
        "empty_queries": 1,
        "database": 200,
    }
    assert evaluate(query_labels=np.zeros_like(sets)).to_dict()["ndcg"] == 0


def test_a_cut_off_beyond_64_bits_divides() -> None:
    assert evaluate(topk=2**70).acg == pytest.approx(evaluate(topk=2**60).acg / 2**10, rel=1e-12)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gain": "cubic"}, "gain: expected one of linear, exponential, got 'cubic'"),
        ({"topk": 0}, "topk: expected a whole number from 1 or None, got 0"),
        ({"topk": 2.0}, "topk: expected a whole number from 1 or None, got 2.0"),
        ({"exclude": np.full(40, 200)}, "exclude: expected rows of the database, 0 to 199, or -1, got 200"),
        ({"threads": 0}, "threads: expected a whole number from 1 to 4096, got 0"),
        ({"bits": 8}, "query: expected codes of 8 bits, got 9"),
        ({"query": retrieval.pack(QUERY), "database": retrieval.pack(DATABASE)}, "bits: packed codes do not tell"),
        ({"query": QUERY[:0], "query_labels": QUERY_SETS[:0]}, "query: expected at least one code, got none"),
        ({"query_labels": QUERY_SETS[1:]}, r"query_labels: expected one per code \(40\), got 39"),
        ({"query_labels": QUERY_IDS}, "query_labels are class ids"),
        (
            {"query_labels": np.ones((40, 513)), "database_labels": np.ones((200, 513)), "gain": "exponential"},
            "gain: 'exponential' takes at most 512 labels a query, got 513",
        ),
    ],
)
def test_bad_input(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message) as caught:
        evaluate(**changes)
    assert "\n" not in str(caught.value)


def test_the_most_labels_with_an_exponential_gain_stay_finite() -> None:
    m = evaluate(query_labels=np.ones((40, 512)), database_labels=np.ones((200, 512)), gain="exponential")
    assert m.ndcg == pytest.approx(1)


def test_ctrl_c_stops_a_long_call() -> None:
    codes, classes = np.zeros((20_000, 64), np.uint64), np.zeros(20_000, np.int64)  # minutes of work
    timer = threading.Timer(0.3, signal.raise_signal, [signal.SIGINT])
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        _native.count_graded_classes(codes, codes, classes, classes, 4096, np.ones(2), np.ones(10), 2)
    timer.join()


def test_the_core_refuses_what_it_has_no_room_for() -> None:
    code, masks = np.zeros((1, 1), np.uint64), np.full((1, 1), 7, np.uint64)
    discount = np.ones(1)
    with pytest.raises(ValueError, match="a query has 3 labels, gain has 3 levels"):
        _native.count_graded_masks(code, code, masks, masks, 8, np.zeros(3), discount, 1)
    with pytest.raises(ValueError, match="gain must be"):
        _native.count_graded_masks(code, code, masks, masks, 8, np.zeros(1), discount, 1)
    with pytest.raises(ValueError, match="label masks must be"):
        _native.count_graded_masks(code, code, masks[:0], masks, 8, np.zeros(4), discount, 1)
    with pytest.raises(ValueError, match="class ids must be"):
        _native.count_graded_classes(
            code, code, np.zeros(2, np.int64), np.zeros(1, np.int64), 8, np.zeros(4), discount, 1
        )
    with pytest.raises(ValueError, match="a bit beyond the first 3 is set"):
        _native.count_graded_masks(code + np.uint64(8), code, masks, masks, 3, np.zeros(4), discount, 1)
    with pytest.raises(TypeError):
        _native.count_graded_masks(code, code, masks, masks, 8, np.zeros(4, np.float32), discount, 1)
