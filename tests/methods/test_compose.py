from __future__ import annotations

import numpy as np
import pytest
import torch

from hashzoo import LOSSES, METHODS, Batch, Task
from hashzoo.cli import main
from hashzoo.datasets.base import Augmentation, Split
from hashzoo.errors import InvalidSetting, UnknownName
from hashzoo.losses.balance import Balance
from hashzoo.losses.centres import hash_centres
from hashzoo.losses.contrastive import Contrastive
from hashzoo.methods.compose import Compose, parse_losses
from hashzoo.settings import configure
from hashzoo.testing import toy_split
from hashzoo.training.trainer import TrainOptions, train

TASK = Task(num_classes=4, num_train=48, image_size=(16, 16))


@pytest.fixture
def extra_losses(monkeypatch):
    """What a test registers is forgotten after it."""
    LOSSES.names()
    monkeypatch.setattr(LOSSES, "_classes", dict(LOSSES._classes))


def compose(losses, **changes):
    return Compose(8, TASK, Compose.Config(losses=losses, epochs=1, batch_size=16, **changes))


def test_the_loss_is_the_weighted_sum_of_its_parts():
    codes = torch.randn(16, 8, generator=torch.Generator().manual_seed(0))
    batch = Batch(torch.arange(16) % 4, torch.arange(16))
    terms = compose("contrastive:0.5+balance").loss(codes, batch)
    assert list(terms) == ["contrastive", "balance"]
    assert terms["contrastive"] == 0.5 * Contrastive(8)(codes, batch)["contrastive"]
    assert terms["balance"] == Balance(8)(codes, batch)["balance"]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("contrastive", [("contrastive", 1.0)]),
        ("contrastive + quantization:1e-2", [("contrastive", 1.0), ("quantization", 0.01)]),
        ("pairwise-likelihood:2", [("pairwise_likelihood", 2.0)]),
    ],
)
def test_parse_losses(text, parts):
    assert parse_losses(text) == parts


def test_two_ways_to_write_the_same_are_one_setting():
    written = configure(Compose.Config, {"losses": "contrastive:1.0 + pairwise-likelihood:0.010"}, "compose")
    assert written.losses == "contrastive+pairwise_likelihood:0.01"
    assert configure(Compose.Config, {"losses": written.losses}, "compose") == written


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("contrastiv", UnknownName, "no loss named 'contrastiv'; did you mean 'contrastive'?"),
        ("contrastive+", InvalidSetting, "expected NAME"),
        ("", InvalidSetting, "expected NAME"),
        ("contrastive:", InvalidSetting, "weight of contrastive, got ''"),
        ("contrastive:much", InvalidSetting, "got 'much'"),
        ("contrastive:-1", InvalidSetting, "got '-1'"),
        ("contrastive:nan", InvalidSetting, "got 'nan'"),
        ("contrastive:inf", InvalidSetting, "got 'inf'"),
        ("balance+balance:2", InvalidSetting, "expected each loss once, got balance twice"),
    ],
)
def test_what_is_no_list_of_losses(text, error, message):
    with pytest.raises(error, match=message.replace("?", r"\?")):
        Compose.Config(losses=text)


def test_the_command_line_says_so_in_one_line(capsys):
    words = ["run", "compose", "--dataset", "digits", "--bits", "12", "--set", "losses=contrastive+balanse:0.1"]
    assert main(words) == 2
    assert capsys.readouterr().err.startswith("hashzoo: no loss named 'balanse'; did you mean 'balance'?")


@pytest.mark.usefixtures("extra_losses")
def test_terms_of_one_name_are_added():
    LOSSES.register("other_balance")(type("OtherBalance", (Balance,), {"__doc__": "Another one."}))
    codes, batch = torch.randn(16, 8), Batch(torch.arange(16) % 4, torch.arange(16))
    terms = compose("balance+other_balance:0.5").loss(codes, batch)
    torch.testing.assert_close(terms, {"balance": 1.5 * Balance(8)(codes, batch)["balance"]})


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("name", ["centre_cross_entropy", "cosine_margin"])
def test_hash_centres_are_those_of_the_classes_and_the_seed(name, several):
    labels = np.eye(12, dtype=np.uint8)[np.arange(48) % 12] if several else np.arange(48) % 12
    split = Split(toy_split(image_size=16).images, np.arange(48), labels)
    config = Compose.Config(losses=name, epochs=1, batch_size=24)
    method = Compose(8, Task(12, 48, (16, 16), multi_label=several), config)
    made = []
    method._made = lambda cls: made.append(Compose._made(method, cls)) or made[-1]
    train(method, split, Augmentation(shift=0, mirror=False), TrainOptions(seed=3))
    assert np.array_equal(made[0].centres.numpy(), hash_centres(12, 8, seed=3))
    assert not np.array_equal(hash_centres(12, 8, seed=3), hash_centres(12, 8))


def test_it_is_registered():
    assert METHODS.get("compose") is Compose
