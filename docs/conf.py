"""Sphinx settings; `nox -s docs` builds the site and treats every warning as an error."""

import sys
from pathlib import Path

import hashzoo

sys.path.insert(0, str(Path(__file__).parent))
import zoo

project = "hashzoo"
author = copyright = "The hashzoo contributors"
version = release = hashzoo.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
html_theme = "furo"
exclude_patterns = ["_build", "results"]


def setup(app):
    app.connect("builder-inited", lambda app: zoo.write(Path(app.srcdir) / "zoo"))
