"""What the retrieval explorer of the page shows: small images of some queries and of their nearest rows."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hashzoo.datasets.base import DATASETS, LoadedDataset, Split
from hashzoo.errors import DataError
from hashzoo.reports.grouping import Record
from hashzoo.reports.shown import PLACES, ShownRows, every

_SIDE = 48  # pixels of an image at most
_LOSSLESS = 16  # pixels: what is no larger is smaller as PNG, and the artefacts of JPEG would be seen
_QUALITY = 80


@dataclass(frozen=True)
class ImageSource:
    """Where the images of records are looked for."""

    root: Path
    split_files: Path | None = None
    options: Mapping[str, Any] = field(default_factory=dict)  # further arguments of a dataset

    def load(self, record: Record) -> LoadedDataset:
        """The data of a record.

        Raises:
            HashzooError: it is not there, or there is other data.
        """
        split_seed = (record.get("split") or {}).get("seed") or 0
        dataset = DATASETS.get(record["dataset"])(
            self.root,
            protocol=record["protocol"],
            image_size=record.get("image_size"),
            split_seed=split_seed,
            split_files=self.split_files,
            **self.options,
        )
        data = dataset.load()
        for key in ("images_sha256", "split_sha256"):
            if getattr(data, key) != record[key]:
                raise DataError(f"{record['dataset']}: the data there is not that of the records, {key} differs")
        return data


def explorer_data(rows: ShownRows, data: LoadedDataset) -> dict[str, Any] | None:
    """For page.js; None where no run has answers. Images that several methods or lengths found are there once."""
    some = next((shown.codes.answers for shown in every(rows) if shown.codes and shown.codes.answers), None)
    if some is None:
        return None
    images = _Images()
    queries = [
        {"image": images.add(data.query, int(position), data.classes), "position": int(position)}
        for position in some.queries
    ]
    methods = []
    for label, row in rows.items():
        lengths = []
        for bits, shown in row.items():
            if shown.codes and (answers := shown.codes.answers):
                found = [
                    [
                        [images.add(data.database, int(place), data.classes), int(distance), int(relevant)]
                        for place, distance, relevant in zip(*of_query, strict=True)
                    ]
                    for of_query in zip(answers.rows, answers.distances, answers.relevant, strict=True)
                ]
                lengths.append({"bits": bits, "seed": shown.record["seed"], "answers": found})
        if lengths:
            methods.append({"label": label, "lengths": lengths})
    return {"places": PLACES, "queries": queries, "methods": methods, "images": images.uris, "labels": images.labels}


class _Images:
    """Thumbnails by number, each row of the pool once."""

    def __init__(self) -> None:
        self.uris: list[str] = []
        self.labels: list[str] = []
        self._numbers: dict[int, int] = {}

    def add(self, split: Split, position: int, classes: tuple[str, ...]) -> int:
        row = int(split.rows[position])
        if row not in self._numbers:
            self._numbers[row] = len(self.uris)
            self.uris.append(thumbnail(split.images[row]))
            self.labels.append(_in_words(split.labels[position], classes))
        return self._numbers[row]


def thumbnail(pixels: np.ndarray) -> str:
    """(H, W, 3) uint8 -> a data URI of at most 48x48 pixels."""
    from PIL import Image

    image = Image.fromarray(np.asarray(pixels))
    image.thumbnail((_SIDE, _SIDE))
    buffer = io.BytesIO()
    kind = "png" if max(image.size) <= _LOSSLESS else "jpeg"
    image.save(buffer, kind, optimize=True, **({"quality": _QUALITY} if kind == "jpeg" else {}))
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _in_words(label: np.ndarray, classes: tuple[str, ...]) -> str:
    if label.ndim == 0:
        return classes[int(label)]
    return ", ".join(classes[i] for i in np.flatnonzero(label)) or "no label"
