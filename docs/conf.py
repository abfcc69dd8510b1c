"""Configuration of the documentation site: ``python -m sphinx -W docs SITE`` builds it."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

import geoprobe

sys.path.insert(0, str(Path(__file__).parent))  # where executed.py lies

project = "geoprobe"
author = "The geoprobe developers"
version = release = geoprobe.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "executed"]
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

autodoc_typehints = "none"  # the docstrings tell types and shapes
autodoc_member_order = "bysource"
# Of scikit-learn's, for all estimators.
autodoc_default_options = {
    "exclude-members": "set_fit_request, set_predict_request, set_score_request"
}
# Attributes that several classes have, said of two at once: "n_units, n_dims : int".
suppress_warnings = ["ref.python"]
napoleon_google_docstring = False
napoleon_use_ivar = True

html_theme = "pydata_sphinx_theme"
html_title = "geoprobe"
html_context = {"default_mode": "auto"}
html_theme_options = {"show_toc_level": 2, "navigation_with_keys": False, "navbar_center": []}
# All pages on the left, under their captions: there are few, and none lies below another.
html_sidebars = {"index": [], "**": ["globaltoc.html"]}
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False

_TYPE = re.compile(r"^(:(?:type|vartype|rtype)[^:\n]*: )([^`\n]+)$", re.MULTILINE)
# "lower, upper" that are described together, with all of the description.
_SEVERAL = re.compile(r"^:(ivar|vartype) (\w+(?:, \w+)+):(.*(?:\n[^:].*|\n$)*)", re.MULTILINE)


def plain_types(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
    """Show a type as it is written: the n_dims of a shape is no link to an attribute.

    Attributes that are described together get a line each, as parameters do.
    """
    text = _SEVERAL.sub(
        lambda m: "\n".join(f":{m[1]} {one}:{m[3]}" for one in m[2].split(", ")), "\n".join(lines)
    )
    lines[:] = _TYPE.sub(r"\1``\2``", text).split("\n")


def setup(app: Sphinx) -> None:
    """Read types after napoleon has, and show lines of JSON, which three dots may end, as text."""
    app.connect("autodoc-process-docstring", plain_types, priority=501)
    app.add_lexer("jsonl", TextLexer)
