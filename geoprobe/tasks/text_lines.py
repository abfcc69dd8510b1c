"""Lines of text files, numbered, with every fault of the encoding named by its place."""

from __future__ import annotations

import os
from collections.abc import Iterator

from geoprobe.errors import FormatError
from geoprobe.files.text_files import checked_file

_BOM = b"\xef\xbb\xbf"


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
