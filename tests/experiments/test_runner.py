import errno
import json
import os
from dataclasses import replace

import numpy as np
import pytest
import torch

from hashzoo.errors import CheckpointError, HashzooError, InvalidInput, InvalidSetting, StorageError, UnsuitableData
from hashzoo.evaluators.hamming_ranking import HammingRanking
from hashzoo.evaluators.query_ranking import QueryRanking
from hashzoo.experiments import runner, store
from hashzoo.experiments.cell import config_hash, identity, plan
from hashzoo.experiments.runner import RunOptions, run_cell, run_cells
from hashzoo.methods.base import METHODS
from hashzoo.methods.dsh import DSH
from hashzoo.methods.encoder import load_encoder
from hashzoo.methods.lsh import LSH
from hashzoo.reports.table import plain, run_tables
from hashzoo.training.checkpoint import Checkpoint

KEYS = {
    *("schema", "method", "dataset", "protocol", "split_sha256", "bits", "seed", "config", "metrics"),
    *("metric_definition", "timings", "environment", "codes_sha256"),
    *("title", "images_sha256", "config_hash", "paper", "deviations", "hashzoo", "created", "command"),
}


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def cells_of(reporter, method="lsh", bits=(12,), settings=None, **options):
    return plan(method, bits, settings or {}, device="cpu", precision="fp32", reporter=reporter, **options)


def dsh_cell(reporter, epochs=2, **options):
    return cells_of(reporter, "dsh", settings={"epochs": str(epochs), "batch_size": "9"}, **options)[0]


def test_a_shallow_record_is_whole(tmp_path, data, reporter):
    options = RunOptions(
        tmp_path, command=["hashzoo", "run", "lsh", "--data-root", "/home/me", "--out=/x", "--bits", "12"]
    )
    record = run_cell(cells_of(reporter)[0], data, options, reporter)
    folder = tmp_path / "tiny" / "standard" / "lsh" / f"12b-s0-{record['config_hash']}"
    assert {file.name for file in folder.iterdir()} == {"result.json", "codes.npz", "model.safetensors", "pr_curve.png"}
    assert store.read_record(folder / "result.json") == record
    assert set(record) >= KEYS
    assert record["command"] == "hashzoo run lsh --data-root PATH --out=PATH --bits 12"
    assert str(tmp_path) not in json.dumps(record)
    assert set(record["timings"]) == {"train_s", "encode_s", "evaluate_s"}
    assert set(record["environment"]) >= {"versions", "isa", "device", "threads", "compiled", "commit", "dirty"}
    assert record["metric_definition"]["ties"] == "expected"
    codes = store.read_codes(folder)
    assert store.codes_sha256(codes) == record["codes_sha256"]
    among = QueryRanking().evaluate(codes).metrics
    assert among
    assert among.items() <= record["metrics"].items()
    np.testing.assert_array_equal(load_encoder(folder).encode_split(data.query), codes.query_codes)
    assert (folder / "pr_curve.png").read_bytes().startswith(b"\x89PNG")


def test_a_network_is_trained_and_its_checkpoint_removed(tmp_path, data, reporter):
    record = run_cell(dsh_cell(reporter), data, RunOptions(tmp_path), reporter)
    (result,) = tmp_path.rglob("result.json")
    assert sorted(file.name for file in result.parent.iterdir()) == [
        "codes.npz",
        "log.jsonl",
        "model.safetensors",
        "pr_curve.png",
        "result.json",
    ]
    assert len((result.parent / "log.jsonl").read_text().splitlines()) == 2
    assert record["config"]["epochs"] == 2
    assert reporter.steps > 0


def test_a_finished_cell_is_skipped_unless_forced(tmp_path, data, reporter):
    cell = cells_of(reporter)[0]
    first = run_cell(cell, data, RunOptions(tmp_path), reporter)
    again = run_cell(cell, data, RunOptions(tmp_path), reporter)
    assert again == first
    assert "--force runs it again" in reporter.notes[-1]
    (file,) = tmp_path.rglob("result.json")
    before = file.stat().st_ino
    forced = run_cell(cell, data, RunOptions(tmp_path, force=True), reporter)
    assert file.stat().st_ino != before
    assert forced["codes_sha256"] == first["codes_sha256"]


