"""Draws docs/ties.svg, the picture in docs/metrics.md: one ranking, every order of its tied rows, and their mean AP.

python docs/ties.py
"""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.patches import FancyBboxPatch, Rectangle

from hashzoo import retrieval

QUERY = [[0, 0, 0]]
DATABASE = [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0]]
LABELS = [7, 7, 0, 0, 7]  # the query's is 7
DISTANCES = [0, 1, 1, 1, 2]
HIT, MISS, BAND, TEXT = "#2a6f97", "#dfe4ea", "#f4f1e8", "#333333"


def orders() -> list[tuple[tuple[int, ...], float]]:
    """Relevance by place, and AP, of each different order of the three tied rows."""
    found = {}
    for order in permutations((1, 2, 3)):
        rows = [0, *order, 4]
        labels = [LABELS[row] for row in rows]
        database = [DATABASE[row] for row in rows]
        metrics = retrieval.evaluate(QUERY, [7], database, labels, ties="stable")
        found[tuple(int(label == 7) for label in labels)] = metrics.map
    return sorted(found.items(), key=lambda item: -item[1])


def main() -> None:
    plt.rcParams.update({"font.family": "DejaVu Sans", "font.size": 10, "svg.fonttype": "path", "svg.hashsalt": "ties"})
    rankings = orders()
    expected = retrieval.evaluate(QUERY, [7], DATABASE, LABELS).map
    figure, axes = plt.subplots(figsize=(7.2, 3.0))
    height = len(rankings)
    for first, last, distance in ((0, 0, 0), (1, 3, 1), (4, 4, 2)):
        width = last - first + 0.92
        band = FancyBboxPatch(
            (first - 0.46, -0.5),
            width,
            height,
            boxstyle="round,pad=0,rounding_size=0.1",
            facecolor=BAND,
            edgecolor="none",
        )
        axes.add_patch(band)
        tied = ", tied" if last > first else ""
        axes.text((first + last) / 2, -0.68, f"distance {distance}{tied}", ha="center", color=TEXT)
    for y, (relevant, ap) in enumerate(rankings):
        for place, hit in enumerate(relevant):
            square = Rectangle((place - 0.32, y - 0.32), 0.64, 0.64, facecolor=HIT if hit else MISS, edgecolor="white")
            axes.add_patch(square)
            axes.text(place, y, str(place + 1), ha="center", va="center", color="white" if hit else TEXT)
        axes.text(4.75, y, f"AP = {ap:.3f}", va="center", color=TEXT)
    axes.plot([4.75, 6.15], [height - 0.42] * 2, color=TEXT, linewidth=0.8)
    axes.text(4.75, height - 0.1, f"mean = {expected:.3f}, what", va="center", color=TEXT, weight="bold")
    axes.text(4.75, height + 0.22, "hashzoo reports", va="center", color=TEXT, weight="bold")
    axes.text(-0.4, height + 0.05, "dark: relevant rows, by place in the ranking", va="center", color=TEXT)
    axes.set(xlim=(-0.6, 7.0), ylim=(height + 0.5, -1.0))
    axes.axis("off")
    figure.savefig(Path(__file__).with_name("ties.svg"), bbox_inches="tight", metadata={"Date": None})


if __name__ == "__main__":
    main()
