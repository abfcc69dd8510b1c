"""Extraction of the spaces of tasks from an encoder into a store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple

import numpy as np

from geoprobe.encoders.alignment import Alignment, Alignments, Overlong
from geoprobe.encoders.environment import Precision, checked_precision
from geoprobe.encoders.forward import FloatArray, Write, checked_layers, extract
from geoprobe.encoders.load import Encoder
from geoprobe.encoders.word_pieces import IntArray
from geoprobe.errors import FormatError
from geoprobe.files.disk import check_disk
from geoprobe.progress import ProgressCallback
from geoprobe.spaces.keys import SpaceKey
from geoprobe.spaces.store import SpaceStore
from geoprobe.spaces.store_layout import estimate_bytes
from geoprobe.spaces.store_writer import SpaceWriter
from geoprobe.tasks.units import Split, Task
from geoprobe.versions import installed_versions

__all__ = ["extract", "extract_to_store"]

_VERSIONS = ("geoprobe", "torch", "transformers", "tokenizers")
# What may differ between two extractions of the same spaces.
_NOT_COMPARED = ("versions", "layers", "overlong", "n_split", "model", "revision", "task")


def extract_to_store(
    encoder: Encoder,
    tasks: Task | Sequence[Task],
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
    """Extract the spaces of tasks into a store; what is there already is left alone.

    A sentence that several tasks have goes through the model once for all of them.

    Parameters
    ----------
    encoder : Encoder
    tasks : Task or sequence of Task
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
        One for each split of each task, whether extracted now or before.

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
    of_tasks = (tasks,) if isinstance(tasks, Task) else tuple(tasks)
    kind = checked_precision(precision)
    parts = []
    for task in of_tasks:
        facts = _facts(encoder, task, dtype, kind) | dict(provenance or {})
        for split in splits:
            key = SpaceKey(task.name, encoder.name, split, tuned_on, seed, step)
            there = _is_there(store, key, facts, chosen, overlong)
            parts.append(_Part(task, key, encoder.unit_dims(task.join), facts, there))
    needed = (
        estimate_bytes(part.split.n_units, part.n_dims, len(chosen), dtype)
        for part in parts
        if not part.there
    )
    check_disk(store.root, sum(needed))
    # What goes through the model together does not depend on what is there; nor do last bits.
    groups: dict[tuple[str, str], list[_Part]] = {}
    for part in parts:
        groups.setdefault((part.key.split, part.task.join), []).append(part)
    alignments = Alignments() if alignments is None else alignments
    # Before anything is extracted, so that an error in the last split costs no time.
    aligned = [
        (group, [alignments.of(encoder, part.split, overlong) for part in group])
        for group in groups.values()
        if not all(part.there for part in group)
    ]
    for group, of_group in aligned:
        with ExitStack() as stack:
            writers: list[Write | None] = []
            for part, alignment in zip(group, of_group, strict=True):
                cut = {"overlong": overlong, "n_split": alignment.n_split}
                writer = None if part.there else part.writer(store, chosen, dtype, cut)
                writers.append(None if writer is None else stack.enter_context(writer).write)
            extract(
                encoder,
                Alignment.side_by_side(of_group),
                join=group[0].task.join,
                write=_dealt(writers, [part.split.n_units for part in group]),
                layers=chosen,
                precision=kind,
                progress=progress,
                phase=f"extracting {', '.join(str(part.key) for part in group)}",
            )
    return [part.key for part in parts]


class _Part(NamedTuple):
    """A split of a task: where its spaces go, what they come from, and whether they are there."""

    task: Task
    key: SpaceKey
    n_dims: int
    facts: Mapping[str, Any]
    there: bool

    @property
    def split(self) -> Split:
        return self.task.splits[self.key.split]

    def writer(
        self, store: SpaceStore, layers: tuple[int, ...], dtype: str, cut: Mapping[str, Any]
    ) -> SpaceWriter:
        return store.writer(
            self.key,
            layers=layers,
            labels=self.split.labels,
            n_dims=self.n_dims,
            provenance={
                **self.facts,
                "n_words_per_unit": self.task.n_words_per_unit,
                "layers": list(layers),
                **cut,
                "versions": installed_versions(_VERSIONS),
            },
            dtype=dtype,
        )


def _dealt(writers: Sequence[Write | None], sizes: Sequence[int]) -> Write:
    """Deal rows out to whom they belong: the first so many to the first, and so on."""
    begins = np.cumsum([0, *sizes])

    def write(layer: int, rows: IntArray, points: FloatArray) -> None:
        cuts = np.searchsorted(rows, begins)
        for writer, begin, first, end in zip(writers, begins, cuts, cuts[1:], strict=False):
            if writer is not None and first < end:
                writer(layer, rows[first:end] - begin, points[first:end])

    return write


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
