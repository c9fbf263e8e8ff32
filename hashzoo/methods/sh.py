"""SH: spectral hashing."""

from __future__ import annotations

import numpy as np

from hashzoo.errors import InvalidInput
from hashzoo.methods.base import METHODS, ShallowMethod
from hashzoo.shallow.linear import centred_product, mean_of, principal_axes


@METHODS.register("sh")
class SH(ShallowMethod):
    """Signs of cosines along the principal axes: the smoothest functions on a box that the data fills evenly."""

    paper = "Weiss, Torralba & Fergus, Spectral Hashing, NIPS 2008"
    year = 2008
    supervision = "none"
    multi_label = True
    defaults_from = "there is nothing to set: the width of the affinity does not change the order of the functions"

    def fit(self, features: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Closed form; draws nothing from `rng`.

        Raises:
            InvalidInput: all features are equal.
        """
        mean = mean_of(features)
        axes = principal_axes(features, min(self.bits, features.shape[1]))
        along = centred_product(features, mean, axes)
        low = along.min(0)
        chosen, modes = smoothest_modes(along.max(0) - low, self.bits)
        frequencies = modes * np.pi / (along.max(0) - low)[chosen]
        model = {"mean": mean, "axes": axes[:, chosen], "low": low[chosen], "frequencies": frequencies}
        return {name: array.astype(np.float32) for name, array in model.items()}

    def project(self, features: np.ndarray, model: dict[str, np.ndarray]) -> np.ndarray:
        along = (features - model["mean"]) @ model["axes"] - model["low"]
        relaxed: np.ndarray = np.cos(along * model["frequencies"])
        return relaxed


def smoothest_modes(ranges: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """The functions cos(mode * pi * t / range) of lowest frequency, each along one axis of a box.

    Args:
        ranges: (p,) lengths of the box.
        bits: how many functions.

    Returns:
        The axis of each, and its mode from 1 upwards, (bits,) int64 both, by frequency.

    Raises:
        InvalidInput: the box has no length.
    """
    widest = ranges.max()
    if not widest > 0:
        raise InvalidInput("sh: expected features that differ, got the same ones for every image")
    counts = np.ceil((bits + 1) * ranges / widest).astype(np.int64) - 1
    axis = np.repeat(np.arange(len(ranges)), np.maximum(counts, 0))
    mode = np.concatenate([np.arange(1, count + 1) for count in counts])
    order = np.argsort(mode / ranges[axis], kind="stable")[:bits]
    return axis[order], mode[order]
