from __future__ import annotations

import pytest
import torch
import torchvision.models as models
from safetensors.torch import save_file
from torch import nn

from hashzoo.backbones import torchvision as module
from hashzoo.backbones.base import BACKBONES
from hashzoo.errors import DataError, HashzooError, InvalidSetting

FAMILIES = {
    "resnet18": (32, 512),
    "alexnet": (64, 4096),
    "mobilenet_v3_small": (32, 1024),
    "shufflenet_v2_x0_5": (32, 1024),
    "efficientnet_b0": (32, 1280),
    "mnasnet0_5": (32, 1280),
}


@pytest.fixture(autouse=True)
def hub(tmp_path, monkeypatch):
    """No weights have ever been downloaded, and none can be."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))

    def refuse(*_, **__):
        raise AssertionError("a download was tried")

    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    return tmp_path / "hub" / "checkpoints"


@pytest.mark.parametrize("name", FAMILIES)
def test_the_classifier_is_taken_off(name):
    side, features = FAMILIES[name]
    backbone = BACKBONES.get(name)(image_size=side)
    assert backbone.out_features == features
    assert backbone.map_channels is None
    with torch.no_grad():
        assert backbone.eval()(torch.randn(2, 3, side, side)).shape == (2, features)
    classes = [m for m in backbone.modules() if isinstance(m, nn.Linear) and m.out_features == 1000]
    assert classes == []


def test_only_the_last_linear_layer_goes():
    """The features are what torchvision's own network computes just before its classes."""
    torch.manual_seed(0)
    backbone = BACKBONES.get("resnet18")().eval()
    network = models.resnet18()
    network.load_state_dict(backbone.network.state_dict(), strict=False)
    network.eval()
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.allclose(network.fc(backbone(images)), network(images), atol=1e-5)


def test_every_classification_network_has_a_name():
    assert sorted(models.list_models(module=models)) == sorted(module.ARCHITECTURES)
    assert set(module.ARCHITECTURES) <= set(BACKBONES.names())


def test_a_network_without_a_last_linear_layer_is_refused():
    with pytest.raises(InvalidSetting, match="expected a network that ends in a linear layer, got 'squeezenet1_1'"):
        BACKBONES.get("squeezenet1_1")()


def test_a_wider_input_is_refused_with_the_networks_that_take_it():
    with pytest.raises(InvalidSetting, match=r"takes 32 channels \(dsh_cnn, resnet_cifar\), got 'resnet18'"):
        BACKBONES.get("resnet18")(in_channels=32)


def test_unknown_weights_list_those_that_exist():
    with pytest.raises(InvalidSetting) as caught:
        BACKBONES.get("resnet50")(weights="IMAGENET")
    assert "one of IMAGENET1K_V1, IMAGENET1K_V2, DEFAULT, got 'IMAGENET'" in str(caught.value)


@pytest.mark.parametrize("weights", ["DEFAULT", "IMAGENET1K_V1"])
def test_nothing_is_downloaded_unless_asked_for(weights, hub):
    with pytest.raises(DataError) as caught:
        BACKBONES.get("resnet18")(weights=weights)
    assert str(hub) in str(caught.value)
    assert "--download fetches them" in str(caught.value)
    assert not hub.exists()


def test_download_asks_torchvision(monkeypatch):
    asked = []

    def get_state_dict(self, **options):
        asked.append((self.name, options))
        return models.resnet18().state_dict()

    monkeypatch.setattr(models.ResNet18_Weights, "get_state_dict", get_state_dict)
    backbone = BACKBONES.get("resnet18")(weights="DEFAULT", download=True)
    assert asked == [("IMAGENET1K_V1", {"check_hash": True})]
    assert backbone.normalization == ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])


@pytest.mark.parametrize("file", ["none.safetensors", "none.pth", "none.pt"])
def test_a_missing_file_is_named(file, tmp_path):
    with pytest.raises(DataError, match=rf"no such file .*{file}"):
        BACKBONES.get("resnet18")(weights=str(tmp_path / file))


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_weights_from_a_file(tmp_path, suffix):
    torch.manual_seed(1)
    state = models.resnet18(num_classes=7).state_dict()
    file = tmp_path / f"mine{suffix}"
    if suffix == ".pth":
        torch.save(state, file)
    else:
        save_file(state, file)
    backbone = BACKBONES.get("resnet18")(weights=str(file))
    assert torch.equal(backbone.network.conv1.weight, state["conv1.weight"])
    assert torch.equal(backbone.network.layer4[1].bn2.bias, state["layer4.1.bn2.bias"])
    assert backbone.normalization is None


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
@pytest.mark.parametrize("content", [b"", b"not a state dict"])
def test_a_damaged_file_is_refused(tmp_path, suffix, content):
    file = tmp_path / f"bad{suffix}"
    file.write_bytes(content)
    with pytest.raises(HashzooError, match=f"bad{suffix}"):
        BACKBONES.get("resnet18")(weights=str(file))


@pytest.mark.parametrize("content", [[torch.zeros(2)], {"epoch": 3, "state_dict": {}}])
def test_a_file_that_holds_something_else_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "other.pth")
    with pytest.raises(DataError, match=r"expected a state dict of tensors in .*other\.pth, got (list|dict)"):
        BACKBONES.get("resnet18")(weights=str(tmp_path / "other.pth"))


def test_weights_of_another_network_are_refused(tmp_path):
    file = tmp_path / "other.safetensors"
    save_file(models.shufflenet_v2_x0_5().state_dict(), file)
    with pytest.raises(DataError, match=r"do not fit: \d+ of 122 tensors missing, first"):
        BACKBONES.get("resnet18")(weights=str(file))


def test_a_pickle_that_would_execute_something_is_refused(tmp_path):
    class Trap:
        def __reduce__(self):
            return (print, ("executed",))

    file = tmp_path / "trap.pth"
    torch.save({"conv1.weight": Trap()}, file)
    with pytest.raises(HashzooError, match=r"trap\.pth"):
        BACKBONES.get("resnet18")(weights=str(file))


def test_architectures_are_torchvisions():
    assert BACKBONES.get("resnet18").architecture == "resnet18"
    assert issubclass(BACKBONES.get("resnet18"), module.TorchvisionBackbone)