def test_a_damaged_record_is_made_again(tmp_path, data, reporter):
    cell = cells_of(reporter)[0]
    first = run_cell(cell, data, RunOptions(tmp_path), reporter)
    (file,) = tmp_path.rglob("result.json")
    file.write_text("{")
    again = run_cell(cell, data, RunOptions(tmp_path), reporter)
    assert again["codes_sha256"] == first["codes_sha256"]
    assert store.read_record(file) == again


class Interrupting:
    """Presses Ctrl-C after some steps."""

    def __init__(self, reporter, after):
        self.reporter, self.after = reporter, after
        self.note = reporter.note

    def training(self, title, epochs):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        return None

    def on_step(self, done, total, terms, images_per_second):
        if done >= self.after:
            raise KeyboardInterrupt


def unfinished(tmp_path, data, reporter, cell):
    with pytest.raises(KeyboardInterrupt):
        run_cell(cell, data, RunOptions(tmp_path), Interrupting(reporter, after=3))
    (index,) = tmp_path.rglob("checkpoint.json")
    return index.parent


def test_an_unfinished_run_waits_for_a_decision(tmp_path, data, reporter):
    cell = dsh_cell(reporter, epochs=4)
    folder = unfinished(tmp_path, data, reporter, cell)
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    with pytest.raises(InvalidInput, match=r"unfinished run \(2 of 4 epochs done\): --resume .* --force"):
        run_cell(cell, data, RunOptions(tmp_path), reporter)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


def test_one_unfinished_cell_stops_all_before_they_start(tmp_path, data, reporter):
    settings = {"epochs": "4", "batch_size": "9"}
    cells = cells_of(reporter, "dsh", (8, 12), settings)
    unfinished(tmp_path, data, reporter, cells[1])
    with pytest.raises(InvalidInput, match="unfinished"):
        run_cells(cells, data, RunOptions(tmp_path), reporter)
    assert not list(tmp_path.rglob("8b-*"))


def test_resume_and_force_end_in_the_codes_of_an_unbroken_run(tmp_path, data, reporter):
    cell = dsh_cell(reporter, epochs=4)
    whole = run_cell(cell, data, RunOptions(tmp_path / "whole"), reporter)
    for name, options in (("resume", {"resume": True}), ("force", {"force": True})):
        folder = unfinished(tmp_path / name, data, reporter, cell)
        record = run_cell(cell, data, RunOptions(tmp_path / name, **options), reporter)
        assert record["codes_sha256"] == whole["codes_sha256"]
        assert record["model_sha256"] == whole["model_sha256"]
        assert not list(folder.glob("checkpoint*"))
        assert len((folder / "log.jsonl").read_text().splitlines()) == 4


def test_resume_without_a_checkpoint_starts_and_says_so(tmp_path, data, reporter):
    run_cell(dsh_cell(reporter), data, RunOptions(tmp_path, resume=True), reporter)
    assert any("no checkpoint" in note for note in reporter.notes)


def test_a_checkpoint_of_other_settings_is_refused(tmp_path, data, reporter):
    cell = dsh_cell(reporter, epochs=4)
    folder = unfinished(tmp_path, data, reporter, cell)
    index = folder / "checkpoint.json"
    index.write_text(index.read_text().replace(config_hash(cell, data), "0" * 12))
    with pytest.raises(CheckpointError, match="belongs to other settings"):
        run_cell(cell, data, RunOptions(tmp_path, resume=True), reporter)
    assert index.exists()


def test_a_truncated_checkpoint_is_refused(tmp_path, data, reporter):
    cell = dsh_cell(reporter, epochs=4)
    folder = unfinished(tmp_path, data, reporter, cell)
    (tensors,) = folder.glob("checkpoint-*.safetensors")
    tensors.write_bytes(tensors.read_bytes()[:100])
    with pytest.raises(CheckpointError, match="is damaged"):
        run_cell(cell, data, RunOptions(tmp_path, resume=True), reporter)
    (folder / "checkpoint.json").write_text("{")
    with pytest.raises(InvalidInput, match=r"its checkpoint is damaged\): --force starts over"):
        run_cell(cell, data, RunOptions(tmp_path), reporter)


