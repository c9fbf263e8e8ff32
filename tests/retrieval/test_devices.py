"""`device=`: which core is chosen, the check that the CUDA kernels must pass, and tensors that are on a device."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from hashzoo import retrieval
from hashzoo.errors import InvalidInput
from hashzoo.retrieval import backend, devices, reference
from hashzoo.retrieval.cuda_core import CudaCore, disagreement
from hashzoo.retrieval.torch_core import TorchCore

RNG = np.random.default_rng(3)
QUERY, DATABASE = RNG.standard_normal((9, 70)), RNG.standard_normal((300, 70))
LABELS = RNG.integers(0, 4, 9), RNG.integers(0, 4, 300)


@pytest.fixture
def fresh_cores() -> Iterator[None]:
    """No core is remembered from before, or for later."""
    devices._cuda_core.cache_clear()
    yield
    devices._cuda_core.cache_clear()


class Wrong:
    """A module whose answers are off by one in the place that a test names."""

    def __init__(self, right: Any, output: str) -> None:
        self.right, self.output, self.calls = right, output, 0

    def device_count(self) -> int:
        return 1

    def count(self, **given: Any) -> Any:
        self.calls += 1
        counts = self.right.count(**given)
        if self.output in ("all", "relevant"):
            counts[self.output == "relevant"][0, 3] += 1
        if self.output == "precision":
            counts[2][0] *= 1 + 1e-9
        if self.output == "error":
            raise RuntimeError("CUDA: no kernel image is available for execution on the device")
        return counts

    def top_k(self, **given: Any) -> Any:
        distance, index = self.right.top_k(**given)
        if self.output == "index":
            index[-1, -1] += 1
        return distance, index


def evaluate(**changes: Any) -> retrieval.Metrics:
    return retrieval.evaluate(QUERY, LABELS[0], DATABASE, LABELS[1], **changes)


def same(a: retrieval.Metrics, b: retrieval.Metrics) -> bool:
    """Equal, but for the sum over the stable order, whose terms are added in another order."""
    assert a.map_stable == pytest.approx(b.map_stable, rel=1e-12)
    return a.to_dict() | {"map_stable": 0} == b.to_dict() | {"map_stable": 0}


@pytest.mark.usefixtures("fresh_cores")
def test_kernels_that_pass_their_check_do_the_work(cuda_on_cpu: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    spy = Wrong(cuda_on_cpu, "nothing")
    monkeypatch.setattr(devices, "native_module", lambda: spy)
    assert same(evaluate(device="cuda"), evaluate())
    of_check = 2 * 3
    assert spy.calls == of_check + 1
    assert evaluate(device="cuda:0").to_dict() == evaluate(device="auto").to_dict()
    assert spy.calls == of_check + 3
    near, rows = retrieval.top_k(QUERY, DATABASE, 7, device="cuda")
    assert np.array_equal(rows, retrieval.rank(QUERY, DATABASE)[:, :7])
    assert np.array_equal(near, retrieval.top_k(QUERY, DATABASE, 7)[0])
    with pytest.raises(InvalidInput, match="expected a CUDA GPU, got cuda:1, found 1; device='cpu' needs none"):
        evaluate(device="cuda:1")


@pytest.mark.usefixtures("fresh_cores")
@pytest.mark.parametrize("output", ["all", "relevant", "precision", "index", "error"])
def test_kernels_that_fail_their_check_are_not_used(
    cuda_on_cpu: Any, monkeypatch: pytest.MonkeyPatch, output: str
) -> None:
    wrong = Wrong(cuda_on_cpu, output)
    monkeypatch.setattr(devices, "native_module", lambda: wrong)
    with pytest.warns(
        RuntimeWarning, match="hashzoo._native_cuda is not used on cuda:0 in this process: (count|top_k)"
    ):
        first = evaluate(device="cuda")
    calls = wrong.calls
    assert first.to_dict() == evaluate(device="cuda").to_dict() == evaluate().to_dict()  # a second warning would raise
    assert wrong.calls == calls


@pytest.mark.usefixtures("fresh_cores")
def test_too_little_memory_takes_another_way(cuda_on_cpu: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**_: Any) -> Any:
        raise MemoryError("CUDA: out of memory")

    core = CudaCore(cuda_on_cpu, 0, reference)
    query, database = retrieval.pack(QUERY), retrieval.pack(DATABASE)
    right = core.top_k(query, database, 5)
    monkeypatch.setattr(core, "_native", type("Full", (), {"count": staticmethod(full), "top_k": staticmethod(full)}))
    with pytest.warns(RuntimeWarning, match="cuda:0 has too little free memory"):
        assert np.array_equal(core.top_k(query, database, 5), right)
    with pytest.warns(RuntimeWarning, match="cuda:0 has too little free memory"):
        counts = core.count_classes(query, database, *LABELS, 70, -2)
    assert np.array_equal(counts[0], reference.count_classes(query, database, *LABELS, 70, -2)[0])


@pytest.mark.usefixtures("fresh_cores")
def test_kernels_without_memory_for_their_check_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**_: Any) -> Any:
        raise MemoryError("CUDA: out of memory")

    module = type("Full", (), {"count": staticmethod(full), "top_k": staticmethod(full), "device_count": lambda _: 1})
    monkeypatch.setattr(devices, "native_module", lambda: module())
    with pytest.warns(RuntimeWarning, match="not used on cuda:0 in this process: count_classes fails: .* free memory"):
        found = evaluate(device="cuda")
    assert found.to_dict() == evaluate().to_dict()


def test_more_queries_than_torch_takes_at_a_time() -> None:
    rng = np.random.default_rng(0)
    query, database = (rng.integers(0, 2**8, (rows, 1), np.uint64) for rows in (300_000, 2))
    for found, truth in zip(
        TorchCore("cpu").within_radius(query, database, 3),
        backend.backend().within_radius(query, database, 3, 1),
        strict=True,
    ):
        assert np.array_equal(found, truth)


def test_torch_is_exact_inside_autocast() -> None:
    query = np.zeros((1, 16), np.uint64)
    database = np.tril(np.ones((9, 1024), bool), -1)
    labels = retrieval.pack(np.ones((1, 1024), bool)), retrieval.pack(np.tril(np.ones((9, 1024), bool)))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert TorchCore("cpu").distances(query, retrieval.pack(database)).tolist() == [list(range(9))]
        graded = [
            core.count_graded_masks(query, retrieval.pack(database), *labels, 1024, np.ones(1025), np.ones(9), 1)
            for core in (TorchCore("cpu"), reference)
        ]
    for found, truth in zip(*graded, strict=True):
        np.testing.assert_allclose(found, truth, rtol=1e-12)


def test_cores_of_devices_pass_the_check(cuda_on_cpu: Any) -> None:
    assert disagreement(TorchCore("cpu")) == ""
    assert disagreement(CudaCore(cuda_on_cpu, 0, backend.backend())) == ""


def test_a_database_in_chunks_equals_the_whole(cuda_on_cpu: Any) -> None:
    query, database = (RNG.integers(0, 2**64, (rows, 2), np.uint64) for rows in (3, 9000))
    classes = RNG.integers(0, 4, 3), RNG.integers(0, 4, 9000)
    of_all = {"query": query.ctypes.data, "database": database.ctypes.data, "queries": 3, "rows": 9000, "words": 2}
    labels = {"query_labels": classes[0].ctypes.data, "database_labels": classes[1].ctypes.data, "label_words": 1}
    where = {"device": 0, "stream": 0}
    truth = reference.count_classes(query, database, *classes, 128, 500)
    nearest = reference.top_k(query, database, 30)
    for chunk_rows in (0, 1, 8192):
        counts = cuda_on_cpu.count(
            **of_all, **labels, **where, masks=False, exclude=0, bits=128, topk=500, stable=True, chunk_rows=chunk_rows
        )
        assert all(np.array_equal(counts[i], truth[i]) for i in (0, 1, 3))
        np.testing.assert_allclose(counts[2], truth[2], rtol=1e-12)
        found = cuda_on_cpu.top_k(**of_all, **where, k=30, chunk_rows=chunk_rows)
        assert all(np.array_equal(got, expected) for got, expected in zip(found, nearest, strict=True))


def test_the_module_checks_sizes(cuda_on_cpu: Any) -> None:
    codes = {"query": 0, "database": 0, "queries": 1, "rows": 1, "device": 0, "stream": 0}
    with pytest.raises(ValueError, match="expected 1 to 64 words a code, got 65"):
        cuda_on_cpu.top_k(**codes, words=65, k=1)
    with pytest.raises(ValueError, match="k must be at least 1"):
        cuda_on_cpu.top_k(**codes, words=1, k=0)
    labels = {"query_labels": 0, "database_labels": 0, "exclude": 0, "stable": True, "topk": 1}
    with pytest.raises(ValueError, match="65 bits do not fill 1 words"):
        cuda_on_cpu.count(**codes, **labels, words=1, label_words=1, masks=False, bits=65)
    with pytest.raises(ValueError, match="expected one word a class id"):
        cuda_on_cpu.count(**codes, **labels, words=1, label_words=2, masks=False, bits=64)


@pytest.mark.skipif(devices.cuda_devices() > 0, reason="there is a GPU")
@pytest.mark.usefixtures("fresh_cores")
def test_devices_that_are_not_there() -> None:
    with pytest.raises(InvalidInput, match="device: expected a CUDA GPU, got cuda:0, found 0; device='cpu' needs none"):
        evaluate(device="cuda")
    with pytest.raises(
        InvalidInput, match="device: expected cpu, cuda, cuda:N, auto or a device of torch, got 'cuda:x'"
    ):
        retrieval.rank(QUERY, DATABASE, device="cuda:x")
    with pytest.raises(InvalidInput, match="device: expected a device that torch can use, got 'warp'"):
        retrieval.distances(QUERY, DATABASE, device="warp")
    assert evaluate(device="auto").to_dict() == evaluate(device=torch.device("cpu")).to_dict() == evaluate().to_dict()


def test_the_built_module_works_without_a_driver() -> None:
    native = devices.native_module()
    if native is None:
        pytest.skip("hashzoo._native_cuda was not built: no nvcc")
    assert native.device_count() >= 0


@pytest.fixture(params=["torch", "cuda_on_cpu"])
def tensors_elsewhere(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Treats CPU tensors as those of a device."""
    core: Any = TorchCore("cpu")
    if request.param == "cuda_on_cpu":
        core = CudaCore(request.getfixturevalue("cuda_on_cpu"), 0, core)
        monkeypatch.setattr(
            core, "_readable", lambda array: array if isinstance(array, np.ndarray) else array.contiguous()
        )
    for module in ("codes", "devices"):
        monkeypatch.setattr(f"hashzoo.retrieval.{module}.is_elsewhere", lambda values: isinstance(values, torch.Tensor))
    for module in ("metrics", "graded", "ranking"):
        monkeypatch.setattr(f"hashzoo.retrieval.{module}.core_for", lambda *_: core)


