"""Whose fault an exception is: a plugin's bug is shown with the plugin's frames, and nobody else's."""

from __future__ import annotations

import traceback

from hashzoo.errors import HashzooError
from hashzoo.plugins import plugin_packages


def plugin_traceback(error: Exception) -> str:
    """The frames in plugin code of a plugin's bug, as text; empty if `error` is none.

    A `HashzooError` is a plugin's bug if it was raised from an exception that came straight out of plugin code; any
    other exception is one if it passed through plugin code at all.
    """
    bug: BaseException = error
    while isinstance(bug, HashzooError) and bug.__cause__ is not None:
        bug = bug.__cause__
    if isinstance(bug, HashzooError):
        return ""
    plugins = plugin_packages()
    frames = []
    package = ""
    for (frame, _), entry in zip(
        traceback.walk_tb(bug.__traceback__), traceback.extract_tb(bug.__traceback__), strict=True
    ):
        name = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if name in plugins:
            frames.append(entry)
        if name in plugins or name == "hashzoo":
            package = name
    if isinstance(error, HashzooError) and package not in plugins:
        return ""
    return "".join(traceback.format_list(frames))
