"""Runs in MLflow."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from geoprobe.errors import GeoprobeError
from geoprobe.extras import need
from geoprobe.studies.tracked_runs import TrackedRun

# What a server takes at a time, and the text that servers of all versions take as a parameter.
_METRICS_AT_ONCE = 1000
_PARAMS_AT_ONCE = 100
_LONGEST_PARAM = 500


class MlflowTracker:
    """An experiment, with a run for each fine-tuning and each published model."""

    def __init__(self, mlflow: Any, project: str, offline: Path | None) -> None:
        self._entities = mlflow.entities
        uri = None if offline is None else f"sqlite:///{(offline / 'mlflow.db').absolute()}"
        self._client = mlflow.MlflowClient(tracking_uri=uri)
        self._uri = uri or mlflow.get_tracking_uri()
        found = self._client.get_experiment_by_name(project)
        if found is None:
            place = None if offline is None else (offline / "artifacts").absolute().as_uri()
            self._experiment = self._client.create_experiment(project, artifact_location=place)
        else:
            self._experiment = found.experiment_id
        self.where = f"experiment {project!r} in {self._uri}"
        if offline is not None:
            self.where += f"; to look at it: mlflow ui --backend-store-uri {self._uri}"

    def log(self, run: TrackedRun) -> None:
        """Write one run."""
        began = None
        try:
            tags = {
                "geoprobe.study": run.study,
                "geoprobe.kind": "fine-tuning" if run.tuned else "as published",
            }
            began = self._client.create_run(self._experiment, run_name=run.name, tags=tags)
            self._log_params(began.info.run_id, run)
            self._log_metrics(began.info.run_id, run)
            self._client.set_terminated(began.info.run_id)
        except BaseException as error:
            if began is not None:
                self._client.set_terminated(began.info.run_id, status="FAILED")
            if not isinstance(error, Exception):
                raise
            raise GeoprobeError(f"MLflow refused the run {run.name!r}: {error}") from error

    def _log_params(self, run_id: str, run: TrackedRun) -> None:
        params = (
            self._entities.Param(name, _short(str(value))) for name, value in run.params.items()
        )
        while block := list(islice(params, _PARAMS_AT_ONCE)):
            self._client.log_batch(run_id, params=block)

    def _log_metrics(self, run_id: str, run: TrackedRun) -> None:
        now = int(time.time() * 1000)
        metrics = (
            self._entities.Metric(name, value, now, step)
            for step, metrics in run.steps.items()
            for name, value in metrics.items()
        )
        while block := list(islice(metrics, _METRICS_AT_ONCE)):
            self._client.log_batch(run_id, metrics=block)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_PARAM else f"{text[: _LONGEST_PARAM - 3]}..."


@contextmanager
def tracker(project: str, offline: Path | None) -> Iterator[MlflowTracker]:
    """Give an experiment, made if it is not there; ``MLFLOW_TRACKING_URI`` says on which server.

    Raises
    ------
    GeoprobeError
        If MLflow is not installed, or cannot be reached.
    """
    mlflow = need("mlflow", "mlflow", "logging to MLflow")
    if offline is not None:
        # MLflow keeps its own files no longer without them.
        need("sqlalchemy", "mlflow", "logging to MLflow without a server")
        need("alembic", "mlflow", "logging to MLflow without a server")
        offline.mkdir(parents=True, exist_ok=True)
    try:
        made = MlflowTracker(mlflow, project, offline)
    except Exception as error:
        raise GeoprobeError(f"MLflow cannot open the experiment {project!r}: {error}") from error
    yield made
