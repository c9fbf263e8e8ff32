"""HTML and SVG as trees, so that every text in them is escaped."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from xml.etree.ElementTree import Element, tostring

Content = Element | str | None


def element(tag: str, *content: Content, **attributes: object) -> Element:
    """An element with text and children in order; None adds nothing.

    `class_` is the attribute `class`, and `_` within a name stands for `-`.
    """
    names = {name.rstrip("_").replace("_", "-"): str(value) for name, value in attributes.items()}
    made = Element(tag, names)
    for part in content:
        if isinstance(part, Element):
            made.append(part)
        elif part is not None and len(made):
            made[-1].tail = (made[-1].tail or "") + part
        elif part is not None:
            made.text = (made.text or "") + part
    return made


def table(header: Sequence[str], rows: Sequence[Sequence[Content]], caption: str) -> Element:
    """The first cell of each row names it; wider than the page, it can be scrolled."""
    head = element("tr", *(element("th", name, scope="col") for name in header))
    body = [
        element("tr", element("th", row[0], scope="row"), *(element("td", cell) for cell in row[1:])) for row in rows
    ]
    made = element("table", element("thead", head), element("tbody", *body))
    scroll = element("div", made, class_="scroll", tabindex=0, role="region", aria_label=caption)
    return element("div", scroll, element("p", caption, class_="definition"), class_="numbers")


def html(*parts: Element) -> str:
    return "\n".join(tostring(part, encoding="unicode", method="html") for part in parts)


def script_json(data: Any) -> str:
    """JSON that can stand in a script element: no text in it can end the element."""
    return json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
