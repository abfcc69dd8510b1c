"""What leaves a study: tables as parquet, an archive for a supplement, runs for a tracker."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("pandas", reason="tables need the extra report")

import pandas as pd

from geoprobe.errors import GeoprobeError
from geoprobe.studies import StudyFolder, read_plan, run_study, write_tables
from tests.support.given_cases import write_spaces


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Spaces of two models before and after a training, their plan, and its study, run."""
    folder = tmp_path_factory.mktemp("out")
    write_spaces(folder)
    assert run_study(read_plan(folder / "plan.toml"), folder / "plan", n_workers=1).failed == {}
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
    with pytest.raises(GeoprobeError, match=r"parquet = true needs pyarrow.*geoprobe\[parquet\]"):
        write_tables(asked_for_parquet(study))
    assert not study.tables.exists()
