"""MD5 sums that the makers of a dataset publish."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path


def differing(folder: Path, md5: Mapping[str, str]) -> list[str]:
    """Which files of `md5`, name to hexadecimal sum, lie in `folder` with another sum."""
    return [
        name
        for name, expected in md5.items()
        if (folder / name).is_file() and hashlib.md5((folder / name).read_bytes()).hexdigest() != expected
    ]
