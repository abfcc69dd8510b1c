"""Status of a study: how much of it is done, and what the rest would take."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geoprobe.encoders.model_files import short_names
from geoprobe.errors import InputError
from geoprobe.files.listing import Listing
from geoprobe.geometry import Cell
from geoprobe.memory import nothing_to_free
from geoprobe.showing import Showing, Summary, frame
from geoprobe.studies.claims import Claims, Failure, Running, digest
from geoprobe.studies.inputs import Inputs, planned_inputs, study_inputs
from geoprobe.studies.kinds import KINDS
from geoprobe.studies.pieces import pieces
from geoprobe.studies.plan import Plan
from geoprobe.studies.study_folder import StudyFolder
from geoprobe.studies.text_facts import TextFacts, known_facts, moments
from geoprobe.studies.text_jobs import Text


@dataclass(frozen=True)
class Counts:
    """How many pieces of a kind there are, by their state."""

    kind: str
    done: int
    running: int
    waiting: int
    failed: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.done + self.running + self.waiting + self.failed


@dataclass(frozen=True)
class StudyStatus(Showing):
    """How much of a study is done.

    Attributes
    ----------
    counts : tuple of Counts
        Of each kind. Work on cells of text that nobody has looked at yet is not known.
    running : tuple of Running
        What living processes are at.
    failed : dict of str to str
        What could not be done, and why.
    waiting : tuple of str
        What nobody has begun.
    missing : tuple of str
        What is still to be done, in words.
    """

    counts: tuple[Counts, ...]
    running: tuple[Running, ...]
    failed: dict[str, str]
    waiting: tuple[str, ...]
    missing: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether nothing is left to do."""
        return not self.missing

    def to_frame(self) -> Any:
        """Return a pandas DataFrame with a row for each kind of work.

        Raises
        ------
        GeoprobeError
            If pandas is not installed.
        """
        names = ("kind", "done", "running", "waiting", "failed", "total")
        return frame({name: [getattr(each, name) for each in self.counts] for name in names})

    def _summaries(self) -> Sequence[Summary]:
        done, total = (sum(getattr(each, n) for each in self.counts) for n in ("done", "total"))
        line = f"{done:,} of {total:,} pieces done, {len(self.running):,} running."
        failed = [f"Failed: {name}: {reason}" for name, reason in self.failed.items()]
        header = ("work", "done ", "running ", "waiting ", "failed ", "of ")
        rows = tuple(
            (each.kind, *map(str, (each.done, each.running, each.waiting, each.failed, each.total)))
            for each in self.counts
        )
        return (Summary((line, *failed[:3]), "Work", header, rows),)


@nothing_to_free()
def study_status(
    plan: Plan,
    folder: StudyFolder,
    *,
    inputs: Mapping[Cell, Inputs] | None = None,
    facts: TextFacts | None = None,
) -> StudyStatus:
    """Count what is done.

    Parameters
    ----------
    plan : Plan
    folder : StudyFolder
    inputs : mapping of Cell to Inputs, optional
        The cells that there are to measure; by default those that the study knew when it last ran.
    facts : TextFacts, optional
        On tasks and models; by default those that the study noted.
    """
    if facts is None:
        facts = known_facts(plan, short_names(plan.models), folder.text_facts)
    inputs = study_inputs(plan, folder, facts=facts) if inputs is None else inputs
    listing, look = Listing(), Claims(folder.work).look()
    counts = {kind: Counter[str]() for kind in KINDS}
    running: list[Running] = []
    failed: dict[str, str] = {}
    waiting: list[str] = []
    missing: list[str] = []
    for piece in pieces(plan, folder, inputs, facts):
        if listing.has(piece.path):
            counts[piece.kind]["done"] += 1
            continue
        reason = ""
        if (at := look.running.get(digest(piece))) is not None:
            running.append(at)
            state = "running"
        elif reason := piece.problem or _failed(look.failures.get(digest(piece))):
            failed[str(piece)] = reason
            state = "failed"
        else:
            waiting.append(str(piece))
            state = "waiting"
        counts[piece.kind][state] += 1
        missing.append(f"{piece.kind}: {piece.name}" + (f": {reason}" if reason else ""))
    return StudyStatus(
        tuple(_counts(kind, of) for kind, of in counts.items() if of),
        tuple(running),
        failed,
        tuple(waiting),
        tuple(missing),
    )


