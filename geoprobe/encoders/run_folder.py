"""Folder of a run of fine-tuning: its lock, the state of training, and saved models.

The state is a safetensors file of tensors, and ``state.json``, which names that file and its
SHA-256 and is replaced last: at any moment it names a whole file. Nothing is pickled.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch  # noqa: TID253  (only what fine-tunes imports this module)

from geoprobe.encoders.load import quiet_transformers
from geoprobe.encoders.training import LinearHead
from geoprobe.encoders.tuning import check_same_run
from geoprobe.errors import FormatError, OutputError
from geoprobe.files.atomic import discard, new_folder, unfinished_of, write_file
from geoprobe.files.disk import hash_file
from geoprobe.files.json_files import read_json, write_json
from geoprobe.files.locks import locked
from geoprobe.schema import Record, Text, Whole, parse

FORMAT = "geoprobe-training-state"
VERSION = 1
STATE = "state.json"
HEAD = "head.safetensors"
LABELS = "labels.json"
_TENSORS = "state-{:08d}.safetensors"
_TENSORS_GLOB = "state-*.safetensors"
_SEPARATOR = "|"


@contextlib.contextmanager
def only_run(folder: Path) -> Iterator[None]:
    """Keep other processes out of the folder, as long as this one lives.

    Raises
    ------
    OutputError
        If another process does, or the folder cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder} cannot be made: {error.strerror or error}.") from error
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(locked(folder, wait=False))
        except BlockingIOError as error:
            raise OutputError(
                f"{folder}: another process is fine-tuning in this folder."
            ) from error
        yield


class _TensorFile(Record):
    """Name and hash of the file of tensors."""

    file: Text
    sha256: Text


class _StateFile(Record):
    """Content of ``state.json``."""

    plan: Any
    step: Whole
    tensors: _TensorFile
    notes: dict[str, Any]


@dataclass(frozen=True)
class TrainingState:
    """A run of fine-tuning after some updates.

    Attributes
    ----------
    step : int
        Updates done.
    notes : dict
        What the run has measured so far, of types that JSON knows.
    tensors : dict of str to Tensor
        As :func:`tensors_of` returns them.
    """

    step: int
    notes: dict[str, Any]
    tensors: dict[str, torch.Tensor]


def tensors_of(
    module: torch.nn.Module, optimizer: torch.optim.Optimizer
) -> dict[str, torch.Tensor]:
    """Return everything that training changes, under names that hold across processes."""
    tensors = {f"module{_SEPARATOR}{name}": value for name, value in _state_of(module)}
    for name, parameter in module.named_parameters():
        for key, value in optimizer.state.get(parameter, {}).items():
            tensors[f"optimizer{_SEPARATOR}{name}{_SEPARATOR}{key}"] = value
    return tensors


def restore(
    module: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    tensors: Mapping[str, torch.Tensor],
    path: Path,
) -> None:
    """Put back what :func:`tensors_of` has returned, bit by bit.

    Raises
    ------
    FormatError
        Naming ``path`` and the first tensor that is missing or of another shape or type.
    """
    for name, value in _state_of(module):
        full = f"module{_SEPARATOR}{name}"
        saved = tensors.get(full)
        if saved is None or saved.shape != value.shape or saved.dtype != value.dtype:
            came = "missing" if saved is None else f"{tuple(saved.shape)} {saved.dtype}"
            raise FormatError(
                f"the tensor {full!r} is {came}, but the model has {tuple(value.shape)} "
                f"{value.dtype}.",
                path,
            )
        value.data.copy_(saved)
    moments: dict[str, dict[str, torch.Tensor]] = {}
    for full, saved in tensors.items():
        kind, name, *key = full.split(_SEPARATOR)
        if kind == "optimizer":
            moments.setdefault(name, {})[key[0]] = saved
    for name, parameter in module.named_parameters():
        if name in moments:
            optimizer.state[parameter] = {
                key: saved.to(parameter.device, copy=True) for key, saved in moments[name].items()
            }


