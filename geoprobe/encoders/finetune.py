"""Fine-tuning of an encoder on a task, with spaces extracted on the way."""

from __future__ import annotations

import copy
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch  # noqa: TID253  (only what fine-tunes imports this module)
from numpy.typing import NDArray

from geoprobe.encoders.alignment import Alignment, Alignments, Overlong
from geoprobe.encoders.environment import Precision, environment_of, reproducible
from geoprobe.encoders.extract import extract_to_store
from geoprobe.encoders.forward import checked_layers, extract_arrays
from geoprobe.encoders.load import Encoder
from geoprobe.encoders.options import Schedule, TuningOptions
from geoprobe.encoders.run_folder import (
    STATE,
    TrainingState,
    load_state,
    only_run,
    remove_state,
    restore,
    save_model,
    save_state,
    tensors_of,
)
from geoprobe.encoders.training import LinearHead, Training, TrainingData, dropout_of
from geoprobe.encoders.tuning import (
    RESULT,
    TunedCheckpoint,
    TuningResult,
    TuningSpec,
    check_same_run,
    codes_of,
)
from geoprobe.errors import FormatError
from geoprobe.files.disk import check_disk
from geoprobe.progress import Progress, ProgressCallback
from geoprobe.schema import Number, Record, parse
from geoprobe.spaces.keys import SpaceKey
from geoprobe.spaces.store import SpaceStore
from geoprobe.spaces.store_layout import estimate_bytes
from geoprobe.tasks.units import Task

_ROWS_AT_ONCE = 4096
# Weights and the two moments of Adam; the new state is written before the old one goes.
_STATE_COPIES = 2 * 3


def finetune(
    encoder: Encoder,
    task: Task,
    *,
    options: TuningOptions | None = None,
    store: SpaceStore,
    run_folder: str | os.PathLike[str],
    extract: Sequence[Task] | None = None,
    layers: Sequence[int] | None = None,
    checkpoints: Schedule | None = None,
    save_models: bool = False,
    dtype: str = "float32",
    precision: Precision = "float32",
    overlong: Overlong = "error",
    alignments: Alignments | None = None,
    save_every_s: float = 300.0,
    progress: ProgressCallback | None = None,
) -> TuningResult:
    """Fine-tune a copy of an encoder with a linear head, and extract spaces at checkpoints.

    The head sees exactly the vectors that are probed: the last layer, pooled and joined as
    :func:`geoprobe.encoders.extract` does. On a CPU the same seed gives the same bits on the same
    machine with the same number of threads, also when the run is interrupted and called again with
    the same arguments, at any moment and any number of times. On a GPU an interruption changes no
    more than two runs differ anyway.

    Parameters
    ----------
    encoder : Encoder
        Stays as it is.
    task : Task
    options : TuningOptions, optional
        Those of the papers by default.
    store : SpaceStore
        Where the spaces go. Step 0 is the original space.
    run_folder : path-like
        Holds the state while the run goes on, the result (``result.json``) at the end, and the
        models if they are saved. A folder that holds the result already gives it back at once.
    extract : sequence of Task, optional
        Whose units are extracted; ``task`` alone by default.
    layers : sequence of int, optional
        All by default.
    checkpoints : Schedule, optional
        After every epoch by default.
    save_models : bool
        Whether to keep the fine-tuned models and heads in ``models/step-<8 digits>``.
    dtype, precision, overlong
        As in :func:`geoprobe.encoders.extract_to_store`; ``overlong`` holds for training too.
    alignments : Alignments, optional
        Those made already, which are used, and joined by what is lacking.
    save_every_s : float
        Seconds between two saves of the state; it is also saved before every checkpoint.
    progress : callable, optional

    Returns
    -------
    TuningResult

    Raises
    ------
    InputError
        If the training split has one label only, or an option cannot be used.
    FormatError
        If the folder belongs to a run of another task, model or options, or a file is damaged.
    TuningError
        If the loss is not finite, or the device has too little memory.
    DiskSpaceError
        If the disk has too little room; before work begins where that can be foreseen.
    """
    spec = TuningSpec(
        encoder=encoder,
        task=task,
        options=(options or TuningOptions()).chosen_for(encoder.n_layers),
        schedule=checkpoints or Schedule(),
        tasks=tuple(extract if extract is not None else (task,)),
        layers=checked_layers(layers, encoder),
        dtype=dtype,
        precision=precision,
        overlong=overlong,
        save_models=save_models,
    )
    folder = Path(run_folder).expanduser().resolve()
    with only_run(folder):
        if (folder / RESULT).exists():
            result = TuningResult.read(folder)
            check_same_run(result.plan, spec.facts(), folder / RESULT)
            _check_spaces(store, result.keys, folder)
        else:
            alignments = Alignments() if alignments is None else alignments
            with reproducible(encoder.device):
                run = FineTuning(spec, folder, store, alignments, save_every_s, progress)
                result = run.finish()
            result.write(folder)
        remove_state(folder)
    return result


class _Notes(Record):
    """Everything that a run has measured so far."""

    losses: list[Number]
    checkpoints: list[TunedCheckpoint]
    seconds: dict[str, Number]
    environment: list[dict[str, Any]]


