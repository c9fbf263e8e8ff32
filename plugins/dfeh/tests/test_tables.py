"""The tables are those of the paper, and every row can be run."""

from __future__ import annotations

import json
from importlib.resources import files

import pytest
from hashzoo_dfeh import DFEH
from hashzoo_dfeh.tables import SOURCE, TABLES

from hashzoo import DATASETS, METHODS
from hashzoo.settings import configure

PRINTED = json.loads(files("hashzoo_dfeh").joinpath("tables.json").read_text(encoding="utf-8"))
BY_NAME = {table.name: table for table in TABLES}


def rows(table):
    return {row.label: row for row in BY_NAME[table].rows}


def test_they_name_their_source():
    assert set(BY_NAME) == {"map", "loss", "regularization", "network", "time"}
    assert "10.3390/electronics11152391" in SOURCE
    assert all(table.source == SOURCE for table in TABLES)
    assert "protocol not fully specified" in SOURCE


def test_figures_that_are_known_by_heart():
    dfeh = rows("map")["dfeh"].printed
    assert dfeh["cifar10"] == {12: 0.6753, 24: 0.7216, 36: 0.7641, 48: 0.7864}
    assert dfeh["nuswide"] == {12: 0.5674, 24: 0.5788, 36: 0.5863, 48: 0.5921}
    assert rows("map")["dsh"].printed["cifar10"][12] == 0.6776
    assert rows("regularization")["weight 0.1"].printed["cifar10"] == {12: 0.2543}
    assert rows("loss")["all three"].printed["svhn"] == {12: 0.8242}
    assert rows("time")["dfeh"].printed["nuswide"] == {12: 9362.316}


def test_every_figure_of_the_file_is_in_a_table():
    def numbers(node):
        values = node.values() if isinstance(node, dict) else node if isinstance(node, list) else [node]
        return [node] if isinstance(node, float) else [n for v in values if v is not node for n in numbers(v)]

    in_file = {key: sorted(numbers(PRINTED[key])) for key in PRINTED if key != "source"}
    in_file["regularization_ablation"] = sorted(
        value for key, row in PRINTED["regularization_ablation"].items() if key != "weights" for value in row
    )
    names = {"map": "map", "loss_ablation": "loss", "regularization_ablation": "regularization"}
    names["time_unlabelled"] = "time"
    for key, name in names.items():
        shown = [v for row in BY_NAME[name].rows for figures in row.printed.values() for v in figures.values()]
        assert sorted(shown) == in_file[key], name


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_row_can_be_run(table):
    for row in table.rows:
        cls = METHODS.get(row.method)
        preset = cls.presets[table.preset].settings if table.preset in cls.presets else {}
        configure(cls.Config, {**preset, **row.settings}, owner=row.method)
    for dataset, protocols in table.protocols.items():
        assert set(protocols) <= set(DATASETS.get(dataset).protocols)
        assert DATASETS.get(dataset).protocols[protocols[0]].topk == table.topk


def test_the_ablations_are_what_they_are_called():
    def weights(row):
        config = configure(DFEH.Config, row.settings, owner="dfeh")
        return config.lambda_q, config.lambda_b

    assert [weights(row) for row in BY_NAME["loss"].rows] == [(0, 0), (0.01, 0), (0, 0.01), (0.01, 0.01)]
    assert [weights(row) for row in BY_NAME["regularization"].rows] == [(w, w) for w in (0, 0.1, 0.01, 0.001)]
    network = [configure(DFEH.Config, row.settings, owner="dfeh") for row in BY_NAME["network"].rows]
    blocks = {(c.backbone, c.fe, c.fe_position if c.fe != "none" else "") for c in network}
    assert len(blocks) == len(network) == 10
    assert not any(row.printed for row in BY_NAME["network"].rows)


@pytest.mark.parametrize(
    ("preset", "changed"),
    [("fast", {}), ("paper", {"fe_position": "stem"}), ("strong", {"fe": "se", "fe_position": "stem"})],
)
def test_presets_change_nothing_of_the_reconstruction_but_what_is_explained(preset, changed):
    """Hash layer, margin and weights are those that `hashzoo show dfeh` explains, and the block of `fast`."""
    config = configure(DFEH.Config, DFEH.presets[preset].settings, owner="dfeh")
    for field in ("fe", "fe_position", "hash_act", "margin", "lambda_q", "lambda_b"):
        assert getattr(config, field) == changed.get(field, getattr(DFEH.Config(), field)), field
