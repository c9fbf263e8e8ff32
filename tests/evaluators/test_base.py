import numpy as np
import pytest

from hashzoo import retrieval
from hashzoo.errors import InvalidInput, InvalidSetting
from hashzoo.evaluators.base import EVALUATORS, CodeSet
from hashzoo.evaluators.bit_statistics import BitStatistics, bit_use
from hashzoo.evaluators.graded_ranking import GradedRanking
from hashzoo.evaluators.hamming_ranking import HammingRanking
from hashzoo.evaluators.pair_distances import PairDistances
from hashzoo.evaluators.query_ranking import QueryRanking
from hashzoo.settings import configure

SIGNS = np.array([[1, -1, 1], [-1, -1, 1], [1, 1, 1]], np.int8)


def arrays(**changed):
    return {
        "query_codes": SIGNS[:2],
        "query_labels": np.array([0, 1]),
        "database_codes": SIGNS,
        "database_labels": np.array([0, 1, 1]),
        **changed,
    }


@pytest.mark.parametrize("form", [SIGNS, (SIGNS + 1) // 2, SIGNS > 0, SIGNS * 0.5, retrieval.pack(SIGNS)])
def test_every_form_of_codes_is_packed_alike(form):
    codes = CodeSet.checked(**arrays(database_codes=form, query_codes=form[:2]), bits=3)
    assert codes.bits == 3
    np.testing.assert_array_equal(codes.database_codes, [[0b101], [0b100], [0b111]])
    assert codes.database_codes.dtype == np.uint64
    assert codes.database_labels.dtype == np.int64


def test_multi_hot_labels_become_uint8():
    codes = CodeSet.checked(**arrays(query_labels=np.eye(2, dtype=bool), database_labels=np.ones((3, 2))))
    assert codes.query_labels.dtype == np.uint8
    assert codes.database_labels.shape == (3, 2)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"query_codes": np.array([[1, np.nan, 1], [1, 1, 1]])}, "query_codes: 1 codes contain NaN, first row 0"),
        ({"query_codes": (SIGNS[:2] + 1) / 2}, "query_codes: floats of 0 and 1 alone are ambiguous"),
        ({"query_codes": SIGNS[0]}, "query_codes: expected .* got shape \\(3,\\)"),
        ({"query_codes": SIGNS[:2, :2]}, "database_codes: expected codes of 2 bits, got 3"),
        ({"query_codes": SIGNS[:2] * 3}, "query_codes: .*other values"),
        ({"query_codes": np.array([["a"], ["b"]])}, "query_codes: expected numbers"),
        ({"query_codes": [[1], [1, 0]]}, "query_codes: expected an array, got list"),
        ({"query_codes": SIGNS[:0], "query_labels": np.zeros(0, int)}, "query_codes: expected at least one"),
        ({"database_codes": SIGNS[:0], "database_labels": np.zeros(0, int)}, "database_codes: expected at least one"),
        ({"query_labels": np.array([0, 1, 2])}, "query_labels: expected one per code \\(2\\), got 3"),
        ({"query_labels": np.array([0.5, 1])}, "query_labels: expected whole class ids"),
        ({"query_labels": np.array([[0, 2], [1, 1]])}, "query_labels: expected multi-hot"),
        ({"query_labels": np.eye(2, dtype=int)}, "database_labels: expected the kind of query_labels"),
        ({"bits": 4}, "query_codes: expected codes of 4 bits, got 3"),
        ({"bits": 0}, "bits: expected one whole number"),
        ({"bits": np.array([3, 3])}, "bits: expected one whole number"),
        ({"database_codes": np.full((3, 1), 8, np.uint64)}, "database_codes: a bit beyond the 3th is set"),
        ({"database_codes": np.zeros((3, 2), np.uint64)}, "database_codes: 3 bits take 1 uint64 words"),
    ],
)
def test_bad_arrays_are_named(changed, message):
    with pytest.raises(InvalidInput, match=message):
        CodeSet.checked(**arrays(**changed))


