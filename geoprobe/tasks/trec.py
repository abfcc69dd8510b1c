"""Questions with labels as the TREC question classification corpus has them."""

from __future__ import annotations

import os
from pathlib import Path

from geoprobe.errors import FormatError
from geoprobe.tasks.making import Gathered
from geoprobe.tasks.text_lines import numbered_lines


def read_trec(path: str | os.PathLike[str]) -> Gathered:
    """Read questions, one a line: ``LABEL:fine How far is it to Aspen ?``.

    Parameters
    ----------
    path : path-like
        Text in ISO-8859-1. The label is all before the first space and has a colon in it; the
        words are what white space separates in the rest. Blank lines are passed over.

    Returns
    -------
    Gathered
        One unit a line: the whole sentence.

    Raises
    ------
    FormatError
        Naming the line that has no label or no words.

    References
    ----------
    Li and Roth, "Learning Question Classifiers", COLING 2002.
    """
    path = Path(path)
    gathered = Gathered()
    for line, text in numbered_lines(path, encoding="iso-8859-1"):
        if not text.strip():
            continue
        label, _, question = text.partition(" ")
        coarse, _, fine = label.partition(":")
        if not coarse or not fine or label.split() != [label]:
            raise FormatError(
                f"the line starts with {label[:40]!r}, but a label such as 'DESC:manner' and a "
                f"space are expected.",
                path,
                line,
            )
        words = question.split()
        if not words:
            raise FormatError(f"there is no question behind the label {label!r}.", path, line)
        gathered.add(words, [((), label)], path, line)
    return gathered
