from __future__ import annotations

import json
import signal

import numpy as np
import pytest

from hashzoo import retrieval
from hashzoo.datasets.base import Augmentation
from hashzoo.errors import InvalidSetting
from hashzoo.methods.base import Task
from hashzoo.methods.dsh import DSH
from hashzoo.training.trainer import TrainOptions, train
from hashzoo.training.validation import BestEpoch, hold_out

EPOCHS = 4


class InterruptedDSH(DSH):
    """Sends Ctrl-C to this process in the step with this number, counted from 0."""

    at: int | None = None
    done = 0

    def loss(self, codes, batch):
        if self.done == self.at:
            signal.raise_signal(signal.SIGINT)
        self.done += 1
        return super().loss(codes, batch)


def learn(train_split, held_out, folder, *, at=None, lr=0.05):
    config = DSH.Config(epochs=EPOCHS, batch_size=12, classes_per_batch=3, lr=lr)
    method = InterruptedDSH(12, Task(5, len(train_split), train_split.images.shape[1:3]), config)
    method.at = at
    best = BestEpoch(held_out)
    augmentation = Augmentation(shift=1, mirror=True)
    last, _ = train(
        method, train_split, augmentation, TrainOptions(resume=True), folder=folder, fingerprint="f", best=best
    )
    return last, best


def log(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_held_out_images_are_not_trained_on(split):
    kept, held_out = hold_out(split, 20, seed=0)
    assert len(held_out) == 20
    assert np.array_equal(np.sort(np.concatenate([kept.rows, held_out.rows])), np.sort(split.rows))
    for part in (kept, held_out):
        where = {row: i for i, row in enumerate(split.rows.tolist())}
        assert np.array_equal(part.labels, split.labels[[where[row] for row in part.rows.tolist()]])
    assert np.array_equal(hold_out(split, 20, seed=0)[1].rows, held_out.rows)
    assert not np.array_equal(hold_out(split, 20, seed=1)[1].rows, held_out.rows)


@pytest.mark.parametrize("count", [1, 59, 60, 1000])
def test_some_images_must_be_left_on_either_side(split, count):
    with pytest.raises(InvalidSetting, match=f"validate: expected 2 to 58 of 60 training images, got {count}"):
        hold_out(split, count, seed=0)


def test_the_best_epoch_is_kept_beside_the_last(split, tmp_path):
    kept, held_out = hold_out(split, 20, seed=0)
    last, best = learn(kept, held_out, tmp_path)
    scores = [entry["validation_map"] for entry in log(tmp_path)]
    assert len(scores) == EPOCHS
    assert float(best.score) == max(scores)
    assert int(best.epoch) == scores.index(max(scores)) + 1

    def score(encoder):
        codes = encoder.encode_split(held_out)
        found = retrieval.evaluate(codes, held_out.labels, codes, held_out.labels, bits=12, exclude=np.arange(20))
        return found.map

    assert score(best.encoder(last)) == pytest.approx(max(scores))
    assert score(last) == pytest.approx(scores[-1])


def test_an_epoch_that_is_worse_is_not_kept(split):
    _, held_out = hold_out(split, 20, seed=0)

    class Network:
        def __init__(self, network, codes):
            self.network, self.bits, self.codes = network, 12, codes

        def encode_split(self, split):
            return self.codes

    from torch import nn

    good, bad = nn.Linear(2, 2), nn.Linear(2, 2)
    perfect = retrieval.pack(np.where(np.arange(12) == held_out.labels[:, None], 1, -1))
    equal = retrieval.pack(np.ones((20, 12), np.int8))
    best = BestEpoch(held_out)
    best.start(bad)
    assert best.look_at(Network(good, perfect), 1) == 1.0
    assert best.look_at(Network(bad, equal), 2) < 1.0
    assert best.look_at(Network(bad, perfect), 3) == 1.0
    assert int(best.epoch) == 1
    assert np.array_equal(best.network.weight.detach(), good.weight.detach())


def test_an_interrupted_run_chooses_the_same_epoch(split, tmp_path):
    kept, held_out = hold_out(split, 24, seed=0)
    (tmp_path / "whole").mkdir()
    (tmp_path / "parts").mkdir()
    whole, chosen = learn(kept, held_out, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        learn(kept, held_out, tmp_path / "parts", at=7)
    parts, again = learn(kept, held_out, tmp_path / "parts")
    assert (int(again.epoch), float(again.score)) == (int(chosen.epoch), float(chosen.score))
    one, other = chosen.encoder(whole).tensors(), again.encoder(parts).tensors()
    assert all(np.array_equal(one[name], other[name]) for name in one)
    assert [e["validation_map"] for e in log(tmp_path / "whole")] == [
        e["validation_map"] for e in log(tmp_path / "parts")
    ]
