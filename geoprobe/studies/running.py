"""Running of a study: all of its pieces, by whatever runs them; what is done is left alone."""

from __future__ import annotations

import os
import threading
from concurrent.futures import Future
from dataclasses import dataclass

from geoprobe.encoders.model_files import short_names
from geoprobe.geometry import Cell
from geoprobe.progress import ProgressCallback
from geoprobe.studies.claims import Claims
from geoprobe.studies.executors import Executor, Piece
from geoprobe.studies.given_changes import changed_cells, refuse_changed, refuse_other_groups
from geoprobe.studies.given_index import GivenIndex, write_index
from geoprobe.studies.given_looks import look_at
from geoprobe.studies.inputs import planned_files, study_inputs
from geoprobe.studies.jobs import load_kernels
from geoprobe.studies.kinds import KINDS
from geoprobe.studies.local_executor import Processes, ThisProcess
from geoprobe.studies.pieces import pieces
from geoprobe.studies.plan import Plan
from geoprobe.studies.scheduling import Schedule, Tally
from geoprobe.studies.shares import ALL, Share, parse_share
from geoprobe.studies.study_folder import StudyFolder
from geoprobe.studies.text_facts import TextFacts, write_facts
from geoprobe.studies.text_jobs import Text, keep
from geoprobe.threads import available_threads, checked_threads

_FEW = 3
"""So many pieces are worth processes of their own, which take seconds to start."""


@dataclass(kw_only=True)
class Outcome(Tally):
    """What a run of a study did.

    Attributes
    ----------
    folder : StudyFolder
    done, found, failed, left : dict
        As in :class:`geoprobe.studies.scheduling.Tally`.
    """

    folder: StudyFolder


def run_study(
    plan: Plan,
    root: str | os.PathLike[str],
    *,
    n_workers: int | None = None,
    shard: str | None = None,
    retry_failed: bool = False,
    executor: Executor | None = None,
    progress: ProgressCallback | None = None,
) -> Outcome:
    """Run a study, or go on with it where it was interrupted.

    Several processes, of one machine or of many that share the folder, may run the same study at
    the same time: no piece is done twice, and what a process that died was at is taken over.

    Parameters
    ----------
    plan : Plan
    root : path-like
        The study's folder.
    n_workers : int, optional
        Pieces that this machine works on at the same time; all processors by default. The outcome
        does not depend on it.
    shard : str, optional
        Such as ``"3/16"``: only that share of the pieces is begun. What they need from others is
        waited for as long as somebody alive is at it.
    retry_failed : bool, default=False
        Whether pieces that failed before are tried again; those whose given files have changed
        since always are.
    executor : Executor, optional
        What runs the pieces, instead of processes of this machine; it is closed at the end.
    progress : callable, optional

    Raises
    ------
    InputError
        If the folder holds a study of another plan.
    GeoprobeError
        If a task or a model cannot be had; nothing is computed then.
    """
    workers = available_threads() if n_workers is None else checked_threads(n_workers)
    share = ALL if shard is None else parse_share(shard)
    names = short_names(plan.models)
    folder = StudyFolder(root)
    text = Text(plan) if plan.tasks else None
    folder.check(plan)
    before = folder.given()
    given = _look_at_given(plan, folder, before, share, workers, progress)
    facts = _look_at_text(text, folder)
    folder.adopt(plan, names)
    if facts is not None:
        write_facts(facts, folder.text_facts)
    if given is not None and given != before:
        write_index(given, folder.given_index)
    work = pieces(plan, folder, study_inputs(plan, folder, given=given, facts=facts), facts)
    claims = Claims(folder.work)
    if retry_failed:
        claims.forget_failures()
    elif given is not None and before is not None:
        anew = set(map(str, changed_cells(given, before)))
        for piece in work:
            if piece.name in anew:
                claims.forget_failure(piece)

    def note(piece: Piece, seconds: float) -> None:
        folder.note_seconds(piece.kind, piece.name, seconds)

    with claims.join(str(share)):
        schedule = Schedule(work, claims, share=share, note=note, progress=progress)
        if executor is None:
            few = workers == 1 or schedule.n_left < _FEW
            kernels = schedule.left_of("measure") and not few
            executor = (
                ThisProcess(workers, schedule.pass_on)
                if few
                else Processes(workers, _load_kernels() if kernels else None)
            )
        # Workers load text themselves; in this process it has been loaded.
        keep(text if isinstance(executor, ThisProcess) else None)
        del text
        try:
            tally = schedule.run(executor)
        finally:
            executor.close()
            keep(None)
    return Outcome(folder=folder, **vars(tally))


def _look_at_given(
    plan: Plan,
    folder: StudyFolder,
    before: GivenIndex | None,
    share: Share,
    n_workers: int,
    progress: ProgressCallback | None,
) -> GivenIndex | None:
    """Look at the files of given spaces, and refuse what would cost hours before it is noticed."""
    if plan.spaces is None:
        return None
    files = planned_files(plan)

    def of_others(cell: Cell) -> bool:
        """Whether others work on a cell alone, who look at its files themselves."""
        return not any(share.has_of(kind, str(cell)) for kind in KINDS)

    index = look_at(
        files,
        unseen=plan.spaces.unseen,
        before=before,
        believed=None if share == ALL else of_others,
        n_workers=n_workers,
        progress=progress,
    )
    refuse_changed(index, before, folder.geometry)
    refuse_other_groups(index, before, folder.controls_of)
    return index


def _look_at_text(text: Text | None, folder: StudyFolder) -> TextFacts | None:
    """Look at tasks and models, and refuse what one cannot do before another works for hours."""
    if text is None:
        return None
    facts = text.look()
    text.check(folder)
    return facts


def _load_kernels() -> Future[None]:
    """Begin to compile the kernels here, once: processes that measure find them in the cache.

    This process has nothing else to do, while its workers extract and fine-tune.
    """
    loaded: Future[None] = Future()

    def load() -> None:
        try:
            load_kernels()
            loaded.set_result(None)
        except BaseException as error:
            loaded.set_exception(error)

    # An interrupt must not wait for the compiler.
    threading.Thread(target=load, name="geoprobe-kernels", daemon=True).start()
    return loaded
