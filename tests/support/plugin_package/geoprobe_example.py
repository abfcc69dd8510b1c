"""One task, one encoder, one format and one analysis, added to geoprobe from outside."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from geoprobe.findings import Finding
from geoprobe.geometry import Geometry
from geoprobe.studies import Analysis, StudyData, Text
from geoprobe.tasks import Sentence, Split, Task, Unit


def vowels(data: Path) -> Task:
    """Whether a word begins with a vowel."""
    words = ("an", "old", "tree", "is", "tall")
    units = tuple(
        Unit(0, (at,), "vowel" if word[0] in "aeiou" else "consonant")
        for at, word in enumerate(words)
    )
    train, test = (Split(name, (Sentence(words, name),), units) for name in ("train", "test"))
    return Task("vowels", train, test)


def model(*_: Any) -> Path:
    """The folder of a model that this package carries."""
    return Path(__file__).parent / "geoprobe_example_model"


def read_lines(path: Path) -> dict[str, Any]:
    """Points from lines such as ``noun: 1 2``."""
    rows = [line.split(":") for line in path.read_text(encoding="utf8").splitlines()]
    return {
        "X": [[float(number) for number in numbers.split()] for _, numbers in rows],
        "y": [label for label, _ in rows],
    }


class Size(NamedTuple):
    """The units of a label."""

    label: str
    n_units: int


@dataclass(frozen=True)
class Sizes(Finding):
    """How many units each label has."""

    rows: tuple[Size, ...]
    notes: tuple[str, ...] = ()

    row_type = Size
    keys = ("label",)
    values = ("n_units",)

    def plot(self, ax: Any = None) -> Any:
        """Draw a bar a label."""
        names, heights = zip(*self.rows, strict=True)
        ax.bar(names, heights)
        return ax.figure


def count(geometry: Geometry) -> Sizes:
    """Count the units of each label of a space."""
    return Sizes(tuple(map(Size, geometry.labels, geometry.counts.tolist())))


def views(material: StudyData) -> Iterable[tuple[dict[str, str], Any]]:
    """One view a space."""
    for geometry in material.geometries:
        yield {"space": str(geometry.cell)}, partial(count, geometry)


SIZES = Analysis(Text("Sizes", "How many units has a label?", "A bar a label."), views)
