"""Archive of a study for a paper's supplement: report, tables, figures, plan and versions."""

from __future__ import annotations

import csv
import json
import os
import platform
import shutil
import textwrap
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, NamedTuple

from geoprobe.errors import FormatError, InputError, OccupiedError
from geoprobe.files.atomic import check_output, write_file
from geoprobe.files.zip_members import member
from geoprobe.studies.description import study_versions
from geoprobe.studies.plan import Plan
from geoprobe.studies.status import missing_pieces
from geoprobe.studies.study_folder import StudyFolder, folder_name
from geoprobe.studies.table_columns import CELL, PAIR, SPACE

_PACKED = (".gz", ".parquet")


class Export(NamedTuple):
    """An archive that was written."""

    path: Path
    n_files: int
    missing: tuple[str, ...]
    """What the study lacks, in words; empty if it is finished."""
    places: tuple[str, ...]
    """Folders of this machine that the report names."""


def export_study(
    folder: StudyFolder, out: str | os.PathLike[str] | None = None, *, unfinished: bool = False
) -> Export:
    """Pack the report, tables and figures of a study, its plan and versions, into one zip file.

    The report is packed as it lies there. The same files give the same bytes: times are left out,
    and paths in the plan are shortened to what they say without this machine.

    Parameters
    ----------
    folder : StudyFolder
    out : path-like, optional
        The zip file; by default beside the folder of the study and called after it.
    unfinished : bool, default=False
        Whether a study of which something is missing is packed; ``README.md`` says what then.

    Raises
    ------
    FormatError
        If this is no folder of a study, or a file in it is damaged.
    InputError
        If the study is not finished, or has no report or an older one than its last run.
    OutputError
        If ``out`` is there already or cannot be written; nothing is left then.
    """
    plan, _ = folder.plan()
    target = _target(folder, out)
    missing = missing_pieces(plan, folder, unfinished=unfinished)
    _check_report(folder)
    files = dict(_files(folder))
    texts = {
        "README.md": _readme(plan, missing, sorted(files)),
        "plan.json": _json({"plan": without_places(plan.as_table(), folder.root.parent)}),
        "versions.json": _json({"python": platform.python_version(), **study_versions()}),
    }
    top = folder_name(plan.name)

    def fill(unfinished: Path) -> None:
        with zipfile.ZipFile(unfinished, "x", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
            for name in sorted((*texts, *files)):
                head = member(f"{top}/{name}", stored=name.endswith(_PACKED))
                if name in texts:
                    archive.writestr(head, texts[name], compresslevel=6)
                    continue
                with files[name].open("rb") as source:
                    head.file_size = files[name].stat().st_size
                    with archive.open(head, "w") as place:
                        shutil.copyfileobj(source, place, 1 << 20)
        _refuse_taken(target)

    write_file(target, fill)
    return Export(target, len(texts) + len(files), missing, _places(folder))


def _target(folder: StudyFolder, out: str | os.PathLike[str] | None) -> Path:
    """Return where the archive goes, and refuse what could not be written there."""
    target = folder.root.with_name(f"{folder.root.name}.zip") if out is None else Path(out)
    target = target.expanduser().absolute()
    if target.suffix.lower() != ".zip":
        raise InputError(f"{target} should end in .zip, which is what is written.")
    _refuse_taken(target)
    return check_output(target)


def _refuse_taken(target: Path) -> None:
    if target.exists() or target.is_symlink():
        raise OccupiedError(f"{target} exists; name another file or remove it.")


def _check_report(folder: StudyFolder) -> None:
    """Refuse to pack what an earlier run of the study has left."""
    for path in (folder.report, folder.tables / "spaces.csv", folder.figures / "index.csv"):
        again = f"write it: geoprobe report {folder.root}"
        if not path.is_file():
            raise InputError(f"there is no {path.relative_to(folder.root)}; {again}")
        if path.stat().st_mtime_ns < folder.plan_file.stat().st_mtime_ns:
            raise InputError(
                f"{path.relative_to(folder.root)} is older than the last run of the study; {again}"
            )


def _files(folder: StudyFolder) -> Iterator[tuple[str, Path]]:
    """Yield the files to pack and their names in the archive; none that geoprobe did not write."""
    yield "report.html", folder.report
    tables = ["spaces.csv", "distances.csv.gz", "spaces.parquet", "distances.parquet"]
    index = folder.figures / "index.csv"
    try:
        with index.open(encoding="utf8", newline="") as file:
            figures = [row["file"] for row in csv.DictReader(file)]
    except (OSError, ValueError, KeyError, csv.Error) as error:
        raise FormatError(f"the list of figures is damaged: {error!r}.", index) from error
    named = [(folder.tables, name) for name in tables]
    named += [(folder.figures, name) for name in ("index.csv", *figures)]
    for place, name in named:
        path = place / name
        if PurePosixPath(name).name != name or "\\" in name:
            raise FormatError(f"the list of figures names {name!r}, which is elsewhere.", index)
        if path.is_file():
            yield f"{place.name}/{name}", path
        elif not name.endswith(".parquet"):
            raise FormatError("the file is missing; write the report again.", path)


def without_places(value: Any, root: Path) -> Any:
    """Return a table of JSON in which paths say nothing of this machine.

    Parameters
    ----------
    value : object
        As JSON holds it.
    root : Path
        Paths below it start from it; of others the last name is left.
    """
    if isinstance(value, Mapping):
        return {key: without_places(each, root) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [without_places(each, root) for each in value]
    if isinstance(value, str) and (Path(value).is_absolute() or PureWindowsPath(value).drive):
        path = Path(value)
        return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
    return value


def _places(folder: StudyFolder) -> tuple[str, ...]:
    """Return the folders of this machine, those of the user and of the study, in the report."""
    page = folder.report.read_text(encoding="utf8", errors="replace")
    places = {str(Path.home()), str(folder.root.parent)} - {"/"}
    return tuple(sorted(place for place in places if place in page))


def _json(content: Mapping[str, Any]) -> str:
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _readme(plan: Plan, missing: Sequence[str], files: Sequence[str]) -> str:
    """Say what the archive is and what each file and column means."""
    figures = sum(name.startswith("figures/") for name in files) - 1
    parquet = any(name.endswith(".parquet") for name in files)
    lines = [f"# {plan.name}", "", "Results of a study made with geoprobe.", ""]
    if missing:
        lines += [
            f"The study is **not finished**. Pieces of work left: {len(missing):,}.",
            "",
        ]
        lines += [f"- {each}" for each in missing[:20]]
        lines += [f"- and {len(missing) - 20:,} more"] * (len(missing) > 20) + [""]
    lines += [
        "| file | what it is |",
        "|---|---|",
        "| `report.html` | the report, one page: open it in a browser, it needs no network |",
        "| `tables/spaces.csv` | a row for each space |",
        "| `tables/distances.csv.gz` | a row for each pair of labels of each space |",
    ]
    if parquet:
        lines += ["| `tables/*.parquet` | the same two tables, each column in its own type |"]
    lines += [
        f"| `figures/` | {figures:,} files: the figures, their numbers as csv |",
        "| `figures/index.csv` | what each of them shows |",
        "| `plan.json` | the plan of the study; of paths only what is not of one machine |",
        "| `versions.json` | the software with which this archive was made |",
        "",
        *textwrap.wrap(
            "Numbers have all their digits. An empty field is what is not defined or was not "
            "measured. Text in csv that a spreadsheet would run as a formula has an apostrophe "
            "before it.",
            width=100,
        ),
    ]
    for title, columns in (("spaces", CELL | SPACE), ("distances", CELL | PAIR)):
        lines += ["", f"## Columns of {title}", "", "| column | meaning |", "|---|---|"]
        lines += [f"| `{name}` | {column.meaning} |" for name, column in columns.items()]
    lines += ["", "Any other column is a grouping of the study's own."]
    return "\n".join(lines) + "\n"
