"""What an evaluator found, for people and for programs."""

from __future__ import annotations

import json
import sys

from hashzoo.evaluators.base import CodeSet, Evaluation, Evaluator
from hashzoo.reports.table import Table, show


def write(result: Evaluation, codes: CodeSet, evaluator: type[Evaluator], *, as_json: bool) -> None:
    """Every number with what it means, and every knob; on standard output."""
    if as_json:
        facts = {
            "evaluator": evaluator.name,
            "bits": codes.bits,
            "metrics": result.metrics,
            "definition": result.definition,
            "curves": result.curves,
        }
        sys.stdout.write(json.dumps(facts, indent=1) + "\n")
        return
    sizes = f"{codes.bits} bits, {len(codes.query_codes):,} queries against {len(codes.database_codes):,}"
    numbers = tuple((name, _number(value), evaluator.meanings.get(name, "")) for name, value in result.metrics.items())
    knobs = tuple((name, _word(value)) for name, value in result.definition.items())
    show(
        [
            Table(f"{evaluator.name}: {sizes}", ("metric", "value", "what it is"), numbers),
            Table("definition", ("knob", "value"), knobs),
        ]
    )


def _number(value: float) -> str:
    return f"{value:.0f}" if value == int(value) and value > 1 else f"{value:.6f}"


def _word(value: object) -> str:
    return "all" if value is None else str(value)
