"""The pool of threads: it survives a fork, does not keep the interpreter alive, and serves several callers."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
import threading

import numpy as np
import pytest

from hashzoo import _native

CODES = np.random.default_rng(0).integers(0, 2**63, (300, 2)).astype(np.uint64)


def nearest(threads: int) -> list[int]:
    return _native.top_k(CODES, CODES[::-1].copy(), 3, threads)[1].ravel().tolist()


def _exit_0_if_equal(expected: list[int]) -> None:
    sys.exit(nearest(4) != expected)


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_forked_child_has_a_pool_of_its_own() -> None:
    expected = nearest(4)
    children = [
        multiprocessing.get_context("fork").Process(target=_exit_0_if_equal, args=(expected,)) for _ in range(3)
    ]
    for child in children:
        child.start()
    assert nearest(4) == expected
    for child in children:
        child.join(60)
        assert child.exitcode == 0


def test_the_interpreter_ends_while_threads_wait() -> None:
    code = (
        "import numpy as np; from hashzoo import _native\n"
        "codes = np.zeros((400, 64), np.uint64)\n"
        "_native.top_k(codes, codes, 1, 4)\n"
        "raise SystemExit(3)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 3


def test_more_threads_than_a_32_bit_product_holds() -> None:
    code = (
        "import numpy as np; from hashzoo import _native\n"
        "codes = np.arange(3, dtype=np.uint64)[:, None]\n"
        "assert _native.top_k(codes, codes, 1, 2**30)[1].ravel().tolist() == [0, 1, 2]\n"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0


def test_callers_at_once_get_their_own_results() -> None:
    expected, results = nearest(1), []
    callers = [threading.Thread(target=lambda n=n: results.append(nearest(n))) for n in (1, 2, 5, 8) * 3]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert results == [expected] * 12
