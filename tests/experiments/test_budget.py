from __future__ import annotations

import json

import pytest

from hashzoo.errors import InvalidInput, InvalidSetting
from hashzoo.experiments import budget, store
from hashzoo.experiments.cell import config_hash, plan
from hashzoo.experiments.runner import RunOptions, run_cell
from hashzoo.methods.base import METHODS, Task
from hashzoo.training.trainer import FEWEST, WARM_UP, Pace, TrainOptions, measure_pace
from hashzoo.training.validation import BestEpoch, hold_out


@pytest.fixture
def paced(monkeypatch):
    """A machine that takes 0.25 s for each of 2 steps of an epoch, after 1 s of preparation."""
    asked = []

    def measure(method, split, augmentation, options, *, seconds, best):
        asked.append(seconds)
        return Pace(prepare_s=1.0, step_s=0.25, measured_steps=17, steps=2, batch_size=4)

    monkeypatch.setattr(budget, "measure_pace", measure)
    return asked


def cell_of(reporter, **options):
    settings = {"batch_size": "4"} | options.pop("settings", {})
    return plan("dsh", [8], settings, device="cpu", precision="fp32", reporter=reporter, **options)[0]


def test_as_many_epochs_as_fit_are_run_and_recorded(tmp_path, data, reporter, paced):
    record = run_cell(cell_of(reporter, budget_s=3.4), data, RunOptions(tmp_path), reporter)
    assert paced == [pytest.approx(0.068)]
    assert record["config"]["epochs"] == 4  # (3.4 - 1) / 0.5, rounded down
    assert record["budget"] == {
        "seconds": 3.4,
        "probe": {"steps": 17, "images_per_second": 16.0, "prepare_s": 1.0, "validate_s": 0.0},
    }
    (log,) = tmp_path.rglob("log.jsonl")
    assert [json.loads(line)["epoch"] for line in log.read_text().splitlines()] == [1, 2, 3, 4]
    assert reporter.notes[0] == (
        "dsh 8 bits: 16 images/s over 17 steps; 4 epochs fit into 3.4 s (--epochs 4 gives the same codes)"
    )


def test_the_same_epochs_without_a_budget_are_the_same_cell(tmp_path, data, reporter, paced):
    first = run_cell(cell_of(reporter, budget_s=3.4), data, RunOptions(tmp_path / "a"), reporter)
    plain = cell_of(reporter, settings={"epochs": "4"})
    again = run_cell(plain, data, RunOptions(tmp_path / "b"), reporter)
    assert again["config_hash"] == first["config_hash"] == config_hash(plain, data)
    assert again["codes_sha256"] == first["codes_sha256"]
    assert again["budget"] is None


def test_a_budget_shorter_than_an_epoch_is_refused(tmp_path, data, reporter, paced):
    with pytest.raises(InvalidSetting, match=r"at least one epoch, which takes 1\.5 s here, got 1\.4 s"):
        run_cell(cell_of(reporter, budget_s=1.4), data, RunOptions(tmp_path), reporter)
    assert not list(tmp_path.iterdir())


def test_a_budget_that_was_spent_is_not_measured_again(tmp_path, data, reporter, paced):
    first = run_cell(cell_of(reporter, budget_s=3.4), data, RunOptions(tmp_path), reporter)
    again = run_cell(cell_of(reporter, budget_s=3.4), data, RunOptions(tmp_path), reporter)
    assert again == first
    assert len(paced) == 1
    run_cell(cell_of(reporter, budget_s=3.4), data, RunOptions(tmp_path, force=True), reporter)
    run_cell(cell_of(reporter, budget_s=3.9), data, RunOptions(tmp_path), reporter)
    run_cell(cell_of(reporter, budget_s=3.4, settings={"lr": "0.1"}), data, RunOptions(tmp_path), reporter)
    assert len(paced) == 4


def test_force_replaces_a_run_of_other_epochs(tmp_path, data, reporter, monkeypatch):
    step_s = iter((0.25, 0.39, 0.28))

    def measure(method, split, augmentation, options, *, seconds, best):
        return Pace(prepare_s=1.0, step_s=next(step_s), measured_steps=17, steps=2, batch_size=4)

    monkeypatch.setattr(budget, "measure_pace", measure)
    other = run_cell(cell_of(reporter, budget_s=3.9), data, RunOptions(tmp_path), reporter)
    first = run_cell(cell_of(reporter, budget_s=3.4), data, RunOptions(tmp_path), reporter)
    again = run_cell(cell_of(reporter, budget_s=3.4), data, RunOptions(tmp_path, force=True), reporter)
    assert [r["config"]["epochs"] for r in (other, first, again)] == [5, 3, 4]
    assert {r["config_hash"] for r in store.find_records(tmp_path)} == {other["config_hash"], again["config_hash"]}


