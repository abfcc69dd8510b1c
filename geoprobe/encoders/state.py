"""The state of training on the disk: tensors in a safetensors file, the rest in JSON.

``state.json`` names the file of tensors and its SHA-256 and is replaced last, so that at any moment
it names a whole file. Nothing is pickled.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch  # noqa: TID253  (only what fine-tunes imports this module)

from geoprobe.encoders.run_plan import check_plan
from geoprobe.errors import FormatError
from geoprobe.files.atomic import discard, write_file
from geoprobe.files.disk import hash_file
from geoprobe.files.json_files import read_json, write_json

FORMAT = "geoprobe-training-state"
VERSION = 1
STATE = "state.json"
_TENSORS = "state-{:08d}.safetensors"
_TENSORS_GLOB = "state-*.safetensors"
_SEPARATOR = "|"


@dataclass(frozen=True)
class TrainingState:
    """Where a run of fine-tuning stands.

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
    tensors = {f"module{_SEPARATOR}{name}": value for name, value in _stored(module)}
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
    for name, value in _stored(module):
        full = f"module{_SEPARATOR}{name}"
        saved = tensors.get(full)
        if saved is None or saved.shape != value.shape or saved.dtype != value.dtype:
            found = "missing" if saved is None else f"{tuple(saved.shape)} {saved.dtype}"
            raise FormatError(
                f"the tensor {full!r} is {found}, but the model has {tuple(value.shape)} "
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


def save_state(folder: Path, plan: Mapping[str, Any], state: TrainingState) -> None:
    """Write the state so that a process killed at any moment leaves the old one or the new one.

    Parameters
    ----------
    folder : Path
    plan : mapping
        What the run is, of types that JSON knows; a run with another plan cannot go on from here.
    state : TrainingState

    Raises
    ------
    StoreError
        If the disk is full or the folder cannot be written; the old state stays.
    """
    tensors = folder / _TENSORS.format(state.step)
    whole = {name: value.detach().cpu().contiguous() for name, value in state.tensors.items()}
    write_file(tensors, lambda path: _save(whole, path))
    text = {
        "format": FORMAT,
        "format_version": VERSION,
        "plan": plan,
        "step": state.step,
        "tensors": {"file": tensors.name, "sha256": hash_file(tensors)},
        "notes": state.notes,
    }
    write_json(folder / STATE, text)
    for old in folder.glob(_TENSORS_GLOB):
        if old != tensors:
            discard(old)


def load_state(folder: Path, plan: Mapping[str, Any]) -> TrainingState | None:
    """Read the state that a run with the same plan has left; None if there is none.

    Raises
    ------
    FormatError
        If a file is damaged, or was left by a run with another plan; the text names what differs.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = folder / STATE
    if not path.exists():
        return None
    noted = read_json(path, FORMAT, VERSION, sealed=False)
    check_plan(noted.get("plan"), plan, path)
    step, notes, tensors = noted.get("step"), noted.get("notes"), noted.get("tensors")
    if not isinstance(step, int) or not isinstance(notes, dict) or not isinstance(tensors, dict):
        raise FormatError('"step", "notes" or "tensors" is missing or of a wrong type.', path)
    data = folder / _TENSORS.format(step)
    if tensors.get("file") != data.name or not data.is_file():
        raise FormatError(f"the tensors should lie beside it in {data.name}.", path)
    found = hash_file(data)
    if found != tensors.get("sha256"):
        raise FormatError(
            f"the file was changed: its SHA-256 is {found}, not {tensors.get('sha256')}. Remove "
            f"the folder to begin anew.",
            data,
        )
    try:
        return TrainingState(step, notes, load_file(data))
    except (SafetensorError, OSError) as error:
        raise FormatError(f"the tensors cannot be read: {error}.", data) from error


def remove_state(folder: Path) -> None:
    """Remove the state of a run that has ended; the file of tensors goes last."""
    discard(folder / STATE)
    for path in folder.glob(_TENSORS_GLOB):
        discard(path)


def _save(tensors: dict[str, torch.Tensor], path: Path) -> None:
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    try:
        save_file(tensors, path)
    except SafetensorError as error:
        raise OSError(str(error)) from error


def _stored(module: torch.nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield parameters and those buffers that belong to a model's state, tied ones once."""
    yield from module.named_parameters()
    kept = module.state_dict().keys()
    yield from ((name, value) for name, value in module.named_buffers() if name in kept)