def every_form(codes: np.ndarray) -> list[Any]:
    ones = torch.from_numpy(codes >= 0)
    packed = torch.from_numpy(retrieval.pack(codes))
    return [
        torch.from_numpy(codes),
        ones,
        2 * ones.int() - 1,
        ones.half() - 0.5,
        packed,
        torch.stack([packed] * 2, 1)[:, 1],
    ]


@pytest.mark.usefixtures("tensors_elsewhere")
def test_tensors_are_packed_where_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as plain:
        for module in ("metrics", "ranking"):
            plain.setattr(f"hashzoo.retrieval.{module}.core_for", lambda *_: None)
        truth, near = evaluate(), retrieval.top_k(QUERY, DATABASE, 20)
    labels = torch.from_numpy(LABELS[0]), torch.from_numpy(LABELS[1])
    for query, database in zip(every_form(QUERY), reversed(every_form(DATABASE)), strict=True):
        assert same(retrieval.evaluate(query, labels[0], database, labels[1], bits=70), truth)
        for got, expected in zip(retrieval.top_k(query, DATABASE, 20, bits=70), near, strict=True):
            assert np.array_equal(got, expected)


NAN = torch.full((2, 70), torch.nan)
SPARE = torch.full((2, 2), 2**63 - 1, dtype=torch.int64).view(torch.uint64)


