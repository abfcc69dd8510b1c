"""The config files of both of DirectProbe's repositories and of their forks."""

from __future__ import annotations

import configparser
import enum
import os
from dataclasses import dataclass, replace
from pathlib import Path

from geoprobe.errors import FormatError
from geoprobe.files.text_files import checked_file

MODES = ("probing", "prediction", "batch_probing")


class Family(enum.Enum):
    """Which of the two repositories a config is for; they write different files."""

    CLUSTERS = "DirectProbe"
    """2021: distances between clusters, and predictions for a test set."""
    LABELS = "BERT-fine-tuning-analysis"
    """2022: distances between labels, and how far each label spreads."""


@dataclass(frozen=True)
class Config:
    """What a config asks for; paths are as they stand in the file.

    Attributes
    ----------
    path : pathlib.Path
        The config file.
    family : Family
    mode : str
        ``probing`` makes clusters, ``prediction`` takes those of ``clusters``, and
        ``batch_probing`` takes them for the spaces of every checkpoint and layer.
    output : pathlib.Path
        The folder to write.
    label_set, entities, embeddings : pathlib.Path
        The labels that may occur, and the points with their labels; in the mode ``batch_probing``
        a folder with a folder for each checkpoint, and in that ``1.txt`` and so on, a file for each
        layer.
    test_entities, test_embeddings : pathlib.Path or None
        Points to predict; None for ``Family.LABELS``, which predicts nothing.
    clusters : pathlib.Path or None
        The clusters of an earlier run; None in the mode ``probing``.
    subsample : int or None
        How many points to draw, where a fork's config says so.
    seed : int or None
        Seed of that draw.
    unused : tuple of str
        Keys that nothing here depends on.
    """

    path: Path
    family: Family
    mode: str
    output: Path
    label_set: Path
    entities: Path
    embeddings: Path
    test_entities: Path | None
    test_embeddings: Path | None
    clusters: Path | None
    subsample: int | None
    seed: int | None
    unused: tuple[str, ...]


def read_config(path: str | os.PathLike[str]) -> Config:
    """Read a config.

    The key ``batch_embeddings_path`` tells the families apart: the newer repository cannot run
    without it and the older one does not have it. Keys are found in whatever section they stand.

    Raises
    ------
    FormatError
        If the file is no config, a key is missing, or the mode is unknown.
    """
    path = checked_file(path)
    values = _Values(path, _parse(path))
    family = Family.LABELS if "batch_embeddings_path" in values.found else Family.CLUSTERS
    mode = values.text("mode")
    if mode not in MODES:
        raise FormatError(f"the mode is {mode!r}, but {' or '.join(MODES)} is expected.", path)
    is_batch = mode == "batch_probing"
    if is_batch and family is Family.CLUSTERS:
        raise FormatError(
            "the mode is 'batch_probing', but the key 'batch_embeddings_path' is missing.", path
        )
    predicts = family is Family.CLUSTERS
    config = Config(
        path=path,
        family=family,
        mode=mode,
        output=values.path("output_path"),
        label_set=values.path("label_set_path"),
        entities=values.path("entities_path"),
        embeddings=values.path("batch_embeddings_path" if is_batch else "embeddings_path"),
        test_entities=values.path("test_entities_path") if predicts else None,
        test_embeddings=values.path("test_embeddings_path") if predicts else None,
        clusters=None if mode == "probing" else values.path("probing_cluster_path"),
        subsample=values.integer("subsample", least=1),
        seed=values.integer("seed", least=0),
        unused=(),
    )
    return replace(config, unused=values.unused())


def _parse(path: Path) -> dict[str, str]:
    """Return all keys and values of all sections."""
    parser = configparser.ConfigParser(interpolation=configparser.ExtendedInterpolation())
    try:
        parser.read_string(path.read_text(encoding="utf-8-sig"), source=str(path))
        sections = {name: dict(parser.items(name)) for name in parser.sections()}
    except UnicodeDecodeError as error:
        raise FormatError("the config is not text in UTF-8.", path) from error
    except OSError as error:
        raise FormatError(f"the config cannot be read: {error.strerror}.", path) from error
    except configparser.Error as error:
        line = getattr(error, "lineno", None)
        what = " ".join(str(error).split())
        raise FormatError(f"this is no valid config: {what}.", path, line) from error
    values: dict[str, str] = {}
    for name, items in sections.items():
        for key, value in items.items():
            if values.setdefault(key, value) != value and key not in parser.defaults():
                raise FormatError(f"the key {key!r} is there again in section [{name}].", path)
    return values


class _Values:
    """The values of a config, and which of them were asked for."""

    def __init__(self, path: Path, found: dict[str, str]) -> None:
        self.file = path
        self.found = found
        self._asked: set[str] = set()

    def text(self, key: str) -> str:
        self._asked.add(key)
        if key not in self.found:
            there = ", ".join(self.found) or "none"
            raise FormatError(f"the key {key!r} is missing; the keys are: {there}.", self.file)
        if not self.found[key]:
            raise FormatError(f"the key {key!r} has no value.", self.file)
        return self.found[key]

    def path(self, key: str) -> Path:
        return Path(self.text(key))

    def integer(self, key: str, *, least: int) -> int | None:
        """Return a number that may be missing or empty."""
        self._asked.add(key)
        text = self.found.get(key, "")
        if not text:
            return None
        if not text.isascii() or not text.isdecimal() or int(text) < least:
            raise FormatError(
                f"the key {key!r} is {text!r}, but a whole number from {least} on is expected.",
                self.file,
            )
        return int(text)

    def unused(self) -> tuple[str, ...]:
        return tuple(key for key in self.found if key not in self._asked)
