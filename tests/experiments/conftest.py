import numpy as np
import pytest

from hashzoo.datasets.base import Augmentation, LoadedDataset, Split


class Silent:
    """A reporter that keeps what it is told."""

    def __init__(self):
        self.notes = []
        self.steps = 0

    def note(self, text):
        self.notes.append(text)

    def training(self, title, epochs):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        return None

    def on_step(self, done, total, terms, images_per_second):
        self.steps += 1


def small_data(*, multi_label=False, name="tiny"):
    """Twelve 8x8 images of three easy classes."""
    rng = np.random.default_rng(0)
    classes = np.repeat(np.arange(3), 4)
    images = (rng.integers(0, 60, (12, 8, 8, 3)) + 80 * classes[:, None, None, None]).astype(np.uint8)
    labels = np.eye(3, dtype=np.uint8)[classes] if multi_label else classes.astype(np.int64)

    def split(rows):
        return Split(images, np.array(rows), labels[rows])

    train = [0, 1, 2, 4, 5, 6, 8, 9, 10]
    return LoadedDataset(
        name=name,
        protocol="standard",
        topk=None,
        title="Tiny",
        classes=("a", "b", "c"),
        multi_label=multi_label,
        augmentation=Augmentation(shift=1, mirror=False),
        train=split(train),
        query=split([3, 7, 11]),
        database=split(train),
        split_sha256="ab" * 32,
        images_sha256="cd" * 32,
    )


@pytest.fixture
def data():
    return small_data()


@pytest.fixture
def reporter():
    return Silent()


@pytest.fixture
def multi_label_data():
    return small_data(multi_label=True)
