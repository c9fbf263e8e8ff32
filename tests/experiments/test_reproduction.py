from __future__ import annotations

from dataclasses import replace

import pytest

from hashzoo import METHODS, PaperRow, PaperTable
from hashzoo.errors import InvalidInput, UnknownName
from hashzoo.experiments.grid import Source
from hashzoo.experiments.reproduction import (
    Wanted,
    methods_in,
    plan_table,
    set_otherwise,
    tables_of,
)

TABLE = PaperTable(
    name="loss",
    title="terms of the loss",
    source="A. Author 2020",
    rows=(
        PaperRow("none", "dsh", {"alpha": "0"}, printed={"folder": {12: 0.5}}),
        PaperRow("L1", "dsh", {"alpha": "0.01"}),
        PaperRow("projections", "lsh"),
        PaperRow("elsewhere", "no_such_method"),
    ),
    bits=(12, 24),
    preset="fast",
    protocols={"folder": ("folder",)},
)


@pytest.fixture
def wanted(reporter):
    return Wanted(planning={"device": "cpu", "precision": "fp32", "reporter": reporter})


@pytest.fixture
def source(tree):
    return Source("folder", (("root", tree),))


def test_a_row_is_a_job_for_each_length_and_seed(source, wanted):
    planned = plan_table(TABLE, source, replace(wanted, seeds=(0, 3)))
    assert [len(row.jobs) for row in planned.rows] == [4, 4, 4, 0]
    cells = [job.cell for job in planned.rows[0].jobs]
    assert [(cell.seed, cell.bits) for cell in cells] == [(0, 12), (0, 24), (3, 12), (3, 24)]
    assert {cell.config.alpha for cell in cells} == {0.0}
    assert {(cell.preset, cell.config.lr) for cell in cells} == {("fast", 0.002)}
    assert {job.cell.preset for job in planned.rows[2].jobs} == {None}


def test_what_is_wanted_goes_on_top_of_the_preset_and_below_the_row(source, wanted):
    settings = {"dsh": {"alpha": "7", "epochs": "2"}}
    planned = plan_table(TABLE, source, replace(wanted, bits=(16,), settings=settings, preset="paper"))
    first, second = (row.jobs[0].cell for row in planned.rows[:2])
    assert (first.bits, first.preset, first.config.epochs, first.config.batch_size) == (16, "paper", 2, 200)
    assert (first.config.alpha, second.config.alpha) == (0.0, 0.01)
    otherwise = set_otherwise(planned.rows[0].jobs[0], TABLE.rows[0], "paper", {})
    assert otherwise == {"epochs": (24, 2)}


def test_the_epochs_of_a_budget_are_named(source, wanted):
    job = plan_table(TABLE, source, replace(wanted, budgets={"dsh": 60.0})).rows[0].jobs[0]
    assert job.cell.budget_s == 60.0
    record = {"budget": {"seconds": 60.0}, "config": {"epochs": 3}}
    assert set_otherwise(job, TABLE.rows[0], "fast", record) == {"epochs": (6, 3)}


def test_some_rows_alone(source, wanted):
    planned = plan_table(TABLE, source, replace(wanted, rows=("L1",)))
    assert [row.row.label for row in planned.rows] == ["L1"]
    with pytest.raises(UnknownName, match=r"no row of table 'loss' named 'L2' \(known: L1, elsewhere, "):
        plan_table(TABLE, source, replace(wanted, rows=("L2",)))


def test_equal_rows_are_one_run(source, wanted):
    table = replace(TABLE, rows=(TABLE.rows[1], PaperRow("again", "dsh", {"alpha": "0.01"})))
    planned = plan_table(table, source, wanted)
    assert len(planned.jobs) == 4
    assert len(set(planned.jobs)) == 2


def test_tables_by_name(monkeypatch):
    dsh = METHODS.get("dsh")
    with pytest.raises(InvalidInput, match="lsh states no table of its paper"):
        tables_of(METHODS.get("lsh"), None)
    monkeypatch.setattr(dsh, "tables", (TABLE, replace(TABLE, name="map")))
    assert [table.name for table in tables_of(dsh, None)] == ["loss", "map"]
    assert tables_of(dsh, "loss") == [TABLE]
    with pytest.raises(UnknownName, match="no table of 'dsh' named 'los'; did you mean 'loss'"):
        tables_of(dsh, "los")
    with pytest.raises(InvalidInput, match=r"these do: .*dsh"):
        tables_of(METHODS.get("lsh"), None)


def test_the_methods_of_a_table_are_those_installed():
    assert methods_in([TABLE]) == ["dsh", "lsh"]
