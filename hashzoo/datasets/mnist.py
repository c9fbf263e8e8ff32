"""MNIST: 70,000 handwritten digits."""

from __future__ import annotations

from typing import ClassVar

from hashzoo.datasets.base import DATASETS
from hashzoo.datasets.idx import IdxDataset


@DATASETS.register("mnist")
class Mnist(IdxDataset):
    """70,000 handwritten digits: grey, 28x28, shown as RGB.

    Read from ROOT/MNIST/raw or ROOT/mnist, or ROOT itself:
    {train,t10k}-{images-idx3,labels-idx1}-ubyte, gzipped or not.

    Source: Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, "Gradient-based learning applied to document recognition",
    Proceedings of the IEEE, 1998.
    """

    folders = ("MNIST/raw", "mnist")
    classes = tuple("0123456789")
    md5: ClassVar = {
        "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
        "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
        "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
    }
    licence = "CC BY-SA 3.0"
    source = "http://yann.lecun.com/exdb/mnist/"

    @property
    def title(self) -> str:
        return "MNIST"
