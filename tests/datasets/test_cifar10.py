"""CIFAR-10 from original batches, written here byte for byte as Python 2 pickled them, and from image trees."""

from __future__ import annotations

import hashlib
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torchvision.datasets import CIFAR10

from hashzoo.datasets.base import DATASETS
from hashzoo.datasets.cifar10 import CLASSES, _title
from hashzoo.errors import DataError

Cifar10 = DATASETS.get("cifar10")

OFFICIAL = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
}


def _text(value: str) -> bytes:
    return b"U" + bytes([len(value)]) + value.encode()


def _list(items: list[bytes]) -> bytes:
    return b"](" + b"".join(items) + b"e"


def _batch(label: str, data: np.ndarray, labels: list[int]) -> bytes:
    """A batch as Python 2 and the NumPy of 2009 wrote it: byte strings, `numpy.core`, and 0 and 1 for booleans."""
    shape = b"".join(b"J" + struct.pack("<i", side) for side in data.shape)
    dtype = b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNN" + 2 * (b"J" + struct.pack("<i", -1)) + b"K\x00tb"
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01"
        + shape + b"\x86" + dtype + b"\x89T" + struct.pack("<i", data.nbytes) + data.tobytes() + b"tb"
    )  # fmt: skip
    fields = {
        "batch_label": _text(label),
        "labels": _list([b"K" + bytes([one]) for one in labels]),
        "data": array,
        "filenames": _list([_text(f"{i}.png") for i in range(len(labels))]),
    }
    return b"\x80\x02}(" + b"".join(_text(key) + value for key, value in fields.items()) + b"u."


def _meta(names: tuple[str, ...]) -> bytes:
    return b"\x80\x02}(" + _text("label_names") + _list([_text(name) for name in names]) + b"u."


