"""Sources of spaces: a file and how to read it, kept beside the results to be read again."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from geoprobe.errors import FormatError, InputError

if TYPE_CHECKING:
    from geoprobe.geometry.results_folder import Origin
    from geoprobe.spaces import Space
    from geoprobe.spaces.keys import SpaceKey
    from geoprobe.spaces.points_file import PointsFile

DEFAULT_PARENT = "geoprobe-results"
BUILT_IN = "digits"
_LABEL_KINDS = {"U": "strings", "i": "integers", "u": "integers", "b": "booleans"}
_OPTIONS = ("points", "labels", "column", "label_set", "mask")


class Readable(Protocol):
    """A place of points, named by paths and parameters alone, so that any process can read it."""

    def read(self) -> Space:
        """Read the space."""


@dataclass(frozen=True)
class StoredLayer:
    """A layer of the spaces under one key of a store.

    Attributes
    ----------
    root : Path
        Of the :class:`geoprobe.spaces.SpaceStore`.
    key : SpaceKey
    layer : int
    """

    root: Path
    key: SpaceKey
    layer: int

    def read(self) -> Space:
        """Map the points into memory.

        Raises
        ------
        InputError, FormatError
            As :meth:`geoprobe.spaces.StoredSpaces.space` does.
        """
        from geoprobe.spaces import SpaceStore

        return SpaceStore(self.root).open(self.key).space(self.layer)


@dataclass(frozen=True)
class Source:
    """A file and how to read it; without a file, the built-in digits.

    Attributes
    ----------
    path : Path or None
    points, labels, column, label_set, mask : str or None
    position : int or None
        Arguments of :func:`geoprobe.spaces.read_space`; several columns of points stand with
        commas between. None where nothing was said.
    float32 : bool
        Whether the numbers are rounded to float32, as DirectProbe does.
    subsample : int or None
    seed : int
        How many points are drawn from the file, as forks of DirectProbe draw them; None takes all.
    clusters : str or None
        A file with the cluster of each point, where the clusters are known.
    groups, types : str or None
        Where the group of each point is, such as its sentence, and its type, such as its word: an
        array, a column or a file, as the labels are.
    """

    path: Path | None = None
    points: str | None = None
    labels: str | None = None
    column: str | None = None
    label_set: str | None = None
    mask: str | None = None
    position: int | None = None
    float32: bool = False
    subsample: int | None = None
    seed: int = 0
    clusters: str | None = None
    groups: str | None = None
    types: str | None = None

    @classmethod
    def remembered(cls, origin: Origin, path: Path | None = None) -> Source:
        """Return the source that a results folder remembers.

        Parameters
        ----------
        origin : Origin
        path : Path or None
            Where the file lies now; None for the place that is noted.

        Raises
        ------
        InputError
            If it names none.
        """
        known: dict[str, Any] = {
            name: origin.options[name] for name in _OPTIONS if name in origin.options
        }
        position = origin.options.get("position")
        if path is None and origin.path is not None:
            path = Path(origin.path)
        if path is None and origin.name != BUILT_IN:
            raise InputError(
                f"the results do not say in which file the space {origin.name!r} lies; name the "
                f"file."
            )
        return cls(path=path, position=None if position is None else int(position), **known)

    def changed(self, **said: Any) -> Source:
        """Return the same source with all that was said anew; what is None was not."""
        return replace(self, **{name: value for name, value in said.items() if value is not None})

    def options(self) -> dict[str, str]:
        """Return what was said, files with their whole path, so that it holds anywhere."""
        said = {name: getattr(self, name) for name in _OPTIONS if getattr(self, name) is not None}
        if self.position is not None:
            said["position"] = str(self.position)
        if "label_set" in said:
            said["label_set"] = str(Path(said["label_set"]).resolve())
        labels = self.labels_file
        if labels is not None:
            said["labels"] = str(labels.resolve())
        return said

    @property
    def labels_file(self) -> Path | None:
        """Return the file of labels; a name may also be that of an array or of a column."""
        from geoprobe.spaces.points_file import LABEL_SUFFIXES

        if self.labels is None or not Path(self.labels).is_file():
            return None
        file = Path(self.labels)
        return file if file.suffix.lower() in LABEL_SUFFIXES else None

    def read(self) -> Space:
        """Read the space.

        Raises
        ------
        FormatError
            As :func:`geoprobe.spaces.read_space` does.
        InputError
            If there are options but no file.
        """
        from geoprobe.spaces import Space, digits, read_space
        from geoprobe.spaces.drawing import drawn_rows, rounded

        if self.path is None:
            if self.options():
                options = ", ".join(f"--{name.replace('_', '-')}" for name in self.options())
                raise InputError(f"{options} says how to read a file, but no file is named.")
            return digits()
        space = read_space(self.path, label_set=self.label_set, **self._arguments(self.path))
        if not self.float32 and self.subsample is None:
            return space
        points, labels = space.points, space.labels
        if self.float32:
            points = rounded(points, self.path)
        if self.subsample is not None:
            rows = drawn_rows(len(labels), self.subsample, self.seed)
            points, labels = points[rows], labels[rows]
        return Space(points, labels, space.name, space.source)

    def read_names(self, where: str) -> NDArray[np.str_]:
        """Read what is said of each point beside its label, such as its group, as text.

        Parameters
        ----------
        where : str
            An array, a column or a file, as for ``labels``.

        Returns
        -------
        ndarray of str, shape (n_points,)
            Of the points that :meth:`read` gives, in their order.

        Raises
        ------
        FormatError
            If there is no such thing, or not one for each point.
        """
        from geoprobe.spaces.drawing import drawn_rows

        # It was named, so that there is one.
        names = np.asarray(replace(self, labels=where, column=where).open().labels)
        if self.subsample is not None:
            names = names[drawn_rows(len(names), self.subsample, self.seed)]
        text: NDArray[np.str_] = names.astype(str)
        return text

    def open(self) -> PointsFile:
        """Open the file, of which nothing but the labels is read yet.

        Raises
        ------
        FormatError
            As :func:`geoprobe.spaces.open_points` does.
        InputError
            If there is no file.
        """
        from geoprobe.spaces.points_file import open_points

        if self.path is None:
            raise InputError("no file is named.")
        return open_points(self.path, **self._arguments(self.path))

    def _arguments(self, path: Path) -> dict[str, Any]:
        """Return how the points and labels are found in the file."""
        from geoprobe.spaces.points_file import is_table

        split = self.points is not None and is_table(path)
        return {
            "points": self.points.split(",") if self.points and split else self.points,
            "labels": self.labels,
            "column": "label" if self.column is None else self.column,
            "mask": self.mask,
            "position": self.position,
        }

    def read_test(self, path: Path, space: Space, labels: str | None = None) -> Space:
        """Read points to predict, in the same way.

        Parameters
        ----------
        path : Path
            The file of the space itself means its own test part.
        space : Space
            What :meth:`read` returned.
        labels : str or None
            Their labels, where they are not called as those of the space are.

        Raises
        ------
        FormatError
            If the file holds no such points.
        InputError
            If their dimensions or the type of their labels differ from those of the space, or their
            labels would be those of the space.
        """
        test = self._test(path, space, labels)
        if test.n_dims != space.n_dims:
            raise InputError(
                f"the test points in {path} have {test.n_dims} dimensions, but the points have "
                f"{space.n_dims}."
            )
        given, known = _LABEL_KINDS[test.labels.dtype.kind], _LABEL_KINDS[space.labels.dtype.kind]
        if given != known:
            # Never equal, they would all count as wrong.
            raise InputError(
                f"the labels of the test points in {path} are {given} such as "
                f"{test.labels[0].item()!r}, but those of the points are {known} such as "
                f"{space.labels[0].item()!r}."
            )
        return test

    def _test(self, path: Path, space: Space, labels: str | None) -> Space:
        """Read points to predict from wherever they lie."""
        if labels is None and self.path is not None and path.resolve() == self.path.resolve():
            if space.test is None:
                raise FormatError(
                    "the file holds no points to predict: there are no arrays *_test, or they have "
                    "no rows.",
                    path,
                )
            return space.test
        beside = space.test
        if labels is None and beside is not None and beside.source is not None:
            # Of a store's file: the same layer, which need not be the last of the test file.
            if path.resolve() == beside.source.resolve():
                return beside
        if labels is None and self.labels_file is not None:
            raise InputError(
                f"the labels in {self.labels} belong to {self.path}; name the file with the labels "
                f"of {path} as well: --test-labels FILE."
            )
        return replace(self, path=path, labels=self.labels if labels is None else labels).read()

    def remembered_test(self, origin: Origin, space: Space, labels: str | None) -> Space | None:
        """Read the points that were predicted from the place noted; None if no file is there.

        Parameters
        ----------
        origin : Origin
        space : Space
            What :meth:`read` returned.
        labels : str or None
            Their labels, if they are called otherwise now.
        """
        if origin.test_path is None or not Path(origin.test_path).exists():
            return None
        labels = labels or origin.options.get("test_labels")
        return self.read_test(Path(origin.test_path), space, labels)


def default_folder(name: str) -> Path:
    """Return a folder below ``geoprobe-results`` that is free, called after the space.

    Parameters
    ----------
    name : str
        Of the space; what does not suit a file's name becomes ``_``.
    """
    plain = re.sub(r"[^\w.-]+", "_", name).strip(".") or "space"
    for count in itertools.count(1):
        folder = Path(DEFAULT_PARENT) / (plain if count == 1 else f"{plain}-{count}")
        if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
            return folder
    raise AssertionError("some number is free")
