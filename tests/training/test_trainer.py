from __future__ import annotations

import json
import os
import signal
import time
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from torch import nn

from hashzoo.datasets.base import Augmentation, Split
from hashzoo.errors import CheckpointError, HashzooError, InvalidSetting
from hashzoo.losses.base import Loss
from hashzoo.methods.base import DeepMethod, Task
from hashzoo.methods.cnnh import CNNH
from hashzoo.methods.csq import CSQ
from hashzoo.methods.dlbhc import DLBHC
from hashzoo.methods.dpsh import DPSH
from hashzoo.methods.dsh import DSH
from hashzoo.methods.greedyhash import GreedyHash
from hashzoo.methods.hashnet import HashNet
from hashzoo.methods.orthohash import OrthoHash
from hashzoo.training.checkpoint import Checkpoint
from hashzoo.training.trainer import TrainOptions, train

SHIFTED = Augmentation(shift=1, mirror=True)
STEPS = 5  # an epoch: 60 images, 12 in a batch
EPOCHS = 3


class Interrupted:
    """Mixed into a method: sends Ctrl-C to this process in the step with this number, counted from 0."""

    at: int | None = None
    done = 0

    def loss(self, codes, batch):
        if self.done == self.at:
            signal.raise_signal(signal.SIGINT)
        self.done += 1
        return super().loss(codes, batch)


class InterruptedDSH(Interrupted, DSH):
    pass


class InterruptedDPSH(Interrupted, DPSH):
    pass


def interrupted(cls):
    return type(f"Interrupted{cls.__name__}", (Interrupted, cls), {})


class Counting(Interrupted, DeepMethod):
    """Its network changes at the start of each epoch, by chance as well, and it draws random numbers in each step."""

    def on_train_start(self, labels):
        self.extra["count"] = nn.BatchNorm1d(1)

    def on_epoch_start(self, epoch, network):
        with torch.no_grad():
            network.head.bias.add_(0.1 * (1 + epoch) + 0.1 * torch.randn(1))
            self.extra["count"].running_mean += 1

    def loss(self, codes, batch):
        self.count = float(self.extra["count"].running_mean)
        super().loss(codes, batch)
        return {"noisy": (codes * torch.rand_like(codes)).square().mean() + 0 * self.extra["count"].weight.sum()}


class Point(Loss):
    """Distance from a learned point, over the number of batches seen."""

    def __init__(self, bits):
        super().__init__(bits)
        self.point = nn.Parameter(torch.randn(bits))
        self.start = self.point.detach().clone()
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, codes, batch):
        self.seen += 1
        return {"point": (codes - self.point).square().mean() / self.seen}


class Pulled(Interrupted, DeepMethod):
    """Towards what a term has to learn."""

    def losses(self):
        self.term = Point(self.bits)
        return [(2.0, self.term)]


class Shared(Interrupted, DeepMethod):
    """Its term is kept in `extra` as well."""

    def on_train_start(self, labels):
        self.extra["point"] = Point(self.bits)

    def losses(self):
        return [(2.0, self.extra["point"])]


def settings(cls, **changes):
    return replace(cls.Config(), **({"epochs": EPOCHS, "batch_size": 12, "classes_per_batch": 3} | changes))


def build(cls, split, at=None, **changes):
    method = cls(12, Task(5, len(split), split.images.shape[1:3]), settings(cls, **changes))
    method.at = at
    return method


def outcome(encoder, split):
    """Everything that a run leaves: its codes before the sign, and its tensors."""
    return encoder.relaxed(split.images), encoder.tensors()


def assert_identical(a, b):
    assert np.array_equal(a[0], b[0])
    assert a[1].keys() == b[1].keys()
    assert all(np.array_equal(a[1][name], b[1][name]) for name in a[1])


