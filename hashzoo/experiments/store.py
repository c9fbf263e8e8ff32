"""Records on disk: one folder per cell, `result.json` written last. The schema is in docs/records.md."""

from __future__ import annotations

import hashlib
import io
import json
import sys
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hashzoo.errors import InvalidInput, StorageError
from hashzoo.evaluators.base import CodeSet
from hashzoo.files import write_atomically

SCHEMA = 1
BUDGET = "budget.json"  # of an unfinished run
RESULT, CODES, MODEL, CURVE, LOG = "result.json", "codes.npz", "model.safetensors", "pr_curve.png", "log.jsonl"
REPLACED = "replaced"  # where the record before is kept while --force makes another

Record = dict[str, Any]


@dataclass(frozen=True)
class Run:
    """A finished cell: its record, and the folder that holds the rest."""

    folder: Path
    record: Record


_REQUIRED: dict[str, type | tuple[type, ...]] = {
    "method": str,
    "dataset": str,
    "protocol": str,
    "title": str,
    "split_sha256": str,
    "images_sha256": str,
    "bits": int,
    "seed": int,
    "config": dict,
    "config_hash": str,
    "series": str,
    "metrics": dict,
    "metric_definition": dict,
    "timings": dict,
    "environment": dict,
    "codes_sha256": str,
}
_AXES = {"precision_recall": ("radius", "precision", "recall"), "at_place": ("n", "precision", "recall")}
_ARRAYS = ("query_codes", "query_labels", "database_codes", "database_labels")
_OPTIONAL = ("bits", "exclude")
_DAMAGE = (OSError, ValueError, EOFError, RuntimeError)  # RuntimeError: an unknown compression, an encrypted member


def cell_folder(out: Path, *, dataset: str, protocol: str, method: str, bits: int, seed: int, config_hash: str) -> Path:
    """Where the record of a cell belongs."""
    return out / dataset / protocol / method / f"{bits}b-s{seed}-{config_hash}"


@contextmanager
def made_folder(folder: Path) -> Iterator[None]:
    """Make `folder`; on the way out remove again what was made and is still empty.

    Raises:
        StorageError: it cannot be made.
    """
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as cause:
            raise StorageError(f"cannot make the folder {folder}: {cause.strerror or cause}") from cause
        yield
    finally:
        for path in made:
            try:
                path.rmdir()
            except OSError:  # not empty, or never made
                break


def set_aside(folder: Path) -> None:
    """Move a finished record with its files into `replaced/`, where `find_runs` finds it until another takes its place.

    Raises:
        OSError: the folder cannot be written.
    """
    if (folder / RESULT).exists():
        (folder / REPLACED).mkdir(exist_ok=True)
        for name in (MODEL, CODES, CURVE, LOG, RESULT):
            if (folder / name).exists():
                (folder / name).replace(folder / REPLACED / name)


def discard(folder: Path, *, resumable: bool) -> None:
    """Take away what a run that failed may have written, but for what going on with its checkpoint needs."""
    for name in (MODEL, CODES, CURVE, *(() if resumable else (LOG, BUDGET))):
        (folder / name).unlink(missing_ok=True)


def write_record(folder: Path, record: Record) -> None:
    """Write `result.json`.

    Raises:
        StorageError: it cannot be written.
    """
    text = json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False)
    write_atomically(folder / RESULT, f"{text}\n".encode())


def read_record(file: Path) -> Record:
    """The record in `file`.

    Raises:
        InvalidInput: it is not one, or damaged, or of another schema; the message names the file.
    """
    try:
        record = json.loads(file.read_text(encoding="utf-8"), parse_constant=_no_number)
    except (OSError, ValueError, RecursionError) as cause:
        raise InvalidInput(f"{file} is not a record: {cause}") from None
    if not isinstance(record, dict) or "schema" not in record:
        raise InvalidInput(f"{file} is not a record: it has no schema")
    if record["schema"] != SCHEMA:
        raise InvalidInput(f"{file}: expected a record of schema {SCHEMA}, got {record['schema']!r}")
    for key, kind in _REQUIRED.items():
        if not isinstance(record.get(key), kind):
            raise InvalidInput(f"{file} is not a whole record: {key} is missing or of another type")
    for key in ("map_expected", "map_worst", "map_best", "precision_radius2"):
        if not isinstance(record["metrics"].get(key), (int, float)):
            raise InvalidInput(f"{file} is not a whole record: metrics.{key} is missing or not a number")
    return record


def find_runs(folder: Path) -> list[Run]:
    """Every finished cell below `folder`, by path. A damaged record is skipped with a line on stderr.

    Raises:
        InvalidInput: there is no such folder.
    """
    if not folder.is_dir():
        raise InvalidInput(f"expected a folder with records, found no folder {folder}")
    runs = []
    for file in sorted(folder.rglob(RESULT)):
        try:
            runs.append(Run(file.parent, read_record(file)))
        except InvalidInput as reason:
            print(f"hashzoo: skipped {' '.join(str(reason).split())}", file=sys.stderr)
    return runs


def find_records(folder: Path) -> list[Record]:
    """The records of `find_runs`.

    Raises:
        InvalidInput: there is no such folder.
    """
    return [run.record for run in find_runs(folder)]