def save_state(folder: Path, facts: Mapping[str, Any], state: TrainingState) -> None:
    """Write the state so that a process killed at any moment leaves the old one or the new one.

    Parameters
    ----------
    folder : Path
    facts : mapping
        Those of :meth:`geoprobe.encoders.tuning.TuningSpec.facts`; a run with others cannot go on
        from here.
    state : TrainingState

    Raises
    ------
    StoreError
        If the disk is full or the folder cannot be written; the old state stays.
    """
    tensors = folder / _TENSORS.format(state.step)
    whole = {name: value.detach().cpu().contiguous() for name, value in state.tensors.items()}
    write_file(tensors, lambda path: _save_tensors(whole, path))
    content = {
        "format": FORMAT,
        "format_version": VERSION,
        "plan": facts,
        "step": state.step,
        "tensors": {"file": tensors.name, "sha256": hash_file(tensors)},
        "notes": state.notes,
    }
    write_json(folder / STATE, content)
    for old in folder.glob(_TENSORS_GLOB):
        if old != tensors:
            discard(old)


def load_state(folder: Path, facts: Mapping[str, Any]) -> TrainingState | None:
    """Read the state that a run with the same facts has left; None if there is none.

    Raises
    ------
    FormatError
        If a file is damaged, or was left by another run; the text names what differs.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = folder / STATE
    if not path.exists():
        return None
    content = read_json(path, FORMAT, VERSION, sealed=False)
    del content["format"], content["format_version"]
    before = parse(_StateFile, content, path)
    check_same_run(before.plan, facts, path)
    data = folder / _TENSORS.format(before.step)
    if before.tensors.file != data.name or not data.is_file():
        raise FormatError(f"the tensors should lie beside it in {data.name}.", path)
    sha256 = hash_file(data)
    if sha256 != before.tensors.sha256:
        raise FormatError(
            f"the file was changed: its SHA-256 is {sha256}, not {before.tensors.sha256}. Remove "
            f"the folder to begin anew.",
            data,
        )
    try:
        return TrainingState(before.step, before.notes, load_file(data))
    except (SafetensorError, OSError) as error:
        raise FormatError(f"the tensors cannot be read: {error}.", data) from error


def remove_state(folder: Path) -> None:
    """Remove the state of a run that has ended; the file of tensors goes last."""
    discard(folder / STATE)
    for path in folder.glob(_TENSORS_GLOB):
        discard(path)


def _save_tensors(tensors: dict[str, torch.Tensor], path: Path) -> None:
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    try:
        save_file(tensors, path)
    except SafetensorError as error:
        raise OSError(str(error)) from error


def _state_of(module: torch.nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield parameters and those buffers that belong to a model's state, tied ones once."""
    yield from module.named_parameters()
    kept = module.state_dict().keys()
    yield from ((name, value) for name, value in module.named_buffers() if name in kept)


def save_model(
    folder: Path, model: Any, tokenizer: Any, head: LinearHead, labels: Sequence[str]
) -> None:
    """Write what ``load_encoder(folder)`` loads, with the head and its labels beside it.

    A folder that is there already is left alone.

    Parameters
    ----------
    folder : Path
    model : PreTrainedModel
    tokenizer : PreTrainedTokenizerFast
    head : LinearHead
        Goes to ``head.safetensors`` as ``weight`` (n_labels, n_dims) and ``bias`` (n_labels,).
    labels : sequence of str
        In the order of the head's outputs; go to ``labels.json``.

    Raises
    ------
    OutputError
        If the system refuses; nothing is left then.
    """
    from safetensors.torch import save_file

    if folder.is_dir() and any(folder.iterdir()):
        return
    for unfinished in unfinished_of(folder):
        # Of a process that was killed: one at a time works in the folder of a run.
        shutil.rmtree(unfinished, ignore_errors=True)
    with new_folder(folder) as place, quiet_transformers():
        model.save_pretrained(place)
        tokenizer.save_pretrained(place)
        weights = {name: value.detach().cpu() for name, value in head.named_parameters()}
        save_file(weights, place / HEAD)
        (place / LABELS).write_text(json.dumps(list(labels)) + "\n", encoding="ascii")
