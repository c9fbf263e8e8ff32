"""The interface of an evaluator: from codes and labels of two sides to named numbers, curves and their definition."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

import numpy as np

from hashzoo import retrieval
from hashzoo.errors import InvalidInput
from hashzoo.registry import Registry
from hashzoo.retrieval.labels import excluded_rows

MOST_BITS = 4096
_SIDES = ("query", "database")


@dataclass(frozen=True, eq=False)
class CodeSet:
    """The codes and labels of queries and database; build it with `checked`."""

    bits: int
    query_codes: np.ndarray  # (Q, W) uint64, packed
    query_labels: np.ndarray  # (Q,) int64 class ids, or (Q, C) uint8 multi-hot
    database_codes: np.ndarray  # (N, W) uint64, packed
    database_labels: np.ndarray  # (N,) or (N, C), as the queries'
    exclude: np.ndarray | None = None  # (Q,) int64, a database row that is not counted for the query, or -1

    @classmethod
    def checked(
        cls,
        *,
        query_codes: Any,
        query_labels: Any,
        database_codes: Any,
        database_labels: Any,
        bits: Any = None,
        exclude: Any = None,
    ) -> CodeSet:
        """Check, and pack what is not packed.

        Args:
            query_codes: (Q, W) uint64, or (Q, K) of -1/+1, 0/1, bool or float outputs.
            query_labels: (Q,) integer class ids, or (Q, C) of 0/1.
            database_codes: likewise, of equal length.
            database_labels: likewise, of the same kind.
            bits: K; may be left out where a side is unpacked.
            exclude: (Q,) whole numbers, a database row that is not counted for the query, or -1; None for none.

        Raises:
            InvalidInput: anything else, NaN, an empty side, unequal lengths; the message begins with the argument.
        """
        codes = {
            "query_codes": _array("query_codes", query_codes),
            "database_codes": _array("database_codes", database_codes),
        }
        labels = {
            "query_labels": _array("query_labels", query_labels),
            "database_labels": _array("database_labels", database_labels),
        }
        length = None if bits is None else _length(bits)
        for name, array in codes.items():
            if array.dtype.kind not in "fiub":
                raise InvalidInput(f"{name}: expected numbers, got dtype {array.dtype}")
            if array.ndim != 2:
                raise InvalidInput(f"{name}: expected (N, K) codes or (N, W) packed uint64, got shape {array.shape}")
            if len(array) == 0:
                raise InvalidInput(f"{name}: expected at least one code, got none")
            if array.dtype == np.uint64:
                continue
            if array.dtype.kind == "f" and (array == 0).any() and np.isin(array, (0, 1)).all():
                raise InvalidInput(
                    f"{name}: floats of 0 and 1 alone are ambiguous, since a float bit is set iff it is >= 0; "
                    "save them as integers or bool"
                )
            if length is not None and array.shape[1] != length:
                raise InvalidInput(f"{name}: expected codes of {length} bits, got {array.shape[1]}")
            length = array.shape[1]
        if length is None:
            raise InvalidInput("bits: packed codes do not tell their length, and no bits are given")
        packed = {name: _packed(name, array, length) for name, array in codes.items()}
        for side in _SIDES:
            name = f"{side}_labels"
            labels[name] = _labels(name, labels[name])
            if len(labels[name]) != len(packed[f"{side}_codes"]):
                raise InvalidInput(
                    f"{name}: expected one per code ({len(packed[f'{side}_codes'])}), got {len(labels[name])}"
                )
        if labels["query_labels"].shape[1:] != labels["database_labels"].shape[1:]:
            raise InvalidInput(
                f"database_labels: expected the kind of query_labels {labels['query_labels'].shape}, "
                f"got shape {labels['database_labels'].shape}"
            )
        rows = len(packed["database_codes"])
        return cls(bits=length, **packed, **labels, exclude=excluded_rows(exclude, len(packed["query_codes"]), rows))


@dataclass(frozen=True)
class Evaluation:
    """What an evaluator found. Everything in it can be written as JSON."""

    metrics: dict[str, float]
    definition: dict[str, Any]  # every choice that the numbers depend on
    curves: dict[str, dict[str, list[float]]] = field(default_factory=dict)  # columns of equal length


class Evaluator(ABC):
    """A family of measures.

    Args:
        config: its knobs; None takes the defaults of `Config`.
        threads: how many to use; None takes `HASHZOO_THREADS`, else every core. No number depends on it.
    """

    name: ClassVar[str] = ""
    meanings: ClassVar[Mapping[str, str]] = {}  # of its metrics, in a few words each

    @dataclass(frozen=True)
    class Config:
        """The knobs; all of them belong into `Evaluation.definition`."""

        def to_dict(self) -> dict[str, Any]:
            return asdict(self)

    def __init__(self, config: Any = None, *, threads: int | None = None) -> None:
        self.config = self.Config() if config is None else config
        self.threads = threads

    @abstractmethod
    def evaluate(self, codes: CodeSet) -> Evaluation:
        """Measure `codes`.

        Raises:
            InvalidInput: these codes cannot be measured with these knobs.
        """


def _length(bits: Any) -> int:
    value = np.asarray(bits)
    if value.ndim or value.dtype.kind not in "iu" or not 1 <= value <= MOST_BITS:
        raise InvalidInput(f"bits: expected one whole number from 1 to {MOST_BITS}, got {bits!r}")
    return int(value)


def _array(name: str, values: Any) -> np.ndarray:
    try:
        return np.asarray(values)
    except ValueError as error:  # rows of unequal length
        reason = str(error).splitlines()[0]
        raise InvalidInput(f"{name}: expected an array, got {type(values).__name__} ({reason})") from None


def _packed(name: str, array: np.ndarray, bits: int) -> np.ndarray:
    words = -(-bits // 64)
    if array.dtype == np.uint64:
        if array.shape[1] != words:
            raise InvalidInput(f"{name}: {bits} bits take {words} uint64 words a code, got {array.shape[1]}")
        if bits % 64 and (array[:, -1] >> np.uint64(bits % 64)).any():
            raise InvalidInput(f"{name}: a bit beyond the {bits}th is set; spare bits must be zero")
        return np.ascontiguousarray(array, np.uint64)
    if array.dtype.kind == "f" and len(bad := np.flatnonzero(np.isnan(array).any(axis=1))):
        raise InvalidInput(f"{name}: {len(bad)} codes contain NaN, first row {bad[0]}")
    try:
        return retrieval.pack(array)
    except InvalidInput as reason:
        raise InvalidInput(f"{name}: {str(reason).removeprefix('codes: ')}") from None


def _labels(name: str, array: np.ndarray) -> np.ndarray:
    if array.ndim == 1:
        if array.dtype.kind not in "iu":
            raise InvalidInput(f"{name}: expected whole class ids, got dtype {array.dtype}")
        return array.astype(np.int64)
    if array.ndim != 2 or array.dtype.kind not in "fiub" or array.shape[1] == 0:
        raise InvalidInput(
            f"{name}: expected class ids (N,) or multi-hot (N, C), got shape {array.shape} of dtype {array.dtype}"
        )
    if not ((array == 0) | (array == 1)).all():
        raise InvalidInput(f"{name}: expected multi-hot labels of 0 and 1; other values found")
    return array.astype(np.uint8)


EVALUATORS: Registry[Evaluator] = Registry("evaluator", Evaluator, package="hashzoo.evaluators")
