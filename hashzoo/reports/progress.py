"""How a run shows that it is alive, on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID


class ErrorStream:
    """Notes as lines; training as a bar if standard error is a terminal, else as a line per epoch."""

    def __init__(self) -> None:
        from rich.console import Console

        self.console = Console(stderr=True, highlight=False)

    def note(self, text: str) -> None:
        self.console.print(text, markup=False, soft_wrap=True)

    @contextmanager
    def training(self, title: str, epochs: int) -> Iterator[Any]:
        if not sys.stderr.isatty():
            yield Lines(title, epochs)
            return
        with _bar(self.console) as progress:
            yield Bar(progress, progress.add_task(title, total=None, epoch="", terms="", speed=""), epochs)


class Bar:
    """A line that is drawn over: steps, loss terms, speed and time left."""

    def __init__(self, progress: Progress, task: TaskID, epochs: int) -> None:
        self.progress, self.task, self.epochs = progress, task, epochs

    def on_step(self, done: int, total: int, terms: dict[str, float], images_per_second: float) -> None:
        self.progress.update(
            self.task,
            completed=done,
            total=total,
            epoch=f"epoch {-(-done * self.epochs // total)}/{self.epochs}",
            terms=_terms(terms),
            speed=f"{images_per_second:,.0f} images/s",
        )


class Lines:
    """A line at the end of each epoch."""

    def __init__(self, title: str, epochs: int) -> None:
        self.title, self.epochs = title, epochs
        self.started: tuple[float, int] | None = None  # when, and how many steps were done by then

    def on_step(self, done: int, total: int, terms: dict[str, float], images_per_second: float) -> None:
        now = time.perf_counter()
        if self.started is None:
            self.started = (now, done)
        if done * self.epochs % total:
            return
        since, before = self.started
        left = (now - since) / (done - before) * (total - done) if done > before else None
        eta = "" if left is None or done == total else f", {duration(left)} left"
        print(
            f"{self.title}: epoch {done * self.epochs // total}/{self.epochs}, {_terms(terms)}, "
            f"{images_per_second:,.0f} images/s{eta}",
            file=sys.stderr,
            flush=True,
        )


def _bar(console: Console) -> Progress:
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        TextColumn("{task.fields[epoch]}"),
        TextColumn("{task.fields[terms]}", style="dim"),
        TextColumn("{task.fields[speed]}"),
        TimeRemainingColumn(elapsed_when_finished=True),
        console=console,
    )


def _terms(terms: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in terms.items())


def duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
