from __future__ import annotations

import subprocess
import sys

import pytest

from hashzoo import plugins
from hashzoo.errors import DuplicateName, HashzooError, PluginError, UnknownName
from hashzoo.methods.base import METHODS
from hashzoo.registry import Registry, broken_plugins


class Animal:
    name = ""


class Point:
    """An entry point without a distribution behind it."""

    def __init__(self, name, load):
        self.name, self.load = name, load


@pytest.fixture
def animals(tmp_path, monkeypatch):
    """A registry with the built-ins `cat` and `wild_dog`, in a package of its own."""
    package = tmp_path / "zoo_animals"
    package.mkdir()
    (package / "__init__.py").write_text("ANIMALS = None\n")
    for name in ("cat", "wild_dog"):
        (package / f"{name}.py").write_text(
            f"from zoo_animals import ANIMALS\n"
            f"@ANIMALS.register({name!r})\n"
            f"class {name.title().replace('_', '')}(ANIMALS.base):\n"
            f"    pass\n"
        )
    monkeypatch.syspath_prepend(tmp_path)
    import zoo_animals

    zoo_animals.ANIMALS = Registry("animal", Animal, package="zoo_animals")
    yield zoo_animals.ANIMALS
    for module in [name for name in sys.modules if name.partition(".")[0] == "zoo_animals"]:
        del sys.modules[module]


@pytest.fixture
def plug_in(monkeypatch):
    """plug_in(name=load, ...) installs these entry points instead of the real ones."""

    def install(**loaders):
        points = [Point(name, load) for name, load in loaders.items()]
        monkeypatch.setattr("importlib.metadata.entry_points", lambda group: points)
        broken_plugins.cache_clear()

    monkeypatch.delenv("HASHZOO_DISABLE_PLUGINS", raising=False)
    yield install
    monkeypatch.undo()
    broken_plugins.cache_clear()


def failing():
    raise RuntimeError("no compiler\nsecond line")


def leaving():
    sys.exit("needs a GPU")


def test_a_builtin_is_found_by_its_file(animals, plug_in):
    plug_in()
    cat = animals.get("cat")
    assert cat.__qualname__ == "Cat"
    assert cat.name == "cat"
    assert "zoo_animals.wild_dog" not in sys.modules
    assert animals.names() == ["cat", "wild_dog"]


def test_a_hyphen_stands_for_an_underscore(animals, plug_in):
    plug_in()
    assert animals.get("wild-dog") is animals.get("wild_dog")


def test_a_typo_gets_the_nearest_name(animals, plug_in):
    plug_in()
    with pytest.raises(UnknownName) as caught:
        animals.get("wildog")
    assert str(caught.value) == "no animal named 'wildog'; did you mean 'wild_dog'? (known: cat, wild_dog)"
    assert isinstance(caught.value, HashzooError)
    assert isinstance(caught.value, KeyError)


@pytest.mark.parametrize("name", ["", "zebra", "Cat", "cat.py", "../cat", "__init__", "c a t", "cat\n"])
def test_what_is_no_name_is_unknown(animals, plug_in, name):
    plug_in()
    with pytest.raises(UnknownName, match=r"known: cat, wild_dog\)$"):
        animals.get(name)


def test_a_name_far_from_all_gets_no_suggestion(animals, plug_in):
    plug_in()
    with pytest.raises(UnknownName) as caught:
        animals.get("zzzz")
    assert "did you mean" not in str(caught.value)


def test_a_class_of_another_kind_is_refused(animals):
    with pytest.raises(TypeError) as caught:
        animals.register("stone")(type("Stone", (), {}))
    assert str(caught.value) == f"animal 'stone': {__name__}.Stone must subclass {__name__}.Animal"
    with pytest.raises(TypeError, match="must subclass"):
        animals.register("function")(lambda: None)


def test_a_taken_name_names_both_owners(animals):
    animals.register("cow")(type("Cow", (Animal,), {}))
    with pytest.raises(DuplicateName) as caught:
        animals.register("cow")(type("Bull", (Animal,), {}))
    assert str(caught.value) == f"animal 'cow' is already {__name__}.Cow; {__name__}.Bull needs another name"


def test_an_outsider_cannot_take_a_builtin_name_even_if_it_comes_first(animals):
    with pytest.raises(DuplicateName) as caught:
        animals.register("cat")(type("Tiger", (Animal,), {}))
    assert "zoo_animals.cat.Cat" in str(caught.value)
    assert f"{__name__}.Tiger" in str(caught.value)


def test_a_class_may_be_filed_again_as_when_its_module_is_reloaded(animals):
    first = animals.register("cow")(type("Cow", (Animal,), {}))
    second = animals.register("cow")(type("Cow", (Animal,), {}))
    assert first is not second
    assert animals.get("cow") is second


