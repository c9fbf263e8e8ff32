from __future__ import annotations

import numpy as np
import pytest
import torch

from hashzoo.losses.centres import hadamard, hash_centres, majority, smallest_distance


def distances(centres):
    """All pairs, one by one."""
    return [int((a != b).sum()) for i, a in enumerate(centres) for b in centres[i + 1 :]]


@pytest.mark.parametrize("order", [1, 2, *range(4, 49, 4), 64, 128])
def test_rows_of_a_hadamard_matrix_are_orthogonal(order):
    matrix = hadamard(order).astype(int)
    assert set(np.unique(matrix)) <= {-1, 1}
    assert np.array_equal(matrix @ matrix.T, order * np.eye(order, dtype=int))


@pytest.mark.parametrize("order", [3, 6, 10, 52, 92, 100])
def test_orders_without_a_construction(order):
    assert hadamard(order) is None


@pytest.mark.parametrize("bits", [12, 16, 20, 24, 28, 36, 48, 64])
def test_centres_of_few_classes_are_half_the_bits_apart(bits):
    for classes in {2, 10, bits}:
        assert set(distances(hash_centres(classes, bits))) == {bits // 2} or classes > bits


def test_with_more_classes_than_bits_negatives_follow():
    centres = hash_centres(20, 12)
    assert np.array_equal(centres[12:], -centres[:8])
    assert set(distances(centres)) == {6, 12}


@pytest.mark.parametrize(
    ("classes", "bits"),
    [(10, 6), (10, 9), (21, 13), (10, 100), (200, 100), (25, 12), (81, 36), (1000, 64), (1000, 128)],
)
def test_other_centres_are_at_least_a_quarter_of_the_bits_apart(classes, bits):
    centres = hash_centres(classes, bits)
    assert centres.shape == (classes, bits)
    assert set(np.unique(centres)) == {-1, 1}
    assert smallest_distance(centres) >= bits / 4


def test_drawn_centres_are_balanced():
    assert not hash_centres(10, 100).sum(1).any()
    assert set(np.abs(hash_centres(10, 33).sum(1))) == {1}


@pytest.mark.parametrize(("classes", "bits"), [(2, 1), (8, 3), (10, 4), (100, 7), (4096, 12)])
def test_no_two_classes_share_a_centre_if_there_are_codes_enough(classes, bits):
    assert len(np.unique(hash_centres(classes, bits), axis=0)) == classes


def test_centres_repeat_in_turn_if_there_are_more_classes_than_codes():
    centres = hash_centres(10, 3)
    assert np.array_equal(centres[8:], centres[:2])
    assert len(np.unique(centres, axis=0)) == 8


@pytest.mark.parametrize(("classes", "bits"), [(10, 24), (10, 5), (10, 50)])
def test_the_seed_decides(classes, bits):
    assert np.array_equal(hash_centres(classes, bits, 3), hash_centres(classes, bits, 3))
    assert not np.array_equal(hash_centres(classes, bits, 3), hash_centres(classes, bits, 4))


def test_no_bit_is_the_same_for_all_classes():
    """Which it would be in the rows of a matrix that starts with a column of ones."""
    for bits in (12, 24, 36, 48):
        assert (np.abs(hash_centres(10, bits).sum(0)) < 10).all()


def test_the_smallest_distance_equals_a_loop():
    centres = np.random.default_rng(0).choice([-1, 1], (9, 14)).astype(np.int8)
    assert smallest_distance(centres) == min(distances(centres))
    assert smallest_distance(centres[:1]) == 14


def test_the_majority_equals_a_count():
    centres = torch.from_numpy(hash_centres(5, 12)).float()
    labels = torch.tensor([[1, 0, 0, 0, 0], [1, 1, 0, 0, 0], [1, 1, 1, 0, 0], [0, 1, 1, 1, 1], [0, 0, 0, 0, 0]])
    ties = torch.tensor([1.0, -1.0] * 6)
    got = majority(labels.to(torch.uint8), centres, ties)
    for row, code in zip(labels.tolist(), got.tolist(), strict=True):
        for bit in range(12):
            votes = sum(float(centres[c, bit]) for c in range(5) if row[c])
            assert code[bit] == (ties[bit] if votes == 0 else np.sign(votes))
    assert torch.equal(got[0], centres[0])
    assert torch.equal(got[4], ties)
