"""Figures as HTML with inline SVG. Colours are CSS variables, so that they suit a dark and a light page."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Callable, Sequence
from xml.etree.ElementTree import Element

import numpy as np

from hashzoo.reports.figures import Figure, Heat, Line, Panel, look
from hashzoo.reports.page.markup import element

_WIDTH, _HEIGHT = 320, 230
_LEFT, _RIGHT, _TOP, _BOTTOM = 54, 312, 8, 190  # of the plot within the picture
_POSITIVE, _NEGATIVE = (214, 96, 20), (30, 120, 190)

Scale = Callable[[float], float]


def figure_html(figure: Figure, identifier: str) -> Element:
    """Title, legend, a panel each, and what the numbers are."""
    squares = any(isinstance(panel, Heat) for panel in figure.panels)
    panels = [
        element("div", element("h4", panel.title), _drawn(panel), class_="panel")
        if panel
        else element("div", class_="gap")
        for panel in figure.panels
    ]
    layout = "single" if figure.columns == 1 else "fixed" if figure.columns <= 4 else "flowing"
    key = "Squares: orange is positive, blue is negative, and no colour is 0." if squares else ""
    return element(
        "figure",
        element("h3", figure.title),
        _legend(figure),
        element("div", *panels, class_=f"panels {layout}", style=f"--columns: {figure.columns}"),
        element("figcaption", f"{figure.definition} {key}".rstrip()),
        id=identifier,
    )


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers from `low` to `high`, at most `most`."""
    if high <= low:
        return [low]
    rough = (high - low) / (most - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(step * power for step in (1, 2, 5, 10) if step * power >= rough * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(n * step, 12) for n in range(first, last + 1)]


def _legend(figure: Figure) -> Element:
    entries = [
        element("li", element("span", class_=f"swatch {_class(colour)}", aria_hidden="true"), label)
        for label, colour in figure.legend.items()
    ]
    return element("ul", *entries, class_="legend")


def _drawn(panel: Panel | Heat) -> Element:
    return _chart(panel) if isinstance(panel, Panel) else _square(panel)


def _chart(panel: Panel) -> Element:
    low_x, high_x = panel.x_range or _range([x for line in panel.lines for x in line.x])
    low_y, high_y = panel.y_range or _range([0.0, *(y for line in panel.lines for y in line.y)])
    x_scale = _scale(low_x, high_x, _LEFT + 6, _RIGHT - 6, logarithmic=panel.log_x)
    y_scale = _scale(low_y, high_y, _BOTTOM, _TOP + 6)
    x_ticks = panel.few_x or (_decades(low_x, high_x) if panel.log_x else ticks(low_x, high_x))
    if panel.whole_x:
        x_ticks = [tick for tick in x_ticks if tick.is_integer()]
    return element(
        "svg",
        *(_grid(x_scale(tick), True, f"{tick:,g}") for tick in x_ticks),
        *(_grid(y_scale(tick), False, f"{tick:g}") for tick in ticks(low_y, high_y)),
        element("path", d=f"M{_LEFT} {_TOP}V{_BOTTOM}H{_RIGHT}", class_="axis"),
        element("text", panel.x_label, x=(_LEFT + _RIGHT) / 2, y=_HEIGHT - 6, class_="label"),
        element("text", panel.y_label, transform=f"translate(11 {(_TOP + _BOTTOM) / 2}) rotate(-90)", class_="label"),
        *(_line(line, panel, x_scale, y_scale) for line in panel.lines),
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        role="img",
        aria_label=f"{panel.title}: {panel.y_label} by {panel.x_label}",
    )


def _line(line: Line, panel: Panel, x_scale: Scale, y_scale: Scale) -> Element:
    xs, ys = (_stepped(line.x, line.y)) if panel.filled else (line.x, line.y)
    points = [(x_scale(x), y_scale(y)) for x, y in zip(xs, ys, strict=True)]
    path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    parts = []
    if panel.filled:
        parts.append(element("path", d=f"{path}V{_BOTTOM}H{points[0][0]:.1f}Z", class_="area"))
    parts.append(element("path", d=path, class_="line"))
    for (x, _), value, spread in zip(points, line.y, line.spread, strict=False):
        parts.append(
            element("path", d=f"M{x:.1f} {y_scale(value + spread):.1f}V{y_scale(value - spread):.1f}", class_="line")
        )
    if panel.marked:
        parts += [_point(line, panel, i, *at) for i, at in enumerate(points)]
    return element("g", *parts, class_=_class(line.colour))


def _point(line: Line, panel: Panel, i: int, x: float, y: float) -> Element:
    """Its numbers are shown to who points at it."""
    spread = f" ± {line.spread[i]:.4f}" if line.spread and line.spread[i] else ""
    words = f"{line.label}: {panel.x_label} {line.x[i]:.4g}, {panel.y_label} {line.y[i]:.4f}{spread}"
    return element("circle", element("title", words), cx=f"{x:.1f}", cy=f"{y:.1f}", r=2.4)


def _stepped(xs: Sequence[float], ys: Sequence[float]) -> tuple[list[float], list[float]]:
    """Each point as a step one wide, cut off at the ends of the axis."""
    edges = [min(max(x + side, xs[0]), xs[-1]) for x in xs for side in (-0.5, 0.5)]
    return edges, [y for y in ys for _ in range(2)]


def _square(heat: Heat) -> Element:
    """A pixel for each two bits: the colour says the sign, its opacity the size, so that it suits any background."""
    from PIL import Image

    pixels = np.empty((*heat.values.shape, 4), np.uint8)
    pixels[..., :3] = np.where(heat.values[..., None] > 0, _POSITIVE, _NEGATIVE)
    pixels[..., 3] = np.round(np.abs(heat.values).clip(0, 1) * 255)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "png", optimize=True)
    uri = f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
    return element("img", src=uri, alt=f"correlation of bits: {heat.title}", class_="square")


def _grid(at: float, upright: bool, text: str) -> Element:
    if upright:
        line = element("path", d=f"M{at:.1f} {_TOP}V{_BOTTOM}")
        return element("g", line, element("text", text, x=f"{at:.1f}", y=_BOTTOM + 14), class_="tick")
    line = element("path", d=f"M{_LEFT} {at:.1f}H{_RIGHT}")
    return element("g", line, element("text", text, x=_LEFT - 5, y=f"{at + 3.5:.1f}", class_="end"), class_="tick")


def _scale(low: float, high: float, start: float, end: float, *, logarithmic: bool = False) -> Scale:
    if logarithmic:
        inner = _scale(math.log10(low), math.log10(high), start, end)
        return lambda value: inner(math.log10(value))
    width = high - low or 1.0
    return lambda value: start + (value - low) / width * (end - start)


def _range(values: Sequence[float]) -> tuple[float, float]:
    return min(values), max(values)


def _decades(low: float, high: float) -> list[float]:
    return [10.0**power for power in range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)]


def _class(number: int) -> str:
    """Classes that page.css has for each colour and style."""
    colour, style = look(number)
    return f"colour-{colour}{'' if style == 'solid' else f' {style}'}"
