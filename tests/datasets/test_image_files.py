"""NUS-WIDE, MIRFlickr-25k, COCO, ImageNet-100 and VOC 2012 from small files in the format of the originals."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from hashzoo.datasets import mirflickr25k, nuswide, voc2012
from hashzoo.datasets.base import DATASETS, Protocol
from hashzoo.datasets.splits import AtRandom, QueriesFirst
from hashzoo.errors import DataError, InvalidInput

COCO = {18: "dog", 1: "person", 44: "bottle"}  # ids have gaps
WORDNET = [f"n{i:08}" for i in range(100)]


def lines(file: Path, *content: object, end: str = "\n") -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{line}{end}" for line in content), newline="")


def nus_wide(root: Path, shown: np.ndarray, image_list: str = "ImageList.txt") -> list[str]:
    """Lists for `shown`, (N, 21), as the original has them: Windows paths and line ends."""
    folder = root / "nuswide"
    names = [f"{'actor' if i % 2 else 'zebra'}/{i:04}_{2124494179 + i}.jpg" for i in range(len(shown))]
    lines(folder / "ImageList" / image_list, *(name.replace("/", "\\") for name in names), end="\r\n")
    for column, label in zip(shown.T, nuswide.LABELS, strict=True):
        lines(folder / "Groundtruth" / "AllLabels" / f"Labels_{label}.txt", *column)
    return names


def several(count: int, labels: int) -> np.ndarray:
    """(count, labels) of 0 and 1; row 3 is empty, every label is shown."""
    shown = (np.random.default_rng(0).random((count, labels)) < 0.2).astype(np.uint8)
    shown[np.arange(count), np.arange(count) % labels] = 1
    shown[3] = 0
    return shown


def instances(folder: Path, part: str, year: str, images: dict[int, list[int]]) -> None:
    name = "{:012}.jpg" if year == "2017" else f"COCO_{part}2014_{{:012}}.jpg"
    content = {
        "info": {},
        "licenses": [],
        "images": [{"id": i, "file_name": name.format(i), "height": 4, "width": 4} for i in images],
        "annotations": [
            {"id": 10 * i + n, "image_id": i, "category_id": category, "bbox": [0, 0, 1, 1], "iscrowd": 0}
            for i, shown in images.items()
            for n, category in enumerate(shown)
        ],
        "categories": [{"id": i, "name": name, "supercategory": "thing"} for i, name in COCO.items()],
    }
    lines(folder / "annotations" / f"instances_{part}{year}.json", json.dumps(content))


def voc(root: Path, shown: np.ndarray, folder: str = "VOCdevkit/VOC2012") -> list[str]:
    """Lists for `shown`, (N, 20) of -1, 0 and 1, aligned as the original's."""
    names = [f"2008_{i:06}" for i in range(len(shown))]
    for column, label in zip(shown.T, voc2012.LABELS, strict=True):
        file = root / folder / "ImageSets" / "Main" / f"{label}_trainval.txt"
        lines(file, *(f"{name} {value:2}" for name, value in zip(names, column, strict=True)))
    return names


def mir_flickr(root: Path, **numbers: list[int]) -> None:
    for label in mirflickr25k.WIDE + mirflickr25k.NARROW:
        file = root / "mirflickr25k" / "mirflickr25k_annotations_v080" / f"{label}.txt"
        lines(file, *numbers.get(label, [1]), end="\r\n")


def image_net(root: Path, classes: list[str], train: int = 2) -> None:
    for part, count in (("train", train), ("val", 1)):
        for name in classes:
            for i in range(count):
                lines(root / "imagenet100" / part / name / f"{name}_{i}.JPEG")


