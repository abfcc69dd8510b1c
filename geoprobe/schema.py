"""Tables that somebody wrote by hand, checked by pydantic and refused in our words."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, Strict, ValidationError

from geoprobe.errors import FormatError, GeoprobeError, InputError
from geoprobe.suggestions import nearest, suggestion

Text = Annotated[str, Strict(), Field(min_length=1)]
"""Text that is not empty; numbers are not turned into it."""
Flag = Annotated[bool, Strict()]
"""True or false; neither 1 nor "yes"."""
Number = Annotated[float, Strict(), Field(allow_inf_nan=False)]
"""A finite number; text is not turned into one."""
Whole = Annotated[int, Strict(), Field(ge=0)]
"""A whole number from 0 on; neither 2.0 nor true."""
Positive = Annotated[int, Strict(), Field(ge=1)]
"""A whole number from 1 on."""


Kind = TypeVar("Kind", bound="Record")

# What pydantic calls the kinds of Python, in the words of the files that people write.
_EXPECTED = {
    "tuple_type": "a list is expected",
    "list_type": "a list is expected",
    "dict_type": "a table is expected",
    "model_type": "a table is expected",
    "int_type": "a whole number is expected",
    "float_type": "a number is expected",
    "string_type": "text is expected",
    "bool_type": "true or false is expected",
    "path_type": "the name of a file is expected",
}


class Record(BaseModel):
    """A frozen value with named, checked fields; unknown names are refused.

    Raises
    ------
    InputError
        Naming the field, what came and what was expected; for an unknown name the nearest known.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    # The slash lets a table have a key called self, which is then refused like any unknown one.
    def __init__(self, /, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise InputError(in_our_words(type(self), error)) from error
        # pydantic cannot carry a message of ours that quotes such text.
        except UnicodeEncodeError as error:
            message = f"half of a surrogate pair is no text: {_shown(error.object)}."
            raise InputError(message) from error

    # Without this mark pydantic would call it for every record inside another one, whose errors
    # would then not know where in the table they stand.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    def replaced(self: Kind, **changes: Any) -> Kind:
        """Return the same value with some fields changed, checked anew."""
        return type(self)(**{**dict(self), **changes})


def parse(kind: type[Kind], table: Any, path: Path | None = None) -> Kind:
    """Make a record from a table such as a TOML or JSON file has.

    Parameters
    ----------
    kind : type of Record
    table : dict
    path : Path, optional
        The file that the table was read from, for the message.

    Raises
    ------
    InputError
        As :class:`Record` does; a FormatError that names the file if there is one.
    """
    if not isinstance(table, dict):
        message = f"a table is expected, but {_shown(table)} came."
        raise InputError(message) if path is None else FormatError(message, path)
    try:
        return kind(**{str(key): value for key, value in table.items()})
    except FormatError:
        raise
    except GeoprobeError as error:
        if path is None:
            raise
        raise FormatError(str(error), path) from error


def named_path(
    name: str | os.PathLike[str], folder: str | os.PathLike[str] = ".", path: Path | None = None
) -> Path:
    """Return the path of a file or folder that somebody names.

    Parameters
    ----------
    name : path-like
        ``~`` at its start is the user's own folder.
    folder : path-like
        Where files are that are not named from the root of the file system.
    path : Path, optional
        The file that the name was read from, for the message.

    Raises
    ------
    InputError
        For ``~`` with the name of a user whom this computer does not know; a FormatError that
        names the file if there is one.
    """
    try:
        return Path(folder) / Path(name).expanduser()
    except RuntimeError as error:
        message = f"there is no folder of a user for {os.fspath(name)!r}."
        raise (InputError(message) if path is None else FormatError(message, path)) from error


def in_our_words(kind: type[BaseModel], error: ValidationError) -> str:
    """Return a sentence about the first thing that a record refuses."""
    errors = error.errors()
    # A name that nobody knows explains why another one is missing.
    first = next((each for each in errors if each["type"] == "extra_forbidden"), errors[0])
    place = ".".join(str(part) for part in first["loc"])
    came = _shown(first["input"])
    own = first.get("ctx", {}).get("error")
    if isinstance(own, GeoprobeError):
        return str(own)
    if first["type"] == "extra_forbidden":
        *above, name = first["loc"]
        known = sorted(_known(kind, above))
        where = f" in {'.'.join(map(str, above))}" if above else ""
        return f"there is no key {str(name)!r}{where}; {suggestion(str(name), known)}."
    if first["type"] == "missing":
        return f"the key {place!r} is missing."
    message = _EXPECTED.get(first["type"], first["msg"][0].lower() + first["msg"][1:])
    if first["type"] == "literal_error" and isinstance(first["input"], str):
        near = nearest(first["input"], re.findall("'([^']+)'", first["ctx"]["expected"]))
        message += f"; the nearest known one is {near!r}" if near else ""
    return f"{place or 'the table'} is {came}: {message.removeprefix('value error, ')}."


def _shown(value: Any) -> str:
    """Return the value as Python writes it, if it can and that is short."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # Python's own limits: digits, and tables in tables.
        return f"a value of the type {type(value).__name__} that is too long to show"
    return text if len(text) <= 200 else text[:197] + "..."


def _known(kind: Any, above: list[int | str]) -> set[str]:
    """Return the names of the fields of the record at a place inside ``kind``."""
    for part in above:
        field = getattr(kind, "model_fields", {}).get(part)
        if field is not None:
            kind = field.annotation
        candidates = [kind, *getattr(kind, "__args__", ())]
        kind = next((each for each in candidates if hasattr(each, "model_fields")), kind)
    return set(getattr(kind, "model_fields", {}))
