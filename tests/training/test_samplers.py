from __future__ import annotations

import pytest
import torch

from hashzoo.training.samplers import class_aware, shuffled


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


@pytest.mark.parametrize(("classes", "chosen", "batch_size"), [(7, 3, 10), (5, 10, 50), (3, 2, 7), (2, 10, 11)])
def test_odd_class_counts_keep_batches_whole_and_classes_equal(classes, chosen, batch_size):
    labels = torch.arange(classes * 20) % classes
    order = class_aware(labels, batch_size, chosen, generator())
    in_batch = min(chosen, classes)
    each = batch_size // in_batch
    assert order.shape == (len(labels) // (in_batch * each), in_batch * each)
    counts = torch.zeros(classes, dtype=torch.int64)
    for batch in order:
        found = torch.bincount(labels[batch], minlength=classes)
        assert (found % each == 0).all()
        counts += found
    assert counts.max() - counts.min() <= 2 * each


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
    for draw in (lambda s: shuffled(100, 10, generator(s)), lambda s: class_aware(labels, 12, 4, generator(s))):
        first = draw(0)
        torch.manual_seed(99)
        assert torch.equal(first, draw(0))
        assert not torch.equal(first, draw(1))
