"""Jobs on text: extraction of spaces and fine-tuning, and what the jobs of one process share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from geoprobe.encoders.alignment import Alignments
from geoprobe.encoders.model_files import short_names
from geoprobe.progress import ProgressCallback
from geoprobe.studies.plan import Plan
from geoprobe.studies.runs import Run, layers_of, runs
from geoprobe.studies.study_folder import StudyFolder
from geoprobe.studies.text_facts import TextFacts, facts_of
from geoprobe.tasks import Task, limit, load_task, read_task

if TYPE_CHECKING:
    from geoprobe.encoders.load import Encoder


def load_tasks(plan: Plan) -> dict[str, Task]:
    """Read all tasks of a plan, limited as it says."""
    size = plan.limit
    tasks = {}
    for name in plan.all_tasks:
        if name in plan.task:
            task = read_task(plan.task[name], name)
        else:
            task = load_task(name, data=plan.data)
        tasks[name] = limit(task, n_train=size.train, n_test=size.test, seed=size.seed)
    return tasks


class Text:
    """Tasks and encoders of a plan, loaded once in a process for all of its jobs.

    Encoders stay in the memory of the processor, but for the one whose turn it is.

    Parameters
    ----------
    plan : Plan

    Raises
    ------
    GeoprobeError
        If a task cannot be had.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.tasks = load_tasks(plan)
        self.alignments = Alignments()
        self._encoders: dict[str, Encoder] = {}
        self._current = ""

    def look(self) -> TextFacts:
        """Load all models, to learn their facts.

        Raises
        ------
        GeoprobeError
            If a model cannot be had, or lacks a layer that the plan asks for.
        """
        names = short_names(self.plan.models)
        found = {}
        for model, name in names.items():
            found[name] = self._loaded(model)
            layers_of(self.plan, found[name].n_layers, model)
        return facts_of(self.tasks, found)

    def check(self, folder: StudyFolder) -> None:
        """Refuse what a model cannot do with a task before another has worked for hours.

        Raises
        ------
        GeoprobeError
        """
        names = short_names(self.plan.models)
        for model in self.plan.models:
            of_model = runs(self.plan, names, model)
            if all(folder.is_tuned(run.tuned_on, run.model, run.seed) for run in of_model):
                continue
            for task in self.tasks.values():
                for split in task.splits.values():
                    self.alignments.of(self._loaded(model), split, self.plan.overlong)

    def encoder(self, model: str) -> Encoder:
        """Return the encoder of a model, on the device of the plan; that before it goes back."""
        if self._current not in ("", model):
            before = self._encoders[self._current]
            self._encoders[self._current] = before.moved_to("cpu")
        self._current = model
        encoder = self._encoders[model] = self._loaded(model).moved_to(self.plan.device)
        return encoder

    def _loaded(self, model: str) -> Encoder:
        from geoprobe.encoders import load_encoder

        if model not in self._encoders:
            self._encoders[model] = load_encoder(
                model, revision=self.plan.revision.get(model), device="cpu"
            )
        return self._encoders[model]


_kept: list[Text] = []


def text_of(plan: Plan) -> Text:
    """Return what the jobs of a plan share in this process, loaded at the first call."""
    if not _kept or _kept[0].plan != plan:
        keep(Text(plan))
    return _kept[0]


def keep(text: Text | None) -> None:
    """Keep tasks and encoders for the jobs that follow in this process; None gives them up."""
    _kept[:] = [] if text is None else [text]


def extract_job(
    plan: Plan,
    root: Path,
    model: str,
    task: str,
    n_threads: int,
    progress: ProgressCallback | None,
) -> None:
    """Extract the spaces of a task from a model as it was published."""
    from geoprobe.encoders import extract_to_store
    from geoprobe.encoders.environment import torch_threads

    text = text_of(plan)
    encoder = text.encoder(model)
    with torch_threads(plan.threads):
        extract_to_store(
            encoder,
            text.tasks[task],
            StudyFolder(root).store,
            layers=layers_of(plan, encoder.n_layers, model),
            overlong=plan.overlong,
            alignments=text.alignments,
            progress=progress,
        )


def tune_job(
    plan: Plan, root: Path, model: str, run: Run, n_threads: int, progress: ProgressCallback | None
) -> None:
    """Fine-tune a model, and extract the spaces of its moments on the way."""
    from geoprobe.encoders.environment import torch_threads
    from geoprobe.encoders.finetune import finetune

    text, folder = text_of(plan), StudyFolder(root)
    encoder = text.encoder(model)
    with torch_threads(plan.threads):
        finetune(
            encoder,
            text.tasks[run.tuned_on],
            options=plan.finetune.replaced(seed=run.seed),
            store=folder.store,
            run_folder=folder.run(run.tuned_on, run.model, run.seed),
            extract=[text.tasks[name] for name in plan.extracted(run.tuned_on)],
            layers=layers_of(plan, encoder.n_layers, model),
            checkpoints=plan.checkpoints,
            overlong=plan.overlong,
            alignments=text.alignments,
            progress=progress,
        )
