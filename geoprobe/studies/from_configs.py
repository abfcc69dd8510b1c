"""Plans from configs of DirectProbe: a study in the place of many runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from geoprobe.errors import FormatError, InputError, OutputError
from geoprobe.files.atomic import write_file
from geoprobe.files.csv_files import write_table
from geoprobe.files.name_patterns import find_files, names_in
from geoprobe.reference.batch import checkpoints
from geoprobe.reference.config import Config, Family, read_config
from geoprobe.reference.inputs import clusters_file
from geoprobe.studies.spaces_plan import FILE_COLUMNS, NAMES, NEEDED, WHOLE

SUFFIXES = (".ini", ".cfg", ".conf")
"""Endings of the files that are taken for configs."""

_MODEL = "directprobe"
_PLAN = """\
# From {number} configs of DirectProbe in {folder}.
classifier = false
{smallest}
[spaces]
files = "{table}"
float32 = true               # DirectProbe rounds vectors before it works on them
unseen = "wrong"             # and counts test labels that training lacks as predicted wrongly
"""


@dataclass(frozen=True)
class FromConfigs:
    """What was made of a folder of configs.

    Attributes
    ----------
    plan, table : pathlib.Path
        The files written.
    n_configs, n_files : int
        How many configs were read, and how many files of vectors they name.
    """

    plan: Path
    table: Path
    n_configs: int
    n_files: int


def plan_from_configs(
    folder: Path, plan: Path, *, names: str | None = None, fixed: Mapping[str, str] | None = None
) -> FromConfigs:
    """Turn a folder of DirectProbe's configs into a plan and its table of spaces.

    Parameters
    ----------
    folder : Path
        With files that end in one of :data:`SUFFIXES`, at any depth. Paths in a config start at the
        working folder, as in DirectProbe.
    plan : Path
        The plan to write; its table is called the same and ends in ``.csv``.
    names : str, optional
        A pattern of the configs' paths below ``folder``, such as ``"{task}/{model}-{layer}.ini"``,
        which says what each of them is. Without it the path is the task.
    fixed : mapping of str to str, optional
        What holds for all of them.

    Raises
    ------
    FormatError
        Naming the config that is none or does not fit the pattern.
    InputError
        If the pattern leaves something open.
    OutputError
        If a file is there already.
    """
    table = plan.with_suffix(".csv")
    for path in (plan, table):
        if path.exists():
            raise OutputError(f"{path} is there already; name another plan.")
    said = _said(folder, names, dict(fixed or {}))
    configs = {path: read_config(path) for path in said}
    # A config alone is of no layer that its name tells from another.
    default = {"layer": "0"} if names is None else {}
    rows = [row for path, config in configs.items() for row in _rows(config, said[path], default)]
    columns = dict.fromkeys(name for row in rows for name in row)
    write_file(
        table,
        lambda unfinished: write_table(
            unfinished, {name: [row.get(name, "") for row in rows] for name in columns}
        ),
    )
    families = {config.family for config in configs.values()}
    smallest = "min_cluster_size = 6         # as the second repository does\n"
    text = _PLAN.format(
        number=len(configs),
        folder=folder.name,
        table=table.name,
        smallest=smallest if families == {Family.LABELS} else "",
    )
    write_file(plan, lambda unfinished: unfinished.write_text(text, encoding="utf8"))
    return FromConfigs(plan, table, len(configs), len(rows))


def _said(folder: Path, names: str | None, fixed: dict[str, str]) -> dict[Path, dict[str, str]]:
    """Return what is said of every config by its path."""
    if not folder.is_dir():
        raise FormatError("there is no such folder.", folder)
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
    if not paths:
        raise FormatError(f"no file in it ends in one of {', '.join(SUFFIXES)}.", folder)
    if names is None:
        tasks = {path: path.relative_to(folder).with_suffix("").as_posix() for path in paths}
        return {path: {"task": tasks[path], "model": _MODEL, **fixed} for path in paths}
    for name in (*names_in(names), *fixed):
        if name in FILE_COLUMNS or name == "split":
            raise InputError(f"{name!r} is what a config says itself, not its name.")
        if name in names_in(names) and name in fixed:
            raise InputError(f"{name} is said twice: by the pattern, and for all configs.")
    found = {path: {**values, **fixed} for path, values in find_files(names, folder, WHOLE)}
    for path in paths:
        if path not in found:
            raise FormatError(f"the name of this config does not fit the pattern {names!r}.", path)
    return {path: found[path] for path in paths}


def _rows(config: Config, said: dict[str, str], default: Mapping[str, str]) -> list[dict[str, str]]:
    """Return a row for each file of vectors that a config names."""
    common = {
        "labels": str(config.entities.absolute()),
        "label_set": str(config.label_set.absolute()),
        "split": "train",
    }
    if config.clusters is not None:
        common["clusters"] = str(clusters_file(config.clusters).absolute())
    if config.subsample is not None:
        common |= {"subsample": str(config.subsample), "subsample_seed": str(config.seed or 0)}
    if config.mode == "batch_probing":
        return _batch_rows(config, said, common)
    said = _checked({**default, **said}, config)
    rows = [_row(config.embeddings, said, common)]
    if config.test_embeddings is not None and config.test_entities is not None:
        test = {**common, "labels": str(config.test_entities.absolute()), "split": "test"}
        kept = {name: test[name] for name in ("labels", "label_set", "split")}
        rows.append(_row(config.test_embeddings, said, kept))
    return rows


def _batch_rows(
    config: Config, said: dict[str, str], common: dict[str, str]
) -> list[dict[str, str]]:
    """Return a row for each checkpoint and layer; a checkpoint is a step if all are numbers."""
    files = checkpoints(config)
    numbered = all(name.isascii() and name.isdecimal() for name in files)
    moment = "step" if numbered else "checkpoint"
    for name in ("layer", moment):
        if name in said:
            raise FormatError(
                f"the {name} was said of this config, but its spaces are of many.", config.path
            )
    return [
        _row(path, _checked({**said, moment: checkpoint, "layer": str(layer)}, config), common)
        for checkpoint, layers in files.items()
        for layer, path in layers.items()
    ]


def _row(path: Path, said: dict[str, str], more: dict[str, str]) -> dict[str, str]:
    return {"file": str(path.absolute()), **said, **more}


def _checked(said: dict[str, str], config: Config) -> dict[str, str]:
    """Refuse a config of which something is not said; what is said comes in a fixed order."""
    for name in NEEDED:
        if name not in said:
            raise FormatError(
                f"nothing says the {name} of this config; --names with {{{name}}} in it does, or "
                f"--fixed {name}=... for all of them.",
                config.path,
            )
    return {name: said[name] for name in (*NAMES, *sorted(said)) if name in said}