def test_packed_codes_need_their_length():
    packed = retrieval.pack(SIGNS)
    with pytest.raises(InvalidInput, match="bits: packed codes do not tell their length"):
        CodeSet.checked(**arrays(query_codes=packed[:2], database_codes=packed))


def test_ranking_matches_retrieval_and_a_hand_count():
    # Distances of query 0: 0, 1, 1, only row 0 relevant. Of query 1: 1, 0, 2, rows 1 and 2 relevant: (1 + 2/3) / 2.
    result = HammingRanking().evaluate(CodeSet.checked(**arrays()))
    assert result.metrics["map_expected"] == pytest.approx((1 + (1 + 2 / 3) / 2) / 2)
    assert result.metrics["map"] == result.metrics["map_expected"]
    assert set(result.metrics) <= set(HammingRanking.meanings)
    assert {"topk", "ties", "denominator", "empty", "relevance"} <= set(result.definition)
    assert len(result.curves["precision_recall"]["radius"]) == 4
    assert result.curves["at_place"]["n"] == [1, 2, 3]
    assert result.curves["at_place"]["recall"][-1] == pytest.approx(1)


def test_the_chosen_ties_are_the_headline():
    codes = CodeSet.checked(**arrays(database_codes=np.ones((3, 3), np.int8)))
    worst = HammingRanking(configure(HammingRanking.Config, {"ties": "worst"}, "x")).evaluate(codes)
    assert worst.metrics["map"] == worst.metrics["map_worst"] < worst.metrics["map_expected"]
    assert worst.definition["ties"] == "worst"


def test_a_topk_below_one_is_refused():
    with pytest.raises(InvalidSetting, match="topk"):
        HammingRanking.Config(topk=0)


def test_a_definition_settles_the_knobs():
    assert HammingRanking.Config().to_dict() == {
        "topk": None,
        "ties": "expected",
        "denominator": "relevant",
        "empty": "zero",
    }
    config = HammingRanking.Config(definition="fire", topk=2)
    assert config.to_dict() == {
        "definition": "fire",
        "topk": 2,
        "ties": "stable",
        "denominator": "hits",
        "empty": "zero",
    }
    result = HammingRanking(config).evaluate(CodeSet.checked(**arrays()))
    assert config.to_dict().items() <= result.definition.items()
    assert result.metrics["map"] == result.metrics["map_stable"] == 1  # each query's one hit in the top 2 is first
    with pytest.raises(InvalidInput, match="topk: the definition 'pml' cuts each query"):
        HammingRanking.Config(definition="pml", topk=2)


def test_queries_are_ranked_against_themselves():
    """By definition: the queries in the place of the database, with and without the query itself."""
    rng = np.random.default_rng(0)
    codes, labels = rng.choice([-1, 1], (30, 6)), rng.integers(0, 3, 30)
    database = {"database_codes": rng.choice([-1, 1], (50, 6)), "database_labels": rng.integers(0, 3, 50)}
    found = QueryRanking(QueryRanking.Config(topk=10)).evaluate(
        CodeSet.checked(query_codes=codes, query_labels=labels, **database)
    )
    for name, exclude in (("map_among_queries", None), ("map_among_other_queries", np.arange(30))):
        expected = retrieval.evaluate(
            retrieval.pack(codes), labels, retrieval.pack(codes), labels, bits=6, topk=10, exclude=exclude
        )
        assert found.metrics[name] == expected.map
    assert found.metrics["map_among_queries"] > found.metrics["map_among_other_queries"]
    assert found.definition["database"] == 30
    same = CodeSet.checked(query_codes=codes, query_labels=labels, database_codes=codes, database_labels=labels)
    assert QueryRanking().evaluate(same).metrics == {}


