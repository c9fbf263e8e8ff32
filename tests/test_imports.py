from __future__ import annotations

import json
import subprocess
import sys

import pytest

import hashzoo

HEAVY = ("torch", "torchvision", "numpy", "scipy", "sklearn", "matplotlib", "PIL", "rich", "hashzoo_dfeh")


def loaded_by(code: str) -> set[str]:
    """Which top-level modules are there after `code` has run in a fresh interpreter."""
    program = f"{code}\nimport json, sys\nprint(json.dumps(sorted({{n.partition('.')[0] for n in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def test_importing_hashzoo_is_light():
    assert not loaded_by("import hashzoo") & set(HEAVY)


@pytest.mark.parametrize(
    "code",
    [
        "from hashzoo import retrieval, errors",
        "from hashzoo import METHODS, DATASETS, EVALUATORS, Method, DeepMethod, ShallowMethod, Task",
        "import hashzoo.cli",
        "import hashzoo.pytest_plugin",
    ],
)
def test_what_needs_no_network_imports_no_torch(code):
    assert not loaded_by(code) & {"torch", "torchvision", "sklearn", "scipy", "matplotlib", "hashzoo_dfeh"}


def test_every_public_name_resolves():
    assert list(hashzoo.__all__) == sorted(hashzoo.__all__, key=lambda n: (not n.isupper(), n.islower(), n))
    for name in hashzoo.__all__:
        assert getattr(hashzoo, name) is not None
    assert set(hashzoo.__all__) <= set(dir(hashzoo))


def test_an_unknown_attribute_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'hashzoo' has no attribute 'nothing'"):
        hashzoo.nothing  # noqa: B018 - the access is what is tested
