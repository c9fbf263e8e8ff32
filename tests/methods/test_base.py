from __future__ import annotations

import pytest
import torch
from torch import nn

from hashzoo.errors import InvalidSetting, UnknownName
from hashzoo.losses.base import Batch, Loss
from hashzoo.losses.contrastive import Contrastive
from hashzoo.methods.base import METHODS, DeepMethod, Method, ShallowMethod, Task, made_losses
from hashzoo.methods.dsh import DSH
from hashzoo.methods.lsh import LSH

TASK = Task(num_classes=10, num_train=100, image_size=(32, 32))


@pytest.mark.parametrize("bits", [0, -3, 4097])
@pytest.mark.parametrize("cls", [LSH, DSH])
def test_code_lengths_out_of_range_are_refused(cls, bits):
    with pytest.raises(InvalidSetting, match=f"bits: expected 1 to 4096, got {bits}"):
        cls(bits, TASK)


@pytest.mark.parametrize("bits", [1, 4096])
def test_the_shortest_and_the_longest_code(bits):
    assert LSH(bits, TASK).bits == bits
    assert DSH(bits, TASK).network()(torch.zeros(1, 3, 32, 32)).shape == (1, bits)


def test_a_shallow_method_without_its_two_functions_cannot_be_made():
    with pytest.raises(TypeError, match="abstract"):
        type("Half", (ShallowMethod,), {"fit": lambda *_: {}})(12, TASK)


def test_defaults_and_given_settings():
    assert DSH(12, TASK).config == DSH.Config()
    assert DSH(12, TASK, DSH.Config(alpha=0.5)).config.alpha == 0.5
    assert DSH.Config(alpha=0.5).to_dict()["alpha"] == 0.5


def test_settings_are_frozen():
    with pytest.raises(AttributeError):
        DSH.Config().alpha = 1.0


def test_an_unknown_backbone_is_named_with_the_nearest():
    with pytest.raises(UnknownName, match="no backbone named 'dsh_cmn'; did you mean 'dsh_cnn'"):
        DSH(12, TASK, DSH.Config(backbone="dsh_cmn")).network()


def test_the_optimizer_follows_the_settings():
    parameters = [torch.nn.Parameter(torch.zeros(3))]
    sgd = DSH(12, TASK, DSH.Config(optimizer="sgd", lr=0.1, momentum=0.5, weight_decay=0.2)).optimizer(parameters)
    assert isinstance(sgd, torch.optim.SGD)
    assert [sgd.defaults[key] for key in ("lr", "momentum", "weight_decay")] == [0.1, 0.5, 0.2]
    assert not sgd.defaults["nesterov"]
    ahead = DSH(12, TASK, DSH.Config(optimizer="nesterov")).optimizer(parameters)
    assert isinstance(ahead, torch.optim.SGD)
    assert ahead.defaults["nesterov"]
    with pytest.raises(InvalidSetting, match="momentum: expected more than 0 with nesterov"):
        DSH.Config(optimizer="nesterov", momentum=0.0)
    adamw = DSH(12, TASK, DSH.Config(lr=0.2, beta2=0.9)).optimizer(parameters)
    assert isinstance(adamw, torch.optim.AdamW)
    assert adamw.defaults["lr"] == 0.2
    assert adamw.defaults["betas"][1] == 0.9


def test_codes_are_normalized_where_the_settings_say_so():
    images = torch.randn(64, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    codes = DSH(12, TASK, DSH.Config(normalize=True)).network()(images)
    torch.testing.assert_close(codes.mean(0), torch.zeros(12), atol=1e-4, rtol=0)
    torch.testing.assert_close(codes.std(0, unbiased=False), torch.ones(12), atol=0.1, rtol=0)


def test_the_terms_of_a_method_are_its_losses_times_their_weights():
    from hashzoo.losses.balance import Balance
    from hashzoo.losses.base import Batch

    class Weighted(DeepMethod):
        def losses(self):
            return [(3.0, Balance(self.bits))]

    codes = torch.ones(4, 12)
    terms = Weighted(12, TASK).loss(codes, Batch(torch.arange(4), torch.arange(4)))
    assert terms["balance"].item() == 36.0


def test_terms_of_equal_name_are_added():
    class Twice(DSH):
        def losses(self):
            return [(1.0, Contrastive(8, margin=4.0)), (0.5, Contrastive(8, margin=16.0))]

    codes = torch.randn(6, 8, generator=torch.Generator().manual_seed(0))
    batch = Batch(torch.tensor([0, 0, 1, 1, 2, 2]), torch.arange(6))
    one, other = (Contrastive(8, margin)(codes, batch)["contrastive"] for margin in (4.0, 16.0))
    terms = Twice(8, TASK).loss(codes, batch)
    assert list(terms) == ["contrastive"]
    torch.testing.assert_close(terms["contrastive"], one + 0.5 * other)


def test_losses_are_made_once_and_on_the_device():
    class Point(Loss):
        def __init__(self, bits):
            super().__init__(bits)
            self.point = nn.Parameter(torch.zeros(bits))

        def forward(self, codes, batch):
            return {"point": (codes - self.point).square().mean()}

    class Pulled(DeepMethod):
        asked = 0

        def losses(self):
            self.asked += 1
            return [(1.0, Point(self.bits)), (0.1, lambda codes, batch: {"size": codes.square().mean()})]

    method = Pulled(12, TASK)
    (point,) = made_losses(method, torch.device("meta"))
    assert point.point.is_meta
    terms = method.loss(torch.ones(4, 12, device="meta"), Batch(torch.arange(4), torch.arange(4)))
    assert set(terms) == {"point", "size"}
    assert method.asked == 1


@pytest.mark.parametrize("name", METHODS.names())
def test_every_method_is_deep_or_shallow(name):
    cls = METHODS.get(name)
    assert issubclass(cls, Method)
    assert issubclass(cls, DeepMethod) != issubclass(cls, ShallowMethod)