def test_bit_statistics_by_hand():
    codes = np.array([[1, 1, 1], [1, -1, -1], [1, 1, 1], [1, -1, -1]])
    both = arrays(query_codes=codes[:2], database_codes=codes, database_labels=np.arange(4))
    assert BitStatistics().evaluate(CodeSet.checked(**both)).metrics == {
        "bit_activity_min": 0.5,
        "bit_activity_max": 1.0,
        "bit_correlation": pytest.approx(1.0),
        "dead_bits": 1.0,
        "distinct_codes": 2.0,
    }


def test_correlation_equals_numpys():
    rng = np.random.default_rng(0)
    codes = rng.standard_normal((20000, 5)) + rng.standard_normal((20000, 1))
    both = arrays(query_codes=codes[:2], database_codes=codes, database_labels=np.arange(20000))
    expected = np.abs(np.corrcoef(codes >= 0, rowvar=False))[np.triu_indices(5, 1)].mean()
    assert BitStatistics().evaluate(CodeSet.checked(**both)).metrics["bit_correlation"] == pytest.approx(expected)


def test_constant_bits_do_not_correlate():
    codes = np.ones((3, 3))
    assert BitStatistics().evaluate(CodeSet.checked(**arrays(database_codes=codes))).metrics["bit_correlation"] == 0


def test_graded_ranking_by_hand():
    # Distances of the one query: 0, 1, 1; shared labels: 1, 0, 2. The tied rows swap in half of the orders.
    codes = CodeSet.checked(
        query_codes=SIGNS[:1],
        query_labels=[[1, 1, 0]],
        database_codes=SIGNS,
        database_labels=[[1, 0, 0], [0, 0, 1], [1, 1, 1]],
    )
    result = GradedRanking(GradedRanking.Config(topk=2)).evaluate(codes)
    second, ideal = 1 / np.log2(3), 2 + 1 / np.log2(3)
    assert result.metrics == {
        "ndcg": pytest.approx((1 + second) / ideal),
        "acg": pytest.approx((1 + 1) / 2),
        "wap": pytest.approx((1 + (1 + 3 / 2) / 2) / 2),
        "ndcg_stable": pytest.approx(1 / ideal),
        "acg_stable": 0.5,
        "wap_stable": 1,
    }
    assert {"topk": 2, "gain": "linear"}.items() <= result.definition.items()
    with pytest.raises(InvalidSetting, match="topk: expected at least 1"):
        GradedRanking.Config(topk=0)


def test_all_are_registered():
    assert {"hamming_ranking", "bit_statistics", "graded_ranking"} <= set(EVALUATORS.names())


def test_pair_distances_of_a_set_done_by_hand():
    found = PairDistances().evaluate(CodeSet.checked(**arrays()))
    # query 101 of class 0: rows 101 (0), 001 (1), 111 (1) at 0, 1, 1; query 001 of class 1: the same rows at 1, 0, 2
    assert found.curves["pair_distances"] == {
        "distance": [0, 1, 2, 3],
        "similar": [2, 0, 1, 0],
        "dissimilar": [0, 3, 0, 0],
    }
    assert found.metrics == pytest.approx(
        {"similar_pairs": 3, "dissimilar_pairs": 3, "similar_mean": 2 / 3, "dissimilar_mean": 1, "overlap": 0}
    )
    assert found.definition["similar"] == "same class id"


def test_correlation_of_bits_is_that_of_numpy_and_0_with_a_dead_bit():
    signs = np.random.default_rng(0).choice([-1, 1], (200, 6))
    signs[:, 3] = 1
    codes = CodeSet.checked(**arrays(query_codes=signs[:2], database_codes=signs, database_labels=np.zeros(200, int)))
    use = bit_use(codes)
    live = [0, 1, 2, 4, 5]
    np.testing.assert_allclose(use.activity, (signs > 0).mean(axis=0))
    np.testing.assert_allclose(use.correlation[np.ix_(live, live)], np.corrcoef(signs[:, live].T), atol=1e-12)
    assert not use.correlation[3].any()
