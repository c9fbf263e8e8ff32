"""Which images go into which batch: positions of one epoch as a (steps, B) int64 tensor."""

from __future__ import annotations

import torch
from torch import Tensor


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
    turns = -(-steps * chosen // len(classes))
    order = torch.cat([torch.randperm(len(classes), generator=generator) for _ in range(turns)])
    order = order[: steps * chosen]
    positions = torch.empty(steps * chosen, per_class, dtype=torch.int64)
    for which, label in enumerate(classes):
        members = (labels == label).nonzero().flatten()
        slots = (order == which).nonzero().flatten()
        rounds = -(-len(slots) * per_class // len(members))
        drawn = torch.cat([members[torch.randperm(len(members), generator=generator)] for _ in range(max(rounds, 1))])
        positions[slots] = drawn[: len(slots) * per_class].view(len(slots), per_class)
    return positions.view(steps, chosen * per_class)
