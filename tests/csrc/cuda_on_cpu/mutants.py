"""Plants faults in the CUDA kernels, one at a time, and runs the test program: each must be caught.

A fault that no longer fits the source (its text must occur exactly once) is an error, not a success.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cuda_on_cpu_build import CSRC, KINDS, core, program


@dataclass(frozen=True)
class Mutant:
    name: str
    file: str
    old: str
    new: str

    def apply(self, csrc: Path) -> None:
        """Raises ValueError unless the text to replace occurs exactly once."""
        path = csrc / "cuda" / self.file
        text = path.read_text()
        if text.count(self.old) != 1:
            raise ValueError(
                f"{self.name}: expected its text once in {self.file}, found it {text.count(self.old)} times"
            )
        path.write_text(text.replace(self.old, self.new))


MUTANTS = (
    Mutant(
        "no barrier before the tile is overwritten",
        "tile.cuh",
        "    __syncthreads();  // every warp is done with what the tile held\n",
        "",
    ),
    Mutant("no barrier after the tile is filled", "tile.cuh", "    __syncthreads();  // the panel is complete\n", ""),
    Mutant("a pair beyond the last word", "tile.cuh", "if (step == 2 && i + 1 < total)", "if (step == 2)"),
    Mutant("16-byte loads of 8-byte rows", "tile.cuh", "rows.width % 2 == 0 ? 2 : 1", "rows.width % 2 < 2 ? 2 : 1"),
    Mutant(
        "distance to the wrong row", "tile.cuh", "group * kWarp + lane) * kTileStride", "group * kWarp) * kTileStride"
    ),
    Mutant("labels compared, not shared", "tile.cuh", "(wanted & word) != 0", "(wanted & word) == wanted"),
    Mutant("counters not cleared", "kernels.cuh", "kWarp) mine[d] = 0;", "kWarp) mine[d] += 0;"),
    Mutant(
        "lost bound",
        "kernels.cuh",
        "if (group * kWarp + task.lane < rows && first",
        "if (first",
    ),
    Mutant("non-atomic add", "kernels.cuh", "atomicAdd(&mine[distance[group]], 1u +", "mine[distance[group]] += (1u +"),
    Mutant(
        "off-by-one bin", "kernels.cuh", "atomicAdd(&mine[distance[group]],", "atomicAdd(&mine[distance[group] + 1],"
    ),
    Mutant(
        "idle warps write",
        "kernels.cuh",
        "    if (task.idle) return;\n    std::uint32_t* out",
        "    std::uint32_t* out",
    ),
    Mutant(
        "rows spill into the half of hits",
        "kernels.cuh",
        "hits += count[static_cast<std::size_t>(segment) * bins] >> 16",
        "hits += count[static_cast<std::size_t>(segment) * bins] >> 12",
    ),
    Mutant(
        "wrong shuffle offset in the scan", "kernels.cuh", "offset = 1; offset < kWarp", "offset = 2; offset < kWarp"
    ),
    Mutant(
        "no carry from 32 distances to the next",
        "kernels.cuh",
        "rows_before += __shfl_sync",
        "rows_before = __shfl_sync",
    ),
    Mutant(
        "a lane leaves before the shuffle",
        "kernels.cuh",
        "        const std::uint32_t rows_to =",
        "        if (!inside) return;\n        const std::uint32_t rows_to =",
    ),
    Mutant("no carry from chunk to chunk", "kernels.cuh", "    place[i] = next_place;\n", ""),
    Mutant("wrong mask of earlier lanes", "kernels.cuh", "(1u << task.lane) - 1", "(2u << task.lane) - 1"),
    Mutant(
        "no __syncwarp before counters move",
        "kernels.cuh",
        "            __syncwarp();  // every lane has read its counters\n",
        "",
    ),
    Mutant(
        "no __syncwarp after counters moved",
        "kernels.cuh",
        "            __syncwarp();  // the counters are those of the next group\n",
        "",
    ),
    Mutant("every peer moves the counters", "kernels.cuh", "if (matters && before == 0)", "if (matters)"),
    Mutant(
        "idle warps miss a barrier",
        "kernels.cuh",
        "    typename Output::Sum sum{};\n",
        "    if (task.idle) return;\n    typename Output::Sum sum{};\n",
    ),
    Mutant(
        "half of the sum is lost", "kernels.cuh", "offset = kWarp / 2; offset > 0", "offset = kWarp / 4; offset > 0"
    ),
    Mutant(
        "excluded row of another chunk",
        "kernels.cuh",
        "(work.exclude[query]) - work.first_row",
        "(work.exclude[query])",
    ),
    Mutant(
        "counts of the last chunk for all",
        "ranking.cuh",
        "            if (plan_.chunk_rows < request_.rows) count_chunk<relevance>(work);\n",
        "",
    ),
    Mutant(
        "chunk not loaded", "memory.cuh", "if (begin != begin_ || end != end_)", "if (begin != begin_ && end != end_)"
    ),
)


def caught(mutant: Mutant, folder: Path, others: dict[str, list[Path]]) -> str:
    """How the program noticed; empty if it did not."""
    csrc = folder / "csrc"
    shutil.copytree(CSRC, csrc)
    mutant.apply(csrc)
    for kind, objects in others.items():
        tested = program(folder, kind, objects, csrc)
        try:
            done = subprocess.run([str(tested), "short"], capture_output=True, text=True, check=False, timeout=300)
        except subprocess.TimeoutExpired:
            return f"{kind}: does not end"
        if done.returncode != 0:
            lines = (done.stdout + done.stderr).splitlines()
            words = ("differ", "cuda_on_cpu: ", "ERROR: ", "runtime error")
            return f"{kind}: {next((line for line in lines if any(word in line for word in words)), 'crash')}"
    return ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="*", help="only mutants whose name has one of these")
    chosen = [m for m in MUTANTS if not (w := parser.parse_args().words) or any(word in m.name for word in w)]
    with tempfile.TemporaryDirectory() as root:
        others = {}
        for kind in KINDS:
            (folder := Path(root, kind)).mkdir()
            others[kind] = core(folder, kind)
            done = subprocess.run([str(program(folder, kind, others[kind])), "short"], check=False)
            if done.returncode != 0:
                print(f"{kind}: the program fails without a fault", file=sys.stderr)
                return 1
        count = 0
        for mutant in chosen:
            with tempfile.TemporaryDirectory(dir=root) as folder:
                how = caught(mutant, Path(folder), others)
            count += bool(how)
            print(f"{'caught' if how else 'MISSED':<8}{mutant.name:<44}{how[:100]}", flush=True)
    print(f"{count} of {len(chosen)} caught")
    return 0 if count == len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main())
