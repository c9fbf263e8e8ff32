"""Which images go into which batch: positions of one epoch as a (steps, B) int64 tensor."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from hashzoo.errors import InvalidInput


def shuffled(count: int, batch_size: int, generator: torch.Generator) -> Tensor:
    """Every image at most once, in random order; what does not fill a batch is left out this time."""
    batch_size = min(batch_size, count)
    steps = count // batch_size
    return torch.randperm(count, generator=generator)[: steps * batch_size].view(steps, batch_size)


def class_aware(labels: Tensor, batch_size: int, classes_per_batch: int, generator: torch.Generator) -> Tensor:
    """The same number of images of each class in every batch.

    A batch takes `batch_size // classes_per_batch` images of each of `classes_per_batch` classes; with fewer classes
    in the data the batch stays as large. Classes take turns in random order, and so do the images of a class: none
    comes again before all others of its class have come.

    Args:
        labels: (n,) int64 class ids.

    Returns:
        (steps, B), with as many steps as it takes to draw n images.
    """
    classes = torch.unique(labels)
    chosen = min(classes_per_batch, len(classes))
    per_class = max(batch_size // chosen, 1)
    steps = max(len(labels) // (chosen * per_class), 1)
    members = ((labels == label).nonzero().flatten() for label in classes)
    return _in_turn(members, len(classes), steps * chosen, per_class, generator).view(steps, chosen * per_class)


def label_balanced(labels: Tensor, batch_size: int, generator: torch.Generator) -> Tensor:
    """Every label drawn for equally often, however rare it is.

    Each place in a batch belongs to a label: labels take turns in random order, so that in any epoch their numbers of
    places differ by one at most. A place is filled by an image that shows its label; the images of a label take turns
    in random order, and none comes again before all others of that label have come. An image with several labels may be
    drawn for each of them, so a frequent label shows more often than it is drawn for. Images without a label are left
    out.

    Args:
        labels: (n, C) of 0 and 1, or (n,) int64 class ids.

    Returns:
        (steps, B), with as many steps as it takes to draw n images.

    Raises:
        InvalidInput: no image has a label.
    """
    shown = labels[:, None] == torch.unique(labels) if labels.ndim == 1 else labels != 0
    shown = shown[:, shown.any(0)]
    if shown.shape[1] == 0:
        raise InvalidInput("no training image has a label, so labels cannot be balanced")
    batch_size = min(batch_size, len(labels))
    steps = len(labels) // batch_size
    members = (column.nonzero().flatten() for column in shown.T)
    return _in_turn(members, shown.shape[1], steps * batch_size, 1, generator).view(steps, batch_size)


def _in_turn(members: Iterable[Tensor], kinds: int, slots: int, per_slot: int, generator: torch.Generator) -> Tensor:
    """(slots, per_slot): each slot belongs to one of `kinds`, in turn, and is filled from its `members`, in turn."""
    turns = -(-slots // kinds)
    order = torch.cat([torch.randperm(kinds, generator=generator) for _ in range(turns)])[:slots]
    positions = torch.empty(slots, per_slot, dtype=torch.int64)
    for kind, own in enumerate(members):
        places = (order == kind).nonzero().flatten()
        rounds = -(-len(places) * per_slot // len(own))
        drawn = torch.cat([own[torch.randperm(len(own), generator=generator)] for _ in range(max(rounds, 1))])
        positions[places] = drawn[: len(places) * per_slot].view(len(places), per_slot)
    return positions