@dataclass(eq=False)
class FineTuning:
    """A run of fine-tuning, which goes on from the state in its folder."""

    spec: TuningSpec
    folder: Path
    store: SpaceStore
    alignments: Alignments
    save_every_s: float
    progress: ProgressCallback | None

    def __post_init__(self) -> None:
        """Lay out the run, and see whether the disk has room for what it will leave."""
        spec = self.spec
        self.labels, self.codes, self.unseen = codes_of(spec.task)
        self.training = training = self._new_training()
        self.steps = spec.schedule.steps(training.n_updates, training.updates_per_epoch)
        self.losses: list[float] = []
        self.checkpoints: list[TunedCheckpoint] = []
        self.seconds = {"training": 0.0, "checkpoints": 0.0}
        self.environment = [environment_of(spec.encoder.device)]
        check_disk(self.store.root, self._needed_bytes())

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
        spec, task, encoder = self.spec, self.spec.task, self.spec.encoder
        model = copy.deepcopy(encoder.model)
        head = LinearHead(
            encoder.unit_dims(task.join),
            len(self.labels),
            dropout_of(model.config),
            spec.options.seed,
        )
        targets = torch.from_numpy(self.codes["train"]).to(encoder.device)
        data = TrainingData(self._alignment("train"), targets, task.join)
        return Training(model, head.to(encoder.device), data, spec.options)

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
        if self.spec.save_models and step > 0:
            save_model(
                self.folder / "models" / f"step-{step:08d}",
                self.training.model,
                self.spec.encoder.tokenizer,
                self.training.head,
                self.labels,
            )
        self.seconds["checkpoints"] += time.monotonic() - began

    def _extract(self, step: int) -> None:
        spec = self.spec
        encoder = replace(spec.encoder, model=self.training.model) if step else spec.encoder
        extract_to_store(
            encoder,
            spec.tasks,
            self.store,
            tuned_on=spec.task.name if step else None,
            seed=spec.options.seed if step else None,
            step=step,
            layers=spec.layers,
            dtype=spec.dtype,
            precision=spec.precision,
            overlong=spec.overlong,
            provenance=spec.tuning_facts() if step else None,
            alignments=self.alignments,
            progress=self.progress,
        )

    def _accuracy(self, split: str) -> float:
        """Return the share of units whose label the head predicts."""
        head, device = self.training.head.eval(), self.spec.encoder.device
        points = self._last_layer(split)
        right = 0
        with torch.inference_mode():
            for start in range(0, len(points), _ROWS_AT_ONCE):
                rows = slice(start, start + _ROWS_AT_ONCE)
                vectors = torch.from_numpy(np.array(points[rows])).to(device)
                guess = head(vectors).argmax(dim=1).cpu().numpy()
                right += int((guess == self.codes[split][rows]).sum())
        return right / len(points)

    def _last_layer(self, split: str) -> NDArray[Any]:
        """Return what the head sees of a split: from the store, if it is there exactly."""
        spec, last = self.spec, self.spec.encoder.n_layers
        if (
            spec.dtype == spec.precision == "float32"
            and last in spec.layers
            and spec.task.name in {task.name for task in spec.tasks}
        ):
            key = spec.key(spec.task, split, self.training.step)
            return self.store.open(key).points(last)
        arrays = extract_arrays(
            replace(spec.encoder, model=self.training.model),
            self._alignment(split),
            join=spec.task.join,
            layers=[last],
            progress=self.progress,
            phase=f"predicting {spec.task.name} {split}",
        )
        return arrays[last]

    def _save(self) -> None:
        notes = _Notes(
            losses=self.losses,
            checkpoints=self.checkpoints,
            seconds=self.seconds,
            environment=self.environment,
        )
        tensors = tensors_of(self.training.module, self.training.optimizer)
        state = TrainingState(self.training.step, notes.model_dump(), tensors)
        save_state(self.folder, self.spec.facts(), state)

    def _resume(self) -> None:
        """Go back to the last state, if there is one."""
        state = load_state(self.folder, self.spec.facts())
        if state is None:
            return
        restore(self.training.module, self.training.optimizer, state.tensors, self.folder)
        self.training.step = state.step
        notes = parse(_Notes, state.notes, self.folder / STATE)
        self.losses, self.checkpoints = notes.losses, notes.checkpoints
        self.seconds = notes.seconds
        earlier = [each for each in notes.environment if each not in self.environment]
        self.environment = earlier + self.environment
        extracted = self.spec.keys([each.step for each in self.checkpoints])
        _check_spaces(self.store, extracted, self.folder)

    def _result(self) -> TuningResult:
        spec, training = self.spec, self.training
        return TuningResult(
            task=spec.task.name,
            model=spec.encoder.name,
            options=spec.options,
            labels=self.labels,
            unseen_labels=self.unseen,
            n_updates=training.n_updates,
            updates_per_epoch=training.updates_per_epoch,
            losses=tuple(self.losses),
            checkpoints=tuple(self.checkpoints),
            keys=tuple(spec.keys(self.steps)),
            plan=spec.facts(),
            environment=tuple(self.environment),
            seconds=self.seconds,
        )

    def _alignment(self, split: str) -> Alignment:
        spec = self.spec
        return self.alignments.of(spec.encoder, spec.task.splits[split], spec.overlong)

    def _needed_bytes(self) -> int:
        """Return what is still to be written: spaces, states, and models if they are saved."""
        spec = self.spec
        tasks = {task.name: task for task in spec.tasks}
        spaces = sum(
            estimate_bytes(
                tasks[key.task].splits[key.split].n_units,
                spec.encoder.unit_dims(tasks[key.task].join),
                len(spec.layers),
                spec.dtype,
            )
            for key in spec.keys(self.steps)
            if key not in self.store
        )
        weights: int = sum(each.nbytes for each in self.training.module.parameters())
        models = len(self.steps) - 1 if spec.save_models else 0
        return spaces + weights * (_STATE_COPIES + models)


def _check_spaces(store: SpaceStore, keys: Sequence[SpaceKey], folder: Path) -> None:
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
