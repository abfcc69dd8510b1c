"""Keys of stored spaces: units, a model, and how far the model has been fine-tuned."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, fields
from functools import total_ordering
from pathlib import Path, PurePath
from typing import Any

from geoprobe.errors import InputError
from geoprobe.geometry.cells import Cell

SPLITS = ("train", "test")
ORIGINAL = "original"

# Each name becomes the name of a folder: nothing hidden, no separator, nothing that climbs.
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9_-])?")
_LONGEST_NAME = 100
_RUN = re.compile(r"(?P<tuned_on>.+)-seed(?P<seed>\d+)")
_STEP = re.compile(r"step-(?P<step>\d{8,})")


@total_ordering
@dataclass(frozen=True)
class SpaceKey:
    """Names the spaces of all layers of one model, at one moment, on one split of a task.

    The original space is named without a run of fine-tuning, for it is the step 0 of them all.

    Attributes
    ----------
    task : str
        Whose units are represented.
    model : str
        Short name of the encoder, such as ``"minilm"``.
    split : {"train", "test"}
    tuned_on : str or None
        The task that the model was fine-tuned on; None for the model as published.
    seed : int or None
        Of the fine-tuning; given exactly when ``tuned_on`` is.
    step : int
        Updates of fine-tuning; above 0 exactly when ``tuned_on`` is given.

    Raises
    ------
    InputError
        If a name cannot be the name of a folder, or the last three do not fit together.

    Notes
    -----
    Keys are ordered by task, model, ``tuned_on`` (originals first), seed, step and split.
    """

    task: str
    model: str
    split: str
    tuned_on: str | None = None
    seed: int | None = None
    step: int = 0

    def __post_init__(self) -> None:
        """Refuse what could not be a place in the store."""
        _check_name("task", self.task)
        _check_name("model", self.model)
        if self.split not in SPLITS:
            raise InputError(f"the split is 'train' or 'test', but {self.split!r} came.")
        if self.tuned_on is None:
            if self.seed is not None or not _is_count(self.step) or self.step != 0:
                raise InputError(
                    f"an original space (tuned_on is None) has no seed and step 0, but seed "
                    f"{self.seed!r} and step {self.step!r} came."
                )
            return
        _check_name("tuned_on", self.tuned_on)
        if not _is_count(self.seed):
            raise InputError(
                f"the seed of a run of fine-tuning is an integer of at least 0, but {self.seed!r} "
                f"came."
            )
        if not _is_count(self.step) or self.step < 1:
            raise InputError(
                f"a fine-tuned space has a step of at least 1, but {self.step!r} came; step 0 is "
                f"the original space, whose tuned_on is None."
            )

    def __lt__(self, other: object) -> bool:
        """Order as the notes say."""
        if not isinstance(other, SpaceKey):
            return NotImplemented
        return self._place() < other._place()

    def __str__(self) -> str:
        """Return the words that name the space in reports, such as ``"ps-role minilm"``."""
        run = f" tuned on {self.tuned_on} seed {self.seed} step {self.step}"
        split = "" if self.split == "train" else f" {self.split}"
        return f"{self.task} {self.model}{'' if self.tuned_on is None else run}{split}"

    @classmethod
    def of(cls, cell: Cell, split: str) -> SpaceKey:
        """Return the key of the spaces that a cell is a layer of."""
        return cls(cell.task, cell.model, split, cell.tuned_on, cell.seed, cell.step)

    def cell(self, layer: int) -> Cell:
        """Return the cell of one of the layers; its split does not matter."""
        return Cell(self.task, self.model, int(layer), self.tuned_on, self.seed, self.step)

    @property
    def original(self) -> SpaceKey:
        """The same units, represented by the model as published."""
        return SpaceKey(self.task, self.model, self.split)

    @property
    def folder(self) -> PurePath:
        """The folder of its files, below the root of a store."""
        base = PurePath(self.task, self.model)
        if self.tuned_on is None:
            return base / ORIGINAL
        return base / f"{self.tuned_on}-seed{self.seed}" / f"step-{self.step:08d}"

    def as_dict(self) -> dict[str, Any]:
        """Return the attributes by name."""
        return asdict(self)

    @classmethod
    def from_dict(cls, noted: Any) -> SpaceKey:
        """Return the key that :meth:`as_dict` describes.

        Raises
        ------
        InputError
            If it is no such description.
        """
        names = [field.name for field in fields(cls)]
        if not isinstance(noted, dict) or sorted(noted) != sorted(names):
            raise InputError(f"a key has {', '.join(names)}, but {noted!r:.200} came.")
        return cls(**noted)

    @classmethod
    def at(cls, path: Path, root: Path) -> SpaceKey | None:
        """Return the key whose file of data or sidecar has this path; None if it is of none."""
        parts = path.relative_to(root).parts
        try:
            key = _parsed(parts[:-1], path.stem)
        except InputError:
            return None
        # Another spelling of the same number is not where the store would look.
        return key if key is not None and key.folder == PurePath(*parts[:-1]) else None

    def _place(self) -> tuple[str, str, str, int, int, str]:
        seed = -1 if self.seed is None else self.seed
        return self.task, self.model, self.tuned_on or "", seed, self.step, self.split


def _parsed(folders: tuple[str, ...], split: str) -> SpaceKey | None:
    if len(folders) == 3 and folders[2] == ORIGINAL:
        return SpaceKey(folders[0], folders[1], split)
    if len(folders) != 4:
        return None
    run, step = _RUN.fullmatch(folders[2]), _STEP.fullmatch(folders[3])
    if run is None or step is None:
        return None
    return SpaceKey(
        folders[0], folders[1], split, run["tuned_on"], int(run["seed"]), int(step["step"])
    )


def _check_name(what: str, name: object) -> None:
    if not isinstance(name, str) or len(name) > _LONGEST_NAME or not _NAME.fullmatch(name):
        raise InputError(
            f"{what} is {name!r:.200}, but it becomes the name of a folder: at most "
            f"{_LONGEST_NAME} letters, digits, '-', '_' and '.', the first a letter or digit, the "
            f"last no '.'."
        )


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