def missing_pieces(plan: Plan, folder: StudyFolder, *, unfinished: bool) -> tuple[str, ...]:
    """Return what a study lacks; one that is not finished is refused unless it was asked for.

    Raises
    ------
    InputError
    """
    missing = study_status(plan, folder).missing
    if missing and not unfinished:
        raise InputError(
            f"the study in {folder.root} is not finished; pieces of work left: {len(missing):,}, "
            f"such as {missing[0]}. Run it to its end, or ask for it unfinished."
        )
    return missing


def _failed(failure: Failure | None) -> str:
    """Return why a piece failed, if it will not be tried again by itself."""
    return "" if failure is None or failure.again else failure.said


def _counts(kind: str, of: Mapping[str, int]) -> Counts:
    return Counts(kind, of["done"], of["running"], of["waiting"], of["failed"])


def look_at_text(plan: Plan, folder: StudyFolder) -> TextFacts | None:
    """Return the facts on tasks and models, which are loaded if the study has not noted them.

    Raises
    ------
    GeoprobeError
        If a task or a model cannot be had.
    """
    if not plan.tasks:
        return None
    noted = known_facts(plan, short_names(plan.models), folder.text_facts)
    return Text(plan).look() if noted is None else noted


_UNKNOWN = "not known before the first"


@dataclass(frozen=True)
class Estimate:
    """The size of a study.

    Attributes
    ----------
    rows : tuple of (work, pieces, done, time)
        In words. The time left is taken from pieces of the same kind that are done.
    n_bytes : int
        Of all spaces on disk.
    n_free : int
        Free bytes of the disk.
    """

    rows: tuple[tuple[str, str, str, str], ...]
    n_bytes: int
    n_free: int

    @property
    def disk(self) -> str:
        """The bytes of the spaces, in words."""
        return f"{self.n_bytes / 1e9:,.2f} GB"

    @property
    def free(self) -> str:
        """The free bytes, in words."""
        return f"{self.n_free / 1e9:,.1f} GB"


def estimate(plan: Plan, root: Path) -> Estimate:
    """Count the pieces of work of a study, their bytes and the time that is left.

    Parameters
    ----------
    plan : Plan
    root : path-like
        The study's folder, there already or not.

    Raises
    ------
    GeoprobeError
        If a task or a model cannot be had.
    """
    folder = StudyFolder(root)
    facts = look_at_text(plan, folder)
    status = study_status(plan, folder, inputs=planned_inputs(plan, folder, facts), facts=facts)
    seconds = folder.seconds()
    rows = tuple(
        (
            each.kind,
            f"{each.total:,}",
            f"{each.done:,}",
            _time(each.total - each.done, seconds.get(each.kind, [])),
        )
        for each in status.counts
    )
    n_bytes = 0
    if facts is not None:
        of = moments(plan, short_names(plan.models), facts)
        n_bytes = sum(facts.n_stored(moment, len(layers)) for moment, layers in of.items())
    return Estimate(rows, n_bytes, shutil.disk_usage(_existing(folder.root)).free)


def _time(left: int, seconds: list[float]) -> str:
    """Return the time that pieces like those done before will take, in words."""
    if left <= 0:
        return "none"
    if not seconds:
        return _UNKNOWN
    whole = left * sum(seconds) / len(seconds)
    return f"about {whole / 60:,.1f} min" if whole > 90 else f"about {whole:,.0f} s"


def _existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path
