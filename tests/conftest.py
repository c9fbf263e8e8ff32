from __future__ import annotations

import os

import pytest


@pytest.fixture(scope="session", autouse=True)
def cache_of_the_session(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Decoded images never go to, or come from, the cache of whoever runs the tests."""
    os.environ["HASHZOO_CACHE"] = str(tmp_path_factory.mktemp("cache"))
