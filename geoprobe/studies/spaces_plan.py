"""The part of a plan that names spaces somebody already has."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, Strict, field_validator, model_validator

from geoprobe.errors import InputError
from geoprobe.files.name_patterns import names_in
from geoprobe.schema import Flag, Record, Text, named_path
from geoprobe.studies.table_columns import PAIR, SPACE
from geoprobe.suggestions import suggestion

TABLES = (".csv", ".tsv", ".parquet")
"""Endings of the tables that may stand in the place of a pattern."""

NEEDED = ("task", "model", "layer")
WHOLE = ("layer", "step", "seed")
NAMES = (*NEEDED, "split", "step", "seed", "tuned_on")
"""What is known of a file; any other name is a grouping of the user's own."""

FILE_COLUMNS = (
    "file", "points", "labels", "label_set", "subsample", "subsample_seed", "clusters", "groups",
    "types",
)  # fmt: skip
# Columns of a study's tables and choices of its report have these names already.
_TAKEN = {*FILE_COLUMNS, *SPACE, *PAIR, "show", "space"}


class SplitNames(Record):
    """What the two splits are called in the names of files."""

    train: Text = "train"
    test: Text = "test"


class SpacesPlan(Record):
    """Files of labelled points, and what each of them is.

    Attributes
    ----------
    files : str
        A pattern such as ``"{model}/layer_{layer}/{split}.npz"``, or a table: csv, tsv or parquet.
    points, labels : str or None
        As for :func:`geoprobe.spaces.read_space`; names in braces are filled in.
    column : str
        Of the labels in a table of points, or in a file of labels that is a table.
    groups, types : str or None
        What holds the group of each point, such as its sentence, and its type, such as its word,
        for the controls: an array, a column or a file, as the labels are. Names in braces are
        filled in.
    position : int or None
    mask : str or None
        Which positions of activations are points, as for :func:`geoprobe.spaces.open_points`.
    fixed : dict of str to str or int
        What the names of the files do not say.
    splits : SplitNames or None
        None knows ``train`` and ``test`` and refuses others; with names, others are left alone.
    clusters : str or None
        A file with the cluster of each point to train: the partition is measured, none is found.
        Names in braces are filled in.
    float32 : bool
        Whether numbers are rounded to float32, as DirectProbe does.
    unseen : {"error", "wrong"}
        What becomes of labels that only the test split has.
    folder : pathlib.Path
        Where paths start.
    """

    files: Text
    points: Text | None = None
    labels: Text | None = None
    column: Text = "label"
    groups: Text | None = None
    types: Text | None = None
    position: Annotated[int, Strict()] | None = None
    mask: Text | None = None
    fixed: dict[str, Text | Annotated[int, Strict(), Field(ge=0)]] = Field(default_factory=dict)
    splits: SplitNames | None = None
    clusters: Text | None = None
    float32: Flag = False
    unseen: Literal["error", "wrong"] = "error"
    folder: Path = Field(default=Path(), validate_default=True)

    @field_validator("folder")
    @classmethod
    def _from_the_root(cls, value: Path) -> Path:
        """Make paths of files such as hold wherever somebody stands."""
        return named_path(value).absolute()

    @property
    def is_table(self) -> bool:
        """Whether the files stand in a table."""
        return not names_in(self.files) and self.files.lower().endswith(TABLES)

    @property
    def pattern_names(self) -> tuple[str, ...]:
        """The names in braces of ``files`` and ``points``."""
        return tuple(dict.fromkeys((*names_in(self.files), *names_in(self.points or ""))))

    @model_validator(mode="after")
    def _check_names(self) -> SpacesPlan:
        """Refuse names that say too little or too much, before any folder is read."""
        names_in(self.labels or "")
        names_in(self.groups or "")
        names_in(self.types or "")
        names_in(self.clusters or "")
        for name in self.pattern_names:
            if name in self.fixed:
                raise InputError(f"spaces says {name} twice: in a pattern, and in fixed.")
        if not self.is_table:
            check_names((*self.pattern_names, *self.fixed), f"the pattern {self.files!r}")
        return self

    def as_table(self) -> dict[str, Any]:
        """Return the record as JSON or TOML hold it, its folder named from the root."""
        return {**self.model_dump(mode="json"), "folder": str(self.folder)}


def check_names(names: tuple[str, ...], where: str) -> None:
    """Refuse names without which a file has no place, and such as would be misunderstood.

    Raises
    ------
    InputError
    """
    for name in NEEDED:
        if name not in names:
            raise InputError(
                f"{where} does not say the {name} of a file; add it there, or say it for all files "
                f"in [spaces.fixed]."
            )
    for name in names:
        if name in _TAKEN:
            raise InputError(f"{where} has the name {name!r}, which means something else here.")
        if name not in NAMES and name.lower().rstrip("s") in NAMES:
            raise InputError(f"{where} has the name {name!r}; {suggestion(name, NAMES)}.")