CASES = {
    "adamw": (InterruptedDSH, {}),
    "sgd": (InterruptedDSH, {"optimizer": "sgd", "schedule": "step"}),
    "batch norm": (InterruptedDSH, {"backbone": "resnet_cifar", "schedule": "cosine", "sampler": "shuffled"}),
    "average": (InterruptedDSH, {"backbone": "resnet_cifar", "average": 0.9}),
    "memory": (InterruptedDPSH, {"memory": True, "sampler": "shuffled"}),
    "epoch hook": (Counting, {}),
    "a term that learns": (Pulled, {}),
    "a term in extra": (Shared, {}),
    "codes of a first stage": (interrupted(CNNH), {}),
    "centres and ties": (interrupted(CSQ), {}),
    "centres and batch norm": (interrupted(OrthoHash), {}),
    "classifier": (interrupted(DLBHC), {}),
    "classifier of signs": (interrupted(GreedyHash), {}),
    "continuation": (interrupted(HashNet), {}),
}


@pytest.mark.parametrize("case", CASES)
def test_an_interrupted_run_ends_in_what_an_unbroken_one_does(split, tmp_path, case):
    """Ctrl-C in the first step of all, in mid-epoch, and in the last step of an epoch."""
    cls, changes = CASES[case]
    unbroken = outcome(train(build(cls, split, **changes), split, SHIFTED, TrainOptions())[0], split)
    done = 0
    for at in (0, STEPS + 2, 2 * STEPS - 1):
        method = build(cls, split, at - done, **changes)
        with pytest.raises(KeyboardInterrupt):
            train(method, split, SHIFTED, TrainOptions(resume=True), folder=tmp_path, fingerprint="f")
        done = at + 1
        position = json.loads(Checkpoint(tmp_path, "f").index.read_text())["position"]
        assert (position["epoch"], position["step"]) == divmod(done, STEPS)
    encoder, _ = train(
        build(cls, split, **changes), split, SHIFTED, TrainOptions(resume=True), folder=tmp_path, fingerprint="f"
    )
    assert_identical(outcome(encoder, split), unbroken)
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [entry["epoch"] for entry in log] == [1, 2, 3]


def test_the_mean_losses_of_an_interrupted_epoch_are_those_of_the_whole(split, tmp_path):
    for folder, at in (("whole", None), ("parts", STEPS + 2)):
        (tmp_path / folder).mkdir()
        method = build(InterruptedDSH, split, at)
        if at is not None:
            with pytest.raises(KeyboardInterrupt):
                train(method, split, SHIFTED, TrainOptions(), folder=tmp_path / folder)
            method = build(InterruptedDSH, split)
        train(method, split, SHIFTED, TrainOptions(resume=True), folder=tmp_path / folder)
    whole, parts = (
        [json.loads(line)["losses"] for line in (tmp_path / folder / "log.jsonl").read_text().splitlines()]
        for folder in ("whole", "parts")
    )
    assert whole == parts
    assert set(whole[0]) == {"contrastive", "quantization"}


def test_what_a_term_has_to_learn_is_drawn_by_the_seed_and_learned(split):
    terms = []
    for seed in (0, 0, 1):
        method = build(Pulled, split, epochs=1)
        torch.manual_seed(99 + len(terms))
        train(method, split, SHIFTED, TrainOptions(seed=seed))
        terms.append(method.term)
    assert torch.equal(terms[0].start, terms[1].start)
    assert not torch.equal(terms[0].start, terms[2].start)
    assert torch.equal(terms[0].point, terms[1].point)
    assert (terms[0].point != terms[0].start).all()


def test_a_failure_after_training_costs_no_training(split, tmp_path):
    class Trained(DSH):
        def loss(self, codes, batch):
            raise AssertionError("a step")

    before, seconds = train(build(DSH, split), split, SHIFTED, TrainOptions(checkpoint_every=2), folder=tmp_path)
    log = (tmp_path / "log.jsonl").read_text()
    after, as_before = train(build(Trained, split), split, SHIFTED, TrainOptions(resume=True), folder=tmp_path)
    assert_identical(outcome(after, split), outcome(before, split))
    assert as_before == seconds
    assert (tmp_path / "log.jsonl").read_text() == log


