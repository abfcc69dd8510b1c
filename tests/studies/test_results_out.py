"""What leaves a study: tables as parquet, an archive for a supplement, runs for a tracker."""

from __future__ import annotations

import json
import os
import shutil
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("pandas", reason="tables need the extra report")

import pandas as pd
from typer.testing import CliRunner

from geoprobe.cli import app
from geoprobe.errors import FormatError, GeoprobeError, InputError, OccupiedError
from geoprobe.studies import StudyFolder, export_study, read_plan, run_study, write_tables
from geoprobe.studies.export import without_places
from geoprobe.studies.table_columns import CELL, PAIR, SPACE
from tests.support.given_cases import write_spaces


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Spaces of two models before and after a training, their plan, and its study, run."""
    folder = tmp_path_factory.mktemp("out")
    write_spaces(folder)
    assert run_study(read_plan(folder / "plan.toml"), folder / "plan", n_workers=1).failed == {}
    return folder


@pytest.fixture(scope="module")
def reported(place: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study with its tables, figures and report."""
    for library in ("matplotlib", "jinja2"):
        pytest.importorskip(library, reason="a report needs the extra report")
    folder = shutil.copytree(place / "plan", tmp_path_factory.mktemp("reported") / "plan")
    made = CliRunner().invoke(app, ["report", str(folder)])
    assert made.exit_code == 0, made.output
    return folder


@pytest.fixture
def study(place: Path, tmp_path: Path) -> Iterator[StudyFolder]:
    """A copy of the study, to be changed."""
    yield StudyFolder(shutil.copytree(place / "plan", tmp_path / "study"))


def asked_for_parquet(study: StudyFolder) -> StudyFolder:
    plan, names = study.plan()
    study.adopt(plan.replaced(parquet=True), names)
    return study


def test_parquet_says_what_csv_says(study: StudyFolder) -> None:
    pytest.importorskip("pyarrow", reason="parquet needs the extra parquet")
    tables = write_tables(asked_for_parquet(study))
    for path, name in zip(tables, ("spaces", "distances"), strict=True):
        csv = pd.read_csv(path, keep_default_na=False, na_values=[""])
        parquet = pd.read_parquet(study.tables / f"{name}.parquet")
        assert list(parquet.columns) == list(csv.columns)
        pd.testing.assert_frame_equal(
            parquet.astype(object).where(parquet.notna(), None),
            csv.astype(object).where(csv.notna(), None),
            check_dtype=False,
        )
    spaces = pd.read_parquet(study.tables / "spaces.parquet", dtype_backend="numpy_nullable")
    types = {name: str(kind) for name, kind in spaces.dtypes.items()}
    assert types["task"] == "string"
    assert (types["step"], types["seed"], types["clusters"]) == ("Int64",) * 3
    assert (types["linear"], types["radius"]) == ("boolean", "Float64")
    assert spaces["seed"].isna().any()


def test_parquet_has_the_same_bytes_again_and_goes_when_the_plan_lets_it(
    study: StudyFolder,
) -> None:
    pytest.importorskip("pyarrow", reason="parquet needs the extra parquet")
    write_tables(asked_for_parquet(study))
    files = {path: path.read_bytes() for path in study.tables.glob("*.parquet")}
    assert len(files) == 2
    write_tables(study)
    assert {path: path.read_bytes() for path in files} == files
    plan, names = study.plan()
    study.adopt(plan.replaced(parquet=False), names)
    write_tables(study)
    assert list(study.tables.glob("*.parquet")) == []


