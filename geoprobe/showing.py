"""Objects that show themselves: some sentences as text, the same with a table in a notebook."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from geoprobe.extras import need

MOST_ROWS = 10
LONGEST_NAME = 32

# Embeddings, overrides, isolates and marks of the Unicode bidirectional algorithm.
_TURNS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True)
class Summary:
    """Sentences first, then a table, if there is one.

    Attributes
    ----------
    lines : tuple of str
    title : str
        Of the table.
    header : tuple of str
        Names of the columns; those with a blank at the end are set to the right.
    rows : tuple of tuples of str
    """

    lines: tuple[str, ...] = ()
    title: str = ""
    header: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


class Showing:
    """What a user wants to know about an object, never its raw arrays."""

    def __init_subclass__(cls, **options: Any) -> None:
        """Keep the text that a dataclass would otherwise replace by one of all its fields."""
        super().__init_subclass__(**options)
        if "__repr__" not in vars(cls):
            cls.__repr__ = Showing.__repr__  # type: ignore[method-assign]

    def _summaries(self) -> Sequence[Summary]:
        """Return what there is to say, the most important first."""
        raise NotImplementedError

    def __repr__(self) -> str:
        """Say it in the sentences of the first summary."""
        lines = [one_line(line) for line in self._summaries()[0].lines]
        return "\n  ".join([f"{type(self).__name__}: {lines[0]}", *lines[1:]])

    def _repr_html_(self) -> str:
        """Say it as HTML, with all tables."""
        return as_html(type(self).__name__, self._summaries())


def as_html(name: str, summaries: Sequence[Summary]) -> str:
    """Return summaries as a piece of HTML; all text in it is escaped.

    Parameters
    ----------
    name : str
        What is shown.
    summaries : sequence of Summary
    """
    parts = [f"<div><strong>{_escaped(name)}</strong>"]
    for one in summaries:
        parts += [f"<div>{_escaped(line)}</div>" for line in one.lines]
        if one.rows:
            parts.append(_table(one))
    return "".join([*parts, "</div>"])


def _table(one: Summary) -> str:
    sides = ["right" if name.endswith(" ") else "left" for name in one.header]

    def row(tag: str, cells: Sequence[str]) -> str:
        placed = zip(cells, sides, strict=True)
        return "".join(
            f'<{tag} style="text-align:{side};unicode-bidi:plaintext">'
            f"{_escaped(shortened(cell, LONGEST_NAME))}</{tag}>"
            for cell, side in placed
        )

    head = f"<thead><tr>{row('th', [name.strip() for name in one.header])}</tr></thead>"
    body = "".join(f"<tr>{row('td', cells)}</tr>" for cells in one.rows)
    caption = f'<caption style="text-align:left">{_escaped(one.title)}</caption>'
    return f"<table>{caption}{head}<tbody>{body}</tbody></table>"


def _escaped(text: str) -> str:
    return html.escape(one_line(text))


def one_line(text: str) -> str:
    """Return a text without line breaks, and with what cannot be printed spelt out."""
    whole = without_controls(text)
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in whole)


def without_controls(text: str) -> str:
    """Spell out the characters that turn the direction of text around, such as U+202E.

    A name that holds one would be read in another order than it is written in, and so would what
    stands behind it.
    """
    return _TURNS.sub(lambda match: f"[U+{ord(match[0]):04X}]", text)


def shortened(text: str, longest: int = LONGEST_NAME) -> str:
    """Return a text of at most ``longest`` characters, with an ellipsis where it was cut."""
    if len(text) <= longest:
        return text
    end = longest // 4
    return f"{text[: longest - end - 1]}\N{HORIZONTAL ELLIPSIS}{text[-end:]}"


def number(value: float) -> str:
    """Return a number with six digits."""
    return f"{value:.6g}"


def count(n: int, word: str) -> str:
    """Return a number with what it counts: ``"1 point"``, ``"1,797 points"``."""
    return f"{n:,} {word}" if n == 1 else f"{n:,} {word}s"


def first_few(words: Sequence[str], most: int = 6) -> str:
    """Return the first words, with dots where there are more."""
    return ", ".join(words[:most]) + (", ..." if len(words) > most else "")


def frame(columns: Mapping[str, Any]) -> Any:
    """Return columns as a pandas DataFrame.

    Raises
    ------
    GeoprobeError
        If pandas is not installed; the message says how to install it.
    """
    return need("pandas", "report", "to_frame").DataFrame(dict(columns))