def test_a_model_that_is_not_its_record_s_is_refused(tmp_path, data, reporter):
    run_cell(cells_of(reporter)[0], data, RunOptions(tmp_path), reporter)
    (file,) = tmp_path.rglob("model.safetensors")
    load_encoder(file)
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    for path in (file, file.parent):
        with pytest.raises(CheckpointError, match="not the model that the record beside it was measured with"):
            load_encoder(path)


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ("--features=deep:/a/b", "--features=deep:PATH"),
        ("deep:~/a", "deep:PATH"),
        ("--set=weights=/a,b", "--set=weights=PATH,b"),
        ("tcp://host:8786", "tcp://host:8786"),
        ("a/b", "a/b"),
    ],
)
def test_absolute_paths_are_not_published(word, shown):
    assert runner.without_paths([word]) == shown


class OneLabel(LSH):
    """Refuses several labels."""

    multi_label = False


def test_several_labels_need_a_method_that_takes_them(tmp_path, multi_label_data, reporter, monkeypatch):
    monkeypatch.setitem(METHODS._classes, "one_label", OneLabel)
    monkeypatch.setattr(OneLabel, "name", "one_label")
    with pytest.raises(UnsuitableData, match=r"one_label needs one label .* these can: \w+, \w+, \w+"):
        run_cells(cells_of(reporter, "one_label"), multi_label_data, RunOptions(tmp_path), reporter)
    assert list(tmp_path.iterdir()) == []
    record = run_cell(cells_of(reporter)[0], multi_label_data, RunOptions(tmp_path), reporter)
    assert record["metric_definition"]["relevance"] == "at least one shared label"


def test_a_preset_is_its_settings_and_others_go_on_top(tmp_path, data, reporter):
    (chosen,) = cells_of(reporter, "dsh", settings={"epochs": "1"}, preset="fast")
    words = {**DSH.presets["fast"].settings, "epochs": "1"}
    (typed,) = cells_of(reporter, "dsh", settings=words)
    assert chosen.config == typed.config
    assert chosen.config.epochs == 1
    assert chosen.config.batch_size == int(DSH.presets["fast"].settings["batch_size"])
    assert config_hash(chosen, data) == config_hash(typed, data)
    record = run_cell(chosen, data, RunOptions(tmp_path), reporter)
    assert (record["preset"], record["config"]) == ("fast", identity(typed, data)["config"])
    assert record["preset_changes"] == {"epochs": 1}
    assert run_cell(typed, data, RunOptions(tmp_path, force=True), reporter)["preset_changes"] == {}


def test_an_epoch_chosen_by_held_out_training_images(tmp_path, data, reporter):
    settings = {"epochs": "3", "batch_size": "6", "validate": "3"}
    (cell,) = cells_of(reporter, "dsh", settings=settings)
    record = run_cell(cell, data, RunOptions(tmp_path), reporter)
    chosen = record["selection"]
    (log,) = tmp_path.rglob("log.jsonl")
    scores = [json.loads(line)["validation_map"] for line in log.read_text().splitlines()]
    assert (chosen["held_out"], chosen["validation_map"]) == (3, max(scores))
    assert chosen["epoch"] == scores.index(max(scores)) + 1
    assert set(chosen["last"]) >= {"map_expected", "precision_radius2"}
    assert record["training"]["images"] == 6
    assert record["metric_definition"]["database"] == 9, "they still answer"
    assert "epoch" in plain(run_tables([record])).split("tie range")[1]
    assert run_cell(dsh_cell(reporter), data, RunOptions(tmp_path), reporter)["selection"] is None


def test_too_many_held_out_images_leave_nothing(tmp_path, data, reporter):
    (cell,) = cells_of(reporter, "dsh", settings={"validate": "8"})
    with pytest.raises(InvalidSetting, match="validate: expected 2 to 7 of 9 training images, got 8"):
        run_cell(cell, data, RunOptions(tmp_path), reporter)
    assert list(tmp_path.iterdir()) == []