def test_resuming_after_a_crash_repeats_at_most_the_epochs_since_the_last_checkpoint(split, tmp_path):
    """A crash writes nothing: the run goes on from the last checkpoint, and the log is cut back to it."""

    class Crashing(DSH):
        done = 0

        def loss(self, codes, batch):
            if self.done == self.at:
                raise SystemError("power cut")
            self.done += 1
            return super().loss(codes, batch)

    unbroken = outcome(train(build(DSH, split), split, SHIFTED, TrainOptions())[0], split)
    options = TrainOptions(checkpoint_every=2, resume=True)
    with pytest.raises(SystemError):
        train(build(Crashing, split, STEPS + 1), split, SHIFTED, options, folder=tmp_path)
    assert not Checkpoint(tmp_path, "").exists()
    with pytest.raises(SystemError):
        train(build(Crashing, split, 2 * STEPS + 3), split, SHIFTED, options, folder=tmp_path)
    with (tmp_path / "log.jsonl").open("a") as log_file:
        log_file.write('{"epoch": 3}\n')
    encoder, _ = train(build(DSH, split), split, SHIFTED, options, folder=tmp_path)
    assert_identical(outcome(encoder, split), unbroken)
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [entry["epoch"] for entry in log] == [1, 2, 3]
    assert all(entry["images_per_second"] > 0 for entry in log)


