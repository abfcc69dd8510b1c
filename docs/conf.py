"""Configuration of the documentation site: ``python -m sphinx -W docs SITE`` builds it."""

from __future__ import annotations

from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

import geoprobe

project = "geoprobe"
author = "The geoprobe developers"
version = release = geoprobe.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

autodoc_typehints = "none"  # the docstrings tell types and shapes
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_use_ivar = True

html_theme = "pydata_sphinx_theme"
html_title = "geoprobe"
html_theme_options = {"show_toc_level": 2, "navigation_with_keys": False}
html_show_sourcelink = False


def setup(app: Sphinx) -> None:
    """Show lines of JSON, in which three dots may stand for some, as they are."""
    app.add_lexer("jsonl", TextLexer)