@pytest.mark.parametrize("image_list", ["ImageList.txt", "Imagelist.txt"])
def test_nus_wide_keeps_images_that_show_one_of_the_21(tmp_path, image_list):
    shown = several(30, 21)
    names = nus_wide(tmp_path, shown, image_list)
    pool = DATASETS.get("nuswide")(tmp_path).index()
    assert pool.names == tuple(name for i, name in enumerate(names) if i != 3)
    np.testing.assert_array_equal(pool.labels, np.delete(shown, 3, axis=0))
    assert pool.labels.dtype == np.uint8
    assert pool.classes == nuswide.LABELS


def test_nus_wide_from_lists_to_splits(tmp_path, write_image, monkeypatch):
    rule = QueriesFirst(AtRandom(4), AtRandom(10))
    monkeypatch.setattr(nuswide.NusWide, "protocols", {"21": Protocol("small", topk=5000, rule=rule)})
    shown = several(25, 21)
    for i, name in enumerate(nus_wide(tmp_path, shown)):
        write_image(tmp_path / "nuswide" / "Flickr" / name, i, size=(20 + i, 30))
    data = DATASETS.get("nuswide")(tmp_path, image_size=8).load()
    assert (len(data.train), len(data.query), len(data.database)) == (10, 4, 20)
    assert (data.topk, data.multi_label, data.title) == (5000, True, "NUS-WIDE (24 of 195,834 images)")
    assert data.query.take(slice(None)).shape == (4, 8, 8, 3)
    np.testing.assert_array_equal(data.query.labels, np.delete(shown, 3, axis=0)[data.query.rows])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([0, 1], "expected 30 lines in .*Labels_sky.txt, as many as images, got 2"),
        ([0] * 29 + [2], "expected lines of 0 or 1 in .*Labels_sky.txt, got 2"),
        ([], "Labels_sky.txt is empty"),
    ],
)
def test_nus_wide_with_labels_that_do_not_fit(tmp_path, content, message):
    nus_wide(tmp_path, several(30, 21))
    lines(tmp_path / "nuswide" / "Groundtruth" / "AllLabels" / "Labels_sky.txt", *content)
    with pytest.raises(DataError, match=message):
        DATASETS.get("nuswide")(tmp_path).index()


def test_half_an_archive_is_named_and_counted(tmp_path):
    nus_wide(tmp_path, several(30, 21))
    for label in nuswide.LABELS[:7]:
        (tmp_path / "nuswide" / "Groundtruth" / "AllLabels" / f"Labels_{label}.txt").unlink()
    with pytest.raises(DataError, match=r"lacks 7 files: .*Labels_animal\.txt, .* and 2 more; from https://lms"):
        DATASETS.get("nuswide")(tmp_path).index()


@pytest.mark.parametrize("name", ["coco", "imagenet100", "mirflickr25k", "nuswide", "voc2012"])
def test_a_wrong_root(tmp_path, name):
    with pytest.raises(DataError, match=rf"{name}: expected .* in {tmp_path}, found none \(--data-root\); from http"):
        DATASETS.get(name)(tmp_path).load()


def test_images_need_a_size(tmp_path):
    nus_wide(tmp_path, several(30, 21))
    with pytest.raises(InvalidInput, match="nuswide: images differ in size; --image-size N"):
        DATASETS.get("nuswide")(tmp_path).load()


def test_missing_and_empty_images_are_named_and_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(nuswide.NusWide, "total", 29)
    names = nus_wide(tmp_path, several(30, 21))
    for i, name in enumerate(names):
        if i % 3:
            lines(tmp_path / "nuswide" / "Flickr" / name, *(["x"] if i > 5 else []))
    dataset = DATASETS.get("nuswide")(tmp_path, image_size=8)
    with pytest.raises(DataError) as error:
        dataset.verify()
    assert "of 29 images in" in str(error.value)
    assert f"9 images missing: {names[0]}, {names[6]}" in str(error.value)
    assert f"and 4 more; 4 images empty: {names[1]}, " in str(error.value)
    with pytest.raises(DataError, match="9 images"):
        dataset.load()


