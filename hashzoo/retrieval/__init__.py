"""Exact retrieval with binary codes: packing, Hamming ranking and measures whose definition is part of the result.

Needs numpy alone. Codes and labels may also be CPU torch tensors: contiguous ones are read in place, others are copied.
"""

from hashzoo.retrieval.codes import pack, unpack
from hashzoo.retrieval.curves import PRCurve
from hashzoo.retrieval.graded import GradedMetrics, evaluate_graded
from hashzoo.retrieval.metrics import Metrics, evaluate
from hashzoo.retrieval.multi_index import MultiIndex
from hashzoo.retrieval.pairs import PairDistances, pair_distances
from hashzoo.retrieval.ranking import distances, rank, top_k, within_radius

__all__ = [
    "GradedMetrics",
    "Metrics",
    "MultiIndex",
    "PRCurve",
    "PairDistances",
    "distances",
    "evaluate",
    "evaluate_graded",
    "pack",
    "pair_distances",
    "rank",
    "top_k",
    "unpack",
    "within_radius",
]
