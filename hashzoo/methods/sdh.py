"""SDH: supervised discrete hashing (of Shen et al., not the supervised deep hashing of Erin Liong et al.)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from hashzoo.methods.base import METHODS, ShallowMethod
from hashzoo.settings import require
from hashzoo.shallow.kernels import draw, gaussian, unit_rows
from hashzoo.shallow.linear import row_blocks, signs
from hashzoo.shallow.pairs import indicators

_PASSES = 10  # over the bits, at most, for each step of the codes


@METHODS.register("sdh")
class SDH(ShallowMethod):
    """Codes from which a linear classifier tells the labels, found bit by bit, and kernel functions fitted to them."""

    paper = "Shen, Shen, Liu & Tao Shen, Supervised Discrete Hashing, CVPR 2015"
    year = 2015
    supervision = "labels"
    multi_label = True
    defaults_from = "the authors' demo"

    @dataclass(frozen=True)
    class Config(ShallowMethod.Config):
        anchors: int = 1000  # training images that the kernel compares with
        sigma: float = 0.4  # width of the kernel exp(-d^2 / 2 sigma^2) between features of length 1
        iterations: int = 5  # of classifier, kernel functions and codes in turn
        classifier_ridge: float = 1.0  # lambda in the paper
        fit: float = 1e-5  # nu in the paper: how much codes care for what kernel functions can reach
        kernel_ridge: float = 1e-2  # of the kernel functions

        def __post_init__(self) -> None:
            super().__post_init__()
            for name in ("anchors", "iterations"):
                require(getattr(self, name) >= 1, name, "at least 1", getattr(self, name))
            for name in ("sigma", "classifier_ridge", "kernel_ridge"):
                require(getattr(self, name) > 0, name, "more than 0", getattr(self, name))
            require(self.fit >= 0, "fit", "0 or more", self.fit)

    def sampling(self, images: int) -> dict[str, int]:
        return {"anchors": min(self.config.anchors, images)}

    def fit(self, features: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """The kernel of all images with the anchors is made anew in each pass, block by block, and never whole."""
        c = self.config
        anchors = unit_rows(features[draw(len(features), c.anchors, rng)])
        wanted = indicators(labels, self.task.num_classes).astype(np.float32)
        codes = signs(rng.standard_normal((len(features), self.bits), dtype=np.float32))
        gram = c.kernel_ridge * np.eye(len(anchors) + 1)
        for _, kernel in self._kernels(features, anchors):
            gram += kernel.T @ kernel
        for _ in range(c.iterations):
            classifier = classifier_of(codes, wanted, c.classifier_ridge)
            weights = self._functions(features, anchors, gram, codes)
            reachable = np.empty_like(codes)
            for rows, kernel in self._kernels(features, anchors):
                reachable[rows] = kernel @ weights
            codes = discrete_codes(codes, wanted @ classifier.T + c.fit * reachable, classifier)
        return {"anchors": anchors, "weights": self._functions(features, anchors, gram, codes)}

    def project(self, features: np.ndarray, model: dict[str, np.ndarray]) -> np.ndarray:
        relaxed: np.ndarray = self._kernel(features, model["anchors"]) @ model["weights"]
        return relaxed

    def _functions(self, features: np.ndarray, anchors: np.ndarray, gram: np.ndarray, codes: np.ndarray) -> np.ndarray:
        """(m + 1, bits) float32: the ridge regression of the codes on the kernel."""
        from scipy.linalg import solve

        towards = np.zeros((len(gram), self.bits))
        for rows, kernel in self._kernels(features, anchors):
            towards += kernel.T @ codes[rows]
        weights: np.ndarray = solve(gram, towards, assume_a="pos").astype(np.float32)
        return weights

    def _kernels(self, features: np.ndarray, anchors: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
        for rows in row_blocks(len(features)):
            yield rows, self._kernel(features[rows], anchors)

    def _kernel(self, features: np.ndarray, anchors: np.ndarray) -> np.ndarray:
        """(n, d) and (m, d) of length 1 -> (n, m + 1) float32, a constant last."""
        kernel = gaussian(unit_rows(features), anchors, 2 * self.config.sigma**2)
        return np.concatenate([kernel, np.ones((len(kernel), 1), np.float32)], axis=1)


def classifier_of(codes: np.ndarray, wanted: np.ndarray, ridge: float) -> np.ndarray:
    """(K, C) float32: the ridge regression of the labels (n, C) on the codes (n, K)."""
    from scipy.linalg import solve

    gram = codes.T @ codes + ridge * np.eye(codes.shape[1])
    classifier: np.ndarray = solve(gram, codes.T @ wanted, assume_a="pos").astype(np.float32)
    return classifier


def discrete_codes(codes: np.ndarray, pull: np.ndarray, classifier: np.ndarray) -> np.ndarray:
    """Minimise ||Y - B W||^2 - 2 tr B'(pull - Y W') over codes B, a bit of all images at a time.

    Args:
        codes: B to start from, (n, K) of -1 and +1.
        pull: Y W' and what else draws the codes, (n, K).
        classifier: W, (K, C).
    """
    codes = codes.copy()
    gram = classifier @ classifier.T
    np.fill_diagonal(gram, 0)  # a bit's own square is constant
    for _ in range(_PASSES):
        before = codes.copy()
        for k in range(codes.shape[1]):
            codes[:, k] = signs(pull[:, k] - codes @ gram[:, k])
        if np.array_equal(codes, before):
            break
    return codes
