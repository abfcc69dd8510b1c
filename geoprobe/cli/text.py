"""The commands from text to spaces: tasks, extract, finetune, spaces, data."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from geoprobe.cli.app import Json, app, clean, say_json, say_table

if TYPE_CHECKING:
    from geoprobe.encoders.alignment import Overlong
    from geoprobe.encoders.environment import Precision
    from geoprobe.tasks import Task, TaskInfo

TaskName = Annotated[
    str,
    typer.Argument(
        metavar="TASK",
        help="Name of a task (see geoprobe tasks), or a TOML file that describes one of yours.",
    ),
]
Data = Annotated[
    Path | None, typer.Option(help="Folder of the corpora (default: where data get puts them).")
]
Model = Annotated[
    str,
    typer.Option(
        help="minilm (comes with geoprobe-engine[demo]), bert-tiny to bert-base, a folder, or an "
        "id of the Hugging Face hub."
    ),
]
Revision = Annotated[
    str | None,
    typer.Option(
        help="Of a model on the hub: branch, tag, commit or refs/pr/NUMBER.", show_default=False
    ),
]
Store = Annotated[Path, typer.Option(help="Folder of the spaces.")]
Layers = Annotated[
    str, typer.Option(help="all, or numbers with commas between; 0 is the embedding layer.")
]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
OverlongOption = Annotated[
    str,
    typer.Option(help="What becomes of sentences that are too long for the model: error or split."),
]

spaces = typer.Typer(
    help="Look at a store of spaces.",
    epilog="Example: geoprobe spaces ls",
    no_args_is_help=True,
)
data = typer.Typer(
    help="Get the corpora of the named tasks.",
    epilog="Example: geoprobe data get trec",
    no_args_is_help=True,
)
app.add_typer(spaces, name="spaces")
app.add_typer(data, name="data")


@app.command(
    short_help="List the named tasks, or look at one.",
    epilog="Example: geoprobe tasks builtin-role",
)
@clean
def tasks(
    name: Annotated[
        str | None,
        typer.Argument(metavar="TASK", help="Count the units of this one.", show_default=False),
    ] = None,
    *,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """List the tasks that have names, or count the units and labels of one."""
    from geoprobe.tasks import shared_units, task_infos

    if name is not None:
        task = read_any_task(name, data)
        about = _counted(task)
        about["shared_units"] = shared_units(task).count
        if as_json:
            say_json(about)
            return
        print(f"{task.name}: fingerprint {task.fingerprint}")
        header = ("split", "sentences ", "units ", "labels ")
        rows = [
            (split, f"{n['sentences']:,}", f"{n['units']:,}", f"{n['labels']:,}")
            for split, n in about["splits"].items()
        ]
        say_table("Units", header, rows)
        if about["shared_units"]:
            print(f"Units of the test split that also occur in train: {about['shared_units']:,}.")
        return
    infos = task_infos(data)
    if as_json:
        say_json([asdict(info) for info in infos])
        return
    header = ("task", "units", "labels are", "text")
    rows = [(info.name, info.units, info.about, _where(info)) for info in infos]
    say_table("Tasks", header, rows)


@app.command(
    short_help="Turn text into spaces, layer by layer.",
    epilog="Example: geoprobe extract builtin-pos --model minilm --layers 0,6",
)
@clean
def extract(
    task: TaskName,
    *,
    model: Model = "minilm",
    revision: Revision = None,
    layers: Layers = "all",
    store: Store = Path("geoprobe-spaces"),
    data: Data = None,
    device: Device = "auto",
    precision: Annotated[str, typer.Option(help="float32, bfloat16 or float16.")] = "float32",
    dtype: Annotated[str, typer.Option(help="How numbers are kept: float32 or float16.")] = (
        "float32"
    ),
    overlong: OverlongOption = "error",
    as_json: Json = False,
) -> None:
    """Represent the units of a task by every layer of a model, and keep the spaces."""
    from geoprobe.cli.console import show_progress
    from geoprobe.encoders import extract_to_store, load_encoder
    from geoprobe.spaces import SpaceStore

    units = read_any_task(task, data)
    encoder = load_encoder(model, revision=revision, device=device)
    kept = SpaceStore(store)
    with show_progress() as progress:
        keys = extract_to_store(
            encoder,
            units,
            kept,
            layers=parse_layers(layers),
            dtype=dtype,
            precision=cast("Precision", precision),
            overlong=cast("Overlong", overlong),
            progress=progress,
        )
    _say_kept(kept, keys, as_json)


@app.command(
    short_help="Fine-tune a model and keep spaces on the way.",
    epilog="Example: geoprobe finetune builtin-role --checkpoints log:6 --seed 1",
)
@clean
def finetune(
    task: TaskName,
    *,
    model: Model = "minilm",
    revision: Revision = None,
    checkpoints: Annotated[
        str,
        typer.Option(help="When to extract: epochs, linear:N, log:N, every:N or steps:10,50,last."),
    ] = "epochs",
    epochs: Annotated[
        int | None,
        typer.Option(
            help="Passes over the training units (default 10; 3 for models of 12 layers or more).",
            show_default=False,
        ),
    ] = None,
    learning_rate: Annotated[float, typer.Option(help="The highest one of the run.")] = 3e-4,
    batch_size: Annotated[int, typer.Option(help="Sentences of an update.")] = 32,
    seed: Annotated[int, typer.Option(help="Of head, order and dropout.")] = 0,
    also: Annotated[
        list[str] | None,
        typer.Option("--also", metavar="TASK", help="A further task to extract; repeatable."),
    ] = None,
    layers: Layers = "all",
    store: Store = Path("geoprobe-spaces"),
    runs: Annotated[Path, typer.Option(help="Folder of the runs.")] = Path("geoprobe-runs"),
    data: Data = None,
    device: Device = "auto",
    overlong: OverlongOption = "error",
    save_models: Annotated[
        bool, typer.Option("--save-models", help="Keep the model at every checkpoint.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Fine-tune a model on a task, and keep the spaces before, during and after.

    The same command goes on after an interruption, with the same outcome.
    """
    from geoprobe.cli.console import show_progress
    from geoprobe.encoders import Schedule, TuningOptions, load_encoder
    from geoprobe.encoders.finetune import finetune as tune
    from geoprobe.spaces import SpaceStore

    options = TuningOptions(
        epochs=epochs, learning_rate=learning_rate, batch_size=batch_size, seed=seed
    )
    schedule = Schedule(checkpoints)
    units = read_any_task(task, data)
    others = [read_any_task(name, data) for name in also or []]
    encoder = load_encoder(model, revision=revision, device=device)
    kept = SpaceStore(store)
    with show_progress() as progress:
        result = tune(
            encoder,
            units,
            options=options,
            store=kept,
            run_folder=runs / f"{units.name}-{encoder.name}-seed{seed}",
            extract=[units, *others],
            layers=parse_layers(layers),
            checkpoints=schedule,
            overlong=cast("Overlong", overlong),
            save_models=save_models,
            progress=progress,
        )
    if as_json:
        say_json(
            {
                "task": result.task,
                "model": result.model,
                "checkpoints": [dict(each) for each in result.checkpoints],
                "keys": [key.as_dict() for key in result.keys],
            }
        )
        return
    header = ("update ", "epoch ", "train accuracy ", "test accuracy ")
    rows = [
        (
            f"{each.step:,}",
            f"{each.epoch:.3g}",
            f"{100 * each.train_accuracy:.2f}%",
            f"{100 * each.test_accuracy:.2f}%",
        )
        for each in result.checkpoints
    ]
    say_table(f"{result.model} fine-tuned on {result.task}", header, rows)
    _say_kept(kept, list(result.keys), as_json)


