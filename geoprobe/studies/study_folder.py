"""The folder of a study: a file that is there is whole."""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path

from geoprobe.encoders.tuning import RESULT
from geoprobe.errors import FormatError, InputError
from geoprobe.files.json_files import read_json, write_json
from geoprobe.geometry import Cell
from geoprobe.spaces.keys import ORIGINAL, SpaceKey
from geoprobe.spaces.store import SpaceStore
from geoprobe.studies.controls_plan import ControlsPlan
from geoprobe.studies.given_index import GivenIndex, read_index
from geoprobe.studies.plan import Plan, plan_from_table

FORMAT = "geoprobe-study"
VERSION = 1
_PLAN = "plan.json"
_SECONDS = "seconds.jsonl"
_LONGEST_NAME = 120
# What may change between two runs in one folder: lists may grow, and how results are shown.
_FREE = {
    "name", "tasks", "models", "revision", "seeds", "layers", "spaces", "cross", "analyses", "data",
    "device", "threads", "reduce", "min_cluster_size", "resamples", "controls", "fixed_partition",
    "parquet",
}  # fmt: skip


def is_study(root: str | os.PathLike[str]) -> bool:
    """Whether a folder is that of a study."""
    return (Path(root) / _PLAN).is_file()


class StudyFolder:
    """The files of a study below one folder.

    ``plan.json``; ``given.json``, the files of given spaces; ``text.json``, sizes of tasks and
    models; ``work``, who is at which piece, and what failed; ``spaces``, a
    :class:`geoprobe.spaces.store.SpaceStore`; ``runs``, a folder for each run of fine-tuning;
    ``geometry``, ``held``, ``movement``, ``resamples-N``, ``classifier``, ``memorisation``,
    ``units`` and, of controls, ``shuffled-*``, ``sampling-*`` and ``selectivity-*``, a file for
    each cell; ``tables``, ``figures`` and ``report.html``.

    Parameters
    ----------
    root : path-like
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = Path(root).expanduser().resolve()
        if self.root.exists() and not self.root.is_dir():
            raise FormatError("this is a file, but the folder of a study is expected.", self.root)
        self.store = SpaceStore(self.root / "spaces")
        self.figures = self.root / "figures"
        self.tables = self.root / "tables"
        self.report = self.root / "report.html"
        self.given_index = self.root / "given.json"
        self.plan_file = self.root / _PLAN
        self.text_facts = self.root / "text.json"
        self.work = self.root / "work"
        self._moments: dict[tuple[object, ...], Path] = {}

    def run(self, tuned_on: str, model: str, seed: int) -> Path:
        """Return the folder of a run of fine-tuning."""
        return self.root / "runs" / SpaceKey(tuned_on, model, "train", tuned_on, seed, 1).folder

    def tuned(self, tuned_on: str, model: str, seed: int) -> Path:
        """Return the file that a run of fine-tuning writes at its end."""
        return self.run(tuned_on, model, seed) / RESULT

    def is_tuned(self, tuned_on: str, model: str, seed: int) -> bool:
        """Whether a run of fine-tuning has come to its end."""
        return self.tuned(tuned_on, model, seed).is_file()

    def given(self) -> GivenIndex | None:
        """Return what was found in the files of given spaces; None before they were looked at.

        Raises
        ------
        FormatError
            If the index is damaged.
        """
        return read_index(self.given_index) if self.given_index.is_file() else None

    def geometry(self, cell: Cell) -> Path:
        """Return the file of a measured cell."""
        return self._cell("geometry", cell, ".npz")

    def held(self, cell: Cell) -> Path:
        """Return the file of a cell measured by the clusters of the space it was tuned from."""
        return self._cell("held", cell, ".npz")

    def classifier(self, cell: Cell) -> Path:
        """Return the file of the classifiers trained on a cell."""
        return self._cell("classifier", cell, ".json")

    def memorisation(self, cell: Cell) -> Path:
        """Return the file of the learning curves on a cell."""
        return self._cell("memorisation", cell, ".json")

    def units(self, cell: Cell) -> Path:
        """Return the file of a cell's units, each left out of its own label."""
        return self._cell("units", cell, ".npz")

    def movement(self, cell: Cell) -> Path:
        """Return the file of the intervals of the labels' movement up to a cell."""
        return self._cell("movement", cell, ".json")

    def resamples(self, cell: Cell, n_bootstrap: int) -> Path:
        """Return the file of a cell's distances in so many resamples of its units."""
        return self._cell(f"resamples-{n_bootstrap}", cell, ".npz")

    def shuffled(self, cell: Cell, controls: ControlsPlan) -> Path:
        """Return the file of a cell under shuffled labels."""
        return self._cell(controls.shuffled_name, cell, ".npz")

    def shuffled_movement(self, cell: Cell, controls: ControlsPlan) -> Path:
        """Return the file of the movement of shuffled labels up to a cell."""
        return self._cell(controls.shuffled_name, cell, "-movement.json")

    def shuffled_predictions(self, cell: Cell, controls: ControlsPlan) -> Path:
        """Return the file of the accuracy of a cell's predictions on permuted labels."""
        return self._cell(controls.shuffled_name, cell, "-predictions.json")

    def sampling(self, cell: Cell, controls: ControlsPlan) -> Path:
        """Return the file of what sampling alone does to a cell."""
        return self._cell(controls.sampling_name, cell, ".json")

    def selectivity(self, cell: Cell, controls: ControlsPlan) -> Path:
        """Return the file of the selectivity of a cell's classifiers."""
        return self._cell(controls.selectivity_name, cell, ".json")

    def controls_of(self, cell: Cell) -> list[Path]:
        """Return the files of a cell that depend on groups and types, of whatever plan."""
        folders = [
            folder.name
            for kind in ("shuffled", "sampling", "selectivity")
            for folder in sorted(self.root.glob(f"{kind}-*"))
        ]
        suffixes = (".npz", "-movement.json", "-predictions.json", ".json")
        paths = [self._cell(name, cell, suffix) for name in folders for suffix in suffixes]
        paths.append(self.units(cell))
        return [path for path in paths if path.is_file()]

    def check(self, plan: Plan) -> None:
        """Check that what is there, if anything, was computed under this plan.

        Raises
        ------
        InputError
            If the plans differ in more than their lists, or the spaces lack a layer.
        FormatError
            If the plan that is there is damaged.
        """
        if not self.plan_file.exists():
            return
        # Read as a plan, so that keys which are younger than the file have their defaults.
        before = self.plan()[0]
        noted = before.as_table()
        for key, value in plan.as_table().items():
            if key not in _FREE and noted[key] != value:
                raise InputError(
                    f"{self.root} holds a study with {key} = {json.dumps(noted[key])}, but "
                    f"the plan says {json.dumps(value)}; choose another folder."
                )

        if plan.layers is None:
            missing = before.layers is not None
        else:
            wanted = set(plan.layers)
            missing = any(wanted - set(self.store.open(key).layers) for key in self.store.keys())
        if missing:
            raise InputError(
                f"{self.root} holds spaces without some of the layers that the plan asks for "
                f"({'all' if plan.layers is None else ', '.join(map(str, plan.layers))}); choose "
                f"another folder."
            )

    def adopt(self, plan: Plan, names: dict[str, str]) -> None:
        """Make the folder that of a plan.

        Parameters
        ----------
        plan : Plan
        names : dict of str to str
            Short name of each model of the plan.

        Raises
        ------
        InputError
            As :meth:`check` does.
        """
        self.check(plan)
        head = {"format": FORMAT, "format_version": VERSION}
        content = {**head, "plan": plan.as_table(), "short_names": names}
        write_json(self.plan_file, content)

    def plan(self) -> tuple[Plan, dict[str, str]]:
        """Return the plan that the folder was last run with, and the short names of its models.

        Raises
        ------
        FormatError
            If this is no folder of a study, or its plan is damaged.
        """
        path = self.plan_file
        if not path.is_file():
            raise FormatError(f"no study: the folder has no {_PLAN}.", self.root)
        noted = read_json(path, FORMAT, VERSION, sealed=False)
        try:
            return plan_from_table(noted["plan"]), dict(noted["short_names"])
        except (KeyError, TypeError, ValueError) as error:
            raise FormatError(f"the plan is damaged: {error}.", path) from error

    def note_seconds(self, kind: str, name: str, seconds: float) -> None:
        """Remember how long a piece of work took, for later estimates."""
        line = json.dumps({"kind": kind, "name": name, "seconds": round(seconds, 3)})
        with (self.root / _SECONDS).open("a", encoding="ascii") as file:
            file.write(line + "\n")

    def seconds(self) -> dict[str, list[float]]:
        """Return how long finished pieces of work took, by their kind."""
        path, seconds = self.root / _SECONDS, dict[str, list[float]]()
        if not path.is_file():
            return seconds
        for line in path.read_text(encoding="ascii", errors="replace").splitlines():
            try:
                noted = json.loads(line)
                seconds.setdefault(str(noted["kind"]), []).append(float(noted["seconds"]))
            except (ValueError, KeyError, TypeError):
                # The process was killed while it wrote this line; an estimate can do without.
                continue
        return seconds

    def _cell(self, what: str, cell: Cell, suffix: str) -> Path:
        # A path costs a look at each of its parts, and the layers of a moment share all but one.
        moment = (what, cell.task, cell.model, cell.group, cell.tuned_on, cell.seed, cell.step)
        folder = self._moments.get(moment)
        if folder is None:
            groups = [f"{name}={folder_name(value)}" for name, value in cell.group]
            names = [folder_name(cell.task), folder_name(cell.model), *groups, *_moment(cell)]
            folder = self._moments[moment] = self.root.joinpath(what, *names)
        return folder / f"layer-{cell.layer:02d}{suffix}"


def _moment(cell: Cell) -> tuple[str, ...]:
    """Return the folders of a moment, one below the other."""
    if cell.tuned_on is None:
        return (ORIGINAL if cell.seed is None else f"{ORIGINAL}-seed{cell.seed}",)
    return f"{folder_name(cell.tuned_on)}-seed{cell.seed}", f"step-{cell.step:08d}"


def folder_name(name: str) -> str:
    """Return a name as that of a folder, as it is where it can be; no two become the same."""
    plain = re.sub(
        r"[^A-Za-z0-9._-]|^[._-]|\.$", lambda at: "".join(f"%{b:02X}" for b in at[0].encode()), name
    )
    if len(plain) <= _LONGEST_NAME:
        return plain
    return f"{plain[:60]}%{hashlib.sha256(name.encode()).hexdigest()[:16]}"
