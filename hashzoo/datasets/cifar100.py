"""CIFAR-100: 60,000 colour images of 32x32 in a hundred classes."""

from __future__ import annotations

from typing import ClassVar

from hashzoo.datasets.base import DATASETS, Dataset, Pool, Protocol
from hashzoo.datasets.cifar_batches import read_batches
from hashzoo.datasets.images import data_root
from hashzoo.datasets.splits import OFFICIAL, PerClass, QueriesFirst


@DATASETS.register("cifar100")
class Cifar100(Dataset):
    """60,000 colour images of 32x32 in a hundred classes, 600 each.

    Read from ROOT/cifar-100-python. Labels are the fine ones. The pool holds the training images, then the test images.

    Source: A. Krizhevsky, "Learning multiple layers of features from tiny images", 2009.
    """

    protocols: ClassVar = {
        "full": Protocol(
            "the 10,000 test images ask, the 50,000 training images answer and train",
            rule=OFFICIAL,
            sizes=(50_000, 10_000, 50_000),
        ),
        "50k": Protocol(
            "100 images of each class ask; the other 50,000 answer, of which 100 of each class train",
            rule=QueriesFirst(PerClass(100), PerClass(100)),
            sizes=(10_000, 10_000, 50_000),
        ),
    }
    licence = "none stated; cite Krizhevsky 2009"
    source = "https://www.cs.toronto.edu/~kriz/cifar.html"

    @property
    def title(self) -> str:
        return "CIFAR-100"

    def read(self) -> Pool:
        """(60000, 32, 32, 3) uint8, or resized to `image_size`.

        Raises:
            DataError: files are missing or damaged.
        """
        from torchvision.datasets import CIFAR100

        root = data_root(self.root)
        return read_batches(
            CIFAR100, root, owner="cifar100", download=self.download, image_size=self.image_size, memory=self.memory
        )
