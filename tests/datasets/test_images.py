"""Decoding of unusual files, and a cache that is right, whole and never in the way."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from hashzoo.datasets import images, pixel_cache
from hashzoo.datasets.images import load_images, resize_images
from hashzoo.datasets.pixel_cache import cache_folder, remembered_digest
from hashzoo.errors import DataError

NAMES = ["a/0.png", "a/1.png", "b/0.png"]


@pytest.fixture
def root(tmp_path: Path, write_image) -> Path:
    for seed, name in enumerate(NAMES):
        write_image(tmp_path / "tree" / name, seed, size=(6, 5))
    return tmp_path / "tree"


def load(root: Path, names: list[str] = NAMES, **options: int) -> np.ndarray:
    return load_images(root, names, owner="test", **options)


def one(tmp_path: Path, image: Image.Image, name: str = "x.png", **options: object) -> np.ndarray:
    image.save(tmp_path / name, **options)
    return load(tmp_path, [name])[0]


def test_first_from_files_then_from_cache(root, cache, decoded):
    first = load(root)
    assert first.shape == (3, 6, 5, 3)
    assert {Path(path).name for path in decoded} == {"0.png", "1.png"}
    decoded.clear()
    again = load(root)
    assert decoded == []
    assert np.array_equal(first, again)
    assert not again.flags.writeable
    assert isinstance(again.base, np.memmap)
    assert [path.suffix for path in cache.iterdir()] == [".npy"]


def test_cache_is_plain_numpy(root, cache):
    pixels = load(root)
    (file,) = cache.iterdir()
    assert np.array_equal(np.load(file, allow_pickle=False), pixels)


@pytest.mark.parametrize("damage", ["truncate", "extend", "empty", "garbage", "pickle", "shape", "dtype", "fortran"])
def test_damaged_cache_is_rebuilt(root, cache, decoded, damage):
    pixels = np.array(load(root))
    (file,) = cache.iterdir()
    content = file.read_bytes()
    match damage:
        case "truncate":
            file.write_bytes(content[:-1])
        case "extend":
            file.write_bytes(content + b"\0")
        case "empty":
            file.write_bytes(b"")
        case "garbage":
            file.write_bytes(b"x" * len(content))
        case "pickle":
            np.save(file, np.array([{}], object), allow_pickle=True)
        case "shape":
            np.save(file, pixels[:2])
        case "dtype":
            np.save(file, pixels.astype(np.int8))
        case "fortran":
            np.save(file, np.asfortranarray(pixels))
    decoded.clear()
    assert np.array_equal(load(root), pixels)
    assert decoded
    assert file.read_bytes() == content


@pytest.mark.parametrize("change", ["pixels", "name", "order", "size"])
def test_other_content_has_another_key(root, cache, decoded, write_image, change):
    before = load(root)
    decoded.clear()
    names, options = list(NAMES), {}
    match change:
        case "pixels":
            expected = np.stack([*before[:2], write_image(root / "b/0.png", 99, size=(6, 5))])
        case "name":
            (root / "b/0.png").rename(root / "b/1.png")
            names[2], expected = "b/1.png", before
        case "order":
            names, expected = names[::-1], before[::-1]
        case "size":
            options["image_size"] = 6
            resized = [Image.fromarray(image).resize((6, 6), Image.Resampling.BILINEAR) for image in before]
            expected = np.stack([np.asarray(image) for image in resized])
    assert np.array_equal(load(root, names, **options), expected)
    assert decoded
    assert len(list(cache.iterdir())) == 2


def test_same_content_elsewhere_shares_the_cache(root, cache, decoded):
    load(root)
    moved = root.rename(root.parent / "moved")
    os.utime(moved / "a/0.png", (0, 0))
    decoded.clear()
    load(moved)
    assert decoded == []


def test_unwritable_cache_warns_once_and_goes_on(root, tmp_path, monkeypatch, recwarn):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("HASHZOO_CACHE", str(tmp_path / "file"))
    with pytest.warns(UserWarning, match=r"the image cache .*file cannot be written \(.+\), .*HASHZOO_CACHE"):
        pixels = load(root)
    assert not pixels.flags.writeable
    assert np.array_equal(load(root), pixels)
    assert len(recwarn) == 0
    assert (tmp_path / "file").read_text() == "in the way"


def test_full_disk_leaves_nothing_behind(root, cache, monkeypatch):
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pixel_cache.os, "fsync", full)
    with pytest.warns(UserWarning, match="No space left on device"):
        assert load(root).shape == (3, 6, 5, 3)
    assert list(cache.iterdir()) == []


def test_failed_decoding_leaves_nothing_behind(root, cache):
    (root / "b/0.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"test: 1 image in .* cannot be decoded: b/0\.png"):
        load(root)
    assert list(cache.iterdir()) == []


def test_where_the_cache_is(monkeypatch):
    monkeypatch.setenv("HASHZOO_CACHE", "/one")
    monkeypatch.setenv("XDG_CACHE_HOME", "/two")
    monkeypatch.setenv("HOME", "/three")
    assert cache_folder() == Path("/one")
    monkeypatch.delenv("HASHZOO_CACHE")
    assert cache_folder() == Path("/two/hashzoo")
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert cache_folder() == Path("/three/.cache/hashzoo")


def test_many_blocks_keep_their_order(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "_BLOCK_FILES", 3)
    names = [f"{i:02}.png" for i in range(50)]
    for i, name in enumerate(names):
        Image.new("RGB", (2, 2), (i, 0, 0)).save(tmp_path / name)
    assert load(tmp_path, names)[:, 0, 0, 0].tolist() == list(range(50))
    assert load(tmp_path, names, image_size=1)[:, 0, 0, 0].tolist() == list(range(50))


def test_progress_only_on_a_terminal(monkeypatch, capsys):
    blocks = [range(4000)]
    assert images._with_progress(blocks, 4000) is blocks
    monkeypatch.setattr(images.sys.stderr, "isatty", lambda: True)
    assert images._with_progress(blocks, 2000) is blocks
    assert list(images._with_progress(blocks, 4000)) == blocks
    assert capsys.readouterr().out == ""


def test_resized_arrays_are_cached(cache):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), dtype=np.uint8)
    small = resize_images(pixels, 4)
    assert small.shape == (5, 4, 4, 3)
    assert np.array_equal(small[3], np.asarray(Image.fromarray(pixels[3]).resize((4, 4), Image.Resampling.BILINEAR)))
    assert np.array_equal(resize_images(pixels, 4), small)
    assert len(list(cache.iterdir())) == 1
    resize_images(pixels, 5)
    assert len(list(cache.iterdir())) == 2


def test_shrinking_averages(tmp_path):
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    Image.fromarray(stripes).save(tmp_path / "stripes.png")
    small = load(tmp_path, ["stripes.png"], image_size=8)
    assert np.abs(small.astype(int) - 127).max() <= 5  # without antialiasing they would be 0 or 255


@pytest.mark.parametrize(
    ("mode", "name", "expected"),
    [
        ("L", "x.png", [76, 76, 76]),
        ("LA", "x.png", [76, 76, 76]),
        ("P", "x.png", [255, 0, 0]),
        ("RGBA", "x.png", [255, 0, 0]),
        ("CMYK", "x.tif", [255, 0, 0]),
        ("YCbCr", "x.tif", [254, 0, 0]),
    ],
)
def test_other_modes_become_rgb(tmp_path, mode, name, expected):
    pixels = one(tmp_path, Image.new("RGB", (4, 3), (255, 0, 0)).convert(mode), name)
    assert pixels.shape == (3, 4, 3)
    assert pixels[1, 1].tolist() == expected


def test_one_bit_images(tmp_path):
    bits = np.array([[True, False, True]])
    assert one(tmp_path, Image.fromarray(bits))[0, :, 1].tolist() == [255, 0, 255]


def test_palette_with_transparency(tmp_path):
    image = Image.new("P", (4, 3), 1)
    image.putpalette([0, 0, 0, 10, 20, 30])
    assert one(tmp_path, image, transparency=b"\xff\x40")[0, 0].tolist() == [10, 20, 30]
    assert one(tmp_path, image, "y.gif", transparency=0)[0, 0].tolist() == [10, 20, 30]


def test_sixteen_bit_grey_is_scaled(tmp_path):
    values = np.array([[0, 128, 129, 257, 32768, 65407, 65535]], np.uint16)
    pixels = one(tmp_path, Image.fromarray(values))
    assert pixels[0, :, 0].tolist() == [0, 0, 1, 1, 128, 255, 255]
    assert one(tmp_path, Image.fromarray(values), "x.tif")[0, :, 2].tolist() == [0, 0, 1, 1, 128, 255, 255]


def test_pixels_without_a_known_range_are_refused(tmp_path):
    with pytest.raises(DataError, match="floating-point pixels have no known range"):
        one(tmp_path, Image.fromarray(np.ones((2, 2), np.float32)), "x.tif")
    with pytest.raises(DataError, match=r"grey values outside 0\.\.65535"):
        one(tmp_path, Image.fromarray(np.full((2, 2), -1, np.int32)), "y.tif")


def test_exif_orientation_is_applied(tmp_path):
    wide = np.zeros((3, 4, 3), np.uint8)
    wide[0, 0] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # turn right by 90 degrees to see it upright
    pixels = one(tmp_path, Image.fromarray(wide), exif=exif)
    assert pixels.shape == (4, 3, 3)
    assert pixels[0, 2].tolist() == [255, 255, 255]
    assert pixels.sum() == 3 * 255


@pytest.mark.parametrize("name", ["x.jpg", "x.png", "x.bmp", "x.webp", "x.gif", "x.tiff", "x.ppm"])
def test_formats(tmp_path, name):
    assert one(tmp_path, Image.new("RGB", (8, 8), (0, 0, 0)), name).tolist() == np.zeros((8, 8, 3)).tolist()


def test_unlistable_folder_is_one_clear_error(tmp_path, monkeypatch):
    def refuse(folder: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(folder))

    monkeypatch.setattr(images.os, "scandir", refuse)
    with pytest.raises(DataError, match=r"the folder .* cannot be listed \(Permission denied\)"):
        images.find_classes(tmp_path, owner="test")


def test_a_disk_without_room_is_asked_first(root, cache, decoded, monkeypatch):
    monkeypatch.setattr(pixel_cache.shutil, "disk_usage", lambda folder: SimpleNamespace(free=pixel_cache._SPARE + 269))
    with pytest.warns(UserWarning, match=r"cannot be written \(67.1 MB are free on its disk\)"):
        assert load(root).shape == (3, 6, 5, 3)
    with pytest.raises(DataError) as error:
        load_images(root, NAMES, owner="test", memory=100, image_size=8)
    assert str(error.value) == (
        f"test: 3 images of 8x8 take 576 bytes; the image cache {cache} cannot be written (67.1 MB are free on its "
        "disk) and memory may hold 100 bytes: HASHZOO_CACHE names another folder, --image-size a smaller size, "
        "--memory another amount"
    )
    assert list(cache.iterdir()) == []


def test_blocks_under_way_stay_within_the_memory_granted():
    for memory in (3 * 64 * 64, 10**6, 10**9):
        blocks, ahead = images._schedule(1000, (64, 64), memory)
        assert ahead * len(blocks[0]) * 3 * 64 * 64 <= memory
        assert [row for block in blocks for row in block] == list(range(1000))


def test_little_memory_gives_the_same_pixels(root, cache):
    assert np.array_equal(load(root, image_size=4), load_small(root, cache, memory=1000))


def load_small(root: Path, cache: Path, memory: int) -> np.ndarray:
    for file in cache.iterdir():
        file.unlink()
    return load_images(root, NAMES, owner="test", image_size=4, memory=memory)


def test_a_picture_that_memory_cannot_hold_is_named(tmp_path):
    Image.new("RGB", (200, 100)).save(tmp_path / "wide.png")
    with pytest.raises(DataError, match=r"cannot be decoded: wide\.png \(too large for the memory granted; --memory"):
        load_images(tmp_path, ["wide.png"], owner="test", image_size=4, memory=300_000)


def test_the_digest_of_pixels_is_remembered_beside_them(root, cache):
    pixels, calls = load(root), []

    def compute() -> str:
        calls.append(1)
        return f"digest {len(calls)}"

    assert [remembered_digest(pixels, "labels a", compute) for _ in range(2)] == ["digest 1"] * 2
    assert remembered_digest(load(root), "labels a", compute) == "digest 1"
    assert remembered_digest(pixels, "labels b", compute) == "digest 2"
    (beside,) = cache.glob("*.json")
    beside.write_text("{}")
    assert remembered_digest(pixels, "labels a", compute) == "digest 3"
    (file,) = cache.glob("*.npy")
    os.utime(file, (0, 0))
    assert remembered_digest(pixels, "labels a", compute) == "digest 4"
    for other in (pixels[1:], np.array(pixels)):
        before = len(calls)
        assert remembered_digest(other, "labels a", compute) == f"digest {before + 1}"
