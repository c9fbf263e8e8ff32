from __future__ import annotations

import pytest
import torch

from hashzoo.errors import InvalidInput
from hashzoo.training.samplers import class_aware, label_balanced, shuffled


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_batches_of_200_hold_20_of_each_of_10_classes():
    labels = torch.arange(2000)[torch.randperm(2000, generator=generator())] % 10
    order = class_aware(labels, 200, 10, generator(1))
    assert order.shape == (10, 200)
    for batch in order:
        assert torch.bincount(labels[batch], minlength=10).tolist() == [20] * 10
    assert order.unique().numel() == 2000


def test_unequal_classes_as_svhn_has_them_are_equal_in_every_batch():
    sizes = torch.tensor([4948, 13861, 10585, 8497, 7458, 6882, 5727, 5595, 5045, 4659])
    labels = torch.arange(10).repeat_interleave(sizes)
    order = class_aware(labels, 200, 10, generator())
    assert order.shape == (73_257 // 200, 200)
    assert (torch.stack([torch.bincount(labels[batch], minlength=10) for batch in order]) == 20).all()


def test_batches_hold_exactly_n_images_of_each_chosen_class():
    labels = torch.arange(2000) % 20
    order = class_aware(labels, 200, 10, generator(1))
    for batch in order:
        counts = torch.bincount(labels[batch], minlength=20)
        assert sorted(counts.tolist()) == [0] * 10 + [20] * 10
    assert (torch.bincount(labels[order.flatten()], minlength=20) == 100).all()


def test_in_a_full_epoch_of_equal_classes_every_image_comes_once():
    labels = torch.arange(90) % 3
    order = class_aware(labels, 9, 3, generator())
    assert sorted(order.flatten().tolist()) == list(range(90))


def test_rare_images_come_again_only_after_all_others_of_their_class():
    labels = torch.cat([torch.zeros(95, dtype=torch.int64), torch.ones(5, dtype=torch.int64)])
    order = class_aware(labels, 20, 2, generator())
    assert order.shape == (5, 20)
    rare = torch.bincount(order[labels[order] == 1], minlength=100)[95:]
    assert rare.tolist() == [10] * 5
    common = torch.bincount(order[labels[order] == 0], minlength=95)[:95]
    assert common.max() == 1


@pytest.mark.parametrize(
    ("classes", "chosen", "batch_size"), [(7, 3, 10), (5, 10, 50), (3, 2, 7), (2, 10, 11), (12, 10, 100), (7, 5, 3)]
)
def test_odd_class_counts_keep_batches_whole_and_classes_equal(classes, chosen, batch_size):
    labels = torch.arange(classes * 20) % classes
    order = class_aware(labels, batch_size, chosen, generator())
    in_batch = min(chosen, classes)
    each = max(batch_size // in_batch, 1)
    assert order.shape == (len(labels) // (in_batch * each), in_batch * each)
    counts = torch.zeros(classes, dtype=torch.int64)
    for batch in order:
        found = torch.bincount(labels[batch], minlength=classes)
        assert sorted(found.tolist()) == [0] * (classes - in_batch) + [each] * in_batch
        counts += found
    assert counts.max() - counts.min() <= each


def test_class_ids_need_not_be_dense():
    labels = torch.tensor([3, 70, 3, 70, 3, 70])
    order = class_aware(labels, 2, 2, generator())
    assert order.shape == (3, 2)
    assert all(sorted(labels[batch].tolist()) == [3, 70] for batch in order)


def test_fewer_images_than_a_batch_still_make_one():
    labels = torch.tensor([0, 1, 1])
    order = class_aware(labels, 10, 2, generator())
    assert order.shape == (1, 10)
    assert torch.bincount(labels[order[0]]).tolist() == [5, 5]
    assert shuffled(3, 10, generator()).shape == (1, 3)


def test_shuffled_takes_every_image_at_most_once():
    order = shuffled(103, 10, generator())
    assert order.shape == (10, 10)
    assert order.unique().numel() == 100
    assert 0 <= int(order.min()) <= int(order.max()) < 103
    left_out = [set(range(103)) - set(shuffled(103, 10, generator(s)).flatten().tolist()) for s in range(5)]
    assert len(set(map(frozenset, left_out))) > 1


def test_samplers_depend_on_their_generator_alone():
    labels = torch.arange(100) % 4
    samplers = (
        lambda s: shuffled(100, 10, generator(s)),
        lambda s: class_aware(labels, 12, 4, generator(s)),
        lambda s: label_balanced(labels, 12, generator(s)),
    )
    for draw in samplers:
        first = draw(0)
        torch.manual_seed(99)
        assert torch.equal(first, draw(0))
        assert not torch.equal(first, draw(1))


def multi_hot(shares, count=600, seed=0):
    """(count, len(shares)) of 0 and 1, each label with its share of images, and no image without a label."""
    labels = (torch.rand(count, len(shares), generator=generator(seed)) < torch.tensor(shares)).to(torch.uint8)
    labels[~labels.bool().any(1), 0] = 1
    return labels


def test_rare_labels_come_about_as_often_as_others():
    labels = multi_hot([0.5, 0.2, 0.05, 0.01])
    even = label_balanced(labels, 60, generator())
    assert even.shape == (10, 60)
    plain = labels.sum(0) / len(labels)
    shown = labels[even.flatten()].sum(0) / even.numel()
    assert plain[3] < 0.02
    assert shown.min() >= 0.25  # each of the four labels has a quarter of the places
    assert shown.max() / shown.min() < 3 < plain.max() / plain.min()


def test_each_label_has_its_share_of_every_batch():
    labels = torch.eye(7, dtype=torch.uint8)[torch.arange(700) % 7]
    labels = labels[:610]  # unequal numbers
    for batch in label_balanced(labels, 70, generator()):
        assert labels[batch].sum(0).tolist() == [10] * 7
    for batch in label_balanced(labels, 40, generator()):
        counts = labels[batch].sum(0, dtype=torch.int64)
        assert counts.max() - counts.min() <= 2


def test_images_of_a_label_take_turns():
    labels = torch.zeros(100, 2, dtype=torch.uint8)
    labels[:95, 0] = 1
    labels[95:, 1] = 1
    times = torch.bincount(label_balanced(labels, 20, generator()).flatten(), minlength=100)
    assert times[95:].tolist() == [10] * 5
    assert times[:95].max() == 1


def test_images_and_labels_that_show_nothing_are_left_out():
    labels = torch.zeros(40, 3, dtype=torch.uint8)
    labels[:30, 1] = 1
    order = label_balanced(labels, 10, generator())
    assert order.shape == (4, 10)
    assert int(order.max()) < 30
    with pytest.raises(InvalidInput, match="no training image has a label"):
        label_balanced(torch.zeros(4, 3), 2, generator())


def test_class_ids_are_balanced_too():
    labels = torch.tensor([5] * 90 + [9] * 10)
    order = label_balanced(labels, 10, generator())
    assert torch.bincount(labels[order.flatten()]).tolist() == [0] * 5 + [50, 0, 0, 0, 50]
