"""Work on many blocks at once: in order, a few ahead, and never more memory than was granted."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Condition
from typing import TypeVar

T = TypeVar("T")
MOST_WORKERS = 32


def workers() -> int:
    """One for each core that this process may use, 32 at most."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(MOST_WORKERS, cores)


def in_order(work: Callable[[range], T], blocks: Iterable[range], *, ahead: int | None = None) -> Iterator[T]:
    """`work` of each block, by threads, in the order of the blocks.

    Args:
        ahead: how many results may be under way or waiting; by default twice the workers.
    """
    ahead = 2 * workers() if ahead is None else ahead
    pending: deque[Future[T]] = deque()
    with ThreadPoolExecutor(workers()) as pool:
        for block in blocks:
            pending.append(pool.submit(work, block))
            if len(pending) >= ahead:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


class Grant:
    """An amount of memory that threads share.

    Args:
        limit: bytes that may be held at a time.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._held = 0
        self._changed = Condition()

    @contextmanager
    def hold(self, amount: int) -> Iterator[None]:
        """Wait until `amount` bytes are free, and hold them.

        Raises:
            MemoryError: `amount` is more than there can ever be.
        """
        if amount > self.limit:
            raise MemoryError
        with self._changed:
            self._changed.wait_for(lambda: self._held + amount <= self.limit)
            self._held += amount
        try:
            yield
        finally:
            with self._changed:
                self._held -= amount
                self._changed.notify_all()
