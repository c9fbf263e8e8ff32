"""A kit that never fails proves nothing: each rule is broken on purpose, and must be named."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import nn

from hashzoo import (
    BACKBONES,
    DATASETS,
    EVALUATORS,
    LOSSES,
    METHODS,
    Backbone,
    Dataset,
    DeepMethod,
    Evaluation,
    Evaluator,
    Loss,
    PaperRow,
    PaperTable,
    Pool,
    Preset,
    Protocol,
    ShallowMethod,
)
from hashzoo.losses.contrastive import Contrastive
from hashzoo.testing import (
    RULES,
    ConformanceError,
    check_backbone,
    check_dataset,
    check_evaluator,
    check_loss,
    check_method,
    toy_split,
)
from hashzoo.testing.rules import PAGE

pytestmark = pytest.mark.usefixtures("scratch")


def breaks(rule, check, cls, *shown, **options):
    """The check of `cls` fails by this rule, and its message shows what it should."""
    with pytest.raises(ConformanceError) as caught:
        check(cls, **options)
    message = str(caught.value)
    assert caught.value.rule == rule, message
    assert message.startswith(f"{cls.__module__}.{cls.__qualname__} breaks rule {rule!r} ({RULES[rule]}): ")
    assert message.endswith(f" [docs/conformance.md#{rule}]")
    for text in shown:
        assert text in message


class GoodDeep(DeepMethod):
    """Contrastive loss and nothing else."""

    paper = "A. Author, A Title, A Venue 2020"
    year = 2020
    supervision = "pairs"
    multi_label = True
    defaults_from = "ours"

    def losses(self):
        return [(1.0, Contrastive(self.bits))]


class GoodShallow(ShallowMethod):
    """Random projections."""

    paper = "A. Author, A Title, A Venue 2020"
    year = 2020
    supervision = "none"
    defaults_from = "ours"

    def fit(self, features, labels, rng):
        directions = rng.standard_normal((features.shape[1], self.bits)).astype(np.float32)
        return {"mean": features.mean(0), "directions": directions}

    def project(self, features, model):
        return (features - model["mean"]) @ model["directions"]


def method(base, **changes):
    """A registered method that differs from a good one in `changes`."""
    return METHODS.register("tried")(type("Tried", (base,), {"__doc__": base.__doc__, **changes}))


@pytest.mark.parametrize("base", [GoodDeep, GoodShallow])
def test_the_good_ones_pass(base):
    check_method(method(base), image_size=16)


def test_a_method_that_is_not_registered():
    breaks("registered", check_method, GoodDeep, "it has no name")


def test_a_method_whose_name_belongs_to_another():
    impostor = type("Impostor", (GoodDeep,), {"name": "dsh", "__doc__": "An impostor."})
    breaks("registered", check_method, impostor, "method 'dsh' is hashzoo.methods.dsh.DSH")


def test_a_method_without_a_docstring():
    breaks("registered", check_method, method(GoodDeep, __doc__=None), "docstring")


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"paper": ""}, "paper is ''"),
        ({"paper": "  "}, "paper is"),
        ({"defaults_from": ""}, "defaults_from is ''"),
        ({"year": 0}, "year is 0"),
        ({"year": "2020"}, "year is '2020'"),
        ({"supervision": "some"}, "supervision is 'some', expected one of none, pairs, triplets, labels"),
        ({"multi_label": "yes"}, "multi_label is 'yes'"),
        ({"deviations": "one text"}, "deviations is 'one text'"),
        ({"deviations": ("",)}, "deviations is ('',)"),
    ],
)
def test_a_method_with_incomplete_metadata(changes, shown):
    breaks("metadata", check_method, method(GoodDeep, **changes), shown)


def table_of(*rows):
    return {"tables": (PaperTable("map", "mAP", "A. Author 2020", rows, bits=(12,)),)}


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"presets": {"quick": Preset("a minute", {"epocs": "1"})}}, "did you mean 'epochs'"),
        ({"presets": {"quick": Preset("a minute", {"epochs": "few"})}}, "epochs: expected a whole number"),
        ({"presets": {"quick": Preset(" ", {})}}, "preset 'quick' has no summary"),
        (table_of(PaperRow("a", "tried", {"marign": "2"})), "no setting of 'tried' named 'marign'"),
        (table_of(PaperRow("a", "dsh"), PaperRow("a", "lsh")), "two rows of table 'map' have one label"),
    ],
)
def test_a_method_with_wrong_presets_or_tables(changes, shown):
    breaks("presets", check_method, method(GoodDeep, **changes), shown)


def test_settings_that_lack_the_decorator():
    class Config(GoodDeep.Config):
        margin: float = 1.0

    breaks("config", check_method, method(GoodDeep, Config=Config), "is no @dataclass(frozen=True)")


def test_settings_that_are_not_frozen():
    @dataclass
    class Config:
        epochs: int = 3

    breaks("config", check_method, method(GoodDeep, Config=Config), "is no @dataclass(frozen=True)")


def test_settings_that_do_not_derive_from_those_of_the_base():
    @dataclass(frozen=True)
    class Config:
        epochs: int = 3

    breaks("config", check_method, method(GoodDeep, Config=Config), "does not derive from DeepMethod.Config")


@pytest.mark.parametrize(("kind", "default"), [(dict, None), (Any, 3), (int, "many"), (float, float("nan"))])
def test_settings_that_cannot_be_typed(kind, default):
    @dataclass(frozen=True)
    class Config(GoodDeep.Config):
        odd: kind = default

    Config.__annotations__["odd"] = kind
    breaks("config", check_method, method(GoodDeep, Config=Config))


def test_settings_whose_default_does_not_survive_the_command_line():
    @dataclass(frozen=True)
    class Config(GoodDeep.Config):
        odd: int = 2.5

    Config.__annotations__["odd"] = int
    breaks("config", check_method, method(GoodDeep, Config=Config), "expected a whole number, got '2.5'")


def test_a_method_that_cannot_be_made():
    def fail(self, *_, **__):
        raise RuntimeError("no such luck")

    breaks("construct", check_method, method(GoodDeep, __init__=fail), "raised RuntimeError: no such luck")


def test_a_method_that_works_for_powers_of_two_alone():
    def head(self, features):
        assert self.bits & (self.bits - 1) == 0, "bits must be a power of two"
        return nn.Linear(features, self.bits)

    breaks("construct", check_method, method(GoodDeep, head=head), "bits must be a power of two")


def test_a_method_that_works_for_one_code_length_alone():
    def project(self, features, model):
        return GoodShallow.project(self, features, model)[:, :12]

    breaks("code-shape", check_method, method(GoodShallow, project=project), "48 images give (48, 12) at 48 bits")


def test_a_deep_method_with_codes_of_the_wrong_width():
    def head(self, features):
        return nn.Linear(features, self.bits + 1)

    breaks("code-shape", check_method, method(GoodDeep, head=head), "16 images into (16, 13) at 12 bits")


def test_a_deep_method_with_codes_of_the_wrong_rank():
    def head(self, features):
        return nn.Sequential(nn.Linear(features, self.bits), nn.Unflatten(1, (self.bits, 1)))

    breaks("code-shape", check_method, method(GoodDeep, head=head), "(16, 12, 1)")


class Undefined(nn.Module):
    def forward(self, codes):
        return codes / 0 * 0


def test_a_deep_method_with_codes_that_are_not_finite():
    def head(self, features):
        return nn.Sequential(nn.Linear(features, self.bits), Undefined())

    breaks("finite", check_method, method(GoodDeep, head=head), "192 of 192 values are NaN or infinite")


def test_a_shallow_method_with_codes_that_are_not_finite():
    def project(self, features, model):
        relaxed = GoodShallow.project(self, features, model)
        relaxed[3, 5] = np.nan
        return relaxed

    breaks("finite", check_method, method(GoodShallow, project=project), "1 of 576 values are NaN or infinite")


@pytest.mark.parametrize(
    ("terms", "shown"),
    [
        (lambda codes: {}, "got {}"),
        (lambda codes: codes.mean(), "got tensor"),
        (lambda codes: {"x": codes.mean(0)}, "x has shape (12,), expected a scalar"),
        (lambda codes: {"x": 3.0}, "x is a float, expected a tensor"),
        (lambda codes: {1: codes.mean()}, "a term is called 1"),
    ],
)
def test_a_loss_that_is_no_set_of_named_scalars(terms, shown):
    breaks("loss-terms", check_method, method(GoodDeep, loss=lambda self, codes, batch: terms(codes)), shown)


def test_a_loss_that_raises():
    def loss(self, codes, batch):
        return {"x": codes.mean() + batch.no_such_thing}

    breaks("loss-terms", check_method, method(GoodDeep, loss=loss), "raised AttributeError")


def test_a_loss_that_is_not_finite():
    def loss(self, codes, batch):
        return {"x": codes.sum() * float("nan")}

    breaks("finite", check_method, method(GoodDeep, loss=loss), "x is nan for a first batch")


def test_a_loss_that_does_not_reach_the_network():
    def loss(self, codes, batch):
        return {"x": (codes * 0).sum()}

    breaks("gradient", check_method, method(GoodDeep, loss=loss), "zero for all")


def test_a_loss_that_is_cut_off_from_the_network():
    def loss(self, codes, batch):
        return {"x": codes.detach().sum()}

    breaks("gradient", check_method, method(GoodDeep, loss=loss), "raised RuntimeError")


def test_a_method_that_changes_its_input():
    def fit(self, features, labels, rng):
        labels[0] = 1 - labels[0]
        return GoodShallow.fit(self, features, labels, rng)

    breaks("inputs-untouched", check_method, method(GoodShallow, fit=fit), "labels were changed")


def test_a_method_with_other_codes_for_the_same_seed():
    def fit(self, features, labels, rng):
        return GoodShallow.fit(self, features, labels, np.random.default_rng(list(os.urandom(8))))

    breaks("same-seed", check_method, method(GoodShallow, fit=fit), "of 576 bits differ in a second run")


def test_a_deep_method_with_other_codes_for_the_same_seed():
    def head(self, features):
        layer = nn.Linear(features, self.bits)
        layer.weight.data = torch.from_numpy(np.random.default_rng().standard_normal((self.bits, features))).float()
        return layer

    breaks("same-seed", check_method, method(GoodDeep, head=head), "bits differ in a second run")


def test_a_method_that_ignores_the_seed():
    def fit(self, features, labels, rng):
        rng.random()
        return GoodShallow.fit(self, features, labels, np.random.default_rng(0))

    breaks("seed-matters", check_method, method(GoodShallow, fit=fit), "seeds 0 and 1 give equal")


def test_a_closed_form_needs_no_seed():
    def fit(self, features, labels, rng):
        return GoodShallow.fit(self, features, labels, np.random.default_rng(0))

    check_method(method(GoodShallow, fit=fit), image_size=16)


class Ranked(nn.Module):
    """Bit balance forced by rank within the batch."""

    def forward(self, codes):
        return codes - codes.median(0).values


def test_codes_that_depend_on_the_batch():
    def head(self, features):
        return nn.Sequential(nn.Linear(features, self.bits), Ranked())

    breaks(
        "batch-independence", check_method, method(GoodDeep, head=head), "bits differ when encoded in parts of 1, 7 and"
    )


def test_what_is_learned_outside_the_saved_model():
    def fit(self, features, labels, rng):
        model = GoodShallow.fit(self, features, labels, rng)
        self.threshold = 100.0
        return model

    def project(self, features, model):
        return GoodShallow.project(self, features, model) - getattr(self, "threshold", 0.0)

    breaks("save-load", check_method, method(GoodShallow, fit=fit, project=project), "bits differ after loading")


def test_an_unsupervised_method_that_peeks_at_labels():
    def fit(self, features, labels, rng):
        return {
            "mean": features[labels == 0].mean(0),
            "directions": GoodShallow.fit(self, features, labels, rng)["directions"],
        }

    breaks("label-blind", check_method, method(GoodShallow, fit=fit), "shuffled labels change")
    check_method(method(GoodShallow, fit=fit, supervision="labels"), image_size=16)


def test_an_unsupervised_deep_method_with_a_sampler_that_peeks_at_labels():
    def loss(self, codes, batch):
        return {"balance": codes.mean(0).square().sum() + (codes.abs() - 1).square().mean()}

    peeking = method(GoodDeep, loss=loss, supervision="none")
    breaks("label-blind", check_method, peeking, "shuffled labels change")
    check_method(peeking, settings={"sampler": "shuffled"}, image_size=16)


def test_several_labels_announced_and_not_handled():
    def fit(self, features, labels, rng):
        assert labels.ndim == 1, "one label an image"
        return GoodShallow.fit(self, features, labels, rng)

    breaks("multi-label", check_method, method(GoodShallow, fit=fit, multi_label=True), "one label an image")


@pytest.mark.parametrize(
    "write",
    [
        lambda path: path.write_text("a log"),
        lambda path: path.mkdir(),
        lambda path: np.save(path, np.zeros(3)),
    ],
)
def test_a_method_that_writes_while_it_learns(tmp_path, write):
    def fit(self, features, labels, rng):
        write(tmp_path / "left.npy")
        return GoodShallow.fit(self, features, labels, rng)

    breaks("writes-nothing", check_method, method(GoodShallow, fit=fit), f"it writes {tmp_path}/left")
    assert list(tmp_path.iterdir()) == []


def test_a_method_that_writes_into_the_working_folder_by_native_code(tmp_path, monkeypatch):
    def on_epoch_start(self, epoch, network):
        torch.save(network.state_dict(), "best.pth")

    monkeypatch.chdir(tmp_path)
    careless = method(GoodDeep, on_epoch_start=on_epoch_start)
    breaks("writes-nothing", check_method, careless, "best.pth", lengths=(12,), image_size=16)


def test_temporary_files_are_no_writing(monkeypatch):
    def fit(self, features, labels, rng):
        with tempfile.TemporaryFile() as spare:
            np.save(spare, features)
        Path(os.devnull).write_text("nothing")
        return GoodShallow.fit(self, features, labels, rng)

    check_method(method(GoodShallow, fit=fit), image_size=16)


class GoodLoss(Loss):
    """Distance of the batch mean from 0."""

    def forward(self, codes, batch):
        return {"mean": codes.mean(0).square().sum()}


def loss_of(forward):
    return LOSSES.register("tried")(type("TriedLoss", (GoodLoss,), {"__doc__": "A loss.", "forward": forward}))


class WrongGradient(torch.autograd.Function):
    @staticmethod
    def forward(context, codes):
        return codes.square().sum()

    @staticmethod
    def backward(context, gradient):
        return gradient * torch.ones(8, 12, dtype=gradient.dtype)


@pytest.mark.parametrize(
    ("rule", "forward", "shown"),
    [
        ("loss-terms", lambda self, codes, batch: {"x": codes.square().sum(1)}, "x has shape (8,)"),
        ("finite", lambda self, codes, batch: {"x": codes.exp().mean()}, "x is inf for codes of +-1e4, class ids"),
        ("gradient", lambda self, codes, batch: {"x": codes.norm(dim=1).pow(0.5).sum()}, "the gradient at codes of 0"),
        ("permutation", lambda self, codes, batch: {"x": codes[0].square().sum()}, "in another order"),
    ],
)
def test_losses(rule, forward, shown):
    cls = loss_of(forward)
    breaks(rule, check_loss, cls, shown)


def test_a_loss_with_a_wrong_gradient():
    def forward(self, codes, batch):
        if len(codes) == 8:
            return {"x": WrongGradient.apply(codes)}
        return {"x": codes.square().sum()}

    breaks("gradcheck", check_loss, loss_of(forward), "Jacobian mismatch")


def test_a_loss_that_needs_more_than_a_code_length():
    def __init__(self, bits, centres):
        Loss.__init__(self, bits)

    cls = LOSSES.register("tried")(type("TriedLoss", (GoodLoss,), {"__doc__": "A loss.", "__init__": __init__}))
    breaks("construct", check_loss, cls, "missing 1 required positional argument")


def test_a_good_loss_and_one_for_which_order_matters():
    check_loss(LOSSES.register("good")(GoodLoss))
    check_loss(loss_of(lambda self, codes, batch: {"x": codes[0].square().sum()}), ordered=True)


class GoodBackbone(Backbone):
    """One convolution."""

    map_channels = 4
    out_features = 4

    def __init__(self, *, in_channels=3, image_size=32, weights=None, download=False):
        super().__init__()
        if weights is not None:
            from hashzoo.errors import InvalidSetting

            raise InvalidSetting("weights: expected none")
        self.layer = nn.Conv2d(in_channels, 4, 3)

    def maps(self, images):
        return self.layer(images)

    def vector(self, maps):
        return maps.mean((2, 3))


class Spare(GoodBackbone):
    def __init__(self, **options):
        super().__init__(**options)
        self.unused = nn.Linear(3, 3)


def lenient(self, *, weights=None, **options):
    GoodBackbone.__init__(self, **options)


@pytest.mark.parametrize(
    ("rule", "base", "changes", "shown"),
    [
        ("features", GoodBackbone, {"out_features": 5}, "5 images give (5, 4), out_features is 5"),
        ("features", GoodBackbone, {"map_channels": 8}, "map_channels is 8"),
        ("finite", GoodBackbone, {"vector": lambda self, m: m.mean((2, 3)) / 0}, "features: 20 of 20 values"),
        (
            "batch-independence",
            GoodBackbone,
            {"vector": lambda self, m: m.mean((2, 3)) - m.mean()},
            "one by one differ",
        ),
        ("gradient", Spare, {}, "none for 2 parameters: unused.weight, unused.bias"),
        ("weights-refused", GoodBackbone, {"__init__": lenient}, "is accepted"),
    ],
)
def test_backbones(rule, base, changes, shown):
    cls = BACKBONES.register("tried")(type("TriedBackbone", (base,), {"__doc__": "A backbone.", **changes}))
    breaks(rule, check_backbone, cls, shown)


def test_a_good_backbone_passes():
    check_backbone(BACKBONES.register("tried")(GoodBackbone))


class GoodDataset(Dataset):
    """The toy images."""

    protocols: ClassVar = {"standard": Protocol("every fourth image asks")}

    def read(self):
        split = toy_split(image_size=8)
        return Pool(split.images, split.labels, ("a", "b", "c", "d"))

    def divide(self, pool):
        rows = np.arange(48)
        return {"train": rows[12:], "query": rows[:12], "database": rows[12:]}


def changed_pool(**changes):
    def read(self):
        pool = GoodDataset.read(self)
        return Pool(**({"images": pool.images, "labels": pool.labels, "classes": pool.classes} | changes))

    return read


def changed_split(**changes):
    return lambda self, pool: GoodDataset.divide(self, pool) | changes


@pytest.mark.parametrize(
    ("rule", "changes", "shown"),
    [
        ("protocols", {"protocols": {}}, "there is none"),
        ("protocols", {"protocols": {"standard": Protocol(" ")}}, "'standard' is"),
        ("protocols", {"augmentation": None}, "augmentation is None"),
        ("construct", {"divide": changed_split(query=[])}, "the query split is empty"),
        ("images", {"read": changed_pool(images=np.zeros((48, 8, 8, 3)))}, "float64"),
        ("images", {"read": changed_pool(images=np.zeros((48, 8, 8, 1), np.uint8))}, "(4, 8, 8, 1)"),
        ("splits", {"divide": changed_split(train=[1, 1, 2])}, "1 rows come twice"),
        ("splits", {"divide": changed_split(train=np.arange(5, 48))}, "7 queries are training images"),
        ("splits", {"divide": changed_split(database=[-1, 2])}, "rows -1..2 of 48"),
        ("labels", {"read": changed_pool(labels=np.zeros(48, np.int32))}, "int32"),
        ("labels", {"read": changed_pool(labels=np.full(48, 4))}, "values 4..4, expected 0..3"),
        ("labels", {"multi_label": True}, "expected (36, 4) uint8"),
        ("hashes", {"divide": lambda self, pool: random_split()}, "split_sha256 of 'standard' is"),
    ],
)
def test_datasets(rule, changes, shown):
    cls = DATASETS.register("tried")(type("TriedDataset", (GoodDataset,), {"__doc__": "A dataset.", **changes}))
    breaks(rule, check_dataset, cls, shown)


def random_split():
    rows = np.random.default_rng().permutation(48)
    return {"train": rows[12:], "query": rows[:12], "database": rows[12:]}


def test_a_good_dataset_passes():
    check_dataset(DATASETS.register("tried")(GoodDataset))


class GoodEvaluator(Evaluator):
    """Counts codes."""

    meanings: ClassVar = {"count": "number of codes"}

    @dataclass(frozen=True)
    class Config(Evaluator.Config):
        radius: int = 2

    def evaluate(self, codes):
        return Evaluation({"count": float(len(codes.database_codes))}, self.config.to_dict(), {"c": {"x": [1.0]}})


def found(metrics=None, definition=None, curves=None):
    def evaluate(self, codes):
        good = GoodEvaluator.evaluate(self, codes)
        return Evaluation(
            good.metrics if metrics is None else metrics,
            good.definition if definition is None else definition,
            good.curves if curves is None else curves,
        )

    return evaluate


def zeroing(self, codes):
    codes.database_codes[:] = 0
    return GoodEvaluator.evaluate(self, codes)


def counting_threads(self, codes):
    return Evaluation({"count": float(self.threads)}, self.config.to_dict())


@pytest.mark.parametrize(
    ("rule", "evaluate", "shown"),
    [
        ("metrics", found(metrics={}), "there are none"),
        ("metrics", found(metrics={"count": float("nan")}), "count is nan"),
        ("metrics", found(metrics={"count": 3}), "count is 3"),
        ("metrics", found(metrics={"other": 1.0}), "other is not in `meanings`"),
        ("metrics", found(curves={"c": {"x": [1.0], "y": [1.0, 2.0]}}), "{'x': 1, 'y': 2}"),
        ("metrics", found(curves={"c": {"x": [float("inf")]}}), "c: x: 1 of 1 values"),
        ("definition", found(definition={}), "radius of the settings is not in it"),
        ("definition", found(definition={"radius": np.int64(2)}), "not JSON serializable"),
        ("inputs-untouched", zeroing, "codes or labels were changed"),
        ("repeatable", counting_threads, "{'count': 1.0}, then {'count': 2.0}"),
    ],
)
def test_evaluators(rule, evaluate, shown):
    changes = {"__doc__": "An evaluator.", "evaluate": evaluate}
    cls = EVALUATORS.register("tried")(type("TriedEvaluator", (GoodEvaluator,), changes))
    breaks(rule, check_evaluator, cls, shown)


def test_a_good_evaluator_passes():
    check_evaluator(EVALUATORS.register("tried")(GoodEvaluator))


def test_every_rule_has_its_heading_in_the_documentation():
    page = Path(__file__).parents[2] / "docs" / "conformance.md"
    headings = [line.removeprefix("## ") for line in page.read_text().splitlines() if line.startswith("## ")]
    assert [heading for heading in headings if heading in RULES] == list(RULES)
    assert PAGE == "docs/conformance.md"


def test_every_rule_is_broken_by_some_test_here():
    tests = Path(__file__).read_text()
    assert [rule for rule in RULES if f'"{rule}"' not in tests] == []


def test_a_failed_rule_is_an_assertion_and_keeps_its_cause():
    def loss(self, codes, batch):
        raise KeyError("gone")

    with pytest.raises(AssertionError) as caught:
        check_method(method(GoodDeep, loss=loss))
    assert isinstance(caught.value.__cause__, KeyError)


def test_the_callers_random_numbers_are_left_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    check_method(method(GoodDeep), image_size=16)
    check_loss(LOSSES.register("tried")(GoodLoss))
    check_backbone(BACKBONES.register("tried")(GoodBackbone))
    assert torch.equal(torch.rand(3), expected)
