"""Threads that keep the order and stay within what they were granted."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from hashzoo.datasets.workers import Grant, in_order


def test_results_come_in_the_order_of_the_blocks():
    def work(rows: range) -> int:
        time.sleep(0.002 * (rows.start % 3))
        return rows.start

    assert list(in_order(work, [range(i, i + 1) for i in range(20)])) == list(range(20))


@pytest.mark.parametrize("ahead", [1, 3])
def test_few_results_wait(ahead):
    started: list[int] = []
    results = in_order(lambda rows: started.append(rows.start), [range(i, i + 1) for i in range(20)], ahead=ahead)
    for taken, _ in enumerate(results, 1):
        assert len(started) < taken + ahead


def test_a_failure_reaches_the_caller():
    def fail(rows: range) -> None:
        raise KeyError(rows.start)

    with pytest.raises(KeyError, match="0"):
        list(in_order(fail, [range(1), range(1)]))


def test_a_grant_is_never_exceeded():
    grant, held, most, lock = Grant(10), [0], [0], threading.Lock()

    def work(amount: int) -> None:
        with grant.hold(amount):
            with lock:
                held[0] += amount
                most[0] = max(most[0], held[0])
            time.sleep(0.001)
            with lock:
                held[0] -= amount

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, [3, 4, 5, 10, 1, 2, 9, 7] * 4))
    assert held == [0]
    assert 5 <= most[0] <= 10
    with pytest.raises(MemoryError), grant.hold(11):
        pass
