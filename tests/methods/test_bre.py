from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hashzoo.errors import InvalidSetting
from hashzoo.methods.base import Task
from hashzoo.methods.bre import BRE, Search, draw_pairs, interval_costs, lowest_interval, middle

TASK = Task(num_classes=3, num_train=20, image_size=(8, 8))


def search_of(seed=0, images=20, bits=4, anchors=5):
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((images, 6))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    labels = np.arange(images) % 3
    first, second = draw_pairs(images, 0.5, rng)
    wanted = np.where(labels[first] == labels[second], 0, bits)
    chosen = [np.sort(rng.choice(images, anchors, replace=False)) for _ in range(bits)]
    return Search(vectors @ vectors.T, chosen, 0.1 * rng.standard_normal((bits, anchors)), (first, second), wanted)


def cost_from_scratch(search):
    codes = np.stack([search.kernel[:, a] @ w for a, w in zip(search.anchors, search.weights, strict=True)]) >= 0
    total = 0
    for i, j, wanted in zip(search.first, search.second, search.wanted, strict=True):
        total += int(wanted - (codes[:, i] != codes[:, j]).sum()) ** 2
    return total


def test_pairs_are_drawn_once_each():
    first, second = draw_pairs(100, 0.05, np.random.default_rng(0))
    assert (first < second).all()
    assert len(set(zip(first.tolist(), second.tolist(), strict=True))) == len(first)
    assert 400 < len(first) <= 500
    partners = np.bincount(np.concatenate([first, second]), minlength=100)
    assert partners.min() >= 5


def test_the_cost_never_grows_and_equals_a_recomputation():
    search = search_of()
    rng = np.random.default_rng(1)
    cost = search.cost()
    start = cost
    for _ in range(10):
        for bit in range(4):
            search.improve(bit, int(rng.integers(5)))
            assert search.cost() <= cost
            cost = search.cost()
            assert cost == cost_from_scratch(search)
    assert cost < 0.8 * start


@pytest.mark.parametrize("seed", range(5))
def test_the_best_interval_is_that_of_brute_force(seed):
    search = search_of(seed)
    slope = search.kernel[search.anchors[2][3]]
    shifts = np.sort(-search.values[2] / slope)
    places = [middle(shifts, i) for i in range(len(shifts) + 1)]
    before = search.weights[2, 3]
    costs = []
    for shift in places:
        search.weights[2, 3] = before + shift
        costs.append(cost_from_scratch(search))
    search.weights[2, 3] = before
    search.improve(2, 3)
    assert search.cost() == min([*costs, cost_from_scratch(search_of(seed))])


@given(seed=st.integers(0, 2**32), images=st.integers(2, 12), pairs=st.integers(1, 30))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_costs_along_a_line_equal_a_loop_over_the_flips(seed, images, pairs):
    rng = np.random.default_rng(seed)
    movable = rng.permutation(images)[: rng.integers(0, images + 1)]
    place = np.full(images, len(movable))
    place[movable] = np.arange(len(movable))
    first, second = rng.integers(0, images, (2, pairs))
    price = rng.integers(-50, 50, pairs)
    bits = rng.random(images) < 0.5
    expected = []
    state = bits.copy()
    for image in [None, *movable]:
        if image is not None:
            state[image] = not state[image]
        expected.append(int(price[state[first] != state[second]].sum()))
    found = interval_costs(price, bits[first] != bits[second], place[first], place[second], len(movable))
    assert found.tolist() == expected


def test_an_empty_interval_is_never_chosen():
    assert lowest_interval(np.array([5, 0, 3]), np.array([1.0, 1.0]), 0) == 2
    assert lowest_interval(np.array([5, 5, 5]), np.array([1.0, 2.0]), 1) == 1


def test_a_weight_lands_between_two_shifts_or_outside():
    shifts = np.array([-1.0, 2.0, 3.0])
    assert middle(shifts, 1) == 0.5
    assert middle(shifts, 0) < -1
    assert middle(shifts, 3) > 3
    assert middle(np.array([2.0]), 0) < 2


def test_a_weight_on_which_nothing_depends_stays():
    search = search_of()
    search.kernel[search.anchors[1][2]] = 0
    before = search.weights.copy()
    search.improve(1, 2)
    assert np.array_equal(search.weights, before)


def test_codes_of_new_images_are_those_of_the_search(rng):
    vectors = rng.standard_normal((20, 6)).astype(np.float32)
    labels = np.arange(20) % 3
    method = BRE(4, TASK, BRE.Config(anchors=5, partners=0.5))
    model = method.fit(vectors, labels, np.random.default_rng(0))
    relaxed = method.project(vectors, model)
    assert relaxed.shape == (20, 4)
    assert np.array_equal(method.project(3 * (vectors - model["mean"]) + model["mean"], model) >= 0, relaxed >= 0)
    codes = relaxed >= 0
    same = labels[:, None] == labels
    apart = (codes[:, None] != codes[None]).sum(2)
    assert apart[same].mean() < apart[~same].mean()


def test_how_many_images_are_drawn():
    assert BRE(12, TASK).sampling(50_000) == {"drawn": 1000}
    assert BRE(12, TASK).sampling(20) == {"drawn": 20}


def test_one_image_makes_no_pair():
    with pytest.raises(InvalidSetting, match="images: expected at least 2, got 1"):
        BRE.Config(images=1)
    method = BRE(4, TASK, BRE.Config(images=2))
    model = method.fit(np.eye(20, 6, dtype=np.float32), np.arange(20) % 3, np.random.default_rng(0))
    assert np.isfinite(model["directions"]).all()


def test_it_learns(map_on_digits, lsh_on_digits):
    assert map_on_digits("bre") > lsh_on_digits + 0.15


def test_without_the_search_it_is_worse(map_on_digits):
    assert map_on_digits("bre", sweeps=0) < map_on_digits("bre") - 0.15
