import errno
import io
import json
import os
import zipfile

import numpy as np
import pytest

from hashzoo.errors import InvalidInput, StorageError
from hashzoo.evaluators.base import CodeSet
from hashzoo.experiments import store

LABELS = {"query_labels": np.array([0, 1]), "database_labels": np.array([0, 1, 1])}
CODES = np.array([[1, -1, 1], [-1, -1, 1], [1, 1, 1]], np.int8)


def arrays(**changed):
    return {"query_codes": CODES[:2], "database_codes": CODES, **LABELS, **changed}


def saved(path, **changed):
    file = path / "codes.npz"
    np.savez(file, **arrays(**changed))
    return file


def test_codes_come_back_as_they_were(tmp_path):
    codes = CodeSet.checked(**arrays())
    store.write_codes(tmp_path / "codes.npz", codes)
    back = store.read_codes(tmp_path)  # the folder of a cell will do
    assert back.bits == 3
    for name in ("query_codes", "query_labels", "database_codes", "database_labels"):
        np.testing.assert_array_equal(getattr(back, name), getattr(codes, name))


def test_the_checksum_is_of_the_codes_not_of_the_file(tmp_path):
    unpacked, boolean = saved(tmp_path), CodeSet.checked(**arrays(query_codes=CODES[:2] > 0))
    assert store.codes_sha256(store.read_codes(unpacked)) == store.codes_sha256(boolean)
    other = CodeSet.checked(**arrays(query_codes=-CODES[:2]))
    assert store.codes_sha256(other) != store.codes_sha256(boolean)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"query_codes": np.array([[1.0, np.nan, 1], [1, 1, 1]])}, "query_codes: .*NaN"),
        ({"query_codes": np.ones(3)}, "query_codes: .*shape"),
        ({"query_codes": np.ones((2, 5))}, "database_codes: expected codes of 5 bits, got 3"),
        ({"query_codes": np.array([[1, {}, 1], [1, 1, 1]])}, "query_codes: .*pickles"),
        ({"database_labels": np.zeros(9, int)}, "database_labels: expected one per code"),
        ({"database_codes": np.zeros((0, 3)), "database_labels": np.zeros(0, int)}, "database_codes: .*at least one"),
        ({"bits": np.array([3.5])}, "bits: "),
    ],
)
def test_bad_arrays_name_file_and_key(tmp_path, changed, message):
    file = saved(tmp_path, **changed)
    with pytest.raises(InvalidInput, match=message) as caught:
        store.read_codes(file)
    assert str(caught.value).startswith(f"{file}: ")
    assert "\n" not in str(caught.value)


def test_missing_keys_are_listed(tmp_path):
    np.savez(tmp_path / "codes.npz", query_codes=CODES, other=CODES)
    with pytest.raises(InvalidInput, match=r"missing query_labels, database_codes, .* \(found: query_codes, other\)"):
        store.read_codes(tmp_path / "codes.npz")


def truncated(whole):
    return whole[: len(whole) // 2]


def flipped(whole):
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        start = archive.getinfo("database_codes.npy").header_offset
    damaged = bytearray(whole)
    damaged[start + 60 : start + 90] = b"\xff" * 30
    return bytes(damaged)


def unknown_compression(whole):
    damaged = bytearray(whole)
    damaged[whole.index(b"PK\1\2") + 10] = 99
    return bytes(damaged)


def single(whole):
    buffer = io.BytesIO()
    np.save(buffer, CODES)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "damage",
    [truncated, flipped, unknown_compression, single, lambda _: b"", lambda _: b"hello", lambda _: b"\x80\x04N."],
)
def test_a_file_that_is_no_archive(tmp_path, damage):
    file = saved(tmp_path)
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(InvalidInput, match=r"codes\.npz: ") as caught:
        store.read_codes(file)
    assert "\n" not in str(caught.value)
    assert "allow_pickle" not in str(caught.value)


def test_no_file(tmp_path):
    with pytest.raises(InvalidInput, match="no such file"):
        store.read_codes(tmp_path / "nothing.npz")


def whole_record():
    words = "method dataset protocol title split_sha256 images_sha256 config_hash series codes_sha256"
    return {
        "schema": store.SCHEMA,
        "bits": 12,
        "seed": 0,
        "metrics": {"map_expected": 0.5, "map_worst": 0.4, "map_best": 0.6, "precision_radius2": 0.1},
        "config": {},
        "metric_definition": {},
        "timings": {},
        "environment": {},
        **dict.fromkeys(words.split(), "x"),
    }


