"""The training loop.

Everything random in a step depends on the seed and the number of the step alone, so a run that was interrupted and
resumed ends in the same codes, bit for bit, as one that was not.
"""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from hashzoo.backbones.base import Backbone, Preprocess
from hashzoo.datasets.base import Augmentation, Split
from hashzoo.errors import HashzooError, InvalidSetting
from hashzoo.files import write_atomically
from hashzoo.losses.base import Batch
from hashzoo.methods.base import DeepMethod, made_losses, require_contrast
from hashzoo.methods.encoder import NetworkEncoder
from hashzoo.training.augment import augment
from hashzoo.training.averaging import running_average
from hashzoo.training.checkpoint import Checkpoint, Position
from hashzoo.training.profile import Profile
from hashzoo.training.samplers import class_aware, label_balanced, shuffled
from hashzoo.training.schedules import SCHEDULES
from hashzoo.training.speed import can_compile, compiled, keep_freed_memory
from hashzoo.training.validation import BestEpoch

WARM_UP = 3  # steps before a pace is measured
FEWEST = 10  # steps that a measured pace is a mean of


class Observer(Protocol):
    """Who is told how training goes."""

    def on_step(self, done: int, total: int, terms: dict[str, float], images_per_second: float) -> None:
        """After some of the steps: steps done of all, mean of each loss term over this epoch so far, speed."""


@dataclass(frozen=True)
class TrainOptions:
    """How to run, as opposed to what to learn."""

    seed: int = 0
    device: str = "cpu"
    precision: Literal["fp32", "bf16"] = "fp32"
    compile: bool = False  # networks that can be
    checkpoint_every: int = 1  # epochs
    resume: bool = False


def train(
    method: DeepMethod,
    split: Split,
    augmentation: Augmentation,
    options: TrainOptions,
    *,
    folder: Path | None = None,
    fingerprint: str = "",
    observer: Observer | None = None,
    profile: Profile | None = None,
    best: BestEpoch | None = None,
) -> tuple[NetworkEncoder, float]:
    """Train on `split`.

    Args:
        folder: for `log.jsonl` and checkpoints, the last of which stays; None writes nothing and cannot resume.
        fingerprint: what a checkpoint must carry to be taken up.
        profile: where to add up the time of each stage of a step.
        best: shown the encoder after each epoch.

    Returns:
        The encoder of the last epoch, and the seconds that training took, those before an interrupt included.

    Raises:
        InvalidInput: the images are all of one class, and the method learns from labels.
        CheckpointError: asked to resume from a checkpoint that is damaged or belongs to other settings.
        HashzooError: a loss is no longer finite.
        KeyboardInterrupt: after Ctrl-C, once a checkpoint is written.
    """
    require_contrast(type(method), split.labels)
    training = _Training(
        method, split, augmentation, options, folder, fingerprint, observer, profile or Profile(), best
    )
    return training.run()


@dataclass(frozen=True)
class Pace:
    """How fast a method trains on some data and machine."""

    prepare_s: float  # once, before the first epoch, or to compile in its first step
    step_s: float  # mean of the measured steps
    measured_steps: int
    steps: int  # of an epoch
    batch_size: int  # images a step
    validate_s: float = 0.0  # after each epoch

    @property
    def epoch_s(self) -> float:
        return self.steps * self.step_s + self.validate_s

    @property
    def images_per_second(self) -> float:
        return self.batch_size / self.step_s


def measure_pace(
    method: DeepMethod,
    split: Split,
    augmentation: Augmentation,
    options: TrainOptions,
    *,
    seconds: float,
    best: BestEpoch | None = None,
) -> Pace:
    """Train for about `seconds`, throw it away and say how fast it went.

    The first `WARM_UP` steps are not measured; at least `FEWEST` are. `best` looks once.
    """
    return _Training(method, split, augmentation, options, None, "", None, Profile(), best).pace(seconds)