def codes_of(run: Run) -> CodeSet:
    """The codes that the record was measured on.

    Raises:
        InvalidInput: as `read_codes`, or the file holds other codes than the record says.
    """
    codes = read_codes(run.folder)
    if codes_sha256(codes) != run.record["codes_sha256"]:
        raise InvalidInput(f"{run.folder / CODES}: these are not the codes of its record")
    return codes


def curves_of(run: Run) -> dict[str, dict[str, list[float]]]:
    """The curves of a record by name and axis, as in docs/records.md; none where it has none.

    Raises:
        InvalidInput: they are damaged.
    """
    curves: dict[str, dict[str, list[float]]] = run.record.get("curves") or {}
    try:
        for name, axes in _AXES.items():
            of_axes = [curves[name][axis] for axis in axes if name in curves]
            if not all(isinstance(value, (int, float)) for values in of_axes for value in values):
                raise ValueError(f"{name}: not all are numbers")
            if len({len(values) for values in of_axes}) > 1:
                raise ValueError(f"{name}: axes of different lengths")
    except (KeyError, TypeError, ValueError) as cause:
        raise InvalidInput(f"{run.folder / RESULT}: the curves are damaged ({cause})") from None
    return curves


def read_log(run: Run) -> list[dict[str, Any]]:
    """A line for each epoch; none where no network was trained, or the log was not kept.

    Raises:
        InvalidInput: the log is damaged; the message names the file.
    """
    file = run.folder / LOG
    if not file.exists():
        return []
    try:
        text = file.read_text(encoding="utf-8")
        lines = [json.loads(line, parse_constant=_no_number) for line in text.splitlines()]
        for line in lines:
            if not all(isinstance(value, (int, float)) for value in (line["epoch"], *line["losses"].values())):
                raise ValueError("an epoch or a loss is not a number")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as cause:
        raise InvalidInput(f"{file} is not a log of training: {cause}") from None
    return lines


def write_codes(file: Path, codes: CodeSet) -> None:
    """Write a codes file, packed.

    Raises:
        StorageError: it cannot be written.
    """
    buffer = io.BytesIO()
    arrays = {name: getattr(codes, name) for name in _ARRAYS}
    if codes.exclude is not None:
        arrays["exclude"] = codes.exclude
    np.savez(buffer, allow_pickle=False, bits=np.int64(codes.bits), **arrays)
    write_atomically(file, buffer.getvalue())


def read_codes(file: Path) -> CodeSet:
    """A codes file of hashzoo's or of any other tool's: packed, or (N, K) of -1/+1, 0/1, bool or float outputs.

    Args:
        file: the file, or the folder of a cell.

    Raises:
        InvalidInput: it is missing, damaged, pickled, or its arrays do not fit together; names the file and the key.
    """
    file = file / CODES if file.is_dir() else file
    try:
        return CodeSet.checked(**_arrays(file))
    except InvalidInput as reason:
        raise InvalidInput(f"{file}: {reason}") from None


def codes_sha256(codes: CodeSet) -> str:
    """Of the packed query codes, then database codes, little endian: independent of the file around them."""
    digest = hashlib.sha256()
    for array in (codes.query_codes, codes.database_codes):
        digest.update(np.ascontiguousarray(array, "<u8").data)
    return digest.hexdigest()


def _no_number(name: str) -> None:
    """For NaN and Infinity, which Python's json reads although they are no JSON."""
    raise ValueError(f"{name} is not a number")


def _arrays(file: Path) -> dict[str, np.ndarray]:
    try:
        stream = file.open("rb")
    except FileNotFoundError:
        raise InvalidInput("no such file") from None
    except OSError as cause:
        raise InvalidInput(f"cannot be read ({cause.strerror or cause})") from None
    with stream:
        try:
            archive = np.load(stream, allow_pickle=False)
        except (*_DAMAGE, zipfile.BadZipFile) as cause:
            why = "no zip archive" if "allow_pickle" in str(cause) else _first_line(cause)
            raise InvalidInput(f"expected an .npz file, got another or a damaged one ({why})") from None
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise InvalidInput(f"expected an .npz file with {', '.join(_ARRAYS)}, got a single array")
        with archive:
            if missing := [name for name in _ARRAYS if name not in archive.files]:
                found = ", ".join(archive.files) or "nothing"
                raise InvalidInput(f"missing {', '.join(missing)} (found: {found})")
            return {name: _member(archive, name) for name in (*_ARRAYS, *_OPTIONAL) if name in archive.files}


def _member(archive: np.lib.npyio.NpzFile, name: str) -> np.ndarray:
    try:
        array: np.ndarray = archive[name]
    except (*_DAMAGE, MemoryError, zipfile.BadZipFile, zlib.error) as cause:
        why = "objects (pickles) are never read" if "allow_pickle" in str(cause) else _first_line(cause)
        raise InvalidInput(f"{name}: expected an array of numbers; {why}") from None
    return array


def _first_line(cause: BaseException) -> str:
    return next(iter(str(cause).splitlines()), "") or type(cause).__name__
