"""Writing files so that a reader, a crash or a full disk never meets half of one."""

from __future__ import annotations

import os
from pathlib import Path

from hashzoo.errors import StorageError


def write_atomically(file: Path, data: bytes) -> None:
    """Replace `file` by `data` in one step: a temporary file beside it, flushed to disk, then renamed.

    Raises:
        StorageError: the folder cannot be written or the disk is full; what was there before still is.
    """
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, file)
    except OSError as cause:
        temporary.unlink(missing_ok=True)
        raise StorageError(f"cannot write {file}: {cause.strerror or cause}") from cause
