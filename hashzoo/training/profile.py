"""Where the time of a run goes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Profile:
    """Seconds by stage, added up. On a GPU each stage waits until its work is done, which costs some speed.

    Args:
        device: "cpu" or "cuda".
    """

    def __init__(self, device: str = "cpu") -> None:
        self.device = device
        self.seconds: dict[str, float] = {}
        self.total = 0.0  # of everything within `whole`, stages or not

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """What runs within counts as `name`; stages do not nest."""
        started = time.perf_counter()
        try:
            yield
            self._finish()
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - started

    @contextmanager
    def whole(self) -> Iterator[None]:
        """What runs within is the whole of which stages are parts."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.total += time.perf_counter() - started

    def shares(self) -> list[tuple[str, float, float]]:
        """Stage, seconds and share of the whole, in the order of first use; "other" is what no stage covers."""
        other = {"other": max(self.total - sum(self.seconds.values()), 0.0)}
        return [(name, s, s / self.total if self.total else 0.0) for name, s in (self.seconds | other).items()]

    def _finish(self) -> None:
        if self.device == "cuda":
            import torch

            torch.cuda.synchronize()
