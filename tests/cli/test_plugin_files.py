"""A method in a file that is not installed: it runs, and each way to get it wrong has its own message."""

from __future__ import annotations

import hashlib
import json

import pytest

from hashzoo import METHODS, load_encoder
from hashzoo.cli import main
from hashzoo.errors import CheckpointError, InvalidInput, UnknownName

HEAD = """\
import numpy as np
import torch
from hashzoo import METHODS, DeepMethod, ShallowMethod
from hashzoo.losses.contrastive import Contrastive
"""

GOOD = (
    HEAD
    + """
@METHODS.register("mine")
class Mine(ShallowMethod):
    def fit(self, features, labels, rng):
        return {"directions": rng.standard_normal((features.shape[1], self.bits), np.float32)}

    def project(self, features, model):
        return (features - 0.5) @ model["directions"]
"""
)

DEEP = (
    HEAD
    + """
@METHODS.register("mine")
class Mine(DeepMethod):
    def losses(self):
        return [(1.0, Contrastive(self.bits))]
"""
)


@pytest.fixture
def mine(here, monkeypatch):
    """Write the code to my_method.py; what it registers is forgotten after the test."""
    METHODS.names()
    monkeypatch.setattr(METHODS, "_classes", dict(METHODS._classes))

    def write(code):
        (here / "my_method.py").write_text(code)
        return hashlib.sha256(code.encode()).hexdigest()

    return write


def run(capsys, *words, reference="./my_method.py:Mine"):
    status = main(["run", reference, "--dataset", "folder", "--bits", "12", "--device", "cpu", *words])
    return status, *capsys.readouterr()


def test_it_runs_and_its_file_is_its_version(mine, here, capsys):
    sha256 = mine(GOOD)
    status, out, _ = run(capsys, "--json")
    assert status == 0
    (record,) = json.loads(out)
    assert record["method"] == "mine"
    assert record["environment"]["versions"]["my_method.py"] == f"sha256:{sha256}"
    mine(GOOD + "# changed\n")
    _, out, _ = run(capsys, "--json")
    (changed,) = json.loads(out)
    assert changed["config_hash"] != record["config_hash"]
    assert changed["codes_sha256"] == record["codes_sha256"]


def test_its_encoder_loads_with_the_class_alone(mine, here, capsys, monkeypatch):
    mine(GOOD)
    assert run(capsys)[0] == 0
    (folder,) = (here / "runs" / "folder" / "folder" / "mine").iterdir()
    cls = METHODS.get("mine")
    monkeypatch.delitem(METHODS._classes, "mine")
    with pytest.raises(UnknownName, match=r"no method named 'mine'.*load_encoder\(..., method=CLASS\)"):
        load_encoder(folder)
    assert load_encoder(folder, method=cls).bits == 12
    with pytest.raises(InvalidInput, match="expected the class of method 'mine', got that of 'lsh'"):
        load_encoder(folder, method=METHODS.get("lsh"))
    with pytest.raises(CheckpointError, match="no model at"):
        load_encoder(here, method=cls)


def test_a_module_beside_it_can_be_imported(mine, here, capsys):
    (here / "beside_my_method.py").write_text("WIDTH = 3\n")
    mine("from beside_my_method import WIDTH\n" + GOOD)
    assert run(capsys)[0] == 0


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (HEAD + "@METHODS.register('mine')\nclass Mine:\n    pass\n",
         "./my_method.py failed to import: TypeError: method 'mine': my_method.Mine must subclass "
         "hashzoo.methods.base.Method"),
        (HEAD + "@METHODS.register('dsh')\nclass Mine(DeepMethod):\n    pass\n",
         "DuplicateName: method 'dsh' is already hashzoo.methods.dsh.DSH; my_method.Mine needs another name"),
        (HEAD + "class Mine(DeepMethod):\n    pass\n",
         "my_method.Mine is no registered method; decorate it with @METHODS.register(\"name\")"),
        ("class Other:\n    pass\n", "expected a class Mine in ./my_method.py, found none"),
        ("def f(:\n", "./my_method.py, line 1: invalid syntax"),
        ("hashzoo_plugin_api = 2\n" + GOOD,
         "method 'mine' (my_method) is written for plugin API 2, hashzoo 0.1.0 has 1; upgrade hashzoo"),
        (DEEP + "    def loss(self, codes, batch):\n        return {'pull': codes.sum() * float('nan')}\n",
         "mine: the pull loss is nan in epoch 1; a lower learning rate may help"),
        (DEEP + "    def head(self, features):\n        return torch.nn.Linear(features, self.bits + 1)\n",
         "mine: the network must return (B, 12) relaxed codes, got (2, 13) for 2 images"),
        (GOOD.replace("return (features - 0.5) @ model[\"directions\"]", "return features[:, :11]"),
         "mine: expected (6, 12) relaxed codes of 6 images, got (6, 11)"),
        (GOOD.replace("(features - 0.5)", "(features * np.nan)"), "mine: codes: "),
    ],
)  # fmt: skip
def test_what_is_wrong_with_it_costs_one_line(mine, here, capsys, code, message):
    mine(code)
    status, out, err = run(capsys)
    assert (status, out) == (2, "")
    (line,) = [line for line in err.splitlines() if ": epoch " not in line]
    assert line.startswith("hashzoo: ")
    assert message in line
    assert not list(here.rglob("result.json"))


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("./absent.py:Mine", "there is no file ./absent.py"),
        ("./my_method.py", "expected FILE.py:CLASS, such as ./my_method.py:MyMethod, got './my_method.py'"),
        ("./my_method.py:not-a-name", "expected FILE.py:CLASS"),
    ],
)
def test_what_is_no_reference(mine, capsys, reference, message):
    mine(GOOD)
    status, _, err = run(capsys, reference=reference)
    assert status == 2
    assert message in err


