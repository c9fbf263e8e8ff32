from __future__ import annotations

from pathlib import Path

import pytest

from hashzoo import memory
from hashzoo.errors import InvalidInput
from hashzoo.memory import default_budget, parse_bytes, show_bytes


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("4GB", 4 * 10**9),
        ("4GiB", 4 << 30),
        ("512M", 512 * 10**6),
        ("1.5 gib", 3 << 29),
        ("20000000", 20_000_000),
        ("16MiB", 16 << 20),
    ],
)
def test_amounts(text, number):
    assert parse_bytes(text) == number


@pytest.mark.parametrize("text", ["", "GB", "-4GB", "4 apples", "4GBB", "1MB", "0", "٤GB", "1e9"])
def test_no_amounts(text):
    with pytest.raises(InvalidInput, match="expected an amount of memory from 16MiB, such as 4GB or 512MiB, got"):
        parse_bytes(text)


def test_amounts_in_words():
    assert [show_bytes(n) for n in (12, 1500, 2 * 10**7, 301 * 10**8, 123 * 10**9)] == [
        "12 bytes",
        "1.5 kB",
        "20.0 MB",
        "30.1 GB",
        "123 GB",
    ]


def test_a_control_group_bounds_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(memory, "_CONTROL_GROUP", tmp_path / "memory.max")
    unbounded = default_budget()
    (tmp_path / "memory.max").write_text("max\n")
    assert default_budget() == unbounded
    (tmp_path / "memory.max").write_text(f"{64 << 20}\n")
    assert default_budget() == 32 << 20
