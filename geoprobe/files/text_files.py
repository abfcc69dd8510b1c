"""Text files, whole or line by line, with every fault named by its place."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from geoprobe.errors import FormatError

_BOM = b"\xef\xbb\xbf"


def checked_file(path: str | os.PathLike[str]) -> Path:
    """Return the path of an existing file that is not empty.

    Raises
    ------
    FormatError
        If there is no such file, it is a folder, cannot be opened or has no content.
    """
    path = Path(path)
    try:
        if not path.exists():
            raise FormatError("there is no such file.", path)
        if not path.is_file():
            raise FormatError("this is not a file, but a file is expected.", path)
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


def numbered_lines(
    path: str | os.PathLike[str], *, encoding: str = "utf-8", keep_ends: bool = False
) -> Iterator[tuple[int, str]]:
    """Yield the lines of a text file one by one.

    Only a line feed ends a line; other characters that Unicode counts as line ends occur inside
    words of real corpora.

    Parameters
    ----------
    path : path-like
    encoding : str
        One in which a line feed is the byte 0x0A.
    keep_ends : bool
        Whether the lines keep their line feed and the carriage return before it.

    Yields
    ------
    line : int
        Counted from 1.
    text : str

    Raises
    ------
    FormatError
        If there is no such file or it is empty, or naming the line and byte that is not in the
        encoding, or the line with a NUL character.
    """
    path = checked_file(path)
    try:
        with path.open("rb") as file:
            for line, raw in enumerate(file, start=1):
                if line == 1 and encoding == "utf-8":
                    raw = raw.removeprefix(_BOM)
                if not keep_ends:
                    raw = raw.removesuffix(b"\n").removesuffix(b"\r")
                if b"\0" in raw:
                    raise FormatError("the line holds a NUL character; is this text?", path, line)
                try:
                    yield line, raw.decode(encoding)
                except UnicodeDecodeError as error:
                    raise FormatError(
                        f"byte {error.start + 1} of the line is 0x{raw[error.start]:02x}, which is "
                        f"not {encoding.upper()} here.",
                        path,
                        line,
                    ) from error
    except OSError as error:
        raise FormatError(f"the file cannot be read: {error.strerror}.", path) from error
