"""Code in the documentation runs, and its command lines are understood.

A ```python block that cannot run begins with `# not run here: ` and the reason; it is compiled at least. The blocks of
a page run one after the other in an empty folder, as one module.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import re
import shlex
import sys
from pathlib import Path
from types import ModuleType

import pytest

from hashzoo import BACKBONES, DATASETS, EVALUATORS, LOSSES, METHODS
from hashzoo.cli.entry import _parser

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/*.md"), *ROOT.glob("plugins/*/README.md")]
)
FENCE = re.compile(r"^```([\w-]+)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LEFT_OUT = "# not run here: "


def blocks(page: Path, *languages: str) -> list[str]:
    return [code for language, code in FENCE.findall(page.read_text()) if language in languages]


def commands(text: str) -> list[list[str]]:
    """The words after `hashzoo` of each such command in shell lines; NAME="..." is put in where $NAME stands."""
    found, variables = [], {}
    for line in text.splitlines():
        line = line.strip().removeprefix("$ ")
        if assigned := re.fullmatch(r'(\w+)="(.*)"', line):
            variables[assigned[1]] = assigned[2]
        for name, value in variables.items():
            line = line.replace(f"${name}", value)
        for part in re.split(r"&&|\||;", line):
            words = shlex.split(part, comments=True)
            if words and Path(words[0]).name == "hashzoo":
                found.append(words[1:])
    return found


COMMANDS = [
    pytest.param(words, id=f"{page.name}: {' '.join(words)}")
    for page in PAGES
    for text in blocks(page, "console", "bash", "sh")
    for words in commands(text)
]


@pytest.mark.parametrize("words", COMMANDS)
def test_command_lines_are_understood(words):
    parser = _parser()
    if words[-1:] == ["--help"]:
        words = words[:-1] or ["list"]
    with contextlib.redirect_stderr(io.StringIO()) as complaint:
        try:
            parser.parse_args(words)
        except SystemExit:
            pytest.fail(complaint.getvalue())


def test_there_are_commands_and_a_wrong_one_would_be_noticed():
    assert len(COMMANDS) > 20
    (words,) = commands('S="--bits 12"\n$ pip install x && hashzoo run dsh --dataset digits $S --nonsense  # why\n')
    assert words == ["run", "dsh", "--dataset", "digits", "--bits", "12", "--nonsense"]
    with pytest.raises(pytest.fail.Exception, match="--nonsense"):
        test_command_lines_are_understood(words)


@pytest.fixture
def page_module(tmp_path, monkeypatch):
    """An empty module for the code of a page, which runs in an empty folder; what it registers is forgotten."""
    monkeypatch.chdir(tmp_path)
    for registry in (METHODS, LOSSES, EVALUATORS, BACKBONES, DATASETS):
        registry.names()
        monkeypatch.setattr(registry, "_classes", dict(registry._classes))
    module = ModuleType("code_of_a_page")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module


def run_page(text_blocks: list[str], name: str, module: ModuleType) -> None:
    for number, code in enumerate(text_blocks, 1):
        where = f"{name}, python block {number}"
        if code.startswith(LEFT_OUT):
            assert code.splitlines()[0].removeprefix(LEFT_OUT).strip(), f"{where}: no reason is given"
            compile(code, where, "exec")
        elif code.lstrip().startswith(">>>"):
            test = doctest.DocTestParser().get_doctest(code, module.__dict__, where, name, 0)
            test.globs = module.__dict__  # not a copy, so that later blocks see it
            runner = doctest.DocTestRunner(verbose=False)
            output: list[str] = []
            runner.run(test, out=output.append, clear_globs=False)
            assert runner.failures == 0, "".join(output)
        else:
            exec(compile(code, where, "exec"), module.__dict__)


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=lambda page: page.name)
def test_python_blocks_run(page, page_module):
    run_page(blocks(page, "python"), page.name, page_module)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (["x = 1\n", "assert x == 2\n"], AssertionError),
        (["x = 1\n", ">>> x\n2\n"], AssertionError),
        (["# not run here: needs a GPU\ndef f(:\n"], SyntaxError),
        (["# not run here: \nx = 1\n"], AssertionError),
    ],
)
def test_a_page_that_is_wrong_is_noticed(page_module, code, error):
    with pytest.raises(error):
        run_page(code, "page", page_module)


def test_what_is_left_out_says_why(page_module):
    run_page(["# not run here: needs CIFAR-10\nimport no_such_module\n"], "page", page_module)


def test_links_between_pages_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[\w-]+)?\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_zoo_has_a_page_for_each_method(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    import zoo

    zoo.write(tmp_path)
    assert {page.stem for page in tmp_path.iterdir()} == {"index", *METHODS.names()}
    dsh = (tmp_path / "dsh.md").read_text()
    assert METHODS.get("dsh").paper in dsh
    assert "0.01 x `quantization`: Mean over images" in dsh
    assert "| `margin` | float or none | none | on squared distances" in dsh
    assert METHODS.get("dsh").deviations[0] in dsh
    assert "digits @standard: mAP@all (expected)" in dsh