def test_parquet_without_its_library_is_refused_before_anything_is_written(
    study: StudyFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    expected = r"parquet = true needs pyarrow.*geoprobe-engine\[parquet\]"
    with pytest.raises(GeoprobeError, match=expected):
        write_tables(asked_for_parquet(study))
    assert not study.tables.exists()


def test_an_archive_holds_what_a_supplement_needs(reported: Path, tmp_path: Path) -> None:
    made = export_study(StudyFolder(reported), tmp_path / "out.zip")
    with zipfile.ZipFile(made.path) as archive:
        assert archive.testzip() is None
        held = {name.removeprefix("plan/"): archive.read(name) for name in archive.namelist()}
    assert made.n_files == len(held) and made.missing == ()
    ours = [reported / "report.html", *(reported / "tables").iterdir()]
    ours += (reported / "figures").iterdir()
    assert set(held) == {
        *(path.relative_to(reported).as_posix() for path in ours),
        *("README.md", "plan.json", "versions.json"),
    }
    for path in ours:
        assert held[path.relative_to(reported).as_posix()] == path.read_bytes()
    readme = held["README.md"].decode()
    for name, column in (*CELL.items(), *SPACE.items(), *PAIR.items()):
        assert f"| `{name}` | {column.meaning} |" in readme
    assert "not finished" not in readme
    assert json.loads(held["plan.json"])["plan"]["spaces"]["files"].startswith("{model}/")
    assert str(reported.parent).encode() not in held["plan.json"]
    assert "numpy" in json.loads(held["versions.json"])


def test_an_archive_has_the_same_bytes_whenever_and_wherever_it_is_packed(
    reported: Path, tmp_path: Path
) -> None:
    first = export_study(StudyFolder(reported), tmp_path / "first.zip").path
    elsewhere = shutil.copytree(reported, tmp_path / "elsewhere")
    for path in elsewhere.rglob("*"):
        os.utime(path, (2e9, 2e9))
        path.chmod(0o700)
    second = export_study(StudyFolder(elsewhere)).path
    assert second == tmp_path / "elsewhere.zip"
    assert first.read_bytes() == second.read_bytes()


def test_an_archive_is_whole_or_not_there(
    reported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("geoprobe.studies.export.shutil.copyfileobj", stop)
    with pytest.raises(KeyboardInterrupt):
        export_study(StudyFolder(reported), tmp_path / "out.zip")
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_packed_is_refused_by_name(reported: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.zip"
    with pytest.raises(FormatError, match=f"{tmp_path}: no study"):
        export_study(StudyFolder(tmp_path), out)
    with pytest.raises(InputError, match=r"out\.tar should end in \.zip"):
        export_study(StudyFolder(reported), tmp_path / "out.tar")
    study = StudyFolder(shutil.copytree(reported, tmp_path / "study"))
    study.report.rename(tmp_path / "page")
    with pytest.raises(InputError, match=r"there is no report\.html; write it: geoprobe report"):
        export_study(study, out)
    (tmp_path / "page").rename(study.report)
    os.utime(study.plan_file, (2e9, 2e9))
    with pytest.raises(InputError, match=r"report\.html is older than the last run"):
        export_study(study, out)
    os.utime(study.plan_file, (1e9, 1e9))
    (study.tables / "distances.csv.gz").unlink()
    with pytest.raises(FormatError, match=r"distances\.csv\.gz: the file is missing"):
        export_study(study, out)
    out.write_text("mine")
    with pytest.raises(OccupiedError, match=r"out\.zip exists; name another file"):
        export_study(study, out)
    assert out.read_text() == "mine"


def test_a_list_of_figures_does_not_reach_beyond_its_folder(reported: Path, tmp_path: Path) -> None:
    study = StudyFolder(shutil.copytree(reported, tmp_path / "study"))
    (tmp_path / "secret").write_text("secret")
    with (study.figures / "index.csv").open("a") as index:
        index.write("../../secret,a,b,c\n")
    with pytest.raises(FormatError, match=r"'\.\./\.\./secret', which is elsewhere"):
        export_study(study, tmp_path / "out.zip")


def test_an_unfinished_study_is_packed_only_if_asked(reported: Path, tmp_path: Path) -> None:
    study = StudyFolder(shutil.copytree(reported, tmp_path / "study"))
    next((study.root / "geometry").rglob("layer-01.npz")).unlink()
    with pytest.raises(InputError, match=r"not finished; pieces of work left: 1, such as measure"):
        export_study(study, tmp_path / "out.zip")
    made = CliRunner().invoke(
        app, ["study", "export", str(study.root), str(tmp_path / "out.zip"), "--unfinished"]
    )
    assert made.exit_code == 0, made.output
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert (
            "**not finished**. Pieces of work left: 1." in archive.read("plan/README.md").decode()
        )


def test_paths_of_a_machine_are_not_told() -> None:
    table = {"data": "/home/me/work/corpora", "models": ["/data/bert", "org/bert"], "tau": 1e-7}
    assert without_places(table, Path("/home/me/work")) == {
        "data": "corpora",
        "models": ["bert", "org/bert"],
        "tau": 1e-7,
    }