def test_without_resume_a_run_starts_over(split, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train(build(InterruptedDSH, split, STEPS + 1), split, SHIFTED, TrainOptions(), folder=tmp_path)
    train(build(InterruptedDSH, split), split, SHIFTED, TrainOptions(), folder=tmp_path)
    log = [json.loads(line)["epoch"] for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert log == [1, 2, 3]


def test_a_checkpoint_of_other_settings_is_refused(split, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train(build(InterruptedDSH, split, 2), split, SHIFTED, TrainOptions(), folder=tmp_path, fingerprint="a")
    with pytest.raises(CheckpointError, match="belongs to other settings"):
        train(build(DSH, split), split, SHIFTED, TrainOptions(resume=True), folder=tmp_path, fingerprint="b")


def test_ctrl_c_in_the_last_step_of_all_changes_nothing(split, tmp_path):
    unbroken = outcome(train(build(DSH, split), split, SHIFTED, TrainOptions())[0], split)
    method = build(InterruptedDSH, split, STEPS * EPOCHS - 1)
    encoder, _ = train(method, split, SHIFTED, TrainOptions(), folder=tmp_path)
    assert_identical(outcome(encoder, split), unbroken)


def test_the_handler_of_ctrl_c_is_put_back(split):
    before = signal.getsignal(signal.SIGINT)
    train(build(DSH, split, epochs=1), split, SHIFTED, TrainOptions())
    assert signal.getsignal(signal.SIGINT) is before


def test_without_a_folder_nothing_is_written(split, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    train(build(DSH, split, epochs=2), split, SHIFTED, TrainOptions())
    assert os.listdir(tmp_path) == []


def test_the_seed_decides_everything(split):
    def run(seed):
        torch.manual_seed(1234 + seed)
        np.random.default_rng()
        return outcome(train(build(DSH, split), split, SHIFTED, TrainOptions(seed=seed))[0], split)

    first = run(0)
    torch.rand(10)
    assert_identical(run(0), first)
    assert not np.array_equal(run(1)[0], first[0])


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_stops_the_run(split, tmp_path, value):
    class Exploding(DSH):
        def loss(self, codes, batch):
            terms = super().loss(codes, batch)
            return {**terms, "contrastive": terms["contrastive"] * value}

    with pytest.raises(HashzooError) as caught:
        train(build(Exploding, split, lr=0.5), split, SHIFTED, TrainOptions(), folder=tmp_path)
    shown = str(caught.value)
    assert shown.startswith(
        ("dsh: the contrastive loss is nan in epoch 1", "dsh: the contrastive loss is inf in epoch 1")
    )
    assert "--set lr=0.05" in shown
    assert not Checkpoint(tmp_path, "").exists()


def test_a_network_of_the_wrong_width_is_found_before_training(split):
    class Narrow(DSH):
        def head(self, features):
            return nn.Linear(features, self.bits - 1)

    with pytest.raises(HashzooError, match=r"must return \(B, 12\) relaxed codes, got \(2, 11\) for 2 images"):
        train(build(Narrow, split), split, SHIFTED, TrainOptions())


def test_images_that_a_backbone_cannot_take_are_found_before_training(split):
    with pytest.raises(InvalidSetting, match=r"backbone 'alexnet' cannot take 16x16 images .*--set input_size=224"):
        train(build(DSH, split, backbone="alexnet"), split, SHIFTED, TrainOptions())


def test_a_setting_resizes_the_images(split):
    encoder, _ = train(build(DSH, split, input_size=24, epochs=1), split, SHIFTED, TrainOptions())
    assert encoder.network.backbone.dense[1].in_features == 64 * 3 * 3
    assert encoder.relaxed(split.images[:2]).shape == (2, 12)


def test_augmentation_can_be_switched_off(split):
    def run(augmentation, **changes):
        return outcome(train(build(DSH, split, epochs=1, **changes), split, augmentation, TrainOptions())[0], split)

    assert_identical(run(SHIFTED, augment=False), run(Augmentation(shift=0, mirror=False)))


def test_images_move_no_further_than_setting_and_dataset_say(split):
    def run(augmentation, **changes):
        return outcome(train(build(DSH, split, epochs=1, **changes), split, augmentation, TrainOptions())[0], split)

    declared = Augmentation(shift=2, mirror=True)
    assert_identical(run(declared, shift=1), run(SHIFTED))
    assert_identical(run(SHIFTED, shift=3), run(SHIFTED))
    assert not np.array_equal(run(declared)[0], run(SHIFTED)[0])
    with pytest.raises(InvalidSetting, match="shift: expected 0 or more, got -1"):
        build(DSH, split, shift=-1)


def test_the_network_sees_images_of_the_split_alone(split):
    """Pixels are normalized with the mean and deviation of the training rows, not of the whole pool."""
    rows = np.arange(0, 60, 2)
    part = Split(split.images, rows, split.labels[rows])
    encoder, _ = train(build(DSH, part, epochs=1), part, SHIFTED, TrainOptions())
    pixels = split.images[rows].reshape(-1, 3) / 255
    assert np.allclose(encoder.preprocess.mean.numpy(), pixels.mean(0), atol=1e-6)
    assert np.allclose(encoder.preprocess.std.numpy(), pixels.std(0), atol=1e-6)


def test_the_schedule_moves_the_learning_rate(split, tmp_path):
    train(build(DSH, split, schedule="step", lr=0.01), split, SHIFTED, TrainOptions(), folder=tmp_path)
    rates = [json.loads(line)["lr"] for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert rates == pytest.approx([0.01, 0.001, 0.0001])


def test_an_observer_hears_of_the_end_of_each_epoch(split):
    heard = []

    class Observer:
        def on_step(self, done, total, terms, images_per_second):
            heard.append((done, total, terms, images_per_second))

    train(build(DSH, split), split, SHIFTED, TrainOptions(), observer=Observer())
    assert {STEPS, 2 * STEPS, 3 * STEPS} <= {done for done, *_ in heard}
    assert {total for _, total, *_ in heard} == {STEPS * EPOCHS}
    assert all(set(terms) == {"contrastive", "quantization"} and speed > 0 for *_, terms, speed in heard)


@dataclass
class Calls:
    batches: int = 0


def test_a_method_may_choose_its_own_batches(split):
    calls = Calls()
    positions = torch.tensor([[0, 1, 2], [3, 4, 5]])
    seen = []

    class Own(DSH):
        def batches(self, labels, generator):
            calls.batches += 1
            assert len(labels) == 60
            return positions

        def loss(self, codes, batch):
            seen.append(batch.index.tolist())
            assert torch.equal(batch.labels, torch.from_numpy(split.labels)[batch.index])
            return super().loss(codes, batch)

    train(build(Own, split, epochs=2), split, SHIFTED, TrainOptions())
    assert calls.batches >= 2
    assert seen == positions.tolist() * 2


def test_epochs_of_unequal_length_are_refused(split):
    class Longer(DSH):
        calls = 0

        def batches(self, labels, generator):
            self.calls += 1
            return torch.arange(4 * self.calls).reshape(self.calls, 4)

    with pytest.raises(HashzooError, match=r"dsh: batches\(\) gave 2 steps in epoch 1 and 1 when first asked"):
        train(build(Longer, split, epochs=2), split, SHIFTED, TrainOptions())


def test_what_a_method_keeps_in_extra_is_moved_to_the_device(split):
    moved = []

    class Layer(nn.Linear):
        def _apply(self, fn, recurse=True):
            moved.append(fn(torch.zeros(1)).device.type)
            return super()._apply(fn, recurse)

    class Keeping(DSH):
        def on_train_start(self, labels):
            self.extra["layer"] = Layer(2, 2)

    train(build(Keeping, split, epochs=1), split, SHIFTED, TrainOptions())
    assert moved == ["cpu"]


def test_several_labels_an_image_are_shuffled_whatever_the_sampler(split):
    labels = np.eye(5, dtype=np.uint8)[split.labels]
    multi = Split(split.images, split.rows, labels)
    method = DSH(12, Task(5, 60, (16, 16), multi_label=True), settings(DSH, epochs=1, sampler="class_aware"))
    encoder, seconds = train(method, multi, SHIFTED, TrainOptions())
    assert np.isfinite(encoder.relaxed(split.images)).all()
    assert seconds > 0


def test_labels_are_balanced_when_asked_for(split, monkeypatch):
    labels = np.eye(5, dtype=np.uint8)[np.where(np.arange(60) < 56, 0, 1)]
    drawn = []

    class Watched(DSH):
        def loss(self, codes, batch):
            drawn.append(batch.labels.sum(0).tolist())
            return super().loss(codes, batch)

    method = Watched(12, Task(5, 60, (16, 16), multi_label=True), settings(DSH, epochs=1, sampler="label_balanced"))
    assert method.sampler_in_effect() == "label_balanced"
    train(method, Split(split.images, split.rows, labels), SHIFTED, TrainOptions())
    assert drawn == [[6, 6, 0, 0, 0]] * STEPS


def test_the_sampler_in_effect():
    several, one = Task(5, 60, (16, 16), multi_label=True), Task(5, 60, (16, 16))
    assert DSH(12, one, settings(DSH, sampler="class_aware")).sampler_in_effect() == "class_aware"
    assert DSH(12, several, settings(DSH, sampler="class_aware")).sampler_in_effect() == "shuffled"

    class Own(DSH):
        def batches(self, labels, generator):
            return torch.arange(10)[None]

    assert Own(12, one, settings(DSH)).sampler_in_effect() == "own"


def test_pixels_are_measured_in_blocks(split, monkeypatch):
    whole, _ = train(build(DSH, split, epochs=1), split, SHIFTED, TrainOptions())
    monkeypatch.setattr(Split, "blocks", lambda self: (self.take(slice(i, i + 7)) for i in range(0, len(self), 7)))
    blocks, _ = train(build(DSH, split, epochs=1), split, SHIFTED, TrainOptions())
    assert torch.equal(whole.preprocess.mean, blocks.preprocess.mean)
    assert torch.equal(whole.preprocess.std, blocks.preprocess.std)


def test_bf16_trains_and_encodes_in_fp32(split):
    encoder, _ = train(build(DSH, split, epochs=1), split, SHIFTED, TrainOptions(precision="bf16"))
    relaxed = encoder.relaxed(split.images)
    assert relaxed.dtype == np.float32
    assert np.isfinite(relaxed).all()
    assert {tensor.dtype for tensor in encoder.tensors().values()} == {np.dtype(np.float32)}


def test_training_separates_easy_classes(split):
    encoder, _ = train(build(DSH, split, epochs=40, batch_size=30, classes_per_batch=5), split, SHIFTED, TrainOptions())
    codes = np.sign(encoder.relaxed(split.images))
    distance = (12 - codes @ codes.T) / 2
    same = split.labels[:, None] == split.labels[None, :]
    assert distance[same].mean() < 1 < 3 < distance[~same].mean()


def test_the_time_of_a_first_stage_counts_as_training(split):
    class Slow(DSH):
        def on_train_start(self, labels):
            time.sleep(0.2)

    _, seconds = train(build(Slow, split, epochs=1), split, SHIFTED, TrainOptions())
    _, without = train(build(DSH, split, epochs=1), split, SHIFTED, TrainOptions())
    assert seconds > 0.2
    assert without > 0
