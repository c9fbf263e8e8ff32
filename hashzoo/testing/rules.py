"""The rules of the conformance kit, and what it says when one is broken."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

PAGE = "docs/conformance.md"  # has a heading for each rule

RULES = {
    "registered": "the class is filed in its registry under its own name, and has a docstring",
    "metadata": "paper, year, supervision, deviations and the origin of the defaults are stated",
    "config": "`Config` is a frozen dataclass whose defaults can be typed on the command line and written as JSON",
    "presets": "presets, and the rows of its paper's tables, are made of settings",
    "construct": "an instance can be made with defaults",
    "code-shape": "relaxed codes are (n, bits) and packed codes (n, words) uint64",
    "finite": "finite input gives finite output",
    "loss-terms": "a loss is a non-empty dict of named scalars",
    "gradient": "gradients are finite and reach what is trained",
    "inputs-untouched": "what is passed in is not changed",
    "same-seed": "the same seed gives the same codes",
    "seed-matters": "another seed gives other codes, if anything random is drawn",
    "batch-independence": "the code of an image does not depend on the images encoded with it",
    "save-load": "a saved and loaded encoder gives the same codes",
    "label-blind": 'with supervision "none", other labels give the same codes',
    "multi-label": "with `multi_label`, multi-hot labels can be learned from",
    "gradcheck": "gradients equal numerical ones in float64",
    "permutation": "the order of the images in a batch does not matter",
    "features": "the output is (n, out_features), of the map (n, map_channels, h, w) if there is one",
    "weights-refused": "unknown weights are refused with a HashzooError",
    "protocols": "there is at least one protocol, each with a summary",
    "splits": "each split holds rows of the pool without repetition, and no query is trained on",
    "images": "images are (n, h, w, 3) uint8",
    "labels": "labels are (n,) int64 class ids or (n, c) uint8 multi-hot, as `multi_label` says",
    "hashes": "loading again gives the same splits and images",
    "metrics": "metrics are finite floats, each with a meaning; curves are columns of equal length",
    "definition": "the definition is written as JSON and holds every knob",
    "writes-nothing": "learning, encoding and measuring write no file",
    "repeatable": "the same codes give the same numbers, with any number of threads",
}


class ConformanceError(AssertionError):
    """A class breaks a rule.

    Attributes:
        rule: a key of `RULES`.
    """

    def __init__(self, subject: str, rule: str, detail: str) -> None:
        self.rule = rule
        super().__init__(f"{subject} breaks rule {rule!r} ({RULES[rule]}): {detail} [{PAGE}#{rule}]")


class Examination:
    """The examination of one class. Whatever is raised within `rule(name)` counts as breaking that rule."""

    def __init__(self, cls: type) -> None:
        self.subject = f"{cls.__module__}.{cls.__qualname__}"
        self.current = ""

    @contextmanager
    def rule(self, name: str) -> Iterator[None]:
        self.current = name
        try:
            yield
        except ConformanceError:
            raise
        except Exception as cause:
            raise ConformanceError(self.subject, name, f"raised {type(cause).__name__}: {cause}") from cause

    def need(self, condition: bool, detail: str) -> None:
        if not condition:
            raise ConformanceError(self.subject, self.current, detail)
