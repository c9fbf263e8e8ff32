"""MNIST: 70,000 handwritten digits."""

from __future__ import annotations

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
    licence = "CC BY-SA 3.0"
    source = "http://yann.lecun.com/exdb/mnist/"

    @property
    def title(self) -> str:
        return "MNIST"
