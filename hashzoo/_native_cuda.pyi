"""Counting and ranking on a CUDA device. Addresses are of host or device memory; nothing is checked beyond sizes.

Arrays: codes `(rows, words)` uint64 without spare bits; labels `(rows, label_words)`, class ids int64 (one word) or
masks uint64; exclude `(queries,)` int64, or address 0. Results are in host memory. Too little device memory raises
MemoryError.
"""

import numpy as np
from numpy.typing import NDArray

def device_count() -> int: ...
def count(
    *,
    query: int,
    database: int,
    query_labels: int,
    database_labels: int,
    exclude: int,
    queries: int,
    rows: int,
    words: int,
    label_words: int,
    masks: bool,
    bits: int,
    topk: int,
    stable: bool,
    device: int,
    stream: int,
    chunk_rows: int = 0,
) -> tuple[NDArray[np.uint32], NDArray[np.uint32], NDArray[np.float64], NDArray[np.int64]]: ...
def top_k(
    *,
    query: int,
    database: int,
    queries: int,
    rows: int,
    words: int,
    k: int,
    device: int,
    stream: int,
    chunk_rows: int = 0,
) -> tuple[NDArray[np.int32], NDArray[np.int64]]: ...
