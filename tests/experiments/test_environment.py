from __future__ import annotations

import pytest

from hashzoo.experiments import environment
from hashzoo.experiments.environment import gains_from_bf16, has_native_bf16


@pytest.mark.parametrize(
    ("model", "flags", "native", "gains"),
    [
        ("AMD EPYC 9R14", {"avx512f", "avx512_bf16"}, True, True),
        ("Intel(R) Xeon(R) Processor", {"avx512f", "avx512_bf16"}, True, False),
        ("Intel(R) Xeon(R) Processor", {"avx512f", "avx512_bf16", "amx_bf16"}, True, True),
        ("Neoverse-V1", {"asimd", "bf16"}, True, True),
        ("AMD EPYC 7R13", {"avx2"}, False, False),
    ],
)
def test_processors_that_have_bf16_and_that_gain_from_it(monkeypatch, model, flags, native, gains):
    monkeypatch.setattr(environment, "_cpu", lambda: (model, flags))
    assert has_native_bf16("cpu") is native
    assert gains_from_bf16("cpu") is gains
