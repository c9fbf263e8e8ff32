"""Pictures of curves."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Mapping
from typing import Any

from hashzoo.reports.wording import map_in_words


def pr_curve_png(record: Mapping[str, Any]) -> bytes:
    """Precision against recall by Hamming radius of one record, as a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    curve = record["curves"]["precision_recall"]
    figure = Figure(figsize=(6.4, 4.8), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.plot(curve["recall"], curve["precision"], marker="o", markersize=3, linewidth=1.4, color="#1f5fa8")
    for radius, precision, recall in zip(curve["radius"], curve["precision"], curve["recall"], strict=True):
        if radius in (0, 2):
            side, offset = ("right", -6) if recall > 0.8 else ("left", 6)
            axes.annotate(
                f"radius {radius:.0f}",
                (recall, precision),
                xytext=(offset, 7),
                textcoords="offset points",
                horizontalalignment=side,
                fontsize=8,
            )
    axes.set(xlabel="recall", ylabel="precision", xlim=(-0.02, 1.02), ylim=(-0.02, 1.04))
    axes.grid(alpha=0.3)
    title = f"{record['method']}, {record['bits']} bits, {record['title']} @{record['protocol']}"
    axes.set_title(f"{title}: mAP {record['metrics']['map_expected']:.4f}", fontsize=11, parse_math=False)
    figure.supxlabel(
        "\n".join(textwrap.wrap(map_in_words(record["metric_definition"]), 110)), fontsize=7, color="#555555"
    )
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
