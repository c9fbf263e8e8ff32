import pytest

from hashzoo.reports.grouping import labelled_rows, latest, row_labels


def record(preset=None, changes=None, precision="fp32", **config):
    return {
        "method": "dsh",
        "config": {"lr": 0.001, "epochs": 6, **config},
        "preset": preset,
        "preset_changes": changes or {},
        "precision": precision,
        "environment": {"device_type": "cpu"},
        "series": f"{preset}{config}",
    }


def labels(*records):
    return row_labels(records, rivals=lambda r: r["method"])


@pytest.mark.parametrize("preset", [None, "strong"])
def test_one_row_of_a_method_is_its_name(preset):
    assert labels(record(preset)) == ["dsh"]


def test_rows_of_a_method_are_told_apart_by_what_differs():
    assert labels(record(), record(lr=0.1)) == ["dsh lr=0.001", "dsh lr=0.1"]
    assert labels(record(), record(precision="bf16")) == ["dsh precision=fp32", "dsh precision=bf16"]


def test_a_preset_stands_for_its_settings():
    rows = record(), record("paper", epochs=40), record("strong", epochs=30, lr=0.002)
    assert labels(*rows) == ["dsh", "dsh paper", "dsh strong"]


def test_what_a_preset_does_not_say_is_named():
    changed = record("strong", {"epochs": 3}, epochs=3)
    assert labels(record("paper", epochs=40), changed) == ["dsh paper", "dsh strong epochs=3"]
    assert labels(record(), record("strong", epochs=30), changed) == [
        "dsh",
        "dsh strong epochs=30",
        "dsh strong epochs=3",
    ]


def test_what_no_preset_says_is_compared_with_all_rows():
    rows = record("paper", precision="bf16"), record("strong")
    assert labels(*rows) == ["dsh paper precision=bf16", "dsh strong precision=fp32"]


def test_rows_that_nothing_visible_tells_apart_have_the_start_of_their_series():
    rows = [{**record(), "series": "0123456789"}, {**record(), "series": "abcdefghij"}]
    assert labels(*rows) == ["dsh 012345", "dsh abcdef"]


def test_a_record_that_does_not_say_what_was_changed_is_labelled_by_its_preset():
    older = record("strong", epochs=30)
    del older["preset_changes"]
    assert labels(record(), older) == ["dsh", "dsh strong"]


def within(seconds, epochs, **changed):
    return {**record(epochs=epochs), "budget": {"seconds": seconds, "probe": {}}, **changed}


def test_a_budget_is_one_row_whatever_epochs_it_had_time_for():
    rows = labelled_rows([within(600.0, 13, bits=12), within(600.0, 12, bits=24), within(600.0, 11, seed=1)])
    assert {label: len(part) for label, part in rows.items()} == {"dsh": 3}


def test_budgets_tell_rows_apart():
    assert labels(within(600.0, 13), within(60.0, 1)) == ["dsh budget=600s", "dsh budget=60s"]
    assert labels(within(600.0, 13), record(epochs=13)) == ["dsh budget=600s", "dsh epochs=13"]
    assert set(labelled_rows([within(600.0, 13), record(epochs=13)])) == {"dsh budget=600s", "dsh epochs=13"}


def test_the_epochs_of_a_budget_are_no_change_of_a_preset():
    strong = within(600.0, 3, preset="strong", preset_changes={"epochs": 3})
    assert labels(record("paper", epochs=40), strong) == ["dsh paper", "dsh strong budget=600s"]


@pytest.mark.parametrize(
    ("one", "other", "names"),
    [
        ({"a.py": "sha256:" + 64 * "a"}, {"a.py": "sha256:" + 64 * "b"}, [f"a.py=sha256:{12 * c}" for c in "ab"]),
        ({"hashzoo-x": "1.0"}, {"hashzoo-x": "1.1"}, ["hashzoo-x=1.0", "hashzoo-x=1.1"]),
    ],
)
def test_versions_of_a_plugin_are_rows_of_their_own(one, other, names):
    common = {"python": "3.11", "numpy": "2.0", "torch": "2.9", "hashzoo": "0.1"}
    rows = [
        {**record(), "environment": {"device_type": "cpu", "versions": {**common, "torch": torch, **owner}}}
        for torch, owner in (("2.8", one), ("2.9", one), ("2.9", other))
    ]
    assert list(labelled_rows(rows)) == [f"dsh {name}" for name in names]


def test_augmentations_are_rows_of_their_own():
    rows = [{**record(), "augmentation": {"shift": shift, "mirror": True}} for shift in (2, 4, 2)]
    assert list(labelled_rows(rows)) == ["dsh augmentation.shift=2", "dsh augmentation.shift=4"]


def test_the_latest_record_of_a_length_and_seed_counts():
    made = [
        {"bits": bits, "seed": seed, "created": f"2026-11-{day}T00:00:00+00:00"}
        for bits, seed, day in ((12, 0, 24), (12, 0, 22), (12, 1, 20), (24, 0, 21))
    ]
    assert sorted((r["bits"], r["seed"], r["created"][8:10]) for r in latest(made)) == [
        (12, 0, "24"),
        (12, 1, "20"),
        (24, 0, "21"),
    ]
