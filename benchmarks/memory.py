"""What it saves that training keeps freed memory: images a second of the same steps without it and with it.

    python benchmarks/memory.py

Each side is a process of its own, since an allocator cannot be told to forget; they run in turns, and the ratio is the
median over rounds of the second's speed over the first's.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from datetime import date

from precision import images_per_second, made_images

from hashzoo.experiments.environment import describe
from hashzoo.training import trainer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbones", default="dsh_cnn,resnet_cifar,resnet9_24")
    parser.add_argument("--precision", default="bf16", choices=("fp32", "bf16"))
    parser.add_argument("--batch-size", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement (default %(default)s)")
    parser.add_argument("--side", choices=("returned", "kept"), help="measure this one, for the first backbone alone")
    arguments = parser.parse_args()
    backbones = arguments.backbones.split(",")
    if arguments.side:
        if arguments.side == "returned":
            vars(trainer)["keep_freed_memory"] = lambda: False
        way = trainer.TrainOptions(precision=arguments.precision)
        print(images_per_second(backbones[0], way, made_images(), arguments))
        return

    environment = describe("cpu", {})
    print(f"{environment['device']}, {environment['threads']} threads, {arguments.precision}, {date.today()}\n")
    print("| backbone | returned, images/s | kept, images/s | ratio |\n|---|---:|---:|---:|")
    for backbone in backbones:
        rounds = [[in_a_process(backbone, side) for side in ("returned", "kept")] for _ in range(arguments.rounds)]
        returned, kept = (statistics.median(column) for column in zip(*rounds, strict=True))
        ratio = statistics.median(k / r for r, k in rounds)
        print(f"| `{backbone}` | {returned:.0f} | {kept:.0f} | {ratio:.2f} |", flush=True)


def in_a_process(backbone: str, side: str) -> float:
    words = [sys.executable, *sys.argv, "--backbones", backbone, "--side", side]
    return float(subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True).stdout)


if __name__ == "__main__":
    main()
