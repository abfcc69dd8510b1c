"""The commands that need nothing but points: probe, distances, verify, directprobe."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from geoprobe.cli.app import FAILED, Json, app, clean, say, say_json, say_warning, say_where

if TYPE_CHECKING:
    from geoprobe.geometry import Geometry
    from geoprobe.geometry.results_folder import Results
    from geoprobe.spaces import Space
    from geoprobe.spaces.source import Source

File = Annotated[
    Path | None,
    typer.Argument(
        metavar="FILE",
        help="npz, npy, safetensors, HDF5, zarr, parquet, Arrow, datasets, torch, csv, tsv, or the "
        "text of DirectProbe. Without it: scikit-learn's handwritten digits.",
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
    str | None,
    typer.Option(metavar="PATH", help="File with the labels that may occur, one a line."),
]
Position = Annotated[
    int | None,
    typer.Option(
        help="Of activations (batch, position, n_dims): the position taken; -1: the last."
    ),
]
Mask = Annotated[
    str | None, typer.Option(help="Of activations: array that says which positions are points.")
]
Threads = Annotated[
    int | None, typer.Option(help="Threads (default all). The answer does not depend on them.")
]
Tau = Annotated[
    float, typer.Option(help="Hulls at most TAU times the radius of the space apart overlap.")
]
Out = Annotated[Path | None, typer.Option(help="Folder for the results, missing or empty.")]


@app.command(
    short_help="Find clusters and distances, with their proofs.",
    epilog="Example: geoprobe probe iris.npz --test iris.npz --out iris",
)
@clean
def probe(
    file: File = None,
    *,
    points: Points = None,
    labels: Labels = None,
    column: Column = None,
    label_set: LabelSet = None,
    position: Position = None,
    mask: Mask = None,
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
    from geoprobe.cli.console import compiling_shown, show_progress
    from geoprobe.errors import OccupiedError
    from geoprobe.files.atomic import check_output, unfinished_of
    from geoprobe.geometry import read_results, write_results
    from geoprobe.geometry.summaries import summarise_probe
    from geoprobe.spaces.source import Source, default_folder

    _check_options(tau, threads)
    source = Source(file, points, labels, column, label_set, mask, position)
    folder = None if out is None else check_output(out)
    space = source.read()
    held_out = None if test is None else source.read_test(test, space, test_labels)
    if folder is None:
        check_output(default_folder(space.name))
    from geoprobe.probes import measure

    with show_progress() as progress, compiling_shown(progress):
        geometry = measure(
            replace(space, test=None),
            test=held_out,
            alone=False,
            tau=tau,
            n_threads=threads,
            progress=progress,
        )
    page = _page(geometry, space)
    options = source.options() | ({} if test_labels is None else {"test_labels": test_labels})
    while True:
        try:
            # Another run may have taken the next free name meanwhile.
            folder = write_results(
                geometry,
                default_folder(space.name) if folder is None else folder,
                source=source.path,
                test_source=test,
                options=options,
                timings=geometry.timings,
                page=page,
            )
            break
        except OccupiedError:
            if out is not None:
                raise
    if as_json:
        say_json({"folder": str(folder), **read_results(folder).summary})
        return
    say(summarise_probe(geometry))
    say_where(folder, unfinished_of(folder), page is not None)


@app.command(
    short_help="Measure distances between the labels.",
    epilog="Example: geoprobe distances words.csv --labels pos --all",
)
@clean
def distances(
    file: File = None,
    *,
    points: Points = None,
    labels: Labels = None,
    column: Column = None,
    label_set: LabelSet = None,
    position: Position = None,
    mask: Mask = None,
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
    from geoprobe.cli.console import compiling_shown, show_progress
    from geoprobe.cli.geometry_summary import distances_json, summarise_distances
    from geoprobe.files.atomic import check_output, unfinished_of
    from geoprobe.geometry import write_results
    from geoprobe.spaces.source import Source

    _check_options(tau, threads)
    source = Source(file, points, labels, column, label_set, mask, position)
    folder = None if out is None else check_output(out)
    space = source.read()
    from geoprobe.probes import measure_labels

    with show_progress() as progress, compiling_shown(progress):
        geometry = measure_labels(space, tau=tau, n_threads=threads, progress=progress)
    if folder is not None:
        write_results(
            geometry,
            folder,
            source=source.path,
            options=source.options(),
            timings=geometry.timings,
        )
    if as_json:
        where = None if folder is None else str(folder)
        say_json({"folder": where, **distances_json(geometry)})
        return
    say(summarise_distances(geometry, None if every else 20))
    if folder is not None:
        say_where(folder, unfinished_of(folder))


@app.command(
    short_help="Check every proof of results or of a study.",
    epilog="Example: geoprobe verify geoprobe-results/iris",
)
@clean
def verify(
    results: Annotated[
        Path, typer.Argument(metavar="DIR", help="Folder that probe, distances or study wrote.")
    ],
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="The data, if it has moved since.", show_default=False),
    ] = None,
    *,
    points: Points = None,
    labels: Labels = None,
    column: Column = None,
    label_set: LabelSet = None,
    position: Position = None,
    mask: Mask = None,
    test: Annotated[
        Path | None,
        typer.Option(help="The points that were predicted, if they have moved since."),
    ] = None,
    test_labels: Annotated[
        str | None, typer.Option(help="Their labels, where --labels is a file.")
    ] = None,
    max_gap: Annotated[
        float | None,
        typer.Option(help="Largest relative gap of two bounds to accept (default: rounding's)."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes that verify a study (default: all processors).")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check every claim and proof against the data, in plain NumPy."""
    from geoprobe.studies.study_folder import is_study

    if is_study(results):
        _verify_study(results, workers, max_gap, as_json)
        return
    from geoprobe.cli.console import show_progress
    from geoprobe.cli.geometry_summary import summarise_verification
    from geoprobe.errors import VerificationError
    from geoprobe.spaces.source import Source
    from geoprobe.verify import verify_results
    from geoprobe.verify.results import read_claims

    try:
        claims = read_claims(results)
        source = Source.remembered(claims.origin, file).changed(
            points=points,
            labels=labels,
            column=column,
            label_set=label_set,
            position=position,
            mask=mask,
        )
        space = source.read()
        held_out = _held_out(source, claims, space, test, test_labels)
        with show_progress() as progress:
            report = verify_results(
                results,
                space.points,
                space.labels,
                test_points=None if held_out is None else held_out.points,
                test_labels=None if held_out is None else held_out.labels,
                max_gap=max_gap,
                progress=progress,
            )
    except VerificationError as error:
        if as_json:
            say_json({"verified": False, "folder": str(results), "error": str(error)})
        raise
    if as_json:
        say_json({"verified": True, **asdict(report), "checks": dict(report.checks)})
        return
    say(summarise_verification(report))


