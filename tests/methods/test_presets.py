from __future__ import annotations

from dataclasses import replace

import pytest

from hashzoo import METHODS, DeepMethod, Preset
from hashzoo.backbones.base import BACKBONES
from hashzoo.errors import UnknownName
from hashzoo.methods.presets import TRAINING, preset_settings
from hashzoo.settings import configure

DEEP = [name for name in METHODS.names() if issubclass(METHODS.get(name), DeepMethod)]


@pytest.mark.parametrize("name", METHODS.names())
def test_every_preset_is_made_of_settings(name):
    cls = METHODS.get(name)
    for preset in cls.presets.values():
        config = configure(cls.Config, preset.settings, owner=name)
        assert preset.summary
        if issubclass(cls, DeepMethod):
            assert BACKBONES.get(config.backbone).name == config.backbone


@pytest.mark.parametrize("preset", TRAINING)
def test_all_methods_with_a_network_are_trained_the_same_way(preset):
    """What a preset says of the training is the same for all; a method may add what is its own."""
    common = TRAINING[preset].settings
    configs = [configure(METHODS.get(name).Config, METHODS.get(name).presets[preset].settings, name) for name in DEEP]
    training = [{key: getattr(config, key) for key in common} for config in configs]
    assert all(one == training[0] for one in training)


def test_the_strong_one_says_all_that_it_needs():
    config = configure(DeepMethod.Config, TRAINING["strong"].settings, "any")
    assert config.augment
    assert (config.sampler, config.schedule) == ("class_aware", "one_cycle")
    assert 0 < config.average < 1
    assert config.backbone.startswith("resnet9")
    others = replace(config, **{f: getattr(DeepMethod.Config(), f) for f in TRAINING["strong"].settings})
    assert others == DeepMethod.Config()


def test_none_is_no_preset():
    assert preset_settings(METHODS.get("dsh"), None) == {}
    with pytest.raises(UnknownName, match="no preset of 'dsh' named 'fst'; did you mean 'fast'"):
        preset_settings(METHODS.get("dsh"), "fst")


def test_a_preset_with_more_settings_leaves_the_first_alone():
    first = Preset("a", {"lr": "1"})
    assert first.with_settings(epochs="2").settings == {"lr": "1", "epochs": "2"}
    assert first.settings == {"lr": "1"}
