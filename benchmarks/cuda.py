"""Times the CUDA kernels on a GPU, beside torch on the same GPU and the CPU's core, as a share of what bounds them.

`--bounds` needs no GPU: it prints the bounds for the cards of PUBLISHED, as docs/cuda.md has them.
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from hashzoo import retrieval
from hashzoo.retrieval import devices
from hashzoo.retrieval.backend import backend, thread_count
from hashzoo.retrieval.cuda_core import CudaCore, disagreement
from hashzoo.retrieval.torch_core import TorchCore

LENGTHS = (12, 48, 64, 128, 256, 1024, 4096)
POPC_A_CLOCK = 16  # 32-bit population counts of an SM: compute capability 7.5 to 9.0
SHARED_BYTES_A_CLOCK = 128  # of an SM


@dataclass(frozen=True)
class Card:
    name: str
    sms: int
    clock_ghz: float
    memory_gb_s: float

    def popcount_bound(self, words: int) -> float:
        """Pairs a second of one pass, if nothing but population counts took time."""
        return self.sms * self.clock_ghz * 1e9 * POPC_A_CLOCK / (2 * words)

    def shared_bound(self, words: int) -> float:
        """The same for shared memory: the row's words and label are read, one counter is added to."""
        return self.sms * self.clock_ghz * 1e9 * SHARED_BYTES_A_CLOCK / (8 * words + 8 + 4)

    def memory_bound(self, words: int, queries: int) -> float:
        """The same for the device's memory, if `queries` queries share one reading of it."""
        return self.memory_gb_s * 1e9 * queries / (8 * words + 8)

    def bound(self, words: int, queries: int) -> float:
        return min(self.popcount_bound(words), self.shared_bound(words), self.memory_bound(words, queries))


# Sources: NVIDIA's H100 data sheet (SXM; the clock from its 67 TFLOPS of float32) and Ada architecture white paper.
PUBLISHED = (Card("H100 SXM", 132, 1.98, 3350), Card("GeForce RTX 4090", 128, 2.52, 1008))


def bounds() -> str:
    """A table of bounds of one pass, and from how many queries on the device's memory does not bind."""
    lines = ["card                bits  popcount  shared memory  10^9 pairs/s; memory binds below"]
    for card in PUBLISHED:
        for bits in LENGTHS:
            words = -(-bits // 64)
            inner = min(card.popcount_bound(words), card.shared_bound(words))
            queries = inner / card.memory_bound(words, 1)
            inside = f"{card.popcount_bound(words) / 1e9:>10.0f}{card.shared_bound(words) / 1e9:>15.0f}"
            lines.append(f"{card.name:<18}{bits:>6}{inside}{queries:>20.0f} queries")
    return "\n".join(lines)


def seconds(work: Callable[[], Any], repeats: int) -> float:
    """The least of `repeats` runs after one that does not count. Results are in host memory, so the device is done."""
    work()
    times = []
    for _ in range(repeats):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return min(times)


def this_card(clock_ghz: float | None, memory_gb_s: float | None) -> Card:
    import torch

    properties = torch.cuda.get_device_properties(0)
    known = next((card for card in PUBLISHED if card.name.split()[-1] in properties.name), None)
    clock = clock_ghz or (known.clock_ghz if known else getattr(properties, "clock_rate", 0) / 1e6)
    memory = memory_gb_s or (known.memory_gb_s if known else 0)
    if not clock or not memory:
        sys.exit(f"benchmarks/cuda.py: {properties.name} is not in its table: give --clock and --memory")
    return Card(properties.name, properties.multi_processor_count, clock, memory)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    native = devices.native_module()
    card = this_card(options.clock, options.memory)
    slow = TorchCore("cuda:0")
    kernels = CudaCore(native, 0, slow)
    if problem := disagreement(kernels):
        sys.exit(f"benchmarks/cuda.py: the kernels do not pass their check: {problem}")
    random = np.random.default_rng(0)
    pairs, threads = options.queries * options.database, thread_count(None)
    classes = [random.integers(0, 10, n) for n in (options.queries, options.database)]
    rows = []
    for bits in options.bits:
        q, d = (retrieval.pack(random.random((n, bits)) < 0.5) for n in (options.queries, options.database))
        there = kernels.resident(d)
        given = (*classes, bits, len(d), threads, None)
        work: dict[str, tuple[int, Callable[[], Any]]] = {
            "histograms": (1, lambda q=q, d=there, g=given: kernels.count_classes(q, d, *g, False)),
            "stable order too": (2, lambda q=q, d=there, g=given: kernels.count_classes(q, d, *g, True)),
            "top 100": (2, lambda q=q, d=there: kernels.top_k(q, d, 100)),
            "database on the host": (1, lambda q=q, d=d, g=given: kernels.count_classes(q, d, *g, False)),
            "torch on the GPU": (1, lambda q=q, d=there, g=given: slow.count_classes(q, d, *g, False)),
            "CPU": (1, lambda q=q, d=d, g=given: backend().count_classes(q, d, *g, False)),
        }
        bound = card.bound(-(-bits // 64), options.queries)
        for name, (passes, run) in work.items():
            rate = pairs / seconds(run, options.repeats)
            rows.append({"bits": bits, "work": name, "pairs_per_second": rate, "share": rate * passes / bound})
    return {
        "date": datetime.date.today().isoformat(),
        "card": card.name,
        "work": f"{options.queries} queries, {options.database} random codes, 10 classes",
        "rows": rows,
    }


def table(result: dict[str, Any]) -> str:
    lines = [
        result["work"],
        f"{result['card']}; {result['date']}",
        "",
        "  bits  work                  10^9 pairs/s  of the bound",
    ]
    for row in result["rows"]:
        share = "" if row["work"] == "CPU" else f"{row['share']:.1%}"
        lines.append(f"{row['bits']:>6}  {row['work']:<22}{row['pairs_per_second'] / 1e9:>12.2f}{share:>14}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queries", type=int, default=10_000)
    parser.add_argument("--database", type=int, default=1_000_000)
    parser.add_argument("--bits", type=lambda text: [int(word) for word in text.split(",")], default=LENGTHS)
    parser.add_argument("--repeats", type=int, default=5, help="runs, of which the fastest counts")
    parser.add_argument(
        "--clock", type=float, metavar="GHZ", help="of the SMs; default: as published, or as the driver says"
    )
    parser.add_argument("--memory", type=float, metavar="GB/S", help="of the device's memory; default: as published")
    parser.add_argument(
        "--bounds", action="store_true", help="print what bounds the cards of the table, and measure nothing"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    options = parser.parse_args()
    if options.bounds:
        print(bounds())
        return
    native = devices.native_module()
    if native is None or native.device_count() == 0:
        sys.exit("benchmarks/cuda.py: needs a GPU and hashzoo._native_cuda (HASHZOO_CUDA=1 pip install .); found none")
    result = measure(options)
    print(json.dumps(result, indent=2) if options.json else table(result))


if __name__ == "__main__":
    main()
