from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture(scope="session", autouse=True)
def cache_of_the_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Decoded images never go to, or come from, the cache of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HASHZOO_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def cuda_on_cpu(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A `_native_cuda` that runs its kernels on this CPU."""
    import cuda_on_cpu_build

    if cuda_on_cpu_build.COMPILER is None:
        pytest.skip("no C++ compiler")
    path = cuda_on_cpu_build.module(tmp_path_factory.mktemp("cuda_on_cpu"))
    spec = importlib.util.spec_from_file_location("_native_cuda", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("cuda"):
        from hashzoo.retrieval.devices import cuda_devices

        if cuda_devices() == 0:
            pytest.skip("no GPU")
