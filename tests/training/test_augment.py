from __future__ import annotations

import pytest
import torch

from hashzoo.datasets.base import Augmentation
from hashzoo.training.augment import augment


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def images():
    return torch.randint(0, 256, (40, 6, 9, 3), dtype=torch.uint8, generator=generator(3))


def variant(image, down, right, mirror):
    """Output pixel (y, x) is source pixel (y + down, x + right), edges repeated, mirrored at last."""
    height, width, _ = image.shape
    result = torch.empty_like(image)
    for y in range(height):
        for x in range(width):
            row = min(max(y + down, 0), height - 1)
            column = min(max(x + right, 0), width - 1)
            result[y, x] = image[row, width - 1 - column if mirror else column]
    return result


@pytest.mark.parametrize(("shift", "mirror"), [(0, True), (2, False), (2, True)])
def test_each_image_is_one_of_the_variants_of_a_loop(images, shift, mirror):
    moves = range(-shift, shift + 1)
    flips = (False, True) if mirror else (False,)
    drawn = set()
    for image, got in zip(images, augment(images, Augmentation(shift, mirror), generator()), strict=True):
        equal = [
            (down, right, flip)
            for down in moves
            for right in moves
            for flip in flips
            if torch.equal(got, variant(image, down, right, flip))
        ]
        assert len(equal) == 1
        drawn.add(equal[0])
    downs, rights, flipped = (set(values) for values in zip(*drawn, strict=True))
    assert (downs, rights, flipped) == (set(moves), set(moves), set(flips))


def test_without_shift_and_mirror_nothing_changes(images):
    assert torch.equal(augment(images, Augmentation(shift=0, mirror=False), generator()), images)


def test_shape_type_and_source_are_kept(images):
    before = images.clone()
    result = augment(images, Augmentation(shift=4, mirror=True), generator())
    assert result.shape == images.shape
    assert result.dtype == torch.uint8
    assert torch.equal(images, before)


def test_it_depends_on_its_generator_alone(images):
    first = augment(images, Augmentation(), generator(1))
    torch.manual_seed(99)
    assert torch.equal(first, augment(images, Augmentation(), generator(1)))
    assert not torch.equal(first, augment(images, Augmentation(), generator(2)))
