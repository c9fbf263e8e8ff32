"""`evaluate`: against outside references, under changes that must not matter, and with bad input."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from hashzoo import retrieval
from hashzoo.errors import InvalidInput
from hashzoo.retrieval import backend, reference
from hashzoo.retrieval.definitions import LEGACY, TIES

pytestmark = pytest.mark.usefixtures("device")

RNG = np.random.default_rng(7)
QUERY, DATABASE = RNG.standard_normal((60, 20)), RNG.standard_normal((300, 20))
QUERY_IDS, DATABASE_IDS = RNG.integers(0, 5, 60), RNG.integers(0, 5, 300)
QUERY_SETS, DATABASE_SETS = RNG.random((60, 70)) < 0.03, RNG.random((300, 70)) < 0.03


def evaluate(**changes: Any) -> retrieval.Metrics:
    arguments: dict[str, Any] = {
        "query": QUERY,
        "query_labels": QUERY_IDS,
        "database": DATABASE,
        "database_labels": DATABASE_IDS,
        **changes,
    }
    return retrieval.evaluate(**arguments)


def same_but_for_stable(a: retrieval.Metrics, b: retrieval.Metrics) -> bool:
    return (
        np.array_equal(a.average_precision, b.average_precision)
        and (a.map_expected, a.map_worst, a.map_best) == (b.map_expected, b.map_worst, b.map_best)
        and all(np.array_equal(x, y) for x, y in zip(a.pr_curve, b.pr_curve, strict=True))
    )


@pytest.mark.parametrize("labels", [(QUERY_IDS, DATABASE_IDS), (QUERY_SETS, DATABASE_SETS)])
@pytest.mark.parametrize("knobs", [{}, {"topk": 40, "denominator": "hits"}, {"topk": 7, "empty": "skip"}])
def test_thread_count_and_backend_change_nothing(
    isa: str, threads: int, labels: tuple, knobs: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"query_labels": labels[0], "database_labels": labels[1], **knobs}
    native = evaluate(**given, threads=threads)
    monkeypatch.setattr("hashzoo.retrieval.labels.backend", lambda: reference)
    truth = evaluate(**given)
    assert same_but_for_stable(native, truth) or "skip" in knobs.values()
    assert native.map_stable == pytest.approx(truth.map_stable, rel=1e-12)
    assert native.to_dict() | {"map_stable": 0} == truth.to_dict() | {"map_stable": 0}


def test_blocks_of_queries_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = evaluate()
    monkeypatch.setattr(
        "hashzoo.retrieval.metrics.query_blocks",
        lambda query, *_, **__: [slice(i, i + 7) for i in range(0, len(query), 7)],
    )
    parts = evaluate()
    assert np.array_equal(parts.average_precision, whole.average_precision)
    assert parts.map_stable == whole.map_stable
    np.testing.assert_allclose(parts.pr_curve, whole.pr_curve, rtol=1e-12)
    np.testing.assert_allclose(parts.expected_recall, whole.expected_recall, rtol=1e-12)


def test_changes_that_keep_distances_keep_the_result() -> None:
    before = evaluate()
    ones = [codes >= 0 for codes in (QUERY, DATABASE)]
    mask, order = RNG.random(20) < 0.5, RNG.permutation(20)
    assert same_but_for_stable(before, evaluate(query=ones[0] ^ mask, database=ones[1] ^ mask))
    assert same_but_for_stable(before, evaluate(query=QUERY[:, order], database=DATABASE[:, order]))
    shuffled = RNG.permutation(300)
    assert same_but_for_stable(before, evaluate(database=DATABASE[shuffled], database_labels=DATABASE_IDS[shuffled]))


def test_every_form_of_the_same_codes() -> None:
    packed = [retrieval.pack(codes) for codes in (QUERY, DATABASE)]
    signs = [retrieval.unpack(codes, 20) for codes in packed]
    reversed_memory = [np.asfortranarray(codes)[::-1][::-1] for codes in (QUERY, DATABASE)]
    unaligned = np.zeros(packed[1].nbytes + 1, np.uint8)[1:].view(np.uint64).reshape(packed[1].shape)
    unaligned[:] = packed[1]
    big_endian = packed[0].astype(">u8")
    first = evaluate().to_dict()
    for query, database in (packed, signs, reversed_memory, (big_endian, unaligned), (packed[0], signs[1])):
        assert evaluate(query=query, database=database, bits=20).to_dict() == first
    one_hot = [np.eye(5, dtype=dtype)[ids] for dtype, ids in ((int, QUERY_IDS), (np.float32, DATABASE_IDS))]
    assert evaluate(query_labels=one_hot[0], database_labels=one_hot[1]).map == first["map"]


def test_labels_as_sets_equal_the_obvious_loop() -> None:
    m = evaluate(query_labels=QUERY_SETS, database_labels=DATABASE_SETS, ties="stable")
    order = retrieval.rank(QUERY, DATABASE)
    for q in range(len(QUERY)):
        hit = (DATABASE_SETS & QUERY_SETS[q]).any(axis=1)[order[q]]
        precision = hit.cumsum() / np.arange(1, 301)
        assert m.average_precision[q] == pytest.approx(precision[hit].sum() / max(1, hit.sum()), rel=1e-12)


def test_scikit_learn_agrees_where_nothing_ties() -> None:
    average_precision_score = pytest.importorskip("sklearn.metrics").average_precision_score
    places = RNG.permutation(41)
    database = (np.arange(40) < places[:, None]).astype(np.int8)
    relevant = RNG.integers(0, 2, 41)
    m = retrieval.evaluate(np.zeros((1, 40), np.int8), [1], database, relevant)
    truth = average_precision_score(relevant, -places)
    assert [m.map_expected, m.map_stable, m.map_worst, m.map_best] == pytest.approx([truth] * 4, rel=1e-12)


def test_faiss_agrees_on_distances() -> None:
    faiss = pytest.importorskip("faiss")
    query, database = RNG.integers(0, 2, (20, 64)), RNG.integers(0, 2, (500, 64))
    q, d = retrieval.pack(query), retrieval.pack(database)
    index = faiss.IndexBinaryFlat(64)
    index.add(d.view(np.uint8))
    truth, _ = index.search(q.view(np.uint8), 500)
    ours, rows = retrieval.top_k(q, d, 500)
    assert np.array_equal(ours, truth)
    assert np.array_equal(np.take_along_axis(retrieval.distances(q, d), rows, axis=1), truth)


def test_torch_tensors_are_read_in_place() -> None:
    torch = pytest.importorskip("torch")
    database = torch.from_numpy(DATABASE)
    m = evaluate(
        query=torch.from_numpy(QUERY),
        database=database,
        query_labels=torch.from_numpy(QUERY_IDS),
        database_labels=torch.from_numpy(DATABASE_IDS),
    )
    assert m.to_dict() == evaluate().to_dict()
    assert np.shares_memory(retrieval.codes.as_array(database, "database"), DATABASE)
    with pytest.raises(InvalidInput, match=r"query: expected an array or a CPU tensor, got Tensor"):
        evaluate(query=database.clone().requires_grad_())


@pytest.mark.parametrize("name", ["float32", "float64", "int8", "int32", "int64", "uint8", "bool", "uint64"])
def test_the_core_reads_the_memory_of_contiguous_tensors(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    tensor = torch.ones(6, 3, dtype=getattr(torch, name))
    read: list[int] = []

    class Core:
        @staticmethod
        def pack(values: np.ndarray, threads: int) -> np.ndarray:
            read.append(values.ctypes.data)
            return reference.pack(values)

    monkeypatch.setattr("hashzoo.retrieval.codes.backend", lambda: Core)
    if name == "uint64":
        packed, _, _ = retrieval.codes.code_pair(tensor, tensor, None, 1)
        read.append(packed.ctypes.data)
    else:
        retrieval.pack(tensor)
    assert read == [tensor.data_ptr()]
    if name == "int64":
        labels = retrieval.labels.Labels.of(tensor[:, 0].contiguous(), tensor.view(-1), 1)
        assert labels.database.ctypes.data == tensor.data_ptr()


@pytest.mark.parametrize("name", ["float32", "int64", "bool"])
def test_a_strided_tensor_is_copied_and_right(name: str) -> None:
    torch = pytest.importorskip("torch")
    codes = torch.from_numpy(RNG.integers(0, 2, (20, 66))).to(getattr(torch, name))
    for strided in (codes[:, ::2], codes.T, codes[::3]):
        assert not strided.is_contiguous()
        assert np.array_equal(retrieval.pack(strided), reference.pack(np.ascontiguousarray(strided.numpy())))


def test_more_than_2_to_the_31_pairs_in_one_count(device: str) -> None:
    if device != "cpu":
        pytest.skip("only the CPU's core counts equal queries once: 2^31 pairs take minutes elsewhere")
    rows = 46_341  # squared, more than 2^31; all equal, so one query is counted
    codes, labels = np.zeros((rows, 1), np.uint64), np.zeros(rows, np.int64)
    m = retrieval.evaluate(codes, labels, codes, labels, bits=1)
    assert (m.map, m.map_stable, m.map_worst, m.map_best) == (1, 1, 1, 1)
    assert m.expected_hits[-1] == rows
    assert m.recall_at(rows) == pytest.approx(1, rel=1e-11)
    assert m.pr_curve.precision.tolist() == [1, 1]


def test_import_needs_numpy_alone() -> None:
    code = (
        "import sys, hashzoo.retrieval;"
        "print([m for m in sys.modules if m.split('.')[0] in ('torch', 'scipy', 'sklearn', 'matplotlib')])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_precision_and_recall_within_a_radius() -> None:
    m = evaluate()
    distance = retrieval.distances(QUERY, DATABASE)
    same = QUERY_IDS[:, None] == DATABASE_IDS
    for radius in range(21):
        near = distance <= radius
        found, retrieved = (near & same).sum(axis=1), near.sum(axis=1)
        assert m.precision_within(radius) == pytest.approx((found / np.maximum(retrieved, 1)).mean(), rel=1e-12)
        assert m.pr_curve.recall[radius] == pytest.approx((found / same.sum(axis=1)).mean(), rel=1e-12)
    assert m.precision_radius2 == m.precision_within(2)
    assert m.precision_within(999) == m.precision_within(20)
    assert m.pr_curve.radius.tolist() == list(range(21))


def test_a_query_without_relevant_rows() -> None:
    ids = QUERY_IDS.copy()
    ids[3] = 99
    zero, skip = (evaluate(query_labels=ids, empty=empty) for empty in ("zero", "skip"))
    assert zero.average_precision[3] == 0
    assert np.isnan(skip.average_precision[3])
    for name in ("map", "map_stable", "map_worst", "map_best"):
        assert getattr(skip, name) == pytest.approx(getattr(zero, name) * 60 / 59, rel=1e-12)
    assert skip.recall_at(50) == pytest.approx(zero.recall_at(50) * 60 / 59, rel=1e-12)
    assert zero.recall_at(300) == pytest.approx(59 / 60)
    assert skip.definition["empty_queries"] == 1
    with pytest.raises(InvalidInput, match="'skip' leaves none of the 60 queries"):
        evaluate(query_labels=np.full(60, 99), empty="skip")
    assert evaluate(query_labels=np.full(60, 99)).map == 0


@pytest.mark.parametrize(
    "knobs",
    [{}, {"topk": 40, "denominator": "hits"}, *({"definition": name} for name in LEGACY)],
    ids=str,
)
@pytest.mark.parametrize("sets", [False, True])
def test_an_excluded_row_is_as_if_it_were_not_there(isa: str, knobs: dict[str, Any], sets: bool) -> None:
    ours, theirs = (QUERY_SETS, DATABASE_SETS) if sets else (QUERY_IDS, DATABASE_IDS)
    exclude = RNG.integers(-1, 300, 60)
    for ties in ["stable"] if "definition" in knobs else TIES:
        m = evaluate(query_labels=ours, database_labels=theirs, exclude=exclude, ties=ties, **knobs)
        curves = []
        for q, row in enumerate(exclude):
            left = np.arange(300) != row
            alone: dict[str, Any] = {
                "query": QUERY[[q]],
                "query_labels": ours[[q]],
                "database": DATABASE[left],
                "database_labels": theirs[left],
            }
            if (theirs[left] & ours[q]).any() if sets else (theirs[left] == ours[q]).any():
                truth = evaluate(**alone, ties=ties, **knobs)
                assert m.average_precision[q] == pytest.approx(truth.map, rel=1e-13)
                curves.append(truth.pr_curve)
        if len(curves) == 60:
            np.testing.assert_allclose(m.pr_curve, np.mean(curves, axis=0), rtol=1e-12)
    assert m.definition["excluded_rows"] == (exclude >= 0).sum()


@pytest.mark.parametrize("knobs", [{}, {"topk": 40, "denominator": "hits"}, {"exclude": np.arange(60)}], ids=str)
@pytest.mark.parametrize("sets", [False, True])
@pytest.mark.parametrize("bits", [4, 20])
def test_leaving_the_stable_order_out_changes_nothing_else(knobs: dict[str, Any], sets: bool, bits: int) -> None:
    labels = (QUERY_SETS, DATABASE_SETS) if sets else (QUERY_IDS, DATABASE_IDS)
    twice = {
        "query": np.tile(QUERY[:, :bits], (2, 1)),
        "query_labels": np.concatenate([labels[0], labels[0][::-1]]),
        "database": DATABASE[:, :bits],
        "database_labels": labels[1],
        **({"exclude": np.tile(knobs["exclude"], 2)} if "exclude" in knobs else knobs),
    }
    whole, quick = evaluate(**twice), evaluate(**twice, stable=False)
    assert same_but_for_stable(whole, quick)
    assert np.isnan(quick.map_stable)
    assert "map_stable" not in quick.to_dict()
    assert quick.definition == whole.definition
    for given in ({"ties": "stable"}, {"definition": "fire"}):
        with pytest.raises(InvalidInput, match="stable: this ranking takes equal distances in stable order"):
            evaluate(**given, stable=False)


def test_a_set_searched_with_itself() -> None:
    m = evaluate(query=DATABASE, query_labels=DATABASE_IDS, exclude=np.arange(300))
    with_itself = evaluate(query=DATABASE, query_labels=DATABASE_IDS)
    assert m.map < with_itself.map
    none = evaluate(query=DATABASE, query_labels=DATABASE_IDS, exclude=np.full(300, -1))
    assert np.array_equal(none.average_precision, with_itself.average_precision)
    only = retrieval.evaluate([[1]], [0], [[1]], [0], exclude=[0])
    assert (only.map, only.definition["empty_queries"]) == (0, 1)


@pytest.mark.parametrize("ties", ["expected", "stable", "worst", "best"])
def test_the_chosen_ties_are_the_result(ties: str) -> None:
    m = evaluate(ties=ties)
    assert m.map == getattr(m, f"map_{ties}")
    assert m.map == pytest.approx(m.average_precision.mean())
    assert m.map_worst <= m.map_expected <= m.map_best
    assert m.map_worst <= m.map_stable <= m.map_best
    saved = json.loads(json.dumps(m.to_dict()))
    assert saved == m.to_dict()
    assert saved["definition"] == {
        "metric": "mean average precision over the ranking by Hamming distance",
        "topk": None,
        "ties": ties,
        "denominator": "relevant",
        "empty": "zero",
        "relevance": "same class id",
        "sign": "a bit is set iff the output is >= 0",
        "nothing_within_radius": "counts as precision 0",
        "bits": 20,
        "queries": 60,
        "empty_queries": 0,
        "database": 300,
    }


NAN = QUERY.copy()
NAN[5, 5] = np.nan
PACKED = retrieval.pack(QUERY)
SPARE_SET = PACKED | np.uint64(1 << 20)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"query": NAN}, "query: codes contain NaN"),
        ({"query": QUERY.astype(object)}, "query: expected float, int, bool or packed uint64, got dtype object"),
        ({"query": [[1, 0], [1]]}, "query: expected an array or a CPU tensor, got list"),
        ({"query": QUERY[0]}, r"query: expected \(N, K\) codes or \(N, W\) packed uint64, got shape \(20,\)"),
        ({"database": DATABASE[None]}, r"database: .* got shape \(1, 300, 20\)"),
        ({"query": QUERY[:, :19]}, "database: expected codes of 19 bits, got 20"),
        ({"bits": 21}, "query: expected codes of 21 bits, got 20"),
        ({"query": PACKED, "database": PACKED}, "bits: packed codes do not tell their length; pass bits="),
        ({"query": PACKED, "database": PACKED, "bits": 65}, "query: 65 bits take 2 words a code, got 1"),
        ({"query": SPARE_SET}, "query: a bit beyond the first 20 is set; spare bits must be zero"),
        ({"query": np.full((60, 20), 2)}, r"query: integer codes must be all in \{0, 1\} or all in \{-1, 1\}"),
        ({"query": QUERY[:0], "query_labels": QUERY_IDS[:0]}, "query: expected at least one code, got none"),
        ({"database": DATABASE[:0], "database_labels": DATABASE_IDS[:0]}, "database: expected at least one code"),
        ({"query_labels": QUERY_IDS[:59]}, r"query_labels: expected one per code \(60\), got 59"),
        ({"database_labels": np.zeros(301, int)}, r"database_labels: expected one per code \(300\), got 301"),
        ({"query_labels": QUERY_SETS}, r"query_labels are multi-hot \(N, C\) and database_labels class ids \(N,\)"),
        ({"query_labels": QUERY_IDS * 1.0}, "query_labels: expected integer class ids, got dtype float64"),
        ({"query_labels": QUERY_IDS[None, None]}, "query_labels: expected class ids"),
        (
            {"query_labels": QUERY_SETS, "database_labels": DATABASE_SETS[:, 1:]},
            "query_labels has 70 labels, database_labels 69: expected the same",
        ),
        (
            {"query_labels": QUERY_IDS[:, None], "database_labels": DATABASE_IDS[:, None]},
            "query_labels: expected multi-hot labels of 0 and 1; other values found",
        ),
        ({"bits": 0}, "bits: expected a whole number from 1 to 4096, got 0"),
        ({"bits": 4097}, "bits: expected a whole number from 1 to 4096, got 4097"),
        ({"bits": 2.5}, "bits: expected a whole number from 1 to 4096, got 2.5"),
        ({"topk": 0}, "topk: expected a whole number from 1 or None, got 0"),
        ({"topk": -1}, "topk: expected a whole number from 1 or None, got -1"),
        ({"ties": "random"}, "ties: expected one of expected, stable, worst, best, got 'random'"),
        ({"denominator": "all"}, "denominator: expected one of relevant, hits, got 'all'"),
        ({"empty": "nan"}, "empty: expected one of zero, skip, got 'nan'"),
        ({"exclude": np.zeros(59, int)}, r"exclude: expected one integer per query \(60\), got int64 of shape \(59,\)"),
        ({"exclude": np.zeros(60)}, r"exclude: expected one integer per query \(60\), got float64"),
        ({"exclude": np.full(60, 300)}, "exclude: expected rows of the database, 0 to 299, or -1, got 300"),
        ({"exclude": np.full(60, -2)}, "exclude: expected rows of the database, 0 to 299, or -1, got -2"),
        ({"exclude": np.full(60, 2**64 - 1, np.uint64)}, "exclude: expected rows of the database"),
        ({"threads": 0}, "threads: expected a whole number from 1 to 4096, got 0"),
        ({"threads": -2}, "threads: expected a whole number from 1 to 4096, got -2"),
        ({"threads": 1.5}, "threads: expected a whole number from 1 to 4096, got 1.5"),
        ({"threads": 2**31}, "threads: expected a whole number from 1 to 4096, got 2147483648"),
        ({"definition": ["fire"]}, r"definition: expected one of .*, or None, got \['fire'\]"),
    ],
)
def test_bad_input(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message) as caught:
        evaluate(**changes)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", ["0", "-1", "two", "1.5", "4097"])
def test_bad_thread_variable(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("HASHZOO_THREADS", value)
    with pytest.raises(InvalidInput, match=f"HASHZOO_THREADS: expected a whole number from 1 to 4096, got '{value}'"):
        evaluate()


def test_thread_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HASHZOO_THREADS", "3")
    assert backend.thread_count(None) == 3
    assert backend.thread_count(2) == 2
    monkeypatch.delenv("HASHZOO_THREADS")
    assert backend.thread_count(None) >= 1


@pytest.mark.parametrize("n", [0, -1, 2.0, True])
def test_bad_cut_off(n: Any) -> None:
    m = evaluate()
    for at in (m.precision_at, m.recall_at):
        with pytest.raises(InvalidInput, match="n: expected a whole number from 1"):
            at(n)


@pytest.mark.parametrize("radius", [-1, 2.0, float("nan"), True, "2", None])
def test_bad_radius(radius: Any) -> None:
    with pytest.raises(InvalidInput, match=f"radius: expected a whole number from 0, got {radius!r}"):
        evaluate().precision_within(radius)
