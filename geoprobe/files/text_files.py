"""What every reader does first: make sure that there is a file with something in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from geoprobe.errors import FormatError


def checked_file(path: str | os.PathLike[str]) -> Path:
    """Return the path of an existing file that is not empty.

    Raises
    ------
    FormatError
        If there is no such file, it is a folder, cannot be opened or has no content.
    """
    path = Path(path)
    if not path.exists():
        raise FormatError("there is no such file.", path)
    if not path.is_file():
        raise FormatError("this is not a file, but a file is expected.", path)
    try:
        with path.open("rb") as file:
            first = file.read(1)
    except OSError as error:
        raise FormatError(f"the file cannot be opened: {error.strerror}.", path) from error
    if not first:
        raise FormatError("the file is empty.", path)
    return path


@contextmanager
def open_text(path: str | os.PathLike[str]) -> Iterator[IO[str]]:
    """Open a text file in UTF-8; what is no UTF-8 becomes a FormatError.

    Line ends are translated, except that a caller who wants them raw opens the file itself. A
    byte order mark at the start is dropped.
    """
    path = checked_file(path)
    try:
        with path.open(encoding="utf-8-sig") as file:
            yield file
    except UnicodeDecodeError as error:
        raise FormatError(
            f"the file is not text in UTF-8: byte {error.start} of a block is "
            f"0x{error.object[error.start]:02x}.",
            path,
        ) from error
    except OSError as error:
        raise FormatError(f"the file cannot be read: {error.strerror}.", path) from error
