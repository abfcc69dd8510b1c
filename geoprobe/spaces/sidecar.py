"""The file beside each file of the store: what the points come from, and proof of completeness."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geoprobe.errors import FormatError, InputError
from geoprobe.spaces.keys import SpaceKey
from geoprobe.spaces.store_layout import DTYPES, FORMAT, VERSION, StoreLayout

_FIELDS = {
    "format": str,
    "version": int,
    "key": dict,
    "layers": list,
    "labels": list,
    "n_units": int,
    "n_dims": int,
    "dtype": str,
    "n_bytes": int,
    "sha256": str,
    "created": str,
    "provenance": dict,
    "checksum": str,
}


@dataclass(frozen=True)
class Sidecar:
    """What is known of a complete file of the store.

    Attributes
    ----------
    layout : StoreLayout
    sha256 : str
        Of the file, in hexadecimal.
    created : str
        When, in UTC as ISO 8601 writes it.
    provenance : dict
        What the caller said of the origin of the points.
    """

    layout: StoreLayout
    sha256: str
    created: str
    provenance: dict[str, Any]

    def text(self) -> str:
        """Return the content of the file."""
        layout = self.layout
        content = {
            "format": FORMAT,
            "version": VERSION,
            "key": layout.key.as_dict(),
            "layers": list(layout.layers),
            "labels": list(layout.label_names),
            "n_units": layout.n_units,
            "n_dims": layout.n_dims,
            "dtype": layout.dtype,
            "n_bytes": layout.n_bytes,
            "sha256": self.sha256,
            "created": self.created,
            "provenance": self.provenance,
        }
        return json.dumps({**content, "checksum": _checksum(content)}, indent=1) + "\n"


def as_json(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Return the provenance as it will be read again.

    Raises
    ------
    InputError
        If JSON cannot hold it.
    """
    try:
        copy = json.loads(json.dumps(dict(provenance), allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"the provenance cannot be written as JSON: {error}.") from error
    return dict(copy)


def read_sidecar(path: Path) -> Sidecar:
    """Read a sidecar.

    Raises
    ------
    FormatError
        If it is missing, damaged, was edited, or is of a later version.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise FormatError("there is no such file.", path) from error
    except OSError as error:
        raise FormatError(f"the file cannot be read: {error.strerror}.", path) from error
    except (ValueError, RecursionError) as error:
        raise FormatError(f"this is no JSON in UTF-8, or it is damaged: {error}.", path) from error
    _check_form(content, path)
    noted = content.pop("checksum")
    if noted != _checksum(content):
        raise FormatError(
            "the content does not fit its checksum: the file is damaged or was edited.", path
        )
    try:
        key = SpaceKey.from_dict(content["key"])
    except InputError as error:
        raise FormatError(str(error), path) from error
    layout = StoreLayout(
        key,
        tuple(content["layers"]),
        tuple(content["labels"]),
        content["n_units"],
        content["n_dims"],
        content["dtype"],
    )
    return Sidecar(layout, content["sha256"], content["created"], content["provenance"])


def _check_form(content: Any, path: Path) -> None:
    """Refuse what is no sidecar of this version."""
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise FormatError(f"this is not the sidecar of a file of spaces (format {FORMAT!r}).", path)
    if content.get("version") != VERSION:
        raise FormatError(
            f"the file has version {content.get('version')!r}, but version {VERSION} is expected; "
            f"it may come from a later geoprobe.",
            path,
        )
    for name, kind in _FIELDS.items():
        if not isinstance(content.get(name), kind):
            raise FormatError(
                f"{name!r} is {content.get(name)!r:.100}, but {kind.__name__} is expected.", path
            )
    if content["dtype"] not in DTYPES:
        raise FormatError(
            f"'dtype' is {content['dtype']!r}, but one of {', '.join(DTYPES)} is expected.", path
        )


def _checksum(content: Mapping[str, Any]) -> str:
    """Return the SHA-256 of the content without regard to spaces and to the order of names."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()
