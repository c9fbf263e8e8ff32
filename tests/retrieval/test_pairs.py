import numpy as np
import pytest

from hashzoo import retrieval
from hashzoo.errors import InvalidInput


def by_hand(query, query_labels, database, database_labels, exclude):
    """Pairs by distance, one at a time: similar in row 0, dissimilar in row 1."""
    counts = np.zeros((2, query.shape[1] + 1), np.int64)
    for q, (code, label) in enumerate(zip(query, query_labels, strict=True)):
        for row, (other, other_label) in enumerate(zip(database, database_labels, strict=True)):
            if exclude is None or exclude[q] != row:
                alike = bool(np.sum(label * other_label)) if np.ndim(label) else label == other_label
                counts[0 if alike else 1, (code != other).sum()] += 1
    return counts


@pytest.mark.parametrize("multi_label", [False, True])
@pytest.mark.parametrize("excluding", [False, True])
def test_every_pair_is_counted_once(isa, threads, multi_label, excluding):
    rng = np.random.default_rng(0)
    query, database = rng.choice([-1, 1], (7, 12)), rng.choice([-1, 1], (30, 12))
    size = (lambda n: (n, 3)) if multi_label else (lambda n: n)
    labels = rng.integers(0, 2, size(7)), rng.integers(0, 2, size(30))
    exclude = np.array([-1, 0, 1, 2, -1, 29, 5]) if excluding else None
    found = retrieval.pair_distances(query, labels[0], database, labels[1], exclude=exclude, threads=threads)
    similar, dissimilar = by_hand(query, labels[0], database, labels[1], exclude)
    np.testing.assert_array_equal(found.distance, np.arange(13))
    np.testing.assert_array_equal(found.similar, similar)
    np.testing.assert_array_equal(found.dissimilar, dissimilar)


def test_short_codes_of_a_set_searched_with_itself(isa, threads):
    """Many queries of few label sets are counted from tables over all codes; the query itself is then taken out."""
    rng = np.random.default_rng(2)
    codes, labels = rng.choice([-1, 1], (300, 6)), rng.random((300, 3)) < 0.4
    itself = np.arange(300)
    found = retrieval.pair_distances(codes, labels, codes, labels, exclude=itself, threads=threads)
    distance, alike = (codes[:, None] != codes).sum(axis=2), (labels[:, None] & labels).any(axis=2)
    others = ~np.eye(300, dtype=bool)
    np.testing.assert_array_equal(found.similar, np.bincount(distance[alike & others], minlength=7))
    np.testing.assert_array_equal(found.dissimilar, np.bincount(distance[~alike & others], minlength=7))


def test_blocks_of_queries_add_up():
    rng = np.random.default_rng(1)
    query, database = rng.choice([-1, 1], (1200, 8)), rng.choice([-1, 1], (5, 8))
    labels = rng.integers(0, 3, 1200), rng.integers(0, 3, 5)
    found = retrieval.pair_distances(query, labels[0], database, labels[1])
    similar, dissimilar = by_hand(query, labels[0], database, labels[1], None)
    np.testing.assert_array_equal(found.similar, similar)
    np.testing.assert_array_equal(found.dissimilar, dissimilar)


def test_it_takes_what_evaluate_takes():
    with pytest.raises(InvalidInput, match="bits: packed codes do not tell their length"):
        retrieval.pair_distances(np.zeros((1, 1), np.uint64), [0], np.zeros((1, 1), np.uint64), [0])
