"""The check of an evaluator."""

from __future__ import annotations

import json

import numpy as np

from hashzoo.evaluators.base import EVALUATORS, CodeSet, Evaluation, Evaluator
from hashzoo.testing.common import check_registered, checked_config, need_finite, toy_split
from hashzoo.testing.rules import Examination
from hashzoo.testing.writes import writes_nothing


def check_evaluator(cls: type[Evaluator]) -> None:
    """Check a registered evaluator with its default knobs.

    Raises:
        ConformanceError: a rule is broken.
    """
    examination = Examination(cls)
    check_registered(examination, EVALUATORS, cls)
    with examination.rule("config"):
        config = checked_config(examination, cls.Config, Evaluator.Config, cls.name)
    rng = np.random.default_rng(3)
    for bits, multi_label in ((12, False), (70, True)):
        labels = toy_split(multi_label=multi_label).labels
        codes = CodeSet.checked(
            query_codes=rng.standard_normal((8, bits)),
            query_labels=labels[:8],
            database_codes=rng.standard_normal((40, bits)),
            database_labels=labels[8:],
        )
        before = [array.copy() for array in _arrays(codes)]
        with examination.rule("construct"), writes_nothing(examination):
            found = cls(threads=1).evaluate(codes)
        with examination.rule("metrics"):
            _check_numbers(examination, cls, found)
        with examination.rule("definition"):
            json.dumps(found.definition, allow_nan=False)
            missing = [name for name in config.to_dict() if name not in found.definition]
            examination.need(not missing, f"{', '.join(missing)} of the settings is not in it: {found.definition}")
        with examination.rule("inputs-untouched"):
            same = all(np.array_equal(a, b) for a, b in zip(before, _arrays(codes), strict=True))
            examination.need(same, "codes or labels were changed")
        with examination.rule("repeatable"):
            again = cls(threads=2).evaluate(codes)
            examination.need(again.metrics == found.metrics, f"{found.metrics}, then {again.metrics}")
            examination.need(again.curves == found.curves, "a curve differs")


def _check_numbers(examination: Examination, cls: type[Evaluator], found: Evaluation) -> None:
    examination.need(bool(found.metrics), "there are none")
    for name, value in found.metrics.items():
        examination.need(isinstance(value, float) and bool(np.isfinite(value)), f"{name} is {value!r}")
        examination.need(name in cls.meanings, f"{name} is not in `meanings`")
    for name, columns in found.curves.items():
        sizes = {column: len(values) for column, values in columns.items()}
        examination.need(len(set(sizes.values())) == 1, f"the columns of {name} have lengths {sizes}")
        for column, values in columns.items():
            need_finite(examination, np.asarray(values, np.float64), f"{name}: {column}")


def _arrays(codes: CodeSet) -> list[np.ndarray]:
    return [codes.query_codes, codes.query_labels, codes.database_codes, codes.database_labels]
