"""Runs in Weights & Biases."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from geoprobe.errors import GeoprobeError
from geoprobe.extras import need
from geoprobe.studies.tracked_runs import TrackedRun

_LONGEST_NAME = 128


class WandbTracker:
    """A project; fine-tunings and published models of one study are one group of runs."""

    def __init__(self, wandb: Any, project: str, offline: Path | None) -> None:
        self._wandb = wandb
        self._project = project
        self._folder = offline
        self.where = f"project {project}"
        if offline is not None:
            self.where = (
                f"{offline / 'wandb'}; to send them: wandb sync {offline}/wandb/offline-run-*"
            )

    def log(self, run: TrackedRun) -> None:
        """Write one run."""
        began = None
        try:
            began = self._begin(run)
            for step, metrics in run.steps.items():
                began.log(metrics, step=step)
            began.finish()
        except BaseException as error:
            if began is not None:
                began.finish(exit_code=1)
            if not isinstance(error, Exception):
                raise
            raise GeoprobeError(
                f"Weights & Biases refused the run {run.name!r}: {error} Without a server: "
                f"--offline FOLDER."
            ) from error
        if self._folder is None and began.project_url:
            self.where = began.project_url

    def _begin(self, run: TrackedRun) -> Any:
        # What this machine is and does now is no part of a study.
        settings = self._wandb.Settings(
            silent=True, console="off", disable_git=True, save_code=False, x_disable_stats=True
        )
        kind = "fine-tuning" if run.tuned else "as published"
        return self._wandb.init(
            project=self._project,
            name=run.name[:_LONGEST_NAME],
            group=run.study[:_LONGEST_NAME],
            job_type=kind,
            config=run.params,
            dir=self._folder,
            mode=None if self._folder is None else "offline",
            reinit="create_new",
            settings=settings,
        )


@contextmanager
def tracker(project: str, offline: Path | None) -> Iterator[WandbTracker]:
    """Give a project; ``WANDB_MODE`` and the other variables of wandb hold.

    Raises
    ------
    GeoprobeError
        If wandb is not installed.
    """
    wandb = need("wandb", "wandb", "logging to Weights & Biases")
    if offline is not None:
        offline.mkdir(parents=True, exist_ok=True)
    yield WandbTracker(wandb, project, offline)
