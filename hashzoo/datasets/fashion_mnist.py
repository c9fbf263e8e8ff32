"""Fashion-MNIST: 70,000 pictures of clothing."""

from __future__ import annotations

from typing import ClassVar

from hashzoo.datasets.base import DATASETS, Augmentation
from hashzoo.datasets.idx import IdxDataset


@DATASETS.register("fashion_mnist")
class FashionMnist(IdxDataset):
    """70,000 pictures of clothing in ten classes: grey, 28x28, shown as RGB.

    Read from ROOT/FashionMNIST/raw, ROOT/fashion_mnist or ROOT/fashion-mnist, or ROOT itself:
    {train,t10k}-{images-idx3,labels-idx1}-ubyte, gzipped or not.

    Source: H. Xiao, K. Rasul and R. Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking machine learning
    algorithms", 2017.
    """

    folders = ("FashionMNIST/raw", "fashion_mnist", "fashion-mnist")
    classes = ("T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
    augmentation = Augmentation(shift=2, mirror=True)
    md5: ClassVar = {
        "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
        "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
        "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
    }
    licence = "MIT"
    source = "https://github.com/zalandoresearch/fashion-mnist"

    @property
    def title(self) -> str:
        return "Fashion-MNIST"