@pytest.mark.usefixtures("tensors_elsewhere")
@pytest.mark.parametrize(
    ("query", "message"),
    [
        (NAN, "query: codes contain NaN"),
        (torch.full((2, 70), 2), r"query: integer codes must be all in \{0, 1\} or all in \{-1, 1\}"),
        (SPARE, "query: a bit beyond the first 70 is set; spare bits must be zero"),
        (torch.zeros(2, 1, dtype=torch.int64).view(torch.uint64), "query: 70 bits take 2 words a code, got 1"),
        (torch.zeros(70), r"query: expected \(N, K\) codes or \(N, W\) packed uint64, got shape \(70,\)"),
        (torch.zeros(2, 71), "query: expected codes of 70 bits, got 71"),
        (torch.zeros(2, 70, dtype=torch.complex64), "query: expected float, int, bool or packed uint64, got dtype"),
    ],
)
def test_bad_tensors(query: torch.Tensor, message: str) -> None:
    with pytest.raises(InvalidInput, match=message) as caught:
        retrieval.rank(query, DATABASE, bits=70)
    assert "\n" not in str(caught.value)


def test_codes_on_two_devices_need_a_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "is_elsewhere", lambda _: True)
    sides = (type("Tensor", (), {"device": name})() for name in ("cuda:1", "cuda:0"))
    with pytest.raises(InvalidInput, match="device: the codes are on cuda:0 and cuda:1; pass device= to choose one"):
        devices.core_for(None, *sides)


@pytest.mark.cuda
@pytest.mark.parametrize("bits", [1, 12, 48, 64, 65, 128, 320, 1024, 4096])
def test_a_gpu_equals_the_cpu(bits: int) -> None:
    rng = np.random.default_rng(bits)
    query, database = rng.standard_normal((100, bits)), rng.standard_normal((20_000, bits))
    labels = rng.integers(0, 10, 100), rng.integers(0, 10, 20_000)
    truth = retrieval.evaluate(query, labels[0], database, labels[1])
    for place in ((query, database), [torch.from_numpy(side).cuda() for side in (query, database)]):
        assert same(retrieval.evaluate(place[0], labels[0], place[1], labels[1], device="cuda"), truth)
        for ours, theirs in zip(
            retrieval.top_k(place[0], place[1], 50, device="cuda"), retrieval.top_k(query, database, 50), strict=True
        ):
            assert np.array_equal(ours, theirs)


@pytest.mark.cuda
def test_kernels_wait_for_the_current_stream() -> None:
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        torch.cuda._sleep(50_000_000)
        database = torch.from_numpy(DATABASE).cuda(non_blocking=True)
        rows = retrieval.top_k(QUERY, database, 5)[1]
    assert np.array_equal(rows, retrieval.top_k(QUERY, DATABASE, 5)[1])
