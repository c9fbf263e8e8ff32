"""Writing files so that a reader, a crash or a full disk never meets half of one."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from hashzoo.errors import StorageError


def write_atomically(file: Path, data: bytes | Iterable[Any]) -> None:
    """Replace `file` by `data` in one step: a temporary file beside it, flushed to disk, then renamed.

    Args:
        file: where to.
        data: bytes, or parts of any type with a buffer, such as arrays, written one after the other.

    Raises:
        StorageError: the folder cannot be written or the disk is full; what was there before still is.
    """
    parts: Iterable[Any] = (data,) if isinstance(data, bytes) else data
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as stream:
            for part in parts:
                stream.write(part)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, file)
    except OSError as cause:
        with suppress(OSError):  # it may be the folder that is none
            temporary.unlink()
        raise StorageError(f"cannot write {file}: {cause.strerror or cause}") from cause
