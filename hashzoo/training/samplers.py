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

    A batch has `classes_per_batch` different classes, or all where there are fewer, and of each as many images as fit
    into `batch_size`, one at least. Classes take turns in random order, and so do the images of a class: none comes
    again before all others of its class have come.

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
    order = _turns(len(classes), steps * chosen, generator, row=chosen)
    return _in_turn(members, order, per_class, generator).view(steps, chosen * per_class)


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
    order = _turns(shown.shape[1], steps * batch_size, generator)
    return _in_turn(members, order, 1, generator).view(steps, batch_size)


def _turns(kinds: int, slots: int, generator: torch.Generator, row: int = 1) -> Tensor:
    """(slots,) int64 of 0..kinds-1, each once in random order, again and again, but never twice in a row of `row`.

    `row` is at most `kinds`. Where a row reaches into the next turn, kinds that it has already come after its end.
    """
    turns: list[Tensor] = []
    begun = torch.empty(0, dtype=torch.int64)  # what stands in a row that is not full yet
    for _ in range(-(-slots // kinds)):
        turn = torch.randperm(kinds, generator=generator)
        if len(begun):
            missing = turn[~torch.isin(turn, begun)][: row - len(begun)]
            turn = torch.cat([missing, turn[~torch.isin(turn, missing)]])
        turns.append(turn)
        begun = turn[kinds - (len(begun) + kinds) % row :]
    return torch.cat(turns)[:slots]


def _in_turn(members: Iterable[Tensor], order: Tensor, per_slot: int, generator: torch.Generator) -> Tensor:
    """(slots, per_slot): each slot belongs to a kind, by `order` (slots,), and is filled from its members, in turn."""
    positions = torch.empty(len(order), per_slot, dtype=torch.int64)
    for kind, own in enumerate(members):
        places = (order == kind).nonzero().flatten()
        rounds = -(-len(places) * per_slot // len(own))
        drawn = torch.cat([own[torch.randperm(len(own), generator=generator)] for _ in range(max(rounds, 1))])
        positions[places] = drawn[: len(places) * per_slot].view(len(places), per_slot)
    return positions
