"""Sphinx settings; `nox -s docs` builds the site and treats every warning as an error."""

import hashzoo

project = "hashzoo"
author = copyright = "The hashzoo contributors"
version = release = hashzoo.__version__
extensions = ["myst_parser"]
html_theme = "furo"
exclude_patterns = ["_build"]
