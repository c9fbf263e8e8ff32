"""The compiled ranking core. Arrays must be C-contiguous, aligned and of the exact dtype: nothing is converted.

Invalid arguments raise ValueError or TypeError; `hashzoo.retrieval` turns its users' mistakes into `InvalidInput`.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

def isas() -> list[str]: ...
def isa() -> str: ...
def set_isa(name: str) -> None: ...
def pack(values: NDArray[Any], threads: int) -> NDArray[np.uint64]: ...
def unpack(packed: NDArray[np.uint64], bits: int, threads: int) -> NDArray[np.int8]: ...
def distances(query: NDArray[np.uint64], database: NDArray[np.uint64], threads: int) -> NDArray[np.uint16]: ...
def rank(query: NDArray[np.uint64], database: NDArray[np.uint64], threads: int) -> NDArray[np.int32]: ...
def top_k(
    query: NDArray[np.uint64], database: NDArray[np.uint64], k: int, threads: int
) -> tuple[NDArray[np.int32], NDArray[np.int64]]: ...
def within_radius(
    query: NDArray[np.uint64], database: NDArray[np.uint64], radius: int, threads: int
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64]]: ...
def count_classes(
    query: NDArray[np.uint64],
    database: NDArray[np.uint64],
    query_classes: NDArray[np.int64],
    database_classes: NDArray[np.int64],
    bits: int,
    topk: int,
    threads: int,
    exclude: NDArray[np.int64] | None = None,
    stable: bool = True,
) -> tuple[NDArray[np.uint32], NDArray[np.uint32], NDArray[np.float64], NDArray[np.int64]]: ...
def count_masks(
    query: NDArray[np.uint64],
    database: NDArray[np.uint64],
    query_masks: NDArray[np.uint64],
    database_masks: NDArray[np.uint64],
    bits: int,
    topk: int,
    threads: int,
    exclude: NDArray[np.int64] | None = None,
    stable: bool = True,
) -> tuple[NDArray[np.uint32], NDArray[np.uint32], NDArray[np.float64], NDArray[np.int64]]: ...
def count_graded_classes(
    query: NDArray[np.uint64],
    database: NDArray[np.uint64],
    query_classes: NDArray[np.int64],
    database_classes: NDArray[np.int64],
    bits: int,
    gain: NDArray[np.float64],
    discount: NDArray[np.float64],
    threads: int,
    exclude: NDArray[np.int64] | None = None,
) -> tuple[NDArray[np.uint32], NDArray[np.float64], NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]: ...
def count_graded_masks(
    query: NDArray[np.uint64],
    database: NDArray[np.uint64],
    query_masks: NDArray[np.uint64],
    database_masks: NDArray[np.uint64],
    bits: int,
    gain: NDArray[np.float64],
    discount: NDArray[np.float64],
    threads: int,
    exclude: NDArray[np.int64] | None = None,
) -> tuple[NDArray[np.uint32], NDArray[np.float64], NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]: ...
def group(database: NDArray[np.uint64], threads: int) -> NDArray[np.uint32]: ...
def build_tables(
    database: NDArray[np.uint64], bits: int, substrings: int, threads: int
) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]: ...

class MultiIndex:
    def __init__(
        self,
        distinct: NDArray[np.uint64],
        offsets: NDArray[np.uint32],
        entries: NDArray[np.uint32],
        starts: NDArray[np.uint32],
        members: NDArray[np.uint32],
        bits: int,
        substrings: int,
        threads: int,
    ) -> None: ...
    def top_k(self, query: NDArray[np.uint64], k: int, threads: int) -> tuple[NDArray[np.int32], NDArray[np.int64]]: ...
    def within_radius(
        self, query: NDArray[np.uint64], radius: int, threads: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64]]: ...
