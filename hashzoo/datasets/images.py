"""Image files to one uint8 array: found by folder, decoded once by a few threads, cached under a key of their content.

The cache is `$HASHZOO_CACHE`, else `$XDG_CACHE_HOME/hashzoo`, else `~/.cache/hashzoo`; deleting it is always safe.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
import warnings
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from hashzoo.errors import DataError

if TYPE_CHECKING:
    from PIL import Image

T = TypeVar("T")
Size = tuple[int, int]  # height, width

EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".pgm", ".ppm", ".tif", ".tiff", ".webp")

_FORMAT = "hashzoo images 1"  # part of every key: raise the number when the same files would give other pixels
_BLOCK_FILES = 256
_BLOCK_BYTES = 16 << 20
_PROGRESS_FROM = 2000  # images; fewer are decoded before a bar would be read
_NAMED = 5


def data_root(root: Path | None) -> Path:
    """`root`, or where data lies when nobody said: `$HASHZOO_DATA`, else `data` in the working folder."""
    return Path(os.environ.get("HASHZOO_DATA") or "data") if root is None else Path(root)


def cache_folder() -> Path:
    """Where decoded images are kept; it need not exist yet."""
    if own := os.environ.get("HASHZOO_CACHE"):
        return Path(own)
    shared = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(shared, "hashzoo")


def subfolders(folder: Path) -> list[str]:
    """Names of the folders in `folder`, sorted, without hidden ones; links are followed.

    Raises:
        DataError: `folder` cannot be listed.
    """
    try:
        return sorted(entry.name for entry in os.scandir(folder) if entry.is_dir() and not entry.name.startswith("."))
    except OSError as reason:
        raise _unlisted(reason) from reason


def find_classes(split: Path, *, owner: str, extensions: Sequence[str] = EXTENSIONS) -> dict[str, list[str]]:
    """Each class folder of `split` with its images, as paths relative to `split`, both sorted.

    Images may lie at any depth below their class folder. Hidden files and files of other kinds are passed over.

    Args:
        owner: the dataset that asks, for messages.

    Raises:
        DataError: there is no class folder, or one without an image, or one that cannot be listed.
    """
    found = {name: _walk(split, name, extensions) for name in subfolders(split)}
    if not found:
        raise DataError(f"{owner}: expected class folders in {split}, found none")
    if empty := [name for name, images in found.items() if not images]:
        kinds = " ".join(extensions)
        raise DataError(f"{owner}: no image ({kinds}) in {count(len(empty), 'class folder')} of {split}: {some(empty)}")
    return found


def load_images(
    root: Path, names: Sequence[str], *, owner: str, image_size: int | None = None, source_size: Size | None = None
) -> np.ndarray:
    """Read the files `names`, paths relative to `root`, as RGB, turned as their EXIF orientation says.

    Grey, palette and CMYK images are converted, transparency is dropped, 16-bit grey is scaled to 8 bits.

    Args:
        owner: the dataset that asks, for messages.
        image_size: side in pixels to which each image is resized (bilinear, antialiased); None keeps the sizes.
        source_size: the size that each file must have before it is resized; None takes any.

    Returns:
        (N, H, W, 3) uint8, read-only; from the cache if the same content was read before, and then memory-mapped.

    Raises:
        DataError: a file cannot be read or decoded, or sizes differ and no `image_size` was given.
    """
    key = _content_key(root, names, f"{image_size} {source_size}", owner)
    path = cache_folder() / f"images-{key}.npy"
    cached = _open(path, (len(names), image_size, image_size))
    if cached is not None:
        return cached
    expected = source_size if image_size or source_size else _first_size(root, names)
    height, width = (image_size, image_size) if image_size else expected or (1, 1)
    hint = "" if source_size else "images differ in size and need --image-size: "

    def blocks() -> Iterator[np.ndarray]:
        return _decode_all(root, names, (height, width), expected, image_size, owner, hint)

    return _through_cache(path, (len(names), height, width, 3), blocks)


def resize_images(images: np.ndarray, image_size: int) -> np.ndarray:
    """(N, H, W, 3) uint8 -> (N, image_size, image_size, 3) uint8, bilinear with antialias; cached like files are."""
    digest = hashlib.sha256(f"{_FORMAT} resized {images.shape} {image_size}".encode())
    digest.update(np.ascontiguousarray(images).data)
    path = cache_folder() / f"images-{digest.hexdigest()}.npy"
    shape = (len(images), image_size, image_size, 3)
    cached = _open(path, shape[:3])
    if cached is not None:
        return cached

    def resize(rows: range) -> np.ndarray:
        from PIL import Image

        return np.stack([_to_size(Image.fromarray(images[row]), image_size) for row in rows])

    def blocks() -> Iterator[np.ndarray]:
        return _in_threads(resize, _ranges(len(images), shape[1:3]))

    return _through_cache(path, shape, blocks)


def some(names: Collection[str]) -> str:
    """The first five names, and how many more there are."""
    listed = ", ".join(list(names)[:_NAMED])
    return f"{listed} and {len(names) - _NAMED} more" if len(names) > _NAMED else listed


def count(number: int, noun: str) -> str:
    """`count(2, "image")` is "2 images"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


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


