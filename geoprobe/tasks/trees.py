"""Whether heads form a tree."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from geoprobe.errors import FormatError


def check_tree(heads: Sequence[int], lines: Sequence[int], path: Path) -> None:
    """Refuse heads that are not a tree under one root.

    Parameters
    ----------
    heads : sequence of int, length n_words
        For each word the number of its head, counted from 1; 0 for the root.
    lines : sequence of int, length n_words
        The line of each word, for messages.
    path : pathlib.Path
        The file, for messages.

    Raises
    ------
    FormatError
        If there is no root, a second one, or a cycle; it names the words.
    """
    roots = [word for word, head in enumerate(heads) if head == 0]
    if len(roots) > 1:
        numbers = ", ".join(str(word + 1) for word in roots[:8])
        raise FormatError(
            f"column 7 (HEAD): {len(roots)} words of the sentence are roots ({numbers}), but "
            f"exactly one is expected.",
            path,
            lines[roots[1]],
        )
    cycle = _cycle(heads)
    if cycle:
        way = " -> ".join([*map(str, cycle[:8]), "..." if len(cycle) > 8 else str(cycle[0])])
        # Without a root every way upwards ends in a cycle, so both are found here.
        rootless = "" if roots else "no word of the sentence is its root, and "
        raise FormatError(
            f"column 7 (HEAD): {rootless}the heads of {len(cycle)} words form a cycle ({way}).",
            path,
            lines[cycle[0] - 1],
        )


def _cycle(heads: Sequence[int]) -> list[int]:
    """Return the words of a cycle, numbered from 1, or nothing; each word is passed once."""
    known_good = {0}
    for start in range(1, len(heads) + 1):
        way: dict[int, None] = {}
        word = start
        while word not in known_good:
            if word in way:
                words = list(way)
                return words[words.index(word) :]
            way[word] = None
            word = heads[word - 1]
        known_good.update(way)
    return []
