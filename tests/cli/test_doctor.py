import json
import sys

from hashzoo import _native
from hashzoo.cli import main


class BrokenKernels:
    """A `_native_cuda` with a GPU for which it was not built."""

    def device_count(self):
        return 1

    def count(self, **_):
        raise RuntimeError("CUDA: no kernel image is available\nfor execution on the device")


def test_every_backend_is_checked_and_timed(capsys):
    before = _native.isa()
    assert main(["doctor", "--json", "--threads", "1"]) == 0
    findings = json.loads(capsys.readouterr().out)
    assert [found["name"] for found in findings["backends"]][: 2 + len(_native.isas())] == [
        "numpy",
        *_native.isas(),
        "torch on cpu",
    ]
    for found in findings["backends"]:
        assert found["problem"] == ""
        assert found["pairs_per_second"] > 0
    assert findings["isas"] == _native.isas()
    assert findings["extensions"]["_native"] is True
    assert _native.isa() == before


def test_a_table_for_people(capsys):
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "equal to the reference" in out
    assert "instruction sets" in out


def test_kernels_that_fail_are_reported(capsys, monkeypatch):
    monkeypatch.setattr("hashzoo.reports.checkup.native_module", BrokenKernels)
    assert main(["doctor"]) == 2
    said = capsys.readouterr()
    assert "count_classes fails: CUDA: no kernel image is available for execution on the device" in said.out
    assert said.err.startswith("hashzoo: doctor: 1 of ")
    assert said.err.endswith(" checks failed: kernels on cuda:0\n")


def test_without_the_extension(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "hashzoo._native", None)
    monkeypatch.delattr("hashzoo._native", raising=False)
    assert main(["doctor"]) == 0
    assert "hashzoo._native was not built, numpy ranks" in capsys.readouterr().out