@pytest.fixture
def batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root with six small batches, whose MD5s take the place of the official ones."""
    folder = tmp_path / "data" / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    md5 = {}
    for number, name in enumerate(OFFICIAL):
        size = 4 if name == "test_batch" else 10
        content = _batch(
            name, rng.integers(0, 256, (size, 3072), dtype=np.uint8), [(number + i) % 10 for i in range(size)]
        )
        (folder / name).write_bytes(content)
        md5[name] = hashlib.md5(content).hexdigest()
    (folder / "batches.meta").write_bytes(_meta(CLASSES))
    monkeypatch.setattr(CIFAR10, "train_list", [[name, md5[name]] for name in OFFICIAL if name != "test_batch"])
    monkeypatch.setattr(CIFAR10, "test_list", [["test_batch", md5["test_batch"]]])
    monkeypatch.setattr(CIFAR10, "meta", CIFAR10.meta | {"md5": hashlib.md5(_meta(CLASSES)).hexdigest()})
    return folder.parent


@pytest.fixture
def tree(tmp_path: Path, write_image) -> Path:
    """A root with a JPEG tree of three training images and one test image per class."""
    root = tmp_path / "data"
    for label, name in enumerate(CLASSES):
        for i in range(3):
            write_image(root / "cifar10" / "train" / name / f"{i:04}.jpg", 10 * label + i)
        write_image(root / "cifar10" / "test" / name / "0000.jpg", 1000 + label)
    return root


def test_official_checksums_are_in_force():
    assert dict(map(tuple, CIFAR10.train_list + CIFAR10.test_list)) == OFFICIAL


def test_batches(batches):
    loaded = Cifar10(batches).load()
    assert (len(loaded.train), len(loaded.query), len(loaded.database)) == (50, 4, 50)
    assert (loaded.title, loaded.classes, loaded.topk) == ("CIFAR-10", CLASSES, None)
    assert loaded.train.labels[:12].tolist() == [*range(10), 1, 2]
    assert loaded.query.labels.tolist() == [5, 6, 7, 8]
    raw = (batches / "cifar-10-batches-py" / "data_batch_1").read_bytes()
    plane = np.frombuffer(raw[raw.index(struct.pack("<i", 10 * 3072)) + 4 :][:3072], np.uint8).reshape(3, 32, 32)
    assert np.array_equal(loaded.train.take(slice(0, 1))[0], plane.transpose(1, 2, 0))
    assert loaded.images_sha256 == Cifar10(batches).load().images_sha256


def test_batches_read_twice_by_one_object(batches):
    dataset = Cifar10(batches)
    assert dataset.load().split_sha256 == dataset.load().split_sha256


def test_batches_resized(batches):
    loaded = Cifar10(batches, image_size=40).load()
    assert loaded.train.images.shape == (54, 40, 40, 3)
    first = Image.fromarray(Cifar10(batches).load().train.images[0])
    assert np.array_equal(loaded.train.images[0], np.asarray(first.resize((40, 40), Image.Resampling.BILINEAR)))


@pytest.mark.parametrize("name", ["data_batch_3", "test_batch", "batches.meta"])
def test_wrong_checksum(batches, name):
    with (batches / "cifar-10-batches-py" / name).open("ab") as file:
        file.write(b"\0")
    with pytest.raises(DataError, match=rf"{name} is damaged \(its MD5 is not the original's\); --download"):
        Cifar10(batches).load()


@pytest.mark.parametrize("name", ["data_batch_5", "batches.meta"])
def test_missing_batch(batches, name):
    (batches / "cifar-10-batches-py" / name).unlink()
    with pytest.raises(DataError, match=f"cifar-10-batches-py lacks {name}; --download fetches the original"):
        Cifar10(batches).load()


def test_original_is_preferred(batches, tree):
    assert batches == tree
    assert Cifar10(tree).load().title == "CIFAR-10"


def test_download_only_when_told(tmp_path, batches, monkeypatch):
    asked = []

    def fetch(self):
        asked.append(self.root)
        if not Path(self.root, self.base_folder).exists():
            shutil.copytree(batches / self.base_folder, Path(self.root, self.base_folder))

    monkeypatch.setattr(CIFAR10, "download", fetch)
    root = tmp_path / "new"
    with pytest.raises(DataError, match="found neither"):
        Cifar10(root).load()
    assert asked == []
    assert len(Cifar10(root, download=True).load().query) == 4
    assert len(asked) == 1
    assert len(Cifar10(root).load().query) == 4
    assert len(asked) == 1


def test_failed_download(tmp_path, monkeypatch):
    def fail(self):
        raise OSError("no route to host")

    monkeypatch.setattr(CIFAR10, "download", fail)
    with pytest.raises(DataError, match=r"download from https://www\.cs\.toronto\.edu/.* failed: no route to host"):
        Cifar10(tmp_path, download=True).load()


def test_missing_root_names_both_layouts(tmp_path):
    with pytest.raises(DataError) as error:
        Cifar10(tmp_path / "nowhere").load()
    assert str(error.value) == (
        "cifar10: expected cifar-10-batches-py/ or cifar10/{train,test}/<class>/*.{png,jpg,jpeg} in "
        f"{tmp_path / 'nowhere'}, found neither; --data-root names another folder, --download fetches the original"
    )


def test_root_defaults_to_the_environment(tree, monkeypatch, tmp_path):
    monkeypatch.setenv("HASHZOO_DATA", str(tree))
    assert len(Cifar10().load().query) == 10
    monkeypatch.delenv("HASHZOO_DATA")
    monkeypatch.chdir(tmp_path)
    assert len(Cifar10().load().query) == 10  # ./data


def test_tree(tree):
    loaded = Cifar10(tree).load()
    assert loaded.title == "CIFAR-10 (JPEG, 40 of 60,000 images)"
    assert loaded.classes == CLASSES
    assert loaded.train.labels.tolist() == np.repeat(np.arange(10), 3).tolist()
    assert loaded.query.labels.tolist() == list(range(10))
    assert loaded.train.rows.tolist() == loaded.database.rows.tolist() == list(range(30))
    with Image.open(tree / "cifar10" / "train" / "cat" / "0002.jpg") as image:
        assert np.array_equal(loaded.train.take(np.array([11]))[0], np.asarray(image))


def test_png_tree_holds_the_exact_pixels_of_the_batches(batches, tmp_path):
    original = Cifar10(batches).load()
    root = tmp_path / "png"
    for split, part in (("train", original.train), ("test", original.query)):
        for i, label in enumerate(part.labels):
            if label in (5, 6, 7, 8):
                path = root / "cifar10" / split / CLASSES[label] / f"{i:04}.PNG"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(part.take(slice(i, i + 1))[0]).save(path)
    copy = Cifar10(root).load()
    assert copy.title == "CIFAR-10 (24 of 60,000 images, 4 of 10 classes)"
    assert copy.classes == original.classes
    assert copy.query.labels.tolist() == original.query.labels.tolist()
    assert np.array_equal(copy.query.take(slice(None)), original.query.take(slice(None)))
    order = np.flatnonzero(np.isin(original.train.labels, (5, 6, 7, 8)))
    order = order[np.argsort(original.train.labels[order], kind="stable")]
    assert np.array_equal(copy.train.take(slice(None)), original.train.take(order))


@pytest.mark.parametrize(
    ("extension", "train", "test", "title"),
    [
        ("png", 5000, 1000, "CIFAR-10"),
        ("jpg", 5000, 1000, "CIFAR-10 (JPEG)"),
        ("JPEG", 5000, 999, "CIFAR-10 (JPEG, 59,990 of 60,000 images)"),
        ("png", 4000, 2000, "CIFAR-10 (60,000 images, not the official split)"),
        ("png", 6000, 1000, "CIFAR-10 (70,000 images, not the official split)"),
    ],
)
def test_title_says_what_is_there(extension, train, test, title):
    labels = np.concatenate([np.repeat(np.arange(10), train), np.repeat(np.arange(10), test)]).tolist()
    assert _title([f"{i}.{extension}" for i in range(len(labels))], labels, 10 * test) == title


def test_tree_of_other_sizes(tree, write_image):
    write_image(tree / "cifar10" / "train" / "cat" / "0001.jpg", 0, size=(48, 40))
    for size in (None, 64):
        with pytest.raises(DataError, match=r"cifar10: expected 32x32, got 40x48 \(1 image\) in .*cifar10"):
            Cifar10(tree, image_size=size).load()


def test_tree_resized(tree):
    assert Cifar10(tree, image_size=24).load().train.images.shape == (40, 24, 24, 3)


def test_tree_without_a_split(tree):
    shutil.rmtree(tree / "cifar10" / "test")
    with pytest.raises(DataError, match=r"expected folders train and test in .*cifar10, found no test"):
        Cifar10(tree).load()


def test_tree_with_a_foreign_class(tree, write_image):
    write_image(tree / "cifar10" / "test" / "plane" / "0.png", 0)
    with pytest.raises(DataError, match="holds plane; expected only the classes airplane, automobile, bird"):
        Cifar10(tree).load()


def test_tree_with_classes_of_one_split_only(tree):
    shutil.rmtree(tree / "cifar10" / "test" / "frog")
    with pytest.raises(DataError, match=r"train and test in .* must hold the same classes, not so: frog"):
        Cifar10(tree).load()


def test_tree_with_one_class(tmp_path, write_image):
    for split in ("train", "test"):
        write_image(tmp_path / "cifar10" / split / "ship" / "0.png", 0)
    with pytest.raises(DataError, match=r"expected at least two classes in .*, found only ship"):
        Cifar10(tmp_path).load()


def test_empty_class_folder(tree):
    for file in (tree / "cifar10" / "train" / "deer").iterdir():
        file.rename(file.with_suffix(".bmp"))  # a kind that a CIFAR-10 tree does not hold
    with pytest.raises(DataError, match=r"no image \(\.png \.jpg \.jpeg\) in 1 class folder of .*train: deer"):
        Cifar10(tree).load()


def test_corrupt_image_is_named(tree):
    (tree / "cifar10" / "test" / "dog" / "0000.jpg").write_bytes(b"not an image")
    with pytest.raises(
        DataError, match=r"1 image in .*cifar10 cannot be decoded: test/dog/0000\.jpg \(not an image\)$"
    ):
        Cifar10(tree).load()


def test_the_test_images_among_themselves(tree):
    own, others = (Cifar10(tree, protocol=protocol).load() for protocol in ("dsh", "dsh-others"))
    assert own.split_sha256 == others.split_sha256
    np.testing.assert_array_equal(own.query.rows, own.database.rows)
    assert (len(own.train), len(own.query)) == (30, 10)
    assert own.exclude is None
    np.testing.assert_array_equal(others.database.rows[others.exclude], others.query.rows)


@pytest.mark.parametrize("protocol", ["59k", "54k", "50k"])
def test_too_few_images_for_a_protocol(tree, protocol):
    with pytest.raises(DataError, match=f"cifar10@{protocol}: expected at least 1?,?[0-9]+ images of each class"):
        Cifar10(tree, protocol=protocol).load()


def test_list_files_replace_the_protocol_s_division(tree, tmp_path):
    lists = tmp_path / "lists"
    lists.mkdir()
    for part, split in (("train", "train"), ("query", "test"), ("database", "train")):
        (lists / f"{part}.txt").write_text("".join(f"{split}/{name}/0000.jpg 0\n" for name in CLASSES))
    data = Cifar10(tree, split_files=lists).load()
    assert (len(data.train), len(data.query), len(data.database)) == (10, 10, 10)
    assert data.split == {"rule": "read from list files", "seed": None}
    assert data.split_sha256 != Cifar10(tree).load().split_sha256
