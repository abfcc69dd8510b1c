"""The mode ``batch_probing``: one fixed partition, measured in every checkpoint and layer."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from geoprobe.errors import FormatError, OutputError
from geoprobe.geometry import Status
from geoprobe.progress import Progress, ProgressCallback
from geoprobe.reference.config import Config
from geoprobe.reference.engine import Partition, measure_partition
from geoprobe.reference.inputs import (
    LabelledPoints,
    clusters_file,
    load_train,
    read_clusters,
)
from geoprobe.reference.label_figures import SMALLEST_CLUSTER, LabelFigures
from geoprobe.reference.log import RunLog
from geoprobe.reference.outputs import figures_of, pair_names, write_batch

_SUFFIXES = (".txt", ".npy")
_FOLDERS = {
    "batch_vec": "pairs",
    "outside_min": "outside_min",
    "inside_mean": "inside_mean",
    "inside_max": "inside_max",
}


def checkpoints(config: Config) -> dict[str, dict[int, Path]]:
    """Return the files of the layers of every checkpoint, from layer 1 on as in the reference.

    Raises
    ------
    FormatError
        If the folder holds no checkpoints, or one of them no layers or a layer twice.
    """
    folder = config.embeddings
    if not folder.is_dir():
        raise FormatError("a folder with a folder for each checkpoint is expected.", folder)
    names = sorted(path.name for path in folder.iterdir() if path.is_dir())
    if not names:
        raise FormatError(
            "there is no folder in it, but one for each checkpoint is expected.", folder
        )
    return {name: _layers(folder / name) for name in names}


def _layers(folder: Path) -> dict[int, Path]:
    layers: dict[int, Path] = {}
    for path in sorted(folder.iterdir()):
        number = path.stem
        if path.suffix.lower() not in _SUFFIXES or not (number.isascii() and number.isdecimal()):
            continue
        if int(number) in layers:
            other = layers[int(number)].name
            raise FormatError(f"layer {int(number)} is there twice, in {other} as well.", path)
        if int(number) > 0:
            layers[int(number)] = path
    if not layers:
        raise FormatError("the folder holds no layer, such as 1.txt.", folder)
    return dict(sorted(layers.items()))


@dataclass(frozen=True)
class Batch:
    """What a batch wrote, and the last space that it measured.

    Attributes
    ----------
    files : tuple of str
        Below the output folder.
    train : LabelledPoints
    partition : Partition
    """

    files: tuple[str, ...]
    train: LabelledPoints
    partition: Partition


def run_batch(
    config: Config,
    files: dict[str, dict[int, Path]],
    log: RunLog,
    *,
    n_threads: int | None = None,
    progress: ProgressCallback | None = None,
) -> Batch:
    """Measure the partition everywhere, and write four tables for each checkpoint.

    Raises
    ------
    FormatError
        Naming the file that cannot be used.
    OutputError
        If a folder or file cannot be written.
    """
    total, done = sum(map(len, files.values())), 0
    names: list[str] = []
    for checkpoint, layers in files.items():
        measured: list[LabelFigures] = []
        for path in layers.values():
            if progress is not None:
                progress(Progress("measuring", done, total, str(path)))
            train, partition = _measure(config, path, n_threads)
            measured.append(_figures(train, partition, path, log))
            done += 1
        for folder, figure in _FOLDERS.items():
            rows = pair_names(train.label_set) if figure == "pairs" else train.label_set
            columns = np.array([getattr(each, figure) for each in measured])
            target = _made(config.output / folder) / f"{checkpoint}.txt"
            write_batch(target, rows, columns, list(layers))
            names.append(f"{folder}/{target.name}")
    if progress is not None:
        progress(Progress("measuring", total, total))
    return Batch(tuple(names), train, partition)


def _measure(config: Config, path: Path, n_threads: int | None) -> tuple[LabelledPoints, Partition]:
    """Measure the clusters of a config in the space of one layer."""
    assert config.clusters is not None
    train = load_train(replace(config, embeddings=path))
    clusters = read_clusters(clusters_file(config.clusters), len(train.labels), config.entities)
    partition = measure_partition(train, clusters, smallest=SMALLEST_CLUSTER, n_threads=n_threads)
    return train, partition


def _figures(train: LabelledPoints, partition: Partition, path: Path, log: RunLog) -> LabelFigures:
    """Return the figures of a layer; as in the reference all are 0 where clusters overlap."""
    figures = figures_of(train, partition)
    if np.all(partition.clusters.distances.status != Status.OVERLAP):
        log.say(f"{path} IS linearly separable")
        return figures
    log.say(f"{path} is NOT linearly separable")
    return LabelFigures(
        **{f.name: np.zeros_like(getattr(figures, f.name)) for f in fields(figures)}
    )


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(f"the folder {folder} cannot be made: {error.strerror}.") from error
    return folder
