import pytest

from hashzoo.reports.grouping import row_labels


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
