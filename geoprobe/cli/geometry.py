"""The commands that need nothing but points: probe, distances, verify, directprobe."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from geoprobe.cli.app import app
from geoprobe.cli.terminal import clean, say, say_json, say_where

if TYPE_CHECKING:
    from geoprobe.results import Source

File = Annotated[
    Path | None,
    typer.Argument(
        metavar="FILE",
        help="npz, npy, safetensors, csv, tsv, or the text of DirectProbe. Without it: "
        "scikit-learn's handwritten digits.",
        show_default=False,
    ),
]
Points = Annotated[
    str | None,
    typer.Option(help="Array of the points (default X), or columns of a table: a,b,c."),
]
Labels = Annotated[
    str | None,
    typer.Option(
        help="Array (default y) or column (default label) of the labels, or a file of labels."
    ),
]
Column = Annotated[
    str | None, typer.Option(help="Column of a file of labels that is a table (default label).")
]
LabelSet = Annotated[
    Path | None, typer.Option(help="File with the labels that may occur, one a line.")
]
Threads = Annotated[
    int | None, typer.Option(help="Threads (default all). The answer does not depend on them.")
]
Tau = Annotated[
    float, typer.Option(help="Hulls at most TAU times the radius of the space apart overlap.")
]
Out = Annotated[Path | None, typer.Option(help="Folder for the results, missing or empty.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]


@app.command(short_help="Clusters and distances, with their proofs.")
@clean
def probe(
    file: File = None,
    *,
    points: Points = None,
    labels: Labels = None,
    column: Column = None,
    label_set: LabelSet = None,
    test: Annotated[
        Path | None,
        typer.Option(help="Points to predict, read like FILE; FILE itself: its arrays *_test."),
    ] = None,
    test_labels: Annotated[
        str | None, typer.Option(help="Labels of the points to predict, where --labels is a file.")
    ] = None,
    out: Out = None,
    threads: Threads = None,
    tau: Tau = 1e-7,
    as_json: Json = False,
) -> None:
    """Find the clusters of a labelled space, their distances, and the proofs of both.

    Without --out the results go to a new folder below geoprobe-results.
    """
    from geoprobe.cli.console import show_progress
    from geoprobe.files.folders import check_output, leftovers
    from geoprobe.results import predict_space, read_summary, write_results
    from geoprobe.results.source import default_folder
    from geoprobe.results.telling import tell_probe

    source = _source(file, points, labels, column, label_set)
    folder = None if out is None else check_output(out)
    space = source.read()
    held_out = None if test is None else source.read_test(test, space, test_labels)
    folder = check_output(default_folder(space.name)) if folder is None else folder
    from geoprobe.probes import DirectProbe

    with show_progress() as progress:
        engine = DirectProbe(tau=tau, n_threads=threads, progress=progress)
        engine.fit(space.points, space.labels)
        predictions = None if held_out is None else predict_space(engine, held_out)
        write_results(engine, space, folder, test=predictions, options=source.options())
    summary = read_summary(folder)
    if as_json:
        say_json({"folder": str(folder), **summary})
        return
    say(tell_probe(engine, summary))
    say_where(folder, leftovers(folder))


@app.command(short_help="Distances between the labels.")
@clean
def distances(
    file: File = None,
    *,
    points: Points = None,
    labels: Labels = None,
    column: Column = None,
    label_set: LabelSet = None,
    every: Annotated[bool, typer.Option("--all", help="Print every pair, not the 20 nearest.")] = (
        False
    ),
    out: Out = None,
    threads: Threads = None,
    tau: Tau = 1e-7,
    as_json: Json = False,
) -> None:
    """Measure the distance between the convex hulls of every two labels.

    Results are written with --out only.
    """
    from geoprobe.cli.console import show_progress
    from geoprobe.files.folders import check_output, leftovers
    from geoprobe.results import write_distances
    from geoprobe.results.telling import distances_json, tell_distances

    source = _source(file, points, labels, column, label_set)
    folder = None if out is None else check_output(out)
    space = source.read()
    from geoprobe.hulls import pairwise_hull_distances

    began = time.perf_counter()
    with show_progress() as progress:
        table = pairwise_hull_distances(
            space.points, space.labels, tau=tau, n_threads=threads, progress=progress
        )
        if folder is not None:
            timings = {"distances": time.perf_counter() - began}
            write_distances(table, space, folder, timings=timings, options=source.options())
    if as_json:
        where = None if folder is None else str(folder)
        say_json({"folder": where, **distances_json(table, space)})
        return
    say(tell_distances(table, space, None if every else 20))
    if folder is not None:
        say_where(folder, leftovers(folder))


@app.command(short_help="Check every proof of a results folder.")
@clean
def verify(
    results: Annotated[Path, typer.Argument(help="Folder that probe or distances wrote.")],
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="The data, if it has moved since.", show_default=False),
    ] = None,
    *,
    points: Points = None,
    labels: Labels = None,
    column: Column = None,
    label_set: LabelSet = None,
    as_json: Json = False,
) -> None:
    """Check every proof of a results folder against the data, in plain NumPy."""
    from geoprobe.cli.console import show_progress
    from geoprobe.errors import VerificationError
    from geoprobe.results import remembered_source, verify_results
    from geoprobe.results.telling import tell_verification

    try:
        source = remembered_source(results, file).changed(
            points=points,
            labels=labels,
            column=column,
            label_set=None if label_set is None else str(label_set),
        )
        space = source.read()
        with show_progress() as progress:
            report = verify_results(results, space.points, space.labels, progress=progress)
    except VerificationError as error:
        if as_json:
            say_json({"verified": False, "folder": str(results), "error": str(error)})
        raise
    if as_json:
        say_json({"verified": True, **asdict(report), "checks": dict(report.checks)})
        return
    say(tell_verification(report))


@app.command(short_help="Run a config of DirectProbe.")
@clean
def directprobe(
    config: Annotated[Path, typer.Argument(metavar="CONFIG.ini", help="Config of DirectProbe.")],
    *,
    threads: Threads = None,
    as_json: Json = False,
) -> None:
    """Run an unchanged config of DirectProbe and write the files that it would write."""
    from geoprobe.cli.console import show_progress
    from geoprobe.reference import run_config

    with show_progress() as progress:
        run = run_config(config, n_threads=threads, progress=progress)
    if as_json:
        say_json(asdict(run))
        return
    print(f"{run.n_points:,} points of {run.n_dims} dimensions, {run.n_labels} labels.")
    print(f"Clusters: {run.n_clusters:,}.")
    if run.accuracy is not None:
        print(f"Accuracy: {100 * run.accuracy:.2f}%.")
    print(f"Written to {run.output}: {', '.join(run.files)}.")


def _source(
    file: Path | None,
    points: str | None,
    labels: str | None,
    column: str | None,
    label_set: Path | None,
) -> Source:
    from geoprobe.results import Source

    return Source(file, points, labels, column, None if label_set is None else str(label_set))
