"""Geometries in the order of a fine-tuning: one layer of one run, step by step."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from geoprobe.errors import InputError
from geoprobe.geometry.cells import Cell
from geoprobe.geometry.measured import Geometry
from geoprobe.showing import Showing, Summary, first_few

Family = tuple[str, str, str]


@dataclass(frozen=True, eq=False)
class Trajectory(Showing):
    """One layer during one fine-tuning.

    Attributes
    ----------
    task, model : str
        Whose units and by which :attr:`geoprobe.geometry.Cell.representation`.
    layer : int
    tuned_on : str
    seed : int
    geometries : tuple of Geometry
        By step. The original space is step 0 of every run; where it was not measured, the first
        one has a later step.
    """

    task: str
    model: str
    layer: int
    tuned_on: str
    seed: int
    geometries: tuple[Geometry, ...]

    @property
    def steps(self) -> tuple[int, ...]:
        """The steps measured, ascending."""
        return tuple(g.cell.step for g in self.geometries)

    @property
    def last(self) -> Geometry:
        """The geometry at the last step."""
        return self.geometries[-1]

    @property
    def original(self) -> Geometry:
        """The space before fine-tuning.

        Raises
        ------
        InputError
            If it was not measured.
        """
        first = self.geometries[0]
        if first.cell.step > 0:
            raise InputError(
                f"{self}: the original space ({first.cell.original}) is missing; the first step "
                f"measured is {first.cell.step}."
            )
        return first

    @property
    def family(self) -> Family:
        """Task, model and what it is tuned on: the same for all layers and seeds of a run."""
        return self.task, self.model, self.tuned_on

    def _summaries(self) -> Sequence[Summary]:
        return (Summary((f"{self}; steps {first_few([str(step) for step in self.steps])}.",)),)

    def __str__(self) -> str:
        """Describe the trajectory for a person."""
        who = f"{self.task} {self.model}".rstrip()
        return f"{who} tuned on {self.tuned_on}, seed {self.seed}, layer {self.layer}"


def arrange_runs(geometries: Iterable[Geometry]) -> list[Trajectory]:
    """Arrange geometries by fine-tuning run and layer.

    Parameters
    ----------
    geometries : iterable of Geometry
        In any order; original spaces take part in every run of their model, task and layer.

    Returns
    -------
    list of Trajectory
        Sorted by task, model, what it is tuned on, seed and layer; empty without fine-tuning.

    Raises
    ------
    InputError
        If a cell occurs twice.
    """
    by_cell: dict[Cell, Geometry] = {}
    for g in geometries:
        if g.cell in by_cell:
            raise InputError(f"{g.cell} was given twice.")
        by_cell[g.cell] = g
    runs: dict[tuple[str, str, str, int, int], list[Geometry]] = {}
    for cell in sorted(by_cell, key=lambda cell: cell.order):
        if cell.tuned_on is not None and cell.seed is not None:
            run = (cell.task, cell.representation, cell.tuned_on, cell.seed, cell.layer)
            if run not in runs:
                start = by_cell.get(cell.start(by_cell))
                runs[run] = [] if start is None else [start]
            runs[run].append(by_cell[cell])
    return [
        Trajectory(task, model, layer, tuned_on, seed, tuple(steps))
        for (task, model, tuned_on, seed, layer), steps in sorted(runs.items())
    ]


def one_family(runs: Sequence[Trajectory]) -> Family:
    """Return what all trajectories have in common; they may differ in layer and seed.

    Raises
    ------
    InputError
        If there are none, or they are of different tasks, models or fine-tunings.
    """
    families = sorted({run.family for run in runs})
    if len(families) != 1:
        names = "; ".join(f"{t} {m} tuned on {on}" for t, m, on in families) or "none"
        raise InputError(f"expected trajectories of one task, model and fine-tuning, got: {names}.")
    return families[0]


def need_steps(run: Trajectory, at_least: int = 2) -> None:
    """Refuse a trajectory that is too short to show a change.

    Raises
    ------
    InputError
        Naming the steps there are.
    """
    if len(run.steps) < at_least:
        raise InputError(
            f"{run}: at least {at_least} checkpoints are needed to see a change, but only step "
            f"{', '.join(map(str, run.steps))} was measured."
        )


def at_layer(runs: Sequence[Trajectory], layer: int | None) -> list[Trajectory]:
    """Select one layer: the last one of each family where ``layer`` is None.

    Raises
    ------
    InputError
        If a layer was asked for and no trajectory has it.
    """
    last: dict[Family, int] = {}
    for run in runs:
        last[run.family] = max(run.layer, last.get(run.family, 0))
    wanted = [run for run in runs if run.layer == (last[run.family] if layer is None else layer)]
    if runs and not wanted:
        there = ", ".join(map(str, sorted({run.layer for run in runs})))
        raise InputError(f"layer {layer} was not measured; the layers are {there}.")
    return wanted