def test_a_run_that_was_cut_off_goes_on_with_its_epochs(tmp_path, data, reporter, paced, monkeypatch):
    cell = cell_of(reporter, budget_s=3.4)
    whole = run_cell(cell, data, RunOptions(tmp_path / "whole"), reporter)

    def tired(self, done, total, terms, images_per_second):
        if done == 4:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(type(reporter), "on_step", tired)
        patch.setattr("hashzoo.training.trainer.time.perf_counter", iter(range(10**6)).__next__)
        with pytest.raises(KeyboardInterrupt):
            run_cell(cell, data, RunOptions(tmp_path), reporter)
    with pytest.raises(InvalidInput, match=r"unfinished run \(1 of 4 epochs done\): --resume goes on with it"):
        run_cell(cell, data, RunOptions(tmp_path), reporter)
    record = run_cell(cell, data, RunOptions(tmp_path, resume=True), reporter)
    assert (record["codes_sha256"], record["budget"]) == (whole["codes_sha256"], whole["budget"])
    assert len(paced) == 2
    assert not list(tmp_path.rglob("budget.json"))


def test_a_run_that_failed_leaves_no_budget(tmp_path, data, reporter, paced):
    with pytest.raises(InvalidSetting, match="cannot take 8x8"):
        run_cell(
            cell_of(reporter, budget_s=3.4, settings={"backbone": "alexnet"}), data, RunOptions(tmp_path), reporter
        )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", ["[]", "3", "null", '{"seconds": 3.4}'])
def test_a_damaged_budget_is_measured_again(tmp_path, data, reporter, paced, text):
    cell = cell_of(reporter, budget_s=3.4)
    record = run_cell(cell, data, RunOptions(tmp_path), reporter)
    (file,) = tmp_path.rglob("result.json")
    file.with_name("budget.json").write_text(text)
    file.unlink()
    assert run_cell(cell, data, RunOptions(tmp_path), reporter)["codes_sha256"] == record["codes_sha256"]


def test_validation_takes_its_part_of_a_budget(tmp_path, data, reporter, monkeypatch):
    def measure(method, split, augmentation, options, *, seconds, best):
        assert (len(split), len(best.held_out)) == (6, 3)
        return Pace(prepare_s=1.0, step_s=0.25, measured_steps=17, steps=2, batch_size=4, validate_s=0.3)

    monkeypatch.setattr(budget, "measure_pace", measure)
    cell = cell_of(reporter, budget_s=3.5, settings={"validate": "3"})
    record = run_cell(cell, data, RunOptions(tmp_path), reporter)
    assert record["config"]["epochs"] == 3  # (3.5 - 1) / 0.8, rounded down
    assert record["budget"]["probe"]["validate_s"] == 0.3


@pytest.mark.parametrize("name", ["dsh", "cnnh", "hashnet", "orthohash"])
def test_a_pace_is_measured_by_training(data, name):
    cls = METHODS.get(name)
    method = cls(8, Task(3, 9, (8, 8)), cls.Config(batch_size=4, classes_per_batch=2))
    steps = []
    objective = method.loss
    method.loss = lambda codes, batch: (steps.append(len(codes)), objective(codes, batch))[1]
    pace = measure_pace(method, data.train, data.augmentation, TrainOptions(), seconds=0.0)
    assert len(steps) == WARM_UP + FEWEST
    assert pace.measured_steps == FEWEST
    assert (pace.steps, pace.batch_size) == (2, 4)
    assert pace.step_s > 0
    assert pace.epoch_s == 2 * pace.step_s
    assert pace.images_per_second == 4 / pace.step_s
    assert pace.prepare_s >= 0
    assert pace.validate_s == 0
    train, held_out = hold_out(data.train, 3, seed=0)
    watched = measure_pace(method, train, data.augmentation, TrainOptions(), seconds=0.0, best=BestEpoch(held_out))
    assert watched.validate_s > 0
    assert watched.epoch_s == watched.steps * watched.step_s + watched.validate_s
    longer = measure_pace(method, data.train, data.augmentation, TrainOptions(), seconds=0.3)
    assert longer.measured_steps * longer.step_s >= 0.3