def test_verify_knows_how_many_images_there_are(tmp_path):
    nus_wide(tmp_path, several(30, 21))
    with pytest.raises(DataError, match=r"expected annotations of 195,834 images in .*nuswide, got 29; from"):
        DATASETS.get("nuswide")(tmp_path).verify()


@pytest.mark.parametrize(("protocol", "labels"), [("24", 24), ("38", 38)])
def test_mir_flickr_with_24_and_38_labels(tmp_path, protocol, labels):
    mir_flickr(tmp_path, animals=[2, 25_000], dog_r1=[7])
    dataset = DATASETS.get("mirflickr25k")(tmp_path, protocol=protocol)
    pool = dataset.index()
    assert pool.labels.shape == (25_000, labels)
    assert pool.classes == dataset.classes == tuple(sorted(dataset.classes))
    assert np.flatnonzero(pool.labels[:, pool.classes.index("animals")]).tolist() == [1, 24_999]
    assert ("dog_r1" in pool.classes) == (labels == 38)
    assert (pool.names[0], pool.names[-1]) == ("im1.jpg", "im25000.jpg")
    rows = dataset.rows(pool)
    assert [len(rows[part]) for part in ("train", "query", "database")] == [4_000, 1_000, 20_000]


@pytest.mark.parametrize(("how", "images"), [(None, 25_000), ("keep", 25_000), ("drop", 3)])
def test_mir_flickr_without_labels(tmp_path, how, images):
    mir_flickr(tmp_path, animals=[2, 25_000])
    dataset = DATASETS.get("mirflickr25k")(tmp_path, empty_labels=how)
    assert len(dataset.index().labels) == images
    assert dataset.notes == [f"24,997 images without a label {'dropped' if how == 'drop' else 'kept'}"]
    assert dataset.title == "MIRFlickr-25k" + (" (3 of 25,000 images)" if how == "drop" else "")


def test_mir_flickr_refuses_what_it_is_told_to(tmp_path):
    mir_flickr(tmp_path)
    with pytest.raises(DataError, match=r"24,999 of 25,000 images without a label: im2\.jpg, .* and 24,994 more"):
        DATASETS.get("mirflickr25k")(tmp_path, empty_labels="refuse").index()


@pytest.mark.parametrize("number", [0, 25_001, "im3.jpg"])
def test_mir_flickr_with_another_number(tmp_path, number):
    mir_flickr(tmp_path, sky=[1, number])
    with pytest.raises(DataError, match=rf"expected numbers from 1 to 25,000 in .*sky\.txt, got {number}"):
        DATASETS.get("mirflickr25k")(tmp_path).index()


@pytest.mark.parametrize("year", ["2014", "2017"])
def test_coco_holds_images_that_show_something_by_id(tmp_path, year):
    parts = {9: [1, 18, 1], 30: [], 25: [44]}, {12: [18]}
    train, val = parts if year == "2017" else reversed(parts)
    instances(tmp_path / "coco", "train", year, train)
    instances(tmp_path / "coco", "val", year, val)
    pool = DATASETS.get("coco")(tmp_path).index()
    assert pool.classes == ("person", "dog", "bottle")
    assert pool.labels.tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 1]]
    assert [name.partition("/")[0] for name in pool.names] == (
        ["train2017", "val2017", "train2017"] if year == "2017" else ["val2014", "train2014", "val2014"]
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "instances_val2017.json is damaged or no file of instances"),
        ("[]", "instances_val2017.json is damaged"),
        ('{"images": [], "annotations": []}', "it lacks 'categories'"),
        (
            '{"categories": [{"id": 1, "name": "person"}], "images": [], '
            '"annotations": [{"image_id": 7, "category_id": 1}]}',
            "annotates what it does not list, 1 image id: 7",
        ),
        ('{"categories": [{"id": 1, "name": "person"}], "images": [], "annotations": []}', "other categories"),
    ],
)
def test_coco_that_is_damaged(tmp_path, text, message):
    instances(tmp_path / "coco", "train", "2017", {1: [1]})
    (tmp_path / "coco" / "annotations" / "instances_val2017.json").write_text(text)
    with pytest.raises(DataError, match=message):
        DATASETS.get("coco")(tmp_path).index()


