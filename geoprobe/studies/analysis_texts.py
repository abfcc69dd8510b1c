"""Words above the figures of each analysis, from the file ``analyses.toml``."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import NamedTuple

from geoprobe.files.toml_files import read_toml


class Text(NamedTuple):
    """The words above the figures of one analysis."""

    title: str
    question: str
    reading: str
    paper: str = ""
    """Where the numbers differ from those of Zhou & Srikumar (2022) by their definition."""


@cache
def analysis_texts() -> dict[str, Text]:
    """Return the words of the nine analyses, and of the controls."""
    with resources.as_file(resources.files("geoprobe.studies") / "analyses.toml") as path:
        return {analysis: Text(**said) for analysis, said in read_toml(path).items()}