@spaces.command(
    "ls",
    short_help="List the spaces of a store.",
    epilog="Example: geoprobe spaces ls geoprobe-spaces",
)
@clean
def spaces_ls(
    store: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the spaces.")] = Path(
        "geoprobe-spaces"
    ),
    *,
    as_json: Json = False,
) -> None:
    """List the spaces of a store."""
    from geoprobe.errors import FormatError
    from geoprobe.spaces import SpaceStore, describe_store

    if not store.is_dir():
        raise FormatError("there is no such folder.", store)
    kept = SpaceStore(store)
    rows = describe_store(kept)
    if as_json:
        say_json([asdict(row) for row in rows])
        return
    header = ("task", "model", "tuned on", "seed ", "step ", "split", "layers", "units ", "MB ")
    say_table(
        f"{len(rows)} files in {store}",
        header,
        [
            (
                row.task,
                row.model,
                row.tuned_on or "",
                "" if row.seed is None else str(row.seed),
                str(row.step),
                row.split,
                _short(row.layers),
                f"{row.n_units:,}",
                f"{row.n_bytes / 1e6:,.1f}",
            )
            for row in rows
        ],
    )
    for left in kept.leftovers():
        print(f"Left by a run that did not end, unless it still runs: {left}")


@data.command(
    "get",
    short_help="Download a corpus and check its checksums.",
    epilog="Example: geoprobe data get streusle --data corpora",
)
@clean
def data_get(
    name: Annotated[str, typer.Argument(metavar="CORPUS", help="See geoprobe tasks.")],
    *,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--data",
            help="Folder of the corpora (default: GEOPROBE_DATA, or the user's data folder).",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Download a corpus from its home and check its checksums."""
    from geoprobe.cli.console import show_progress
    from geoprobe.tasks.fetch import fetch_corpus, fetched_files

    with show_progress() as progress:
        where = fetch_corpus(name, folder, progress=progress)
    for file in fetched_files(where):
        state = "as expected" if file.expected else "content checked; no hash on record"
        print(f"{file.name}: sha256 {file.sha256}, {state}")
    print(f"{name} is in {where}")


def read_any_task(name: str, data: Path | None) -> Task:
    """Load a task by its name, or from a TOML file that describes it."""
    from geoprobe.tasks import TaskSpec, load_task, read_task

    path = Path(name)
    if path.suffix.lower() == ".toml":
        from geoprobe.files.toml_files import read_toml

        spec = TaskSpec.from_table(read_toml(path), folder=path.parent, path=path)
        return read_task(spec, path.stem)
    return load_task(name, data=data)


def parse_layers(text: str) -> tuple[int, ...] | None:
    """Return the layers that were named; None for all."""
    from geoprobe.errors import InputError

    if text == "all":
        return None
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise InputError(
            f"--layers is {text!r}, but 'all' or numbers with commas between are expected."
        ) from None


def _counted(task: Task) -> dict[str, Any]:
    return {
        "task": task.name,
        "join": task.join,
        "fingerprint": task.fingerprint,
        "splits": {
            name: {
                "sentences": len(split.sentences),
                "units": split.n_units,
                "labels": len(set(split.labels.tolist())),
            }
            for name, split in task.splits.items()
        },
    }


def _where(info: TaskInfo) -> str:
    if info.corpus is None:
        return "built in" if info.files else info.home
    return "found" if info.found else f"geoprobe data get {info.corpus}"


def _short(layers: tuple[int, ...]) -> str:
    """Return ``0-6`` for layers without a gap."""
    if len(layers) > 2 and layers == tuple(range(layers[0], layers[-1] + 1)):
        return f"{layers[0]}-{layers[-1]}"
    return ",".join(map(str, layers))


def _say_kept(kept: Any, keys: list[Any], as_json: bool) -> None:
    """Print where spaces lie and how to look at them."""
    if as_json:
        say_json([{**key.as_dict(), "path": str(kept.path(key))} for key in keys])
        return
    for key in keys:
        print(f"{key}: {kept.path(key)}")
    if keys:
        print(f"Look at the last layer: geoprobe probe {kept.path(keys[0])}")