def test_a_backbone_that_cannot_take_the_images_leaves_nothing(tmp_path, data, reporter):
    (cell,) = cells_of(reporter, "dsh", settings={"backbone": "alexnet"})
    with pytest.raises(InvalidSetting, match="cannot take 8x8"):
        run_cell(cell, data, RunOptions(tmp_path / "runs"), reporter)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_while_the_record_is_written(tmp_path, data, reporter, monkeypatch):
    replaced = os.replace

    def full(source, target):
        if str(target).endswith("result.json"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replaced(source, target)

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(StorageError, match=r"cannot write .*result\.json: No space left"):
        run_cell(cells_of(reporter)[0], data, RunOptions(tmp_path), reporter)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()
    run_cell(cells_of(reporter)[0], data, RunOptions(tmp_path), reporter)


def test_a_full_disk_after_training_keeps_the_checkpoint(tmp_path, data, reporter, monkeypatch):
    cell = dsh_cell(reporter, epochs=3)
    with monkeypatch.context() as patch:
        patch.setattr(runner, "pr_curve_png", lambda record: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run_cell(cell, data, RunOptions(tmp_path), reporter)
    (index,) = tmp_path.rglob("checkpoint.json")
    assert not {"model.safetensors", "codes.npz", "result.json"} & {file.name for file in index.parent.iterdir()}
    run_cell(cell, data, RunOptions(tmp_path, resume=True), reporter)


def test_a_loss_that_is_not_finite_leaves_nothing(tmp_path, data, reporter):
    (cell,) = cells_of(reporter, "dsh", settings={"epochs": "3", "batch_size": "9", "alpha": "1e38", "lr": "1e30"})
    with pytest.raises(HashzooError, match="a lower learning rate may help"):
        run_cell(cell, data, RunOptions(tmp_path / "runs"), reporter)
    assert not list(tmp_path.rglob("result.json"))


def test_a_full_disk_from_the_start_leaves_nothing(tmp_path, data, reporter, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    for cell in (cells_of(reporter)[0], dsh_cell(reporter)):
        with pytest.raises(StorageError, match="No space left"):
            run_cell(cell, data, RunOptions(tmp_path / "runs"), reporter)
        assert list(tmp_path.iterdir()) == []


def test_the_checkpoint_of_a_forced_run_is_its_own(tmp_path, data, reporter):
    cell = dsh_cell(reporter, epochs=4)
    first = run_cell(cell, data, RunOptions(tmp_path), reporter)
    with pytest.raises(KeyboardInterrupt):
        run_cell(cell, data, RunOptions(tmp_path, force=True), Interrupting(reporter, after=3))
    (folder,) = (path.parent for path in tmp_path.rglob("checkpoint.json"))
    assert not (folder / "result.json").exists()  # or it would vouch for codes that are about to change
    assert Checkpoint(folder, "").exists()
    assert store.find_records(tmp_path) == [first]
    again = run_cell(cell, data, RunOptions(tmp_path, resume=True), reporter)
    assert store.find_records(tmp_path) == [again]


def test_a_forced_run_that_fails_loses_nothing(tmp_path, data, reporter, monkeypatch):
    cell = cells_of(reporter)[0]
    first = run_cell(cell, data, RunOptions(tmp_path), reporter)

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(store, "write_codes", full)
        for _ in range(2):
            with pytest.raises(StorageError, match="No space left on device"):
                run_cell(cell, data, RunOptions(tmp_path, force=True), reporter)
    (run,) = store.find_runs(tmp_path)
    assert run.record == first
    assert store.codes_of(run).bits == first["bits"]
    again = run_cell(cell, data, RunOptions(tmp_path), reporter)
    assert store.find_records(tmp_path) == [again]


def test_a_title_is_not_read_as_a_formula(tmp_path, data, reporter):
    dollars = replace(data, title="a $\\frac$ b")
    assert run_cell(cells_of(reporter)[0], dollars, RunOptions(tmp_path), reporter)["title"] == "a $\\frac$ b"


def test_a_query_that_is_not_among_its_own_answers(tmp_path, data, reporter):
    """As with `cifar10@dsh-others`: the record says so, and the number is that of the codes file."""
    alike = replace(data, query=data.train, database=data.train)
    own = run_cell(cells_of(reporter)[0], alike, RunOptions(tmp_path / "own"), reporter)
    others = replace(alike, protocol="others", exclude=np.arange(len(data.train)))
    record = run_cell(cells_of(reporter)[0], others, RunOptions(tmp_path / "others"), reporter)
    assert record["metric_definition"]["excluded_rows"] == len(data.train)
    assert "excluded_rows" not in own["metric_definition"]
    assert record["metrics"]["map_worst"] < own["metrics"]["map_worst"]
    (folder,) = (file.parent for file in (tmp_path / "others").rglob("result.json"))
    again = HammingRanking().evaluate(store.read_codes(folder))
    assert again.metrics["map"] == record["metrics"]["map"]


def test_a_record_says_where_its_split_comes_from(tmp_path, data, reporter):
    drawn = replace(data, split={"rule": "100 images of each class ask", "seed": 3})
    assert run_cell(cells_of(reporter)[0], drawn, RunOptions(tmp_path), reporter)["split"] == drawn.split