def test_a_bug_in_it_shows_its_own_frames_alone(mine, here, capsys):
    mine(
        DEEP + "    def loss(self, codes, batch):\n        return self.part(codes)\n\n"
        "    def part(self, codes):\n        return {'pull': (codes @ codes).sum()}\n"
    )
    status, out, err = run(capsys)
    assert (status, out) == (1, "")
    lines = err.splitlines()
    files = [line for line in lines if line.lstrip().startswith("File ")]
    assert [line.rpartition(" in ")[2] for line in files] == ["loss", "part"]
    assert all("my_method.py" in line for line in files)
    assert lines[0] == "Traceback through the plugin (most recent call last):"
    assert lines[-1].startswith("hashzoo: RuntimeError: mat1 and mat2 shapes cannot be multiplied")
    assert not list(here.rglob("result.json"))


def test_an_import_that_fails_shows_the_line(mine, capsys):
    mine("import torch\nimport no_such_module\n")
    status, _, err = run(capsys)
    assert status == 1
    assert 'my_method.py", line 2' in err
    assert err.splitlines()[-1] == (
        "hashzoo: ./my_method.py failed to import: ModuleNotFoundError: No module named 'no_such_module'"
    )


def test_a_file_that_ends_the_program_is_an_import_that_fails(mine, capsys):
    mine("import sys\nsys.exit(3)\n")
    status, _, err = run(capsys)
    assert status == 1
    assert err.splitlines()[-1] == "hashzoo: ./my_method.py failed to import: SystemExit: 3"


def test_an_error_of_the_system_in_it_is_not_taken_for_a_full_disk(mine, capsys):
    mine(GOOD.replace("        return {", "        open('absent')\n        return {"))
    status, _, err = run(capsys)
    assert status == 1
    assert "open('absent')" in err


def test_a_bug_of_hashzoo_keeps_its_traceback(monkeypatch, capsys):
    def fail(arguments):
        raise RuntimeError("ours")

    monkeypatch.setattr("hashzoo.cli.list.list_names", fail)
    with pytest.raises(RuntimeError, match="ours"):
        main(["list"])


def test_profile_says_where_the_time_went(mine, capsys):
    status, out, err = run(capsys, "--profile", "--json", "--epochs", "1", reference="dsh")
    assert status == 0
    json.loads(out)
    table = err[err.index("where the time went") :].splitlines()
    stages = [line.split()[0] for line in table[4:]]
    assert stages == ["data", "forward", "loss", "backward", "step", "encode", "evaluate", "other", "all"]
    seconds = [float(line.split()[1]) for line in table[4:]]
    assert sum(seconds[:-1]) == pytest.approx(seconds[-1], abs=0.01 * len(seconds))


def test_show_knows_a_class_in_a_file(mine, capsys):
    mine(GOOD)
    assert main(["show", "./my_method.py:Mine"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("mine\n")
    assert "shallow method, my_method.py" in shown


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (
            GOOD.replace('@METHODS.register("mine")', ""),
            'no registered method; decorate it with @METHODS.register("name")',
        ),
        ("class Mine: pass", "expected a method, dataset, loss, evaluator or backbone, got class Mine"),
    ],
)
def test_show_refuses_what_is_not_registered(mine, capsys, code, message):
    mine(code)
    assert main(["show", "./my_method.py:Mine"]) == 2
    assert message in capsys.readouterr().err
