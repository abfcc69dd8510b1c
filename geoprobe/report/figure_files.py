"""Files of figures and tables beside the report, and their names."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections.abc import Mapping
from copy import copy
from pathlib import Path
from typing import Any
from urllib.parse import quote

from geoprobe.drawing.style import need
from geoprobe.errors import FormatError
from geoprobe.files.atomic import write_file
from geoprobe.files.csv_files import as_cell

_LONGEST = 80


def file_name(analysis: str, choices: Mapping[str, str]) -> str:
    """Return a name, without suffix, for one view of an analysis.

    Parameters
    ----------
    analysis : str
    choices : mapping of str to str
        What tells the view from its siblings.

    Returns
    -------
    str
        Lower-case letters, digits, dots, hyphens and underscores only. Wherever that loses
        something, eight hexadecimal digits of a hash keep different choices apart.
    """
    parts = [analysis, *(_part(name, value) for name, value in choices.items())]
    exact = "_".join(parts)
    safe = "_".join(_safe(part) for part in parts)
    if safe == exact and len(safe) <= _LONGEST and "_" not in "".join(parts):
        return safe
    identity = json.dumps([analysis, list(choices.items())]).encode("ascii")
    return f"{safe[:_LONGEST].rstrip('-._')}_{hashlib.sha256(identity).hexdigest()[:8]}"


def _part(name: str, value: str) -> str:
    """Name a value where it does not speak for itself."""
    return f"{name}-{value}".replace(" ", "-") if value.isdecimal() or name == "tuned on" else value


def _safe(text: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.") or "x"


INDEX = "index.csv"
_OURS = re.compile(r"[a-z0-9][a-z0-9._-]*")
_HEADER = ("file", "analysis", "view", "content")


class FigureFolder:
    """Writes files below one folder, each at one stroke, and remembers which.

    Parameters
    ----------
    root : Path
        Made when it is needed. Files of an earlier report that the new one does not have are
        removed at the end; only those that its list names.
    link : str
        How the page refers to it; ends in a slash.
    """

    def __init__(self, root: Path, link: str) -> None:
        self.root = root
        self.link = link
        self._rows: list[tuple[str, str, str, str]] = []
        self._before = _listed(root / INDEX)

    def put(self, name: str, data: bytes, *, analysis: str, view: str, content: str) -> str:
        """Write or replace a file and return its link.

        Raises
        ------
        StoreError
            If the system refuses.
        """
        write_file(self.root / name, lambda path: path.write_bytes(data))
        self._rows.append((name, analysis, view, content))
        return self.link + quote(name)

    def branch(self) -> FigureFolder:
        """Return the same folder for another process, which remembers only its own files."""
        other = copy(self)
        other._rows = []
        return other

    def join(self, branch: FigureFolder) -> None:
        """Remember what another process wrote."""
        self._rows += branch._rows

    def finish(self) -> None:
        """Write the list of all files, and remove those of an earlier report."""
        write_file(self.root / INDEX, lambda path: path.write_bytes(self._index()))
        for name in self._before - {row[0] for row in self._rows}:
            (self.root / name).unlink(missing_ok=True)

    def _index(self) -> bytes:
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(_HEADER)
        writer.writerows(self._rows)
        return out.getvalue().encode("utf8")


def to_csv(columns: Mapping[str, Any] | Any) -> bytes:
    """Return a table, as columns or as a pandas DataFrame, as csv with all digits.

    Text that a spreadsheet would run as a formula gets an apostrophe.
    """
    frame = need("pandas").DataFrame(columns) if isinstance(columns, Mapping) else columns
    frame = frame.map(lambda value: as_cell(value) if isinstance(value, str) else value)
    text: str = frame.to_csv(index=False, lineterminator="\n")
    return text.encode("utf8")


def _listed(index: Path) -> set[str]:
    """Read which files an earlier report has written.

    Raises
    ------
    FormatError
        If the file is there and is not such a list.
    """
    if not index.is_file():
        return set()
    try:
        with index.open(encoding="utf8", newline="") as file:
            rows = list(csv.reader(file))
    except (OSError, ValueError, csv.Error) as error:
        raise FormatError(f"the file cannot be read: {error}.", index) from error
    if not rows or tuple(rows[0]) != _HEADER:
        raise FormatError(
            f"a list of figures with the columns {', '.join(_HEADER)} is expected; move the file "
            f"or choose another folder for the figures.",
            index,
        )
    names = {row[0] for row in rows[1:] if row}
    # A list that was tampered with must not reach beyond its folder.
    return {name for name in names if _OURS.fullmatch(name) and name != INDEX}
