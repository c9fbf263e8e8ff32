"""Image files to one uint8 array: found by folder, decoded once by a few threads, cached under a key of their content.

A picture is decoded at its full size and then resized: the shortcut of JPEG, to decode at a fraction of the size, would
give other pixels.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hashzoo.datasets.file_index import FileContents, file_contents, place
from hashzoo.datasets.pixel_cache import cache_folder, open_pixels, pixel_file, write_pixels
from hashzoo.datasets.wording import count as count
from hashzoo.datasets.wording import some as some
from hashzoo.datasets.workers import Grant, in_order, workers
from hashzoo.errors import DataError
from hashzoo.memory import default_budget

if TYPE_CHECKING:
    from PIL import Image

Size = tuple[int, int]  # height, width

EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".pgm", ".ppm", ".tif", ".tiff", ".webp")

_FORMAT = "hashzoo images 2"  # part of every key: raise the number when the same files would give other pixels
_BLOCK_FILES = 256
_BLOCK_BYTES = 16 << 20
_PROGRESS_FROM = 2000  # images; fewer are decoded before a bar would be read
_DECODER_BYTES = 8  # for each pixel of a picture: four of Pillow's, and as many again while it is converted


def data_root(root: Path | None) -> Path:
    """`root`, or where data lies when nobody said: `$HASHZOO_DATA`, else `data` in the working folder."""
    return Path(os.environ.get("HASHZOO_DATA") or "data") if root is None else Path(root)


def subfolders(folder: Path) -> list[str]:
    """Names of the folders in `folder`, sorted, without hidden ones; links are followed.

    Raises:
        DataError: `folder` cannot be listed.
    """
    try:
        return sorted(entry.name for entry in os.scandir(folder) if entry.is_dir() and not entry.name.startswith("."))
    except OSError as reason:
        raise _unlisted(reason) from reason


def find_classes(
    split: Path, *, owner: str, extensions: Sequence[str] = EXTENSIONS, only: Collection[str] | None = None
) -> dict[str, list[str]]:
    """Each class folder of `split` with its images, as paths relative to `split`, both sorted.

    Images may lie at any depth below their class folder. Hidden files and files of other kinds are passed over.

    Args:
        owner: the dataset that asks, for messages.
        only: class folders that count; None takes all.

    Raises:
        DataError: there is no class folder, or one without an image, or one that cannot be listed.
    """
    found = {name: _walk(split, name, extensions) for name in subfolders(split) if only is None or name in only}
    if not found:
        raise DataError(f"{owner}: expected class folders in {split}, found none")
    if empty := [name for name, images in found.items() if not images]:
        kinds = " ".join(extensions)
        raise DataError(f"{owner}: no image ({kinds}) in {count(len(empty), 'class folder')} of {split}: {some(empty)}")
    return found


def load_images(
    root: Path,
    names: Sequence[str],
    *,
    owner: str,
    image_size: int | None = None,
    source_size: Size | None = None,
    memory: int | None = None,
    contents: FileContents | None = None,
) -> np.ndarray:
    """Read the files `names`, paths relative to `root`, as RGB, turned as their EXIF orientation says.

    Grey, palette and CMYK images are converted, transparency is dropped, 16-bit grey is scaled to 8 bits.

    Args:
        owner: the dataset that asks, for messages.
        image_size: side in pixels to which each image is resized (bilinear, antialiased); None keeps the sizes.
        source_size: the size that each file must have before it is resized; None takes any.
        memory: bytes that decoding may take; by default half of the machine's.
        contents: what `file_contents` gave for these files, if it was asked already.

    Returns:
        (N, H, W, 3) uint8, read-only; from the cache if the same content was read before, and then memory-mapped.

    Raises:
        DataError: a file is missing, cannot be read or decoded, sizes differ and no `image_size` was given, or there is
            no room for the result.
    """
    if contents is None:
        contents = file_contents(root, names, owner=owner, cache=cache_folder())
    file = pixel_file(_content_key(names, contents.digests, f"{image_size} {source_size}"))
    cached = open_pixels(file, (len(names), image_size, image_size))
    if cached is not None:
        return cached
    memory = default_budget() if memory is None else memory
    expected = source_size if image_size or source_size else _first_size(root, names)
    height, width = (image_size, image_size) if image_size else expected or (1, 1)
    hint = "" if source_size else "images differ in size and need --image-size: "
    decoding = _Decoding(root, names, (height, width), expected, image_size, owner, memory, hint)
    return write_pixels(file, (len(names), height, width, 3), decoding.blocks, owner=owner, memory=memory)


def check_images(root: Path, names: Sequence[str], *, owner: str, memory: int) -> None:
    """Decode all and keep nothing.

    Raises:
        DataError: some do not decode; names the first five and counts all.
    """
    for _ in _Decoding(root, names, (1, 1), None, 1, owner, memory, "").blocks():
        pass


def resize_images(
    images: np.ndarray, image_size: int, *, owner: str = "images", memory: int | None = None
) -> np.ndarray:
    """(N, H, W, 3) uint8 -> (N, image_size, image_size, 3) uint8, bilinear with antialias; cached like files are."""
    digest = hashlib.sha256(f"{_FORMAT} resized {images.shape} {image_size}".encode())
    digest.update(np.ascontiguousarray(images).data)
    file = pixel_file(digest.hexdigest())
    shape = (len(images), image_size, image_size, 3)
    cached = open_pixels(file, shape[:3])
    if cached is not None:
        return cached
    memory = default_budget() if memory is None else memory

    def resize(rows: range) -> np.ndarray:
        from PIL import Image

        return np.stack([_to_size(Image.fromarray(images[row]), image_size) for row in rows])

    def blocks() -> Iterator[np.ndarray]:
        ranges, ahead = _schedule(len(images), shape[1:3], memory)
        return in_order(resize, ranges, ahead=ahead)

    return write_pixels(file, shape, blocks, owner=owner, memory=memory)


def _unlisted(reason: OSError) -> DataError:
    return DataError(f"the folder {reason.filename} cannot be listed ({reason.strerror})")


def _walk(split: Path, name: str, extensions: Sequence[str]) -> list[str]:
    def stop(reason: OSError) -> None:
        raise _unlisted(reason) from reason

    found, seen = [], set()
    for folder, inner, files in os.walk(split / name, onerror=stop, followlinks=True):
        place = os.path.realpath(folder)
        if place in seen:  # a link that leads back up
            inner.clear()
            continue
        seen.add(place)
        inner[:] = [entry for entry in inner if not entry.startswith(".")]
        below = os.path.relpath(folder, split).replace(os.sep, "/")
        found += [f"{below}/{f}" for f in files if not f.startswith(".") and f.lower().endswith(tuple(extensions))]
    return sorted(found)


def _content_key(names: Sequence[str], digests: np.ndarray, variant: str) -> str:
    digest = hashlib.sha256(f"{_FORMAT} files {len(names)} {variant}".encode())
    digest.update(os.fsencode("\0".join(names)))  # no name can hold that byte, so no two lists look alike
    digest.update(digests.data)
    return digest.hexdigest()


def _decode(image: Image.Image) -> Image.Image:
    """An opened file to an RGB image, upright."""
    from PIL import Image, ImageOps

    image.load()
    ImageOps.exif_transpose(image, in_place=True)
    if image.mode == "RGB":
        return image
    if image.mode == "I" or image.mode.startswith("I;16"):
        return Image.fromarray(_narrow(np.asarray(image))).convert("RGB")
    if image.mode == "F":
        raise ValueError("floating-point pixels have no known range")
    if "transparency" in image.info:  # straight to RGB, Pillow warns about such a palette
        return image.convert("RGBA").convert("RGB")
    return image.convert("RGB")


def _narrow(grey: np.ndarray) -> np.ndarray:
    """(H, W) of 0..65535 -> uint8, rounded to nearest."""
    wide = grey.astype(np.int64)
    if wide.size and not 0 <= wide.min() <= wide.max() <= 65535:
        raise ValueError("grey values outside 0..65535")
    return ((wide + 128) // 257).astype(np.uint8)


def _to_size(image: Image.Image, side: int) -> np.ndarray:
    from PIL import Image

    return np.asarray(image.resize((side, side), Image.Resampling.BILINEAR))


def _first_size(root: Path, names: Sequence[str]) -> Size | None:
    from PIL import Image

    for name in names:
        try:
            with Image.open(place(root, name)) as opened:
                image = _decode(opened)
                return image.height, image.width
        except Exception:  # reported by name when all are decoded
            continue
    return None


class _Decoding:
    """Files to blocks of (B, *size, 3) uint8; half of `memory` for those under way, half for pictures at full size."""

    def __init__(
        self,
        root: Path,
        names: Sequence[str],
        size: Size,
        expected: Size | None,
        image_size: int | None,
        owner: str,
        memory: int,
        hint: str,
    ) -> None:
        self.root, self.names, self.owner, self.hint = root, names, owner, hint
        self.size, self.expected, self.image_size = size, expected, image_size
        self.ranges, self.ahead = _schedule(len(names), size, memory // 2)
        self.grant = Grant(memory // 2)

    def blocks(self) -> Iterator[np.ndarray]:
        """All of them, in order; complains at the end, so that all bad files are counted."""
        self.broken: list[str] = []
        self.sizes: list[Size] = []
        for block in in_order(self._block, _with_progress(self.ranges, len(self.names)), ahead=self.ahead):
            if not self.broken and not self.sizes:
                yield block
        self._complain()

    def _block(self, rows: range) -> np.ndarray:
        block = np.empty((len(rows), *self.size, 3), np.uint8)
        for i, row in enumerate(rows):
            try:
                self._fill(block[i], place(self.root, self.names[row]))
            except MemoryError:
                self.broken.append(f"{self.names[row]} (too large for the memory granted; --memory grants more)")
            except Exception as reason:  # decoders raise nearly any type on a damaged file
                self.broken.append(f"{self.names[row]} ({_why(reason)})")
        return block

    def _fill(self, pixels: np.ndarray, path: str) -> None:
        from PIL import Image

        with Image.open(path) as opened, self.grant.hold(_DECODER_BYTES * opened.width * opened.height):
            image = _decode(opened)
            if self.expected not in (None, found := (image.height, image.width)):
                self.sizes.append(found)
            else:
                pixels[:] = _to_size(image, self.image_size) if self.image_size else np.asarray(image)

    def _complain(self) -> None:
        if self.broken:
            listed = some(sorted(self.broken))
            number = count(len(self.broken), "image")
            raise DataError(f"{self.owner}: {number} in {self.root} cannot be decoded: {listed}")
        if self.sizes and self.expected:
            kinds = Counter(self.sizes).most_common()
            other = some([f"{width}x{height} ({count(n, 'image')})" for (height, width), n in kinds])
            ours = f"{self.expected[1]}x{self.expected[0]}"
            raise DataError(f"{self.owner}: {self.hint}expected {ours}, got {other} in {self.root}")


def _why(reason: Exception) -> str:
    from PIL import UnidentifiedImageError

    if isinstance(reason, UnidentifiedImageError):
        return "not an image"  # Pillow's text repeats the whole path
    return (str(reason).splitlines() or [type(reason).__name__])[0]


def _schedule(total: int, size: Size, memory: int) -> tuple[list[range], int]:
    """Blocks of rows, and how many of them may be under way, so that together they take no more than `memory` bytes."""
    image = 3 * size[0] * size[1]
    ahead = max(1, min(2 * workers(), memory // image))
    step = max(1, min(_BLOCK_FILES, _BLOCK_BYTES // image, memory // ahead // image))
    return [range(start, min(start + step, total)) for start in range(0, total, step)], ahead


def _with_progress(blocks: Sequence[range], total: int) -> Iterable[range]:
    if total <= _PROGRESS_FROM or not sys.stderr.isatty():
        return blocks
    from rich.console import Console
    from rich.progress import track

    return track(blocks, description=f"decoding {total:,} images", console=Console(stderr=True), transient=True)
