from __future__ import annotations

import pytest

from hashzoo import BACKBONES, DATASETS, EVALUATORS, LOSSES, METHODS
from hashzoo.registry import Registry


@pytest.fixture
def scratch(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test registers is forgotten after it."""
    registries: list[Registry] = [METHODS, LOSSES, EVALUATORS, BACKBONES, DATASETS]
    for registry in registries:
        registry.names()
        monkeypatch.setattr(registry, "_classes", dict(registry._classes))
