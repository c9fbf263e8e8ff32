"""Conformance checks for authors of plugins: does a class keep what the rest of hashzoo relies on?

A test of one line::

    def test_conformance():
        check_method(MyMethod)

Each check runs on tiny made-up data and needs no test framework. It raises `ConformanceError`, which names the broken
rule, says what the rule asks for, shows the numbers and points to docs/conformance.md; `RULES` lists all rules.
`pytest --hashzoo MODULE` runs the check of everything that a module registers.
"""

from hashzoo.testing.backbone import check_backbone
from hashzoo.testing.common import toy_split
from hashzoo.testing.dataset import check_dataset
from hashzoo.testing.evaluator import check_evaluator
from hashzoo.testing.loss import check_loss
from hashzoo.testing.method import check_method
from hashzoo.testing.rules import RULES, ConformanceError

__all__ = [
    "RULES",
    "ConformanceError",
    "check_backbone",
    "check_dataset",
    "check_evaluator",
    "check_loss",
    "check_method",
    "toy_split",
]