def test_records_are_found_and_foreign_files_skipped(tmp_path, capsys):
    damaged = {
        "truncated": '{"schema": 1, "meth',
        "foreign": '{"results": []}',
        "list": "[1, 2]",
        "newer": json.dumps({**whole_record(), "schema": 99}),
        "partial": json.dumps({"schema": 1, "method": "dsh"}),
        "no_metric": json.dumps({**whole_record(), "metrics": {"map_expected": "high"}}),
    }
    for name, text in damaged.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "result.json").write_text(text)
    (tmp_path / "binary").mkdir()
    (tmp_path / "binary" / "result.json").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "good").mkdir()
    store.write_record(tmp_path / "good", whole_record())
    assert store.find_records(tmp_path) == [whole_record()]
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == len(damaged) + 1
    for name in (*damaged, "binary"):
        assert any(str(tmp_path / name / "result.json") in line for line in lines)


def test_no_folder_of_records(tmp_path):
    with pytest.raises(InvalidInput, match="found no folder"):
        store.find_records(tmp_path / "nothing")


def test_a_full_disk_keeps_what_was_there(tmp_path, monkeypatch):
    store.write_record(tmp_path, whole_record())

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="No space left on device"):
        store.write_record(tmp_path, {**whole_record(), "seed": 1})
    assert [file.name for file in tmp_path.iterdir()] == ["result.json"]
    assert store.read_record(tmp_path / "result.json")["seed"] == 0


def test_made_folders_vanish_if_they_stay_empty(tmp_path):
    with pytest.raises(ZeroDivisionError), store.made_folder(tmp_path / "a" / "b"):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []
    with store.made_folder(tmp_path / "a" / "b"):
        (tmp_path / "a" / "kept").touch()
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["kept"]


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot make the folder"), store.made_folder(tmp_path / "file" / "a"):
        pass


def test_rows_left_out_survive_the_file(tmp_path):
    rng = np.random.default_rng(0)
    labels = np.arange(6) % 2
    codes = CodeSet.checked(
        query_codes=rng.standard_normal((6, 12)),
        query_labels=labels,
        database_codes=rng.standard_normal((6, 12)),
        database_labels=labels,
        exclude=np.array([0, 1, 2, 3, 4, -1]),
    )
    store.write_codes(tmp_path / "codes.npz", codes)
    np.testing.assert_array_equal(store.read_codes(tmp_path / "codes.npz").exclude, codes.exclude)


def run_in(folder, **changed):
    codes = CodeSet.checked(**arrays())
    store.write_codes(folder / "codes.npz", codes)
    return store.Run(folder, {"codes_sha256": store.codes_sha256(codes), **changed})


def test_codes_of_a_run_are_those_of_its_record(tmp_path):
    assert store.codes_of(run_in(tmp_path)).bits == 3
    with pytest.raises(InvalidInput, match="not the codes of its record"):
        store.codes_of(run_in(tmp_path, codes_sha256="00"))


def test_a_log_has_a_line_for_each_epoch(tmp_path):
    run = store.Run(tmp_path, {})
    assert store.read_log(run) == []
    (tmp_path / "log.jsonl").write_text('{"epoch": 1, "losses": {"a": 0.5}}\n{"epoch": 2, "losses": {"a": 0.25}}\n')
    assert [line["losses"]["a"] for line in store.read_log(run)] == [0.5, 0.25]


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"epoch": 1}',
        '{"epoch": 1, "losses": [1]}',
        '{"epoch": "1", "losses": {}}',
        '{"epoch": 1, "losses": {"a": "1"}}',
        '{"epoch": 1, "losses": {"a": NaN}}',
    ],
)
def test_a_damaged_log_is_named(tmp_path, text):
    (tmp_path / "log.jsonl").write_text(text)
    with pytest.raises(InvalidInput, match=r"log\.jsonl is not a log of training"):
        store.read_log(store.Run(tmp_path, {}))


def test_a_record_with_what_is_no_number_is_refused(tmp_path):
    (tmp_path / "result.json").write_text('{"schema": 1, "metrics": {"map": NaN}}')
    with pytest.raises(InvalidInput, match="NaN is not a number"):
        store.read_record(tmp_path / "result.json")
