from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Optional

import pytest

from hashzoo.errors import InvalidInput, InvalidSetting, UnknownName
from hashzoo.methods.base import METHODS, DeepMethod
from hashzoo.settings import configure, describe, merge_assignments, parse, parse_assignments, require


@dataclass(frozen=True)
class Config:
    flag: bool = False
    count: int = 3
    rate: float = 0.5
    word: str = "a"
    kind: Literal["l1", "l2"] = "l1"
    margin: float | None = None
    limit: Optional[int] = 4  # noqa: UP045 - older spelling of the line above
    choice: Literal["x", "y"] | None = None
    sizes: tuple[int, ...] = (1, 2)
    rates: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        require(self.count >= 1, "count", "at least 1", self.count)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        *(("flag", text, True) for text in ("true", "True", "yes", "1")),
        *(("flag", text, False) for text in ("false", "FALSE", "no", "0")),
        ("count", "7", 7),
        ("rate", "1e-3", 0.001),
        ("rate", "2", 2.0),
        ("rate", "-0.5", -0.5),
        ("word", "none", "none"),
        ("word", "", ""),
        ("kind", "l2", "l2"),
        ("margin", "24", 24.0),
        ("margin", "none", None),
        ("margin", "None", None),
        ("limit", "none", None),
        ("limit", "9", 9),
        ("choice", "y", "y"),
        ("choice", "none", None),
        ("sizes", "3,4,5", (3, 4, 5)),
        ("sizes", "3", (3,)),
        ("sizes", "", ()),
        ("rates", "0.1,1e-2", (0.1, 0.01)),
    ],
)
def test_each_type_is_read(name, text, value):
    got = getattr(configure(Config, {name: text}, owner="x"), name)
    assert got == value
    assert type(got) is type(value)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("flag", "maybe", "flag: expected one of true, yes, 1, false, no, 0, got 'maybe'"),
        ("count", "1e3", "count: expected a whole number, got '1e3'"),
        ("count", "2.0", "count: expected a whole number, got '2.0'"),
        ("count", "", "count: expected a whole number, got ''"),
        ("count", "none", "count: expected a whole number, got 'none'"),
        ("count", "0", "count: expected at least 1, got 0"),
        ("rate", "nan", "rate: expected a finite number, got 'nan'"),
        ("rate", "inf", "rate: expected a finite number, got 'inf'"),
        ("rate", "-inf", "rate: expected a finite number, got '-inf'"),
        ("rate", "1e999", "rate: expected a finite number, got '1e999'"),
        ("rate", "fast", "rate: expected a finite number, got 'fast'"),
        ("kind", "l3", "kind: expected one of l1, l2, got 'l3'"),
        ("kind", "L1", "kind: expected one of l1, l2, got 'L1'"),
        ("margin", "wide", "margin: expected a finite number, got 'wide'"),
        ("choice", "z", "choice: expected one of x, y, got 'z'"),
        ("sizes", "1,b", "sizes: expected a whole number, got 'b'"),
    ],
)
def test_each_refusal_says_what_was_expected_and_what_came(name, text, message):
    with pytest.raises(InvalidSetting) as caught:
        configure(Config, {name: text}, owner="x")
    assert str(caught.value) == message
    assert isinstance(caught.value, InvalidInput)


def test_without_assignments_the_defaults_stand():
    assert configure(Config, {}, owner="x") == Config()


def test_an_unknown_setting_gets_the_nearest_one():
    with pytest.raises(UnknownName) as caught:
        configure(Config, {"margn": "1"}, owner="dsh")
    assert "no setting of 'dsh' named 'margn'; did you mean 'margin'?" in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (bool, "bool"),
        (int, "int"),
        (str, "str"),
        (Literal["l1", "l2"], "l1|l2"),
        (float | None, "float or none"),
        (Optional[int], "int or none"),  # noqa: UP045
        (tuple[int, ...], "int,..."),
    ],
)
def test_types_are_described_in_a_users_words(kind, text):
    assert describe(kind) == text


def test_assignments_are_split_at_the_first_equals_sign():
    assert parse_assignments(["a=1", " weight-decay = 0.1 ", "b=x=y", "a=2"]) == {
        "a": "2",
        "weight_decay": "0.1",
        "b": "x=y",
    }


@pytest.mark.parametrize("word", ["margin", "=3", " =3", ""])
def test_a_word_without_a_name_or_equals_sign_is_refused(word):
    with pytest.raises(InvalidSetting, match=r"expected NAME=VALUE, such as lr=0\.01, got"):
        parse_assignments([word])


def test_a_flag_and_a_setting_of_one_name_clash():
    assert merge_assignments(["lr=0.1"], {"epochs": "3", "backbone": None}) == {"lr": "0.1", "epochs": "3"}
    with pytest.raises(InvalidSetting, match="epochs: expected either --epochs or --set epochs=, got both"):
        merge_assignments(["epochs=2"], {"epochs": "3"})


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("lr", "nan", "a finite number"),
        ("lr", "inf", "a finite number"),
        ("lr", "-1", "more than 0"),
        ("lr", "0", "more than 0"),
        ("epochs", "0", "at least 1"),
        ("epochs", "1e3", "a whole number"),
        ("batch_size", "0", "at least 1"),
        ("classes_per_batch", "-2", "at least 1"),
        ("input_size", "0", "at least 1"),
        ("momentum", "1", "0 up to 1, without 1"),
        ("beta2", "1", "0 up to 1, without 1"),
        ("weight_decay", "-0.1", "0 or more"),
        ("sampler", "random", "one of class_aware, shuffled, label_balanced"),
        ("optimizer", "adam", "one of sgd, nesterov, adamw"),
        ("schedule", "linear", "one of one_cycle, step, cosine"),
    ],
)
def test_a_deep_method_refuses_settings_that_make_no_sense(name, text, expected):
    with pytest.raises(InvalidSetting, match=f"^{name}: expected {expected}"):
        configure(METHODS.get("dsh").Config, {name: text}, owner="dsh")


def test_a_subclass_of_a_config_keeps_the_checks_of_its_base():
    assert configure(METHODS.get("dpsh").Config, {"eta": "5"}, owner="dpsh").eta == 5.0
    assert issubclass(METHODS.get("dpsh").Config, DeepMethod.Config)
    with pytest.raises(InvalidSetting, match="epochs"):
        METHODS.get("dpsh").Config(epochs=0)


def test_parse_of_a_plain_type():
    assert parse(int, " 5 ", "n") == 5
