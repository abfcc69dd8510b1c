"""Plans from configs of DirectProbe: a study in the place of many runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from geoprobe.errors import FormatError, InputError, OutputError
from geoprobe.files.atomic import write_file
from geoprobe.files.csv_files import write_table
from geoprobe.files.name_patterns import find_files, names_in
from geoprobe.reference.config import Config, Family, read_config
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
    rows = [row for path, config in configs.items() for row in _rows(config, said[path])]
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
        known = {"model": _MODEL, "layer": "0"}
        return {
            path: {"task": path.relative_to(folder).with_suffix("").as_posix(), **known, **fixed}
            for path in paths
        }
    for name in NEEDED:
        if name not in (*names_in(names), *fixed):
            raise InputError(
                f"the pattern {names!r} does not say the {name} of a config; add {{{name}}}, or "
                f"say it for all of them: --fixed {name}=..."
            )
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


def _rows(config: Config, said: Mapping[str, str]) -> list[dict[str, str]]:
    """Return a row for each file of vectors that a config names."""
    if config.mode != "probing":
        raise FormatError(
            f"the mode is {config.mode!r}, whose clusters are given, but a study finds its own; "
            f"geoprobe directprobe runs this config.",
            config.path,
        )
    ordered = {name: said[name] for name in (*NAMES, *sorted(said)) if name in said}
    common = {**ordered, "label_set": str(config.label_set.absolute())}
    train = {
        "file": str(config.embeddings.absolute()),
        "labels": str(config.entities.absolute()),
        **common,
        "split": "train",
    }
    if config.subsample is not None:
        train |= {"subsample": str(config.subsample), "subsample_seed": str(config.seed or 0)}
    if config.test_embeddings is None or config.test_entities is None:
        return [train]
    test = {
        "file": str(config.test_embeddings.absolute()),
        "labels": str(config.test_entities.absolute()),
        **common,
        "split": "test",
    }
    return [train, test]
