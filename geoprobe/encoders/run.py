"""One run of fine-tuning: training, checkpoints, and the state between them."""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch  # noqa: TID253  (only what fine-tunes imports this module)
from numpy.typing import NDArray

from geoprobe.encoders.alignment import Alignment, align
from geoprobe.encoders.extract import extract_to_store
from geoprobe.encoders.head import LinearHead, dropout_of
from geoprobe.encoders.representing import extract
from geoprobe.encoders.run_plan import Plan, codes_of
from geoprobe.encoders.saved_model import save_model
from geoprobe.encoders.state import TrainingState, load_state, restore, save_state, tensors_of
from geoprobe.encoders.surroundings import surroundings
from geoprobe.encoders.training import Training, TrainingData
from geoprobe.encoders.tuning_result import TunedCheckpoint, TuningResult
from geoprobe.errors import FormatError
from geoprobe.files.disk import check_disk
from geoprobe.progress import Progress, ProgressCallback
from geoprobe.spaces.keys import SpaceKey
from geoprobe.spaces.store import SpaceStore
from geoprobe.spaces.store_layout import estimate_bytes
from geoprobe.tasks.units import Task

_ROWS_AT_ONCE = 4096
# Weights and the two moments of Adam; the new state is written before the old one goes.
_STATE_COPIES = 2 * 3


