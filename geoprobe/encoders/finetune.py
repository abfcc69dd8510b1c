"""Fine-tune an encoder on a task, and extract spaces on the way; interrupted, it goes on."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from geoprobe.encoders.alignment import Overlong
from geoprobe.encoders.devices import Precision
from geoprobe.encoders.load import Encoder
from geoprobe.encoders.options import TuningOptions
from geoprobe.encoders.representing import checked_layers
from geoprobe.encoders.run import Run, check_spaces
from geoprobe.encoders.run_folder import only_run
from geoprobe.encoders.run_plan import Plan, check_plan, settled
from geoprobe.encoders.schedule import Schedule
from geoprobe.encoders.state import remove_state
from geoprobe.encoders.surroundings import reproducible
from geoprobe.encoders.tuning_result import RESULT, TuningResult
from geoprobe.progress import ProgressCallback
from geoprobe.spaces.store import SpaceStore
from geoprobe.tasks.units import Task


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
    plan = Plan(
        encoder=encoder,
        task=task,
        options=settled(options or TuningOptions(), encoder.name),
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
            check_plan(result.plan, plan.facts(), folder / RESULT)
            check_spaces(store, result.keys, folder)
        else:
            with reproducible(encoder.device):
                result = Run(plan, folder, store, save_every_s, progress).finish()
            result.write(folder)
        remove_state(folder)
    return result
