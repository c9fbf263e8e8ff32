from dataclasses import replace

import pytest
import torch

from hashzoo.errors import InvalidSetting, UnknownName
from hashzoo.experiments import cell as cells
from hashzoo.experiments.cell import config_hash, identity, plan, series_hash


def cell_of(reporter, method="lsh", settings=None, **options):
    return plan(method, [12], settings or {}, device="cpu", precision="fp32", reporter=reporter, **options)[0]


def test_the_hash_covers_what_changes_the_number(data, reporter):
    cell = cell_of(reporter)
    assert config_hash(cell, data) == config_hash(cell_of(reporter), data)
    others = [
        (replace(cell, bits=13), data),
        (replace(cell, seed=1), data),
        (replace(cell, precision="bf16"), data),
        (replace(cell, device="cuda"), data),
        (replace(cell, image_size=16), data),
        (replace(cell, topk=5), data),
        (cell_of(reporter, "dsh", {"epochs": "2"}), data),
        (cell_of(reporter, "dsh", {"epochs": "3"}), data),
        (cell, replace(data, split_sha256="0")),
        (cell, replace(data, images_sha256="0")),
        (cell, replace(data, protocol="other")),
        (cell, replace(data, topk=7)),
    ]
    hashes = {config_hash(*other) for other in [(cell, data), *others]}
    assert len(hashes) == len(others) + 1
    assert series_hash(cell, data) == series_hash(replace(cell, bits=13), data)
    assert series_hash(cell, data) != series_hash(replace(cell, seed=1), data)


def test_a_budget_stands_for_its_epochs_in_a_row_of_a_table(data, reporter):
    def within(seconds, epochs, bits=12):
        cell = cell_of(reporter, "dsh", {"epochs": str(epochs)})
        return replace(cell, bits=bits, budget_s=seconds)

    assert series_hash(within(60.0, 13), data) == series_hash(within(60.0, 12, bits=24), data)
    others = within(60.0, 13), within(90.0, 13), within(None, 13), within(None, 12)
    assert len({series_hash(cell, data) for cell in others}) == 4
    assert config_hash(within(60.0, 13), data) == config_hash(within(None, 13), data)


def test_the_version_of_the_owner_is_part_of_the_hash(data, reporter, monkeypatch):
    cell = cell_of(reporter)
    before = config_hash(cell, data)
    monkeypatch.setattr(cells, "owner_of", lambda cls: {"elsewhere": "2.0"})
    assert identity(cell, data)["versions"]["elsewhere"] == "2.0"
    assert config_hash(cell, data) != before


def test_weights_are_recorded_by_content_not_by_path(tmp_path, data, reporter):
    def with_weights(folder, content):
        (tmp_path / folder).mkdir()
        file = tmp_path / folder / "trunk.safetensors"
        file.write_bytes(content)
        return identity(cell_of(reporter, "dsh", {"weights": str(file)}), data)

    a, b, c = with_weights("a", b"1"), with_weights("b", b"1"), with_weights("c", b"2")
    assert a == b != c
    assert a["config"]["weights"].startswith("trunk.safetensors sha256:")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("dshh", [12], {}), UnknownName, "did you mean 'dsh'"),
        (("dsh", [12], {"backbone": "resnt18"}), UnknownName, "did you mean 'resnet18'"),
        (("dsh", [12], {"epoch": "2"}), UnknownName, "did you mean 'epochs'"),
        (("dsh", [12], {"epochs": "two"}), InvalidSetting, "epochs: expected a whole number"),
        (("dsh", [0], {}), InvalidSetting, "bits: expected 1 to 4096"),
        (("lsh", [12], {"epochs": "2", "backbone": "dsh_cnn"}), InvalidSetting, "has no backbone and no epochs"),
    ],
)
def test_planning_refuses(reporter, arguments, error, message):
    with pytest.raises(error, match=message):
        plan(*arguments, reporter=reporter)


def test_a_preset_that_is_not_there(reporter):
    with pytest.raises(UnknownName, match=r"no preset of 'dsh' named 'strng'; did you mean 'strong'"):
        cell_of(reporter, "dsh", preset="strng")
    with pytest.raises(UnknownName, match=r"no preset of 'lsh' named 'strong' \(known: none\)"):
        cell_of(reporter, "lsh", preset="strong")


def test_a_gpu_that_is_not_there(reporter, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InvalidSetting, match="--device cpu"):
        plan("dsh", [12], {}, device="cuda", reporter=reporter)


@pytest.mark.parametrize(("native", "chosen"), [(True, "bf16"), (False, "fp32")])
def test_automatic_precision_follows_the_hardware(reporter, monkeypatch, native, chosen):
    for judged in ("gains_from_bf16", "has_native_bf16"):
        monkeypatch.setattr(cells, judged, lambda device: native)
    (auto,) = plan("dsh", [12], {}, device="cpu", reporter=reporter)
    assert auto.precision == chosen
    (asked,) = plan("dsh", [12], {}, device="cpu", precision="bf16", reporter=reporter)
    assert asked.precision == "bf16"
    assert bool(reporter.notes) is not native


def test_a_shallow_method_has_neither_device_nor_precision(reporter):
    (cell,) = plan("lsh", [12], {}, device="cuda", precision="bf16", reporter=reporter)
    assert (cell.device, cell.precision) == ("cpu", "fp32")
    assert reporter.notes == ["lsh trains no network: it runs on the CPU in fp32"]