class Run:
    """A run from where its folder says it stands.

    Parameters
    ----------
    plan : Plan
    folder : Path
        Holds its state.
    store : SpaceStore
    save_every_s : float
    progress : callable or None
    """

    def __init__(
        self,
        plan: Plan,
        folder: Path,
        store: SpaceStore,
        save_every_s: float,
        progress: ProgressCallback | None,
    ) -> None:
        self.plan = plan
        self.folder = folder
        self.store = store
        self.save_every_s = save_every_s
        self.progress = progress
        self.labels, self.codes, self.unseen = codes_of(plan.task)
        self._alignments: dict[str, dict[str, Alignment]] = {}
        self.training = self._new_training()
        training = self.training
        self.steps = plan.schedule.steps(training.n_updates, training.updates_per_epoch)
        self.losses: list[float] = []
        self.checkpoints: list[TunedCheckpoint] = []
        self.seconds = {"training": 0.0, "checkpoints": 0.0}
        self.environment = [surroundings(plan.encoder.device)]
        check_disk(store.root, self._needed_bytes())

    def finish(self) -> TuningResult:
        """Train from the last state to the end, extracting at the checkpoints."""
        self._resume()
        saved = time.monotonic()
        while True:
            step = self.training.step
            if step in self.steps and all(each.step < step for each in self.checkpoints):
                if step > 0:
                    # Whatever is extracted lies on the path of a state that was kept.
                    self._save()
                self._checkpoint()
                saved = time.monotonic()
            if step == self.training.n_updates:
                return self._result()
            self._update()
            if time.monotonic() - saved > self.save_every_s:
                self._save()
                saved = time.monotonic()

    def _new_training(self) -> Training:
        plan, task, encoder = self.plan, self.plan.task, self.plan.encoder
        model = copy.deepcopy(encoder.model)
        head = LinearHead(
            self._n_dims(task), len(self.labels), dropout_of(model.config), plan.options.seed
        )
        targets = torch.from_numpy(self.codes["train"]).to(encoder.device)
        data = TrainingData(self._aligned(task)["train"], targets, task.join)
        return Training(model, head.to(encoder.device), data, plan.options)

    def _update(self) -> None:
        began = time.monotonic()
        self.losses.append(self.training.update())
        self.seconds["training"] += time.monotonic() - began
        if self.progress is not None:
            done, total = self.training.step, self.training.n_updates
            detail = f"loss {self.losses[-1]:.3f}"
            self.progress(Progress("fine-tuning", done, total, detail))

    def _checkpoint(self) -> None:
        """Extract every task, and see how good the head is."""
        began, step = time.monotonic(), self.training.step
        self._extract(step)
        self.checkpoints.append(
            TunedCheckpoint(
                step=step,
                epoch=step / self.training.updates_per_epoch,
                train_accuracy=self._accuracy("train"),
                test_accuracy=self._accuracy("test"),
            )
        )
        if self.plan.save_models and step > 0:
            save_model(
                self.folder / "models" / f"step-{step:08d}",
                self.training.model,
                self.plan.encoder.tokenizer,
                self.training.head,
                self.labels,
            )
        self.seconds["checkpoints"] += time.monotonic() - began

    def _extract(self, step: int) -> None:
        plan = self.plan
        encoder = replace(plan.encoder, model=self.training.model) if step else plan.encoder
        for task in plan.tasks:
            extract_to_store(
                encoder,
                task,
                self.store,
                tuned_on=plan.task.name if step else None,
                seed=plan.options.seed if step else None,
                step=step,
                layers=plan.layers,
                dtype=plan.dtype,
                precision=plan.precision,
                overlong=plan.overlong,
                provenance=plan.tuning_facts() if step else None,
                alignments=self._aligned(task),
                progress=self.progress,
            )

    def _accuracy(self, split: str) -> float:
        """Return the share of units whose label the head predicts."""
        head, device = self.training.head.eval(), self.plan.encoder.device
        points = self._last_layer(split)
        right = 0
        with torch.inference_mode():
            for start in range(0, len(points), _ROWS_AT_ONCE):
                some = slice(start, start + _ROWS_AT_ONCE)
                vectors = torch.from_numpy(np.array(points[some])).to(device)
                guess = head(vectors).argmax(dim=1).cpu().numpy()
                right += int((guess == self.codes[split][some]).sum())
        return right / len(points)

    def _last_layer(self, split: str) -> NDArray[Any]:
        """Return what the head sees of a split: from the store, if it is there exactly."""
        plan, last = self.plan, self.plan.encoder.n_layers
        if (
            plan.dtype == plan.precision == "float32"
            and last in plan.layers
            and plan.task.name in {task.name for task in plan.tasks}
        ):
            key = self._key(plan.task, split, self.training.step)
            return self.store.open(key).points(last)
        points = np.empty((plan.task.splits[split].n_units, self._n_dims(plan.task)), np.float32)

        def put(layer: int, rows: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
            points[rows] = vectors

        extract(
            replace(plan.encoder, model=self.training.model),
            self._aligned(plan.task)[split],
            join=plan.task.join,
            write=put,
            layers=[last],
            progress=self.progress,
            phase=f"predicting {plan.task.name} {split}",
        )
        return points

    def _save(self) -> None:
        notes = {
            "losses": self.losses,
            "checkpoints": [asdict(each) for each in self.checkpoints],
            "seconds": self.seconds,
            "environment": self.environment,
        }
        tensors = tensors_of(self.training.module, self.training.optimizer)
        state = TrainingState(self.training.step, notes, tensors)
        save_state(self.folder, self.plan.facts(), state)

    def _resume(self) -> None:
        """Go back to the last state, if there is one."""
        state = load_state(self.folder, self.plan.facts())
        if state is None:
            return
        restore(self.training.module, self.training.optimizer, state.tensors, self.folder)
        self.training.step = state.step
        self.losses = list(state.notes["losses"])
        self.checkpoints = [TunedCheckpoint(**each) for each in state.notes["checkpoints"]]
        self.seconds = dict(state.notes["seconds"])
        earlier = [each for each in state.notes["environment"] if each not in self.environment]
        self.environment = earlier + self.environment
        check_spaces(self.store, self._keys([each.step for each in self.checkpoints]), self.folder)

    def _result(self) -> TuningResult:
        plan, training = self.plan, self.training
        return TuningResult(
            task=plan.task.name,
            model=plan.encoder.name,
            options=plan.options,
            labels=self.labels,
            unseen_labels=self.unseen,
            n_updates=training.n_updates,
            updates_per_epoch=training.updates_per_epoch,
            losses=tuple(self.losses),
            checkpoints=tuple(self.checkpoints),
            keys=tuple(self._keys(self.steps)),
            plan=plan.facts(),
            environment=tuple(self.environment),
            seconds=self.seconds,
        )

    def _keys(self, steps: Sequence[int]) -> list[SpaceKey]:
        return [
            self._key(task, split, step)
            for step in steps
            for task in self.plan.tasks
            for split in task.splits
        ]

    def _key(self, task: Task, split: str, step: int) -> SpaceKey:
        if step == 0:
            return SpaceKey(task.name, self.plan.encoder.name, split)
        seed = self.plan.options.seed
        return SpaceKey(task.name, self.plan.encoder.name, split, self.plan.task.name, seed, step)

    def _aligned(self, task: Task) -> dict[str, Alignment]:
        """Return the alignments of a task's splits, made once."""
        if task.name not in self._alignments:
            self._alignments[task.name] = {
                name: align(self.plan.encoder, split, overlong=self.plan.overlong)
                for name, split in task.splits.items()
            }
        return self._alignments[task.name]

    def _n_dims(self, task: Task) -> int:
        return self.plan.encoder.n_dims * (2 if task.join == "concat" else 1)

    def _needed_bytes(self) -> int:
        """Return what is still to be written: spaces, states, and models if they are saved."""
        tasks = {task.name: task for task in self.plan.tasks}
        missing = [key for key in self._keys(self.steps) if key not in self.store]
        spaces = sum(
            estimate_bytes(
                tasks[key.task].splits[key.split].n_units,
                self._n_dims(tasks[key.task]),
                len(self.plan.layers),
                self.plan.dtype,
            )
            for key in missing
        )
        weights: int = sum(each.nbytes for each in self.training.module.parameters())
        models = len(self.steps) - 1 if self.plan.save_models else 0
        return spaces + weights * (_STATE_COPIES + models)


def check_spaces(store: SpaceStore, keys: Sequence[SpaceKey], folder: Path) -> None:
    """Refuse a folder whose spaces are not in the store.

    Raises
    ------
    FormatError
        Naming the first that is missing.
    """
    missing = [key for key in keys if key not in store]
    if missing:
        raise FormatError(
            f"the run has extracted {missing[0]}, but {store.root} lacks it ({len(missing)} of "
            f"{len(keys)} are missing). Remove this folder to make them again.",
            folder,
        )
