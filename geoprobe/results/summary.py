"""The file ``summary.json``: written last, it vouches for every other file and for itself."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from geoprobe.errors import FormatError
from geoprobe.files.disk import hash_file
from geoprobe.files.folders import is_unfinished
from geoprobe.results.layout import FORMAT, FORMAT_VERSION, SUMMARY

SELF_HASH = "summary_sha256"
_BLANK = "0" * 64

_TYPES: dict[str, type | tuple[type, ...]] = {
    "kind": str,
    "input": dict,
    "n_points": int,
    "n_dims": int,
    "n_labels": int,
    "labels": list,
    "tau": (int, float),
    "scale": (int, float),
    "n_clusters": int,
    "is_linear": bool,
    "overlapping_pairs": int,
    "unproved_pairs": int,
    "counts": dict,
    "timings": dict,
    "versions": dict,
    "files": dict,
}


def write_summary(folder: Path, summary: dict[str, Any]) -> None:
    """Write the summary with the hash of every file that lies in the folder by now.

    Parameters
    ----------
    folder : Path
        Holds all other files already.
    summary : dict
        What the result says about itself, of types that JSON knows.
    """
    files = {
        path.name: {"bytes": path.stat().st_size, "sha256": hash_file(path)}
        for path in sorted(folder.iterdir())
    }
    whole = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        **summary,
        "files": files,
        SELF_HASH: _BLANK,
    }
    text = json.dumps(whole, indent=1, allow_nan=False) + "\n"
    own = hashlib.sha256(text.encode("ascii")).hexdigest()
    head, _, tail = text.rpartition(_BLANK)
    (folder / SUMMARY).write_text(head + own + tail, encoding="ascii")


def read_summary(folder: Path) -> dict[str, Any]:
    """Read a summary and check its form and its own hash.

    Raises
    ------
    FormatError
        If the folder is no finished result, the file is damaged, or another version wrote it.
    """
    if is_unfinished(folder):
        raise FormatError("unfinished results: whatever wrote them did not end. Remove it.", folder)
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise FormatError(f"a folder of results is expected, but this {what}.", folder)
    path = folder / SUMMARY
    if not path.is_file():
        raise FormatError(f"no results: the folder has no {SUMMARY}.", folder)
    summary, text = _parse(path)
    if summary.get("format") != FORMAT:
        raise FormatError(f'"format" should be {FORMAT!r}, not {summary.get("format")!r}.', path)
    if summary.get("format_version") != FORMAT_VERSION:
        raise FormatError(
            f"this geoprobe reads version {FORMAT_VERSION} of the results format, not version "
            f"{summary.get('format_version')!r}.",
            path,
        )
    _check_own_hash(path, summary, text)
    for key, kind in _TYPES.items():
        value = summary.get(key)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise FormatError(f'"{key}" is missing or of a wrong type: {value!r}.', path)
    return summary


def check_files(folder: Path, summary: dict[str, Any], expected: tuple[str, ...]) -> int:
    """Check that every file of a result is there and has the size and hash noted.

    Parameters
    ----------
    folder : Path
    summary : dict
    expected : tuple of str
        Files that have to be listed.

    Returns
    -------
    int
        The number of files.

    Raises
    ------
    FormatError
        Naming the first file that is missing or changed.
    """
    files = summary["files"]
    for name in expected:
        if name not in files:
            raise FormatError(f'"files" does not list {name}.', folder / SUMMARY)
    for name, noted in files.items():
        path = folder / name
        # A name with a folder in it could point anywhere.
        if Path(name).name != name or not isinstance(noted, dict):
            raise FormatError(f'"files" has an entry that is no plain file: {name!r}.', folder)
        if not path.is_file():
            raise FormatError("the file is missing.", path)
        if path.stat().st_size != noted.get("bytes"):
            raise FormatError(
                f"the file was changed: {path.stat().st_size} bytes, not {noted.get('bytes')}.",
                path,
            )
        found = hash_file(path)
        if found != noted.get("sha256"):
            raise FormatError(
                f"the file was changed: its SHA-256 is {found}, not {noted.get('sha256')}.", path
            )
    return len(files) + 1


def _parse(path: Path) -> tuple[dict[str, Any], str]:
    """Read strict JSON: one object, no key twice, no NaN."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise ValueError("a key occurs twice")
        return found

    def refuse(word: str) -> None:
        raise ValueError(f"{word} is not a number")

    try:
        text = path.read_text(encoding="ascii")
        summary = json.loads(text, object_pairs_hook=unique, parse_constant=refuse)
    except (OSError, ValueError, RecursionError) as error:
        raise FormatError(f"the summary cannot be read: {error}.", path) from error
    if not isinstance(summary, dict):
        raise FormatError("the summary should be a JSON object.", path)
    return summary, text


def _check_own_hash(path: Path, summary: dict[str, Any], text: str) -> None:
    """Compare the hash that the file carries with that of its text, the hash blanked."""
    noted = summary.get(SELF_HASH)
    if not isinstance(noted, str) or len(noted) != len(_BLANK):
        raise FormatError(f'"{SELF_HASH}" is missing or of a wrong type: {noted!r}.', path)
    head, _, tail = text.rpartition(noted)
    found = hashlib.sha256((head + _BLANK + tail).encode("ascii")).hexdigest()
    if found != noted:
        raise FormatError(f"the file was changed: its SHA-256 is {found}, not {noted}.", path)
