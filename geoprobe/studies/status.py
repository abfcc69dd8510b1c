"""Where a study stands, from its files alone."""

from __future__ import annotations

from dataclasses import dataclass

from geoprobe.encoders.model_files import short_names
from geoprobe.spaces.keys import SpaceKey
from geoprobe.studies.cells import cells, runs
from geoprobe.studies.folder import StudyFolder
from geoprobe.studies.pieces import pieces
from geoprobe.studies.plan import Plan


@dataclass(frozen=True)
class StudyStatus:
    """How much of a study is done.

    Attributes
    ----------
    rows : tuple of (kind, done, total)
        ``total`` of work on cells is only known where the spaces have been
        extracted.
    missing : tuple of str
        What is still to be done, in words.
    """

    rows: tuple[tuple[str, int, int], ...]
    missing: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether nothing is left to do."""
        return not self.missing


def study_status(plan: Plan, folder: StudyFolder) -> StudyStatus:
    """Count what is done.

    Parameters
    ----------
    plan : Plan
    folder : StudyFolder
    """
    names = short_names(plan.models)
    missing: list[str] = []
    rows: list[tuple[str, int, int]] = []

    def count(kind: str, states: list[tuple[str, bool]]) -> None:
        rows.append((kind, sum(done for _, done in states), len(states)))
        missing.extend(f"{kind}: {name}" for name, done in states if not done)

    count(
        "extract",
        [
            (
                f"{task} {model}",
                all(SpaceKey(task, model, split) in folder.store for split in ("train", "test")),
            )
            for model in names.values()
            for task in plan.all_tasks
        ],
    )
    count(
        "fine-tune",
        [
            (str(run), folder.is_tuned(run.tuned_on, run.model, run.seed))
            for run in runs(plan, names)
        ],
    )
    listed = cells(plan, folder.store, set(names.values()))
    for kind, some in pieces(plan, folder, listed).items():
        count(kind, [(str(piece.cell), piece.done) for piece in some])
    return StudyStatus(tuple(rows), tuple(missing))
