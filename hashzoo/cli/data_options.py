"""Flags about how images are read, for every command that reads some."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from hashzoo.cli.types import memory_size


def add_reading_options(parser: Any) -> None:
    """`--data-root`, `--image-root`, `--empty-labels` and `--memory`, to a parser or a group of one."""
    parser.add_argument(
        "--data-root", type=Path, metavar="DIR", help="where data lies (default: $HASHZOO_DATA, else data)"
    )
    parser.add_argument(
        "--image-root", type=Path, metavar="DIR", help="where the paths of a list start (default: the data root)"
    )
    parser.add_argument(
        "--empty-labels",
        choices=("keep", "drop", "refuse"),
        help="what to do with images that show none of several labels (default: the dataset's; lists refuse)",
    )
    parser.add_argument(
        "--memory", type=memory_size, metavar="SIZE", help="for reading images, such as 4GB (default: half of all)"
    )


def reading_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """What those flags said, as arguments of a dataset but for its root."""
    return {name: getattr(arguments, name) for name in ("image_root", "empty_labels", "memory")}