def test_coco_without_one_part(tmp_path):
    instances(tmp_path / "coco", "train", "2014", {1: [1]})
    with pytest.raises(DataError, match=r"lacks 1 file: annotations/instances_val2014\.json; from https://cocodataset"):
        DATASETS.get("coco")(tmp_path).index()


def test_voc_counts_what_is_hard_to_see_as_absent(tmp_path):
    shown = -np.ones((4, 20), int)
    shown[0, [2, 5]], shown[1, 14], shown[2, 0] = 1, 1, 0
    names = voc(tmp_path, shown)
    dataset = DATASETS.get("voc2012")(tmp_path)
    pool = dataset.index()
    np.testing.assert_array_equal(pool.labels, shown == 1)
    assert pool.names == tuple(f"{name}.jpg" for name in names)
    assert dataset.notes == ["2 images without a label kept"]


def test_voc_with_other_images_in_one_list(tmp_path):
    voc(tmp_path, -np.ones((4, 20), int), "VOC2012")
    file = tmp_path / "VOC2012" / "ImageSets" / "Main" / "cat_trainval.txt"
    lines(file, "2008_000000 -1", "2008_000009  1")
    with pytest.raises(DataError, match=r"cat_trainval\.txt does not name the images of .*aeroplane.*: 2008_000001"):
        DATASETS.get("voc2012")(tmp_path).index()
    lines(file, "2008_000000 -1", "2008_000001", "2008_000002 2")
    with pytest.raises(DataError, match="got 2 others: 2008_000001, 2008_000002 2"):
        DATASETS.get("voc2012")(tmp_path).index()


def test_image_net_of_a_hundred_folders(tmp_path):
    image_net(tmp_path, WORDNET)
    pool = DATASETS.get("imagenet100")(tmp_path).index()
    assert (len(pool.labels), pool.tests, pool.classes) == (300, 100, tuple(WORDNET))
    assert pool.labels[:5].tolist() == [0, 0, 1, 1, 2]
    assert pool.names[200] == f"val/{WORDNET[0]}/{WORDNET[0]}_0.JPEG"


def test_image_net_of_chosen_folders(tmp_path):
    image_net(tmp_path, [*WORDNET, "n99999999"])
    with pytest.raises(DataError, match=r"expected 100 class folders, or classes\.txt to choose .*train, got 101"):
        DATASETS.get("imagenet100")(tmp_path).index()
    chosen = [*reversed(WORDNET[1:]), "n99999999"]
    lines(tmp_path / "imagenet100" / "classes.txt", *chosen)
    pool = DATASETS.get("imagenet100")(tmp_path).index()
    assert pool.classes == tuple(chosen)
    assert pool.names[0] == "train/n00000099/n00000099_0.JPEG"
    lines(tmp_path / "imagenet100" / "classes.txt", *chosen[:99], "n12345678")
    with pytest.raises(DataError, match="train lacks 1 class folder: n12345678"):
        DATASETS.get("imagenet100")(tmp_path).index()


def test_image_net_without_validation_images(tmp_path):
    (tmp_path / "imagenet100" / "train").mkdir(parents=True)
    with pytest.raises(DataError, match=r"expected folders train and val in .*imagenet100, found no val"):
        DATASETS.get("imagenet100")(tmp_path).index()


def test_image_net_with_too_few_training_images(tmp_path):
    image_net(tmp_path, WORDNET, train=1)
    dataset = DATASETS.get("imagenet100")(tmp_path)
    with pytest.raises(DataError, match=r"imagenet100@13k: expected at least 130 images of each class .* got 1 of n0"):
        dataset.rows(dataset.index())
