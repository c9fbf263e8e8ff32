"""Code from outside: the version of the interface it was written for, and classes in files that are not installed."""

from __future__ import annotations

import hashlib
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import hashzoo
from hashzoo.errors import InvalidInput, PluginError

PLUGIN_GROUP = "hashzoo.plugins"
_files: dict[str, tuple[str, str]] = {}  # of modules loaded by `class_in_file`: file name and sha256


def check_api(cls: type, what: str) -> None:
    """Refuse a class whose module, or package, states another `hashzoo_plugin_api` than ours.

    Args:
        what: what it is called in the message, such as "method 'tribit'".

    Raises:
        PluginError: it was written for another version.
    """
    for name in (cls.__module__, cls.__module__.partition(".")[0]):
        stated = getattr(sys.modules.get(name), "hashzoo_plugin_api", None)
        if stated is not None and stated != hashzoo.PLUGIN_API:
            newer = isinstance(stated, int) and stated > hashzoo.PLUGIN_API
            raise PluginError(
                f"{what} ({name}) is written for plugin API {stated!r}, hashzoo {hashzoo.__version__} has "
                f"{hashzoo.PLUGIN_API}; upgrade {'hashzoo' if newer else 'the plugin'}"
            )


def is_file_reference(text: str) -> bool:
    """Whether `text` means a class in a file, as "./my_method.py:MyMethod" does, and not a registered name."""
    return text.partition(":")[0].endswith(".py")


def class_in_file(reference: str) -> type:
    """Run a file and return the class in it. Modules beside the file can be imported by it.

    Args:
        reference: "FILE.py:CLASS".

    Raises:
        InvalidInput: there is no such file or class.
        PluginError: the file cannot be run; the cause is chained.
    """
    file, _, name = reference.partition(":")
    path = Path(file).resolve()
    if not name.isidentifier():
        raise InvalidInput(f"expected FILE.py:CLASS, such as ./my_method.py:MyMethod, got {reference!r}")
    if not path.is_file():
        raise InvalidInput(f"{reference}: there is no file {file}")
    found = getattr(_run(path, file), name, None)
    if not isinstance(found, type):
        raise InvalidInput(f"{reference}: expected a class {name} in {file}, found none")
    return found


def file_version(cls: type) -> dict[str, str]:
    """Name and sha256 of the file that `cls` was loaded from by `class_in_file`; else empty."""
    if cls.__module__ not in _files:
        return {}
    name, sha256 = _files[cls.__module__]
    return {name: f"sha256:{sha256}"}


def plugin_packages() -> set[str]:
    """Top-level names of all modules that are plugins, installed or loaded from a file."""
    from importlib.metadata import entry_points

    return {point.module.partition(".")[0] for point in entry_points(group=PLUGIN_GROUP)} | _files.keys()


def _run(path: Path, file: str) -> ModuleType:
    source = path.read_bytes()
    name = path.stem
    if name in sys.stdlib_module_names or (name in sys.modules and name not in _files):
        name = f"{name}_file"
    spec = spec_from_file_location(name, path)
    assert spec is not None
    module = module_from_spec(spec)
    sys.modules[name] = module
    _files[name] = (path.name, hashlib.sha256(source).hexdigest())
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))  # last, so that no file there hides an installed module
    try:
        exec(compile(source, path, "exec"), module.__dict__)
    except SyntaxError as cause:
        raise PluginError(f"{file}, line {cause.lineno}: {cause.msg}") from cause
    except (Exception, SystemExit) as cause:
        raise PluginError(f"{file} failed to import: {type(cause).__name__}: {cause}") from cause
    return module
