"""Extraction of a task's spaces from an encoder into a store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from geoprobe.encoders.alignment import Alignments, Overlong
from geoprobe.encoders.environment import Precision, checked_precision
from geoprobe.encoders.forward import checked_layers, extract
from geoprobe.encoders.load import Encoder
from geoprobe.errors import FormatError
from geoprobe.files.disk import check_disk
from geoprobe.progress import ProgressCallback
from geoprobe.spaces.keys import SpaceKey
from geoprobe.spaces.store import SpaceStore
from geoprobe.spaces.store_layout import estimate_bytes
from geoprobe.tasks.units import Task
from geoprobe.versions import installed_versions

__all__ = ["extract", "extract_to_store"]

_VERSIONS = ("geoprobe", "torch", "transformers", "tokenizers")
# What may differ between two extractions of the same spaces.
_NOT_COMPARED = ("versions", "layers", "overlong", "n_split", "model", "revision", "task")


def extract_to_store(
    encoder: Encoder,
    task: Task,
    store: SpaceStore,
    *,
    tuned_on: str | None = None,
    seed: int | None = None,
    step: int = 0,
    splits: Sequence[str] = ("train", "test"),
    layers: Sequence[int] | None = None,
    dtype: str = "float32",
    precision: Precision = "float32",
    overlong: Overlong = "error",
    provenance: Mapping[str, Any] | None = None,
    alignments: Alignments | None = None,
    progress: ProgressCallback | None = None,
) -> list[SpaceKey]:
    """Extract the spaces of a task into a store; what is there already is left alone.

    Parameters
    ----------
    encoder : Encoder
    task : Task
    store : SpaceStore
    tuned_on, seed, step
        How far the encoder has been fine-tuned, as in :class:`geoprobe.spaces.SpaceKey`.
    splits : sequence of str
    layers : sequence of int, optional
        All by default.
    dtype : {"float32", "float16"}
        How the numbers are kept.
    precision, progress
        As in :func:`geoprobe.encoders.extract`.
    overlong : {"error", "split"}
        As in :func:`geoprobe.encoders.align`.
    provenance : mapping, optional
        Further facts for the sidecars; spaces that are there already have to agree with them.
    alignments : Alignments, optional
        Those made already, which are used, and joined by what is lacking.

    Returns
    -------
    list of SpaceKey
        One for each split, whether extracted now or before.

    Raises
    ------
    InputError
        If a split, layer, dtype or precision is not there, or as ``align`` raises it.
    FormatError
        If the store holds spaces of this key that come from other text, weights or options, or
        that lack a layer.
    DiskSpaceError
        If the disk has too little room; nothing has been extracted then.
    """
    chosen = checked_layers(layers, encoder)
    facts = _facts(encoder, task, dtype, checked_precision(precision)) | dict(provenance or {})
    keys = [SpaceKey(task.name, encoder.name, each, tuned_on, seed, step) for each in splits]
    missing = [key for key in keys if not _is_there(store, key, facts, chosen, overlong)]
    n_dims = encoder.unit_dims(task.join)
    sizes = {key: task.splits[key.split].n_units for key in missing}
    check_disk(
        store.root,
        sum(estimate_bytes(size, n_dims, len(chosen), dtype) for size in sizes.values()),
    )
    alignments = Alignments() if alignments is None else alignments
    # Before anything is extracted, so that an error in the last split costs no time.
    aligned = {key: alignments.of(encoder, task.splits[key.split], overlong) for key in missing}
    for key in missing:
        how = {
            "n_words_per_unit": task.n_words_per_unit,
            "layers": list(chosen),
            "overlong": overlong,
            "n_split": aligned[key].n_split,
        }
        with store.writer(
            key,
            layers=chosen,
            labels=task.splits[key.split].labels,
            n_dims=n_dims,
            provenance={**facts, **how, "versions": installed_versions(_VERSIONS)},
            dtype=dtype,
        ) as writer:
            extract(
                encoder,
                aligned[key],
                join=task.join,
                write=writer.write,
                layers=chosen,
                precision=precision,
                progress=progress,
                phase=f"extracting {key}",
            )
    return keys


def _facts(encoder: Encoder, task: Task, dtype: str, precision: Precision) -> dict[str, Any]:
    """Return what the spaces come from."""
    return {
        **encoder.provenance,
        "task": task.name,
        "task_fingerprint": task.fingerprint,
        "join": task.join,
        "dtype": dtype,
        "precision": precision,
    }


def _is_there(
    store: SpaceStore,
    key: SpaceKey,
    facts: Mapping[str, Any],
    layers: tuple[int, ...],
    overlong: Overlong,
) -> bool:
    """Whether the store has these very spaces; others under their key are refused."""
    if key not in store:
        return False
    stored = store.open(key)
    before = stored.provenance
    differing = [
        f"{name} is {before.get(name)!r:.120}, not {value!r:.120}"
        for name, value in facts.items()
        if name not in _NOT_COMPARED and before.get(name) != value
    ]
    if before.get("n_split") and before.get("overlong") != overlong:
        differing.append(f"overlong is {before.get('overlong')!r}, not {overlong!r}")
    lacking = sorted(set(layers) - set(stored.layers))
    if lacking:
        differing.append(f"the layers {', '.join(map(str, lacking))} are missing")
    if differing:
        raise FormatError(
            f"the spaces of {key} are there already, but {'; '.join(differing)}. Name another "
            f"store, or remove this file to extract it anew.",
            stored.path,
        )
    return True
