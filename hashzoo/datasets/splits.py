"""Who trains, who asks and who answers: drawn from a seed in integer arithmetic alone.

Every row gets a key, the row-th number that SplitMix64 gives when started with the seed (Steele, Lea and Flood,
"Fast splittable pseudorandom number generators", 2014), and rows are drawn in ascending order of their keys. The keys
depend on the seed and the row alone, so protocols of one dataset share what they can: the 100 queries of a class are
among the 1,000 that another protocol draws. No library's random numbers are used.
"""

from __future__ import annotations

import typing
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hashzoo.errors import DataError

PARTS = ("train", "query", "database")

Rows = dict[str, np.ndarray]  # of each of PARTS, (M,) int64, ascending


class Labelled(typing.Protocol):
    """What dividing needs to know of a dataset: no pixels."""

    @property
    def labels(self) -> np.ndarray:
        """(N,) int64 class ids, or (N, C) uint8 multi-hot."""

    @property
    def classes(self) -> tuple[str, ...]:
        """C names."""

    @property
    def tests(self) -> int:
        """How many rows at the end the original calls its test part."""

    @property
    def names(self) -> Sequence[str]:
        """A name for each row, if it has one: the path of its file."""


def row_keys(seed: int, count: int) -> np.ndarray:
    """The first `count` numbers of SplitMix64 started with `seed`, (count,) uint64."""
    with np.errstate(over="ignore"):  # modulo 2^64 is meant
        z = np.uint64(seed) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    keys: np.ndarray = z ^ (z >> np.uint64(31))
    return keys


class Draw(ABC):
    """Some of the rows that are left."""

    @property
    @abstractmethod
    def text(self) -> str:
        """What it takes, in words."""

    @abstractmethod
    def __call__(self, data: Labelled, left: np.ndarray) -> np.ndarray:
        """Rows out of `left`, which come in the order in which they are drawn.

        Raises:
            DataError: there are not enough.
        """


@dataclass(frozen=True)
class AtRandom(Draw):
    """`count` rows, whatever they show."""

    count: int

    @property
    def text(self) -> str:
        return f"{self.count:,} images"

    def __call__(self, data: Labelled, left: np.ndarray) -> np.ndarray:
        if len(left) <= self.count:
            raise DataError(f"expected more than {self.count:,} images to draw from, got {len(left):,}")
        return left[: self.count]


@dataclass(frozen=True)
class PerClass(Draw):
    """`count` rows of each class, where an image has one label."""

    count: int

    @property
    def text(self) -> str:
        return f"{self.count:,} images of each class"

    def __call__(self, data: Labelled, left: np.ndarray) -> np.ndarray:
        by_class = left[np.argsort(data.labels[left], kind="stable")]
        sizes = np.bincount(data.labels[left], minlength=len(data.classes))
        _need(sizes, self.count, data.classes)
        first = np.cumsum(sizes) - sizes
        drawn: np.ndarray = by_class[(first[:, None] + np.arange(self.count)).ravel()]
        return drawn


@dataclass(frozen=True)
class PerLabel(Draw):
    """`count` rows for each label, where an image has several; each image is drawn for one label only.

    Labels take their turn in the order of their rows' number, the rarest first, so that no label finds its images taken
    by a more frequent one; the total is exactly `count` times the number of labels.
    """

    count: int

    @property
    def text(self) -> str:
        return f"{self.count:,} images for each label (the rarest label first, an image for one label only)"

    def __call__(self, data: Labelled, left: np.ndarray) -> np.ndarray:
        labels = data.labels[left]
        taken = np.zeros(len(left), bool)
        for label in np.argsort(labels.sum(0, dtype=np.int64), kind="stable"):
            free = np.flatnonzero((labels[:, label] != 0) & ~taken)
            if len(free) < self.count:
                name = data.classes[label]
                raise DataError(f"expected at least {self.count:,} images to draw for label {name}, got {len(free):,}")
            taken[free[: self.count]] = True
        return left[taken]


