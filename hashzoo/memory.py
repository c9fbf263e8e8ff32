"""Amounts of memory: as people write them, and how much a run may take."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

from hashzoo.errors import InvalidInput

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "KI": 2**10, "MI": 2**20, "GI": 2**30, "TI": 2**40}
_AMOUNT = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]I?|)B?", re.IGNORECASE | re.ASCII)
_LEAST = 16 << 20
_CONTROL_GROUP = Path("/sys/fs/cgroup/memory.max")


def parse_bytes(text: str) -> int:
    """ "4GB" is 4 * 10^9, "4GiB" 4 * 2^30, "512M" 512 * 10^6.

    Raises:
        InvalidInput: it is no amount, or less than 16 MiB.
    """
    amount = _AMOUNT.fullmatch(text.strip())
    if amount is None or (number := int(float(amount[1]) * _UNITS[amount[2].upper()])) < _LEAST:
        raise InvalidInput(f"expected an amount of memory from 16MiB, such as 4GB or 512MiB, got {text!r}")
    return number


def show_bytes(number: int) -> str:
    """Two digits or more of the largest unit that fits: "1.5 GB"."""
    for unit, size in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if number >= size:
            return f"{number / size:.{1 if number < 100 * size else 0}f} {unit}"
    return f"{number} bytes"


def default_budget() -> int:
    """Half of the machine's memory, or of what its control group leaves to this process; in bytes."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with suppress(OSError, ValueError):  # no such group, or "max"
        total = min(total, int(_CONTROL_GROUP.read_text()))
    return max(total // 2, _LEAST)
