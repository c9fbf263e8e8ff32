"""Training images that are held out to choose an epoch by: the queries must not."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import torch
from torch import Tensor, nn

from hashzoo import retrieval
from hashzoo.datasets.base import Split
from hashzoo.errors import InvalidSetting
from hashzoo.methods.encoder import NetworkEncoder

_PURPOSE = 4  # of the seed; the trainer has its own


def hold_out(train: Split, count: int, seed: int) -> tuple[Split, Split]:
    """What is left to train on, and `count` random images to validate with.

    Raises:
        InvalidSetting: fewer than two of either would be left.
    """
    if not 2 <= count <= len(train) - 2:
        raise InvalidSetting(f"validate: expected 2 to {len(train) - 2} of {len(train)} training images, got {count}")
    order = np.random.default_rng((seed, _PURPOSE)).permutation(len(train))
    parts = np.sort(order[count:]), np.sort(order[:count])
    kept, held_out = (Split(train.images, train.rows[part], train.labels[part]) for part in parts)
    return kept, held_out


class BestEpoch(nn.Module):
    """Keeps the network of the epoch whose codes rank the held-out images best among themselves.

    A part of every checkpoint, so that an interrupted run chooses the same epoch.
    """

    score: Tensor
    epoch: Tensor

    def __init__(self, held_out: Split) -> None:
        super().__init__()
        self.held_out = held_out
        self.network: nn.Module = nn.Identity()
        self.register_buffer("score", torch.tensor(-1.0, dtype=torch.float64))
        self.register_buffer("epoch", torch.tensor(0))

    def start(self, network: nn.Module) -> None:
        """Make room for networks such as this one."""
        self.network = deepcopy(network)

    def look_at(self, encoder: NetworkEncoder, epoch: int) -> float:
        """The mAP (expected over ties) of an epoch, whose network is kept if none before was as good.

        No image is among its own answers.
        """
        codes, labels = encoder.encode_split(self.held_out), self.held_out.labels
        itself = np.arange(len(codes))
        found = retrieval.evaluate(codes, labels, codes, labels, bits=encoder.bits, exclude=itself, stable=False).map
        if found > float(self.score):
            self.network.load_state_dict(encoder.network.state_dict())
            self.score.fill_(found)
            self.epoch.fill_(epoch)
        return float(found)

    def encoder(self, last: NetworkEncoder) -> NetworkEncoder:
        """That of the best epoch, given that of the last."""
        return last.with_network(self.network)