class _Training:
    def __init__(
        self,
        method: DeepMethod,
        split: Split,
        augmentation: Augmentation,
        options: TrainOptions,
        folder: Path | None,
        fingerprint: str,
        observer: Observer | None,
        profile: Profile,
        best: BestEpoch | None = None,
    ) -> None:
        self.method, self.split, self.options, self.observer = method, split, options, observer
        self.profile, self.best = profile, best
        self.augmentation = _augmentation(method.config, augmentation)
        self.device = torch.device(options.device)
        self.labels = torch.from_numpy(split.labels)
        self.log = folder / "log.jsonl" if folder else None
        self.checkpoint = Checkpoint(folder, fingerprint) if folder else None

        keep_freed_memory()
        torch.manual_seed(options.seed)
        network = method.network()
        self.preprocess = self._preprocess(network).to(self.device)
        self.network = network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._try_one_image()
        self.compiles = options.compile and can_compile(self.network)
        self.forward = compiled(self.network) if self.compiles else self.network
        started = time.perf_counter()
        method.on_train_start(self.labels.to(self.device))
        method.extra.to(self.device)
        losses = made_losses(method, self.device)
        self.prepared_s = time.perf_counter() - started
        self.modules = {"network": self.network, "extra": method.extra, "losses": losses}
        parameters = [p for module in self.modules.values() for p in module.parameters() if p.requires_grad]
        self.optimizer = method.optimizer(parameters)
        self.average = running_average(self.network, method.config.average) if method.config.average else None
        if self.average is not None:
            self.modules["average"] = self.average
        if best is not None:
            best.start(self.network)
            self.modules["best"] = best
        for group in self.optimizer.param_groups:
            group["highest_lr"] = group["lr"]
        self.steps = len(self._order(0))

    def run(self) -> tuple[NetworkEncoder, float]:
        at = Position(seconds=self.prepared_s)
        epochs = self.method.config.epochs
        if self.options.resume and self.checkpoint and self.checkpoint.exists():
            at = self.checkpoint.load(self.modules, self.optimizer)
        self._keep_log_until(at.epoch)
        with _interrupt_flag() as interrupted:
            while at.epoch < epochs:
                at = self._epoch(at, interrupted)
                last = at.epoch == epochs
                stop = interrupted.is_set()
                if self.checkpoint and (
                    stop or last or (at.step == 0 and at.epoch % self.options.checkpoint_every == 0)
                ):
                    self.checkpoint.save(at, self.modules, self.optimizer)
                if stop and not last:
                    raise KeyboardInterrupt
        return self._encoder(), at.seconds

    def _encoder(self) -> NetworkEncoder:
        network = self.network if self.average is None else self.average.module
        mirror = self.method.config.mirror and self.augmentation.mirror
        return NetworkEncoder(self.method, self.preprocess, network, mirror=mirror)

    def pace(self, seconds: float) -> Pace:
        order = self._order(0)
        self.network.train()
        self._start_of_epoch(0)
        started = time.perf_counter()
        for step in range(WARM_UP):
            self._finished_step(step, order)
        warm_up_s = time.perf_counter() - started
        started = time.perf_counter()
        measured = 0
        while measured < FEWEST or time.perf_counter() - started < seconds:
            self._finished_step(measured, order)
            measured += 1
        step_s = (time.perf_counter() - started) / measured
        first_s = max(0.0, warm_up_s - WARM_UP * step_s) if self.compiles else 0.0
        validate_s = 0.0
        if self.best is not None:
            started = time.perf_counter()
            self.best.look_at(self._encoder(), 1)
            validate_s = time.perf_counter() - started
        return Pace(self.prepared_s + first_s, step_s, measured, len(order), order.shape[1], validate_s)

    def _finished_step(self, step: int, order: Tensor) -> None:
        """A step, and no return before a GPU has done it."""
        terms = self._step(0, step % len(order), order[step % len(order)])
        next(iter(terms.values())).item()

    def _epoch(self, at: Position, interrupted: threading.Event) -> Position:
        """From `at` to the end of its epoch, or to where Ctrl-C stopped it."""
        order = self._order(at.epoch)
        if len(order) != self.steps:
            raise HashzooError(
                f"{self.method.name}: batches() gave {len(order)} steps in epoch {at.epoch + 1} and {self.steps} when "
                "first asked; the schedule needs as many in each"
            )
        started = time.perf_counter()
        self.network.train()
        self._start_of_epoch(at.epoch)
        if at.step > 0:  # put back what the method may have changed in setting up an epoch that had begun
            assert self.checkpoint is not None
            self.checkpoint.load(self.modules, self.optimizer)
        sums = {name: torch.tensor(value, dtype=torch.float64, device=self.device) for name, value in at.sums}
        step = at.step
        told = started
        for step in range(at.step, len(order)):
            for name, term in self._step(at.epoch, step, order[step]).items():
                sums[name] = sums.get(name, torch.zeros((), dtype=torch.float64, device=self.device)) + term.detach()
            now = time.perf_counter()
            if self.observer and (now - told > 0.2 or step + 1 == len(order)):
                told = now  # seldom, since reading a loss makes a GPU wait
                done = at.epoch * self.steps + step + 1
                means = {name: float(total) / (step + 1) for name, total in sums.items()}
                speed = (step + 1 - at.step) * order.shape[1] / (now - started)
                self.observer.on_step(done, self.method.config.epochs * self.steps, means, speed)
            if interrupted.is_set():
                break
        seconds = at.seconds + time.perf_counter() - started
        means = {name: float(total) / (step + 1) for name, total in sums.items()}
        for name, mean in means.items():
            if not np.isfinite(mean):
                raise HashzooError(
                    f"{self.method.name}: the {name} loss is {mean} in epoch {at.epoch + 1}; "
                    f"a lower learning rate may help (--set lr={self.method.config.lr / 10:g})"
                )
        if step + 1 < len(order):
            return Position(at.epoch, step + 1, seconds, tuple((name, float(total)) for name, total in sums.items()))
        entry = {
            "epoch": at.epoch + 1,
            "lr": self.optimizer.param_groups[0]["lr"],
            "losses": means,
            "images_per_second": round((step + 1 - at.step) * order.shape[1] / (seconds - at.seconds), 1),
        }
        if self.best is not None:
            entry["validation_map"] = self.best.look_at(self._encoder(), at.epoch + 1)
        seconds = at.seconds + time.perf_counter() - started
        self._write_log({**entry, "seconds": round(seconds, 3)})
        return Position(at.epoch + 1, 0, seconds)

    def _step(self, epoch: int, step: int, positions: Tensor) -> dict[str, Tensor]:
        number = epoch * self.steps + step
        torch.manual_seed(_derived(self.options.seed, "step", number))  # for dropout and the method's own draws
        generator = torch.Generator().manual_seed(_derived(self.options.seed, "augment", number))
        done = number / (self.method.config.epochs * self.steps)
        for group in self.optimizer.param_groups:
            group["lr"] = group["highest_lr"] * SCHEDULES[self.method.config.schedule](done)

        stage = self.profile.stage
        with stage("data"):
            pixels = torch.from_numpy(self.split.take(positions.numpy())).to(self.device, non_blocking=True)
            images = self.preprocess(augment(pixels, self.augmentation, generator))
            batch = Batch(self.labels[positions].to(self.device), positions.to(self.device))
        autocast = torch.autocast(self.device.type, torch.bfloat16, enabled=self.options.precision == "bf16")
        with stage("forward"), autocast:
            codes = self.forward(images)
        with stage("loss"):
            terms = self.method.loss(codes.float(), batch)
        with stage("backward"):
            self.optimizer.zero_grad()
            torch.stack(list(terms.values())).sum().backward()  # type: ignore[no-untyped-call]
        with stage("step"):
            self.optimizer.step()
            if self.average is not None:
                self.average.update_parameters(self.network)
        return terms

    def _order(self, epoch: int) -> Tensor:
        """(steps, B) positions of the epoch."""
        c = self.method.config
        generator = torch.Generator().manual_seed(_derived(self.options.seed, "order", epoch))
        own = self.method.batches(self.labels, generator)
        if own is not None:
            return own
        if c.sampler == "class_aware" and self.labels.ndim == 1:
            return class_aware(self.labels, c.batch_size, c.classes_per_batch, generator)
        if c.sampler == "label_balanced":
            return label_balanced(self.labels, c.batch_size, generator)
        return shuffled(len(self.labels), c.batch_size, generator)

    def _start_of_epoch(self, epoch: int) -> None:
        """Let the method set up its epoch; what it draws depends on seed and epoch alone."""
        torch.manual_seed(_derived(self.options.seed, "epoch", epoch))
        self.method.on_epoch_start(epoch, self.network)

    def _preprocess(self, network: nn.Module) -> Preprocess:
        size = self.method.config.input_size
        trained_with = [m.normalization for m in network.modules() if isinstance(m, Backbone) and m.normalization]
        if trained_with:
            return Preprocess(*trained_with[0], size)
        return Preprocess.measured(self.split.blocks(), size)

    def _try_one_image(self) -> None:
        """Find out before training whether network and images fit."""
        image = torch.from_numpy(self.split.take(slice(0, 2))).to(self.device)
        self.network.eval()
        try:
            with torch.inference_mode():
                codes = self.network(self.preprocess(image))
        except (RuntimeError, ValueError) as cause:
            height, width = image.shape[1:3]
            raise InvalidSetting(
                f"backbone {self.method.config.backbone!r} cannot take {height}x{width} images "
                f"({str(cause).splitlines()[0]}); --set input_size=224 resizes them"
            ) from cause
        if codes.shape != (len(image), self.method.bits):
            raise HashzooError(
                f"{self.method.name}: the network must return (B, {self.method.bits}) relaxed codes, "
                f"got {tuple(codes.shape)} for {len(image)} images"
            )

    def _keep_log_until(self, epoch: int) -> None:
        if self.log is None:
            return
        lines = self.log.read_text(errors="replace").splitlines(keepends=True) if self.log.exists() and epoch else []
        write_atomically(self.log, "".join(lines[:epoch]).encode())

    def _write_log(self, entry: dict[str, Any]) -> None:
        if self.log is not None:
            with self.log.open("a") as stream:
                stream.write(json.dumps(entry) + "\n")


def _augmentation(config: DeepMethod.Config, declared: Augmentation) -> Augmentation:
    if not config.augment:
        return Augmentation(shift=0, mirror=False)
    if config.shift is None:
        return declared
    return replace(declared, shift=min(config.shift, declared.shift))


@contextmanager
def _interrupt_flag() -> Iterator[threading.Event]:
    """Turns the first Ctrl-C into a flag, so that a step is never cut in half; the second one stops at once."""
    flag = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield flag  # only the main thread may handle signals
        return

    def handle(signum: int, frame: object) -> None:
        flag.set()
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield flag
    finally:
        signal.signal(signal.SIGINT, before)


def _derived(seed: int, purpose: str, number: int) -> int:
    """A seed of its own for each purpose and number."""
    purposes = {"order": 1, "augment": 2, "step": 3, "epoch": 5}  # 4 holds images out
    return int(np.random.SeedSequence((seed, purposes[purpose], number)).generate_state(1, np.uint64)[0] >> 1)