def _held_out(
    source: Source, claims: Results, space: Space, test: Path | None, test_labels: str | None
) -> Space | None:
    """Return the test points named, or those remembered if they are still those predicted."""
    from geoprobe.errors import GeoprobeError

    if test is not None:
        return source.read_test(
            test, space, test_labels or claims.origin.options.get("test_labels")
        )
    predicted = claims.geometry.predictions
    if predicted is None:
        return None
    try:
        held_out = source.remembered_test(claims.origin, space, test_labels)
    except GeoprobeError:
        return None
    same = held_out is not None and held_out.fingerprints() == predicted.fingerprints
    return held_out if same else None


def _verify_study(root: Path, workers: int | None, max_gap: float | None, as_json: bool) -> None:
    """Check every cell of a study, and say which do not hold."""
    from geoprobe.cli.console import show_progress
    from geoprobe.cli.geometry_summary import summarise_study
    from geoprobe.studies import StudyFolder, verify_study

    with show_progress() as progress:
        outcome = verify_study(
            StudyFolder(root), n_workers=workers, max_gap=max_gap, progress=progress
        )
    if as_json:
        say_json(
            {
                "verified": outcome.holds,
                "folder": str(outcome.folder),
                "cells": len(outcome.reports) + len(outcome.failures),
                "failures": {str(cell): reason for cell, reason in outcome.failures.items()},
                "not_measured": [str(cell) for cell in outcome.not_measured],
            }
        )
    else:
        say(summarise_study(outcome))
    if not outcome.holds:
        raise typer.Exit(FAILED)


@app.command(
    short_help="Run an unchanged config of DirectProbe.",
    epilog="Example: geoprobe directprobe config.ini",
)
@clean
def directprobe(
    config: Annotated[Path, typer.Argument(metavar="CONFIG.ini", help="Config of DirectProbe.")],
    *,
    threads: Threads = None,
    as_json: Json = False,
) -> None:
    """Run an unchanged config of DirectProbe and write the files that it would write."""
    from geoprobe.cli.console import compiling_shown, show_progress
    from geoprobe.reference import run_config

    with show_progress() as progress, compiling_shown(progress):
        run = run_config(config, n_threads=threads, progress=progress)
    if as_json:
        say_json(asdict(run))
        return
    print(f"{run.n_points:,} points of {run.n_dims} dimensions, {run.n_labels} labels.")
    print(f"Clusters: {run.n_clusters:,}.")
    if run.accuracy is not None:
        print(f"Accuracy: {100 * run.accuracy:.2f}%.")
    print(f"Written to {run.output}: {', '.join(run.files)}.")


def _page(geometry: Geometry, space: Space) -> str | None:
    """Return the page of a space; without the libraries that draw it, a note says so."""
    from geoprobe.errors import GeoprobeError
    from geoprobe.report import space_page

    try:
        return space_page(geometry, space.points)
    except GeoprobeError as error:
        say_warning(f"summary.html is not written: {error}")
        return None


def _check_options(tau: float, threads: int | None) -> None:
    """Refuse options before any work is done for them."""
    from geoprobe.threads import checked_threads
    from geoprobe.tolerances import checked_tau

    checked_tau(tau)
    checked_threads(threads)