@pytest.mark.parametrize("name", ["", "Cow", "wild-cow", "2cows", "_cow", "cow!", "kuh é"])
def test_a_bad_name_is_refused(animals, name):
    with pytest.raises(ValueError, match="a name is lower-case letters, digits and underscores"):
        animals.register(name)


def test_plugins_are_imported_only_for_names_that_are_not_built_in(animals, plug_in):
    loaded = []

    def load():
        loaded.append("cow")
        animals.register("cow")(type("Cow", (Animal,), {}))

    plug_in(cow=load)
    animals.get("cat")
    assert loaded == []
    assert animals.get("cow").__qualname__ == "Cow"
    animals.get("cow")
    animals.names()
    assert loaded == ["cow"]


def test_a_broken_plugin_hides_nothing(animals, plug_in):
    plug_in(broken=failing, broken_too=leaving, cow=lambda: animals.register("cow")(type("Cow", (Animal,), {})))
    assert animals.get("cow").name == "cow"
    assert animals.names() == ["cat", "cow", "wild_dog"]
    assert list(broken_plugins()) == ["broken", "broken_too"]


@pytest.mark.parametrize("name", ["broken_one", "broken-one"])
def test_a_broken_plugin_asked_for_by_name_raises_chained(animals, plug_in, name):
    plug_in(**{"broken-one": failing})
    with pytest.raises(PluginError) as caught:
        animals.get(name)
    assert str(caught.value) == "plugin 'broken-one' failed to import: RuntimeError: no compiler"
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_an_unknown_name_mentions_the_plugins_that_failed(animals, plug_in):
    plug_in(broken=failing)
    with pytest.raises(UnknownName, match=r"; plugin 'broken' failed to import: RuntimeError: no compiler$"):
        animals.get("horse")


def test_a_plugin_that_claims_a_builtin_name_is_broken_and_the_builtin_stays(animals, plug_in):
    plug_in(tiger=lambda: animals.register("cat")(type("Tiger", (Animal,), {})))
    assert animals.names() == ["cat", "wild_dog"]
    assert animals.get("cat").__qualname__ == "Cat"
    with pytest.raises(PluginError, match=r"'cat' is already zoo_animals\.cat\.Cat; .*\.Tiger needs another name"):
        animals.get("tiger")


def test_of_two_plugins_with_one_name_the_first_entry_point_wins(animals, plug_in):
    plug_in(
        b=lambda: animals.register("cow")(type("Second", (Animal,), {})),
        a=lambda: animals.register("cow")(type("First", (Animal,), {})),
    )
    assert animals.get("cow").__qualname__ == "First"
    assert isinstance(broken_plugins()["b"], DuplicateName)


def test_plugins_can_be_disabled(animals, plug_in, monkeypatch):
    plug_in(broken=failing)
    monkeypatch.setenv("HASHZOO_DISABLE_PLUGINS", "1")
    assert animals.names() == ["cat", "wild_dog"]
    assert broken_plugins() == {}
    with pytest.raises(UnknownName) as caught:
        animals.get("broken")
    assert "failed to import" not in str(caught.value)


def test_long_lists_of_known_names_are_cut():
    error = UnknownName("method", "x", [f"m{i:02}" for i in range(30)])
    assert str(error).endswith("m23 and 6 more)")
    assert str(UnknownName("method", "x", [])) == "no method named 'x' (known: none)"


def test_the_five_registries_have_their_builtins():
    import hashzoo

    for kind, some in {
        "METHODS": {"dsh", "dpsh", "lsh"},
        "DATASETS": {"digits", "cifar10", "folder"},
        "LOSSES": {"contrastive", "quantization", "balance", "pairwise_likelihood"},
        "EVALUATORS": {"hamming_ranking", "bit_statistics"},
        "BACKBONES": {"dsh_cnn", "resnet_cifar", "resnet18", "vit_b_16"},
    }.items():
        known = getattr(hashzoo, kind)
        names = known.names()
        assert some <= set(names)
        assert names == sorted(names)
        assert all(known.get(name).name == name for name in names)
    assert plugins.PLUGIN_GROUP == "hashzoo.plugins"


def test_a_builtin_method_is_got_without_any_plugin_or_torch():
    code = (
        "import sys; from hashzoo import METHODS; METHODS.get('lsh');"
        "print([m for m in ('torch', 'hashzoo_dfeh', 'hashzoo.methods.dsh') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert METHODS.get("lsh").__module__ == "hashzoo.methods.lsh"


@pytest.mark.parametrize(
    ("name", "meant"),
    [("adsh", ("asymmetric", "angular")), ("ssdh", ("semantics", "semi")), ("MDSH", ("multidimensional", "centers"))],
)
def test_a_name_that_papers_share_says_what_it_may_stand_for(name, meant):
    with pytest.raises(UnknownName, match=f"no method named '{name}'.*may stand for") as caught:
        METHODS.get(name)
    assert "\n" not in str(caught.value)
    for word in meant:
        assert word in str(caught.value)
