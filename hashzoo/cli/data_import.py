"""`hashzoo data import`: a folder, lists or a table to a checked manifest."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from hashzoo.cli.data_options import add_reading_options, reading_options
from hashzoo.cli.types import Commands, add_command


def add_to(commands: Commands) -> None:
    parser = add_command(
        commands,
        "import",
        "check a folder, lists or a table of images and write a manifest of them",
        "hashzoo data import list --data-root my_images",
        import_data,
    )
    parser.add_argument("kind", metavar="KIND", help="folder, list or csv")
    add_reading_options(parser)
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="the manifest (default: manifest.jsonl in the data root)"
    )


def import_data(arguments: argparse.Namespace) -> None:
    from hashzoo.datasets.base import DATASETS
    from hashzoo.datasets.listed import ListedDataset
    from hashzoo.datasets.manifest import FILE, Manifest, write_manifest
    from hashzoo.datasets.wording import count
    from hashzoo.errors import InvalidInput

    cls = DATASETS.get(arguments.kind)
    if not issubclass(cls, ListedDataset) or cls is Manifest:
        raise InvalidInput(f"{arguments.kind} holds no list of your own images; expected csv, folder or list")
    root = arguments.data_root or Path(os.environ.get("HASHZOO_DATA") or "data")
    dataset = cls(root, **reading_options(arguments))
    joined = dataset.join()
    file = arguments.out or (root if root.is_dir() else root.parent) / FILE
    number = write_manifest(file, joined, source=arguments.kind, memory=arguments.memory)
    splits = ", ".join(f"{len(joined.rows[part]):,} {part}" for part in ("train", "query", "database"))
    print(f"{file}: {count(number, 'image')}, {len(joined.classes):,} classes, {splits}")
    for note in dataset.notes:
        print(f"  {note}")
