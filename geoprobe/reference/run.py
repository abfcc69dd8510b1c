"""Run an unchanged config of DirectProbe and write the files that it would write."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geoprobe.errors import OutputError
from geoprobe.progress import Progress, ProgressCallback
from geoprobe.reference.batch import checkpoints, run_batch
from geoprobe.reference.config import Config, Family, read_config
from geoprobe.reference.engine import Partition, cluster, measure_partition
from geoprobe.reference.inputs import (
    CLUSTERS_FILE,
    LabelledPoints,
    clusters_file,
    load_test,
    load_train,
    majority_labels,
    read_clusters,
)
from geoprobe.reference.label_figures import SMALLEST_CLUSTER
from geoprobe.reference.log import RunLog
from geoprobe.reference.outputs import (
    save_distances,
    save_label_files,
    save_predictions,
    write_clusters,
)


@dataclass(frozen=True)
class ReferenceRun:
    """What a run did.

    Attributes
    ----------
    output : pathlib.Path
        The folder written.
    files : tuple of str
        The files in it.
    n_points, n_dims : int
        Size of the space.
    n_labels, n_clusters : int
        Labels that occur, and clusters.
    accuracy : float or None
        Share of the test points whose nearest cluster has their label; None without a test set.
    """

    output: Path
    files: tuple[str, ...]
    n_points: int
    n_dims: int
    n_labels: int
    n_clusters: int
    accuracy: float | None


def run_config(
    path: str | os.PathLike[str],
    *,
    n_threads: int | None = None,
    progress: ProgressCallback | None = None,
) -> ReferenceRun:
    """Run a config of either of DirectProbe's repositories.

    Paths in the config start at the working folder. ``enable_cuda`` and ``rate`` change nothing:
    there is no GPU here and no search back for the first error.

    Parameters
    ----------
    path : path-like
        The config file.
    n_threads : int, optional
        Threads to use; all by default. The files are the same for any number.
    progress : callable, optional
        Takes a :class:`geoprobe.progress.Progress`.

    Returns
    -------
    ReferenceRun

    Raises
    ------
    FormatError
        If the config or a file that it names cannot be used; nothing is written then.
    OutputError
        If the output folder holds something already or cannot be written.
    """
    config = read_config(path)
    _check_output(config.output)
    if config.mode == "batch_probing":
        return _run_batch(config, n_threads=n_threads, progress=progress)
    with RunLog() as log:
        _say_config(config, log)
        train, test, given = _read(config, log, progress)
        _make_output(config.output)
        log.open(config.output / "log.txt")
        files = ["log.txt"]
        if given is None:
            partition = cluster(train, n_threads=n_threads, progress=progress)
            log.say(f"Final number of clusters: {len(partition.clusters)}")
            linear = len(partition.clusters) == len(set(train.labels.tolist()))
            log.say(f"This space is {'linear' if linear else 'non-linear'}!")
            write_clusters(config.output / CLUSTERS_FILE, partition.clusters.assignment)
            files.append(CLUSTERS_FILE)
        else:
            smallest = SMALLEST_CLUSTER if config.family is Family.LABELS else 1
            partition = measure_partition(
                train, given, smallest=smallest, n_threads=n_threads, progress=progress
            )
        accuracy = None
        if test is None:
            files += save_label_files(config.output, train, partition, log)
        else:
            accuracy = save_predictions(config.output, test, partition, log)
            save_distances(config.output, partition, log)
            files += ["prediction.txt", "dis.txt"]
        log.say(f"finished: {', '.join(files[1:])}")
    return _done(config, files, train, partition, accuracy)


def _run_batch(
    config: Config, *, n_threads: int | None, progress: ProgressCallback | None
) -> ReferenceRun:
    """Measure one partition in all spaces of a batch."""
    files = checkpoints(config)
    with RunLog() as log:
        _say_config(config, log)
        # What is wrong with labels, clusters or the first space shows before anything is written.
        first = next(iter(next(iter(files.values())).values()))
        _read(replace(config, embeddings=first), log, None)
        _make_output(config.output)
        log.open(config.output / "log.txt")
        done = run_batch(config, files, log, n_threads=n_threads, progress=progress)
        log.say(f"finished: {', '.join(done.files)}")
    return _done(config, ["log.txt", *done.files], done.train, done.partition)


def _done(
    config: Config,
    files: list[str],
    train: LabelledPoints,
    partition: Partition,
    accuracy: float | None = None,
) -> ReferenceRun:
    n_points, n_dims = train.points.shape
    n_labels, n_clusters = len(set(train.labels.tolist())), len(partition.clusters)
    return ReferenceRun(
        config.output, tuple(files), n_points, n_dims, n_labels, n_clusters, accuracy
    )


def _say_config(config: Config, log: RunLog) -> None:
    log.say(f"config {config.path}: {config.family.value}, mode {config.mode}")
    if config.unused:
        log.say(f"keys without effect: {', '.join(config.unused)}")


def _check_output(folder: Path) -> None:
    """Refuse a folder with something in it, before any work is done."""
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"the output folder {folder} is a file.")
    if folder.is_dir() and any(folder.iterdir()):
        raise OutputError(f"the output folder {folder} is not empty; name another or empty it.")


def _make_output(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"the output folder {folder} cannot be made: {error.strerror}."
        ) from error


def _read(
    config: Config, log: RunLog, progress: ProgressCallback | None
) -> tuple[LabelledPoints, LabelledPoints | None, NDArray[np.int64] | None]:
    """Read everything that the config names; what is wrong with it shows here."""

    def report(done: int, what: Path | str) -> None:
        if progress is not None:
            progress(Progress("reading", done, 3, str(what)))

    report(0, config.embeddings)
    train = load_train(config)
    n_points, n_dims = train.points.shape
    log.say(f"{n_points} points of {n_dims} dimensions from {config.embeddings}")
    if config.subsample is not None and config.seed is None:
        log.say("the config leaves the seed of the subsample open; it is 0")
    log.say(f"Label size={len(train.label_set)}")
    report(1, config.test_embeddings or "")
    test = load_test(config, train)
    if test is not None:
        log.say(f"{len(test.points)} test points from {config.test_embeddings}")
    report(2, config.clusters or "")
    given = None
    if config.clusters is not None:
        source = clusters_file(config.clusters)
        given = read_clusters(source, n_points, config.entities)
        log.say(f"{given.max() + 1} clusters from {source}")
        mixed = int(np.sum(majority_labels(given, train.labels)[given] != train.labels))
        if mixed:
            log.say(f"{mixed} points are in clusters of another label", "WARNING")
    report(3, "")
    return train, test, given