@dataclass(frozen=True)
class PerLabelShared(Draw):
    """`count` rows of each label, where an image has several and counts for all of them.

    The first `count` rows of a label, for each label by itself; what is drawn is their union, at most `count` times the
    number of labels.
    """

    count: int

    @property
    def text(self) -> str:
        return f"{self.count:,} images of each label (an image with several labels counts for each)"

    def __call__(self, data: Labelled, left: np.ndarray) -> np.ndarray:
        labels = data.labels[left] != 0
        _need(labels.sum(0), self.count, data.classes)
        drawn: np.ndarray = left[(labels & (np.cumsum(labels, axis=0) <= self.count)).any(1)]
        return drawn


@dataclass(frozen=True)
class OriginalTests(Draw):
    """The original's test part."""

    text = "the original test images"

    def __call__(self, data: Labelled, left: np.ndarray) -> np.ndarray:
        drawn: np.ndarray = left[left >= len(data.labels) - data.tests]
        return drawn


class Rule(ABC):
    """How a protocol divides the rows."""

    @property
    @abstractmethod
    def drawn(self) -> bool:
        """Whether the seed matters."""

    @property
    @abstractmethod
    def text(self) -> str:
        """What happens, in one sentence."""

    @abstractmethod
    def __call__(self, data: Labelled, seed: int) -> Rows:
        """Rows of each part.

        Raises:
            DataError: there are not enough images for it.
        """


@dataclass(frozen=True)
class QueriesFirst(Rule):
    """Queries are taken, then training images from the rest."""

    query: Draw
    train: Draw | None = None  # None: all the rest
    train_answers: bool = True

    @property
    def drawn(self) -> bool:
        return self != OFFICIAL

    @property
    def text(self) -> str:
        if self.train is None:
            return f"{self.query.text} ask; all others answer and train"
        others = "all others answer, these included" if self.train_answers else "all others, without these, answer"
        return f"{self.query.text} ask; of the others {self.train.text} train; {others}"

    def __call__(self, data: Labelled, seed: int) -> Rows:
        left = _order(data, seed)
        query = self.query(data, left)
        left = left[~np.isin(left, query)]
        train = left if self.train is None else self.train(data, left)
        database = left if self.train_answers else left[~np.isin(left, train)]
        return _ascending(train, query, database)


@dataclass(frozen=True)
class TrainFirst(Rule):
    """Training images are drawn and answer; all others ask."""

    train: Draw
    drawn = True

    @property
    def text(self) -> str:
        return f"{self.train.text} train and answer; all others ask"

    def __call__(self, data: Labelled, seed: int) -> Rows:
        left = _order(data, seed)
        train = self.train(data, left)
        return _ascending(train, left[~np.isin(left, train)], train)


@dataclass(frozen=True)
class AmongThemselves(Rule):
    """The original's test images ask and answer, the others train."""

    drawn = False
    text = "the original test images ask and answer; all others train"

    def __call__(self, data: Labelled, seed: int) -> Rows:
        train, test = np.split(np.arange(len(data.labels)), [len(data.labels) - data.tests])
        return _ascending(train, test, test)


OFFICIAL = QueriesFirst(OriginalTests())


def _order(data: Labelled, seed: int) -> np.ndarray:
    return np.argsort(row_keys(seed, len(data.labels)), kind="stable")


def _ascending(train: np.ndarray, query: np.ndarray, database: np.ndarray) -> Rows:
    return {"train": np.sort(train), "query": np.sort(query), "database": np.sort(database)}


def _need(sizes: np.ndarray, count: int, classes: tuple[str, ...]) -> None:
    least = int(sizes.argmin())
    if sizes[least] < count:
        raise DataError(
            f"expected at least {count:,} images of each class to draw from, got {sizes[least]:,} of {classes[least]}"
        )