def _content_key(root: Path, names: Sequence[str], variant: str, owner: str) -> str:
    unreadable: list[str] = []

    def digests(rows: range) -> bytes:
        found = b""
        for row in rows:
            name = os.fsencode(names[row])
            try:
                with open(f"{root}/{names[row]}", "rb", buffering=0) as file:
                    content = hashlib.sha256(file.read()).digest()
            except OSError as reason:
                unreadable.append(f"{names[row]} ({reason.strerror})")
                continue
            found += len(name).to_bytes(4, "little") + name + content  # with the length, no two lists look alike
        return found

    digest = hashlib.sha256(f"{_FORMAT} files {len(names)} {variant}".encode())
    for block in _in_threads(digests, _ranges(len(names))):
        digest.update(block)
    if unreadable:
        raise DataError(
            f"{owner}: {count(len(unreadable), 'image')} in {root} cannot be read: {some(sorted(unreadable))}"
        )
    return digest.hexdigest()


def _decode(path: str) -> Image.Image:
    """An RGB image, upright."""
    from PIL import Image, ImageOps

    image: Image.Image = Image.open(path)
    with image:
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
    for name in names:
        try:
            image = _decode(f"{root}/{name}")
        except Exception:  # reported by name when all are decoded
            continue
        return image.height, image.width
    return None


def _decode_all(
    root: Path, names: Sequence[str], size: Size, expected: Size | None, image_size: int | None, owner: str, hint: str
) -> Iterator[np.ndarray]:
    """Blocks of (B, *size, 3) uint8; complains at the end, so that all bad files are counted."""
    broken: list[str] = []
    sizes: list[Size] = []

    def decode(rows: range) -> np.ndarray:
        block = np.empty((len(rows), *size, 3), np.uint8)
        for i, row in enumerate(rows):
            try:
                image = _decode(f"{root}/{names[row]}")
            except Exception as reason:  # decoders raise nearly any type on a damaged file
                broken.append(f"{names[row]} ({_why(reason)})")
                continue
            found = (image.height, image.width)
            if expected not in (None, found):
                sizes.append(found)
                continue
            block[i] = _to_size(image, image_size) if image_size else np.asarray(image)
        return block

    for block in _in_threads(decode, _with_progress(_ranges(len(names), size), len(names))):
        if not broken and not sizes:
            yield block
    if broken:
        raise DataError(f"{owner}: {count(len(broken), 'image')} in {root} cannot be decoded: {some(sorted(broken))}")
    if sizes and expected:
        other = some([f"{width}x{height} ({count(n, 'image')})" for (height, width), n in Counter(sizes).most_common()])
        ours = f"{expected[1]}x{expected[0]}"
        raise DataError(f"{owner}: {hint}expected {ours}, got {other} in {root}")


def _why(reason: Exception) -> str:
    from PIL import UnidentifiedImageError

    if isinstance(reason, UnidentifiedImageError):
        return "not an image"  # Pillow's text repeats the whole path
    return (str(reason).splitlines() or [type(reason).__name__])[0]


def _ranges(total: int, size: Size = (1, 1)) -> list[range]:
    step = max(1, min(_BLOCK_FILES, _BLOCK_BYTES // (3 * size[0] * size[1])))
    return [range(start, min(start + step, total)) for start in range(0, total, step)]


def _in_threads(work: Callable[[range], T], blocks: Iterable[range]) -> Iterator[T]:
    """`work` of each block, in order, with few blocks in flight so that memory stays bounded."""
    threads = min(32, os.cpu_count() or 1)
    pending: deque[Future[T]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for block in blocks:
            pending.append(pool.submit(work, block))
            if len(pending) > 2 * threads:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def _with_progress(blocks: Sequence[range], total: int) -> Iterable[range]:
    if total <= _PROGRESS_FROM or not sys.stderr.isatty():
        return blocks
    from rich.console import Console
    from rich.progress import track

    return track(blocks, description=f"decoding {total:,} images", console=Console(stderr=True), transient=True)


def _open(path: Path, shape: tuple[int | None, ...]) -> np.ndarray | None:
    """The cached array if it is whole; `shape` is (N, H, W), None where any size will do."""
    try:
        array: Any = np.load(path, mmap_mode="r", allow_pickle=False)
        whole = path.stat().st_size == array.offset + array.nbytes
    except (OSError, ValueError, EOFError, AttributeError):
        return None
    fits = array.ndim == 4 and array.shape[3] == 3 and array.dtype == np.uint8 and array.flags.c_contiguous
    if not (whole and fits and all(want in (None, got) for want, got in zip(shape, array.shape, strict=False))):
        return None
    plain: np.ndarray = array.view(np.ndarray)
    return plain


def _through_cache(
    path: Path, shape: tuple[int, int, int, int], blocks: Callable[[], Iterator[np.ndarray]]
) -> np.ndarray:
    try:
        _store(path, shape, blocks())
        stored = _open(path, shape[:3])
        if stored is None:
            raise OSError(f"{path.name} does not read back")
        return stored
    except OSError as reason:
        _warn_once(
            f"the image cache {path.parent} cannot be written ({reason.strerror or reason}), so images are decoded at "
            "every start; HASHZOO_CACHE names another folder"
        )
    images = np.empty(shape, np.uint8)
    start = 0
    for block in blocks():
        images[start : start + len(block)] = block
        start += len(block)
    images.setflags(write=False)
    return images


def _store(path: Path, shape: tuple[int, int, int, int], blocks: Iterator[np.ndarray]) -> None:
    """Write a .npy under another name first: nobody ever sees half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f"{path.stem[:20]}-", suffix=".tmp")
    try:
        with os.fdopen(descriptor, "wb") as file:
            np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
            for block in blocks:
                file.write(block.data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


@cache
def _warn_once(message: str) -> None:
    warnings.warn(message, stacklevel=3)
