"""Runs of a study in Weights & Biases and MLflow, without a server."""

from __future__ import annotations

import json
import logging
import shutil
import struct
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from geoprobe.cli import app
from geoprobe.errors import FormatError, GeoprobeError, InputError
from geoprobe.geometry import Cell
from geoprobe.studies import StudyFolder, load_study_data, log_study, read_plan, run_study
from geoprobe.studies.study_tables import space_columns, space_rows
from geoprobe.studies.tracked_runs import TrackedRun, plain_name, tracked_runs
from tests.support.given_cases import write_spaces

# What the libraries use of each other is theirs.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

NAMES = ["large", "large on pos, seed 0", "small", "small on pos, seed 0"]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> StudyFolder:
    """Two models of three layers, as published and trained."""
    folder = tmp_path_factory.mktemp("tracked")
    write_spaces(folder)
    outcome = run_study(read_plan(folder / "plan.toml"), folder / "plan", n_workers=1)
    assert outcome.failed == {}
    return outcome.folder


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let no library talk to the network, nor look at the settings of whoever runs the tests."""
    for name in ("MLFLOW_TRACKING_URI", "WANDB_API_KEY", "WANDB_MODE", "WANDB_DIR"):
        monkeypatch.delenv(name, raising=False)
    for name in ("MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK"):
        monkeypatch.setenv(name, "true")
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for name in ("WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "wandb-home"))
    logging.getLogger("mlflow").setLevel(logging.WARNING)


def test_a_run_is_a_fine_tuning_with_its_start_and_all_layers(study: StudyFolder) -> None:
    material = load_study_data(study)
    runs = list(tracked_runs(material))
    assert [run.name for run in runs] == NAMES
    assert [run.tuned for run in runs] == [False, True, False, True]
    assert [list(run.steps) for run in runs] == [[0], [0, 40]] * 2
    # What a tracker gets is what the table says.
    columns, rows = space_columns(material), space_rows(material)
    cells = [geometry.cell for geometry in material.geometries]
    said = [dict(zip(columns, row, strict=True)) for row in rows]
    table = dict(zip(cells, said, strict=True))
    tuned = runs[3]
    for step, cell in ((0, Cell("pos", "small", 2)), (40, Cell("pos", "small", 2, "pos", 0, 40))):
        for column in ("clusters", "linear", "mean_distance", "directprobe_accuracy"):
            value = tuned.steps[step][f"pos/{column}/layer_02"]
            assert value == float(table[cell][column])
    assert table[Cell("pos", "small", 2, "pos", 0, 40)]["head_accuracy"] is None
    assert not any("head_accuracy" in name for name in tuned.steps[40])
    assert tuned.params["model"] == "small" and tuned.params["seed"] == 0
    assert tuned.params["plan.tau"] == 1e-7
    assert "plan.finetune.epochs" not in tuned.params
    assert not any(str(study.root.parent) in str(value) for value in tuned.params.values())


def test_mlflow_without_a_server(study: StudyFolder, tmp_path: Path) -> None:
    mlflow = pytest.importorskip("mlflow", reason="needs the extra mlflow")
    pytest.importorskip("alembic", reason="needs the extra mlflow")
    command = [
        "study",
        "log",
        str(study.root),
        "--to",
        "mlflow",
        "--offline",
        str(tmp_path / "out"),
    ]
    made = CliRunner().invoke(app, command)
    assert made.exit_code == 0, made.output
    assert "4 runs: experiment 'plan' in sqlite:///" in made.stdout
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'out' / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("plan")
    found = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    assert sorted(found) == NAMES
    for expected in tracked_runs(load_study_data(study)):
        run = found[expected.name]
        assert run.info.status == "FINISHED"
        assert run.data.params == {name: str(each) for name, each in expected.params.items()}
        assert run.data.metrics == list(expected.steps.values())[-1]
        for name in expected.steps[0]:
            history = client.get_metric_history(run.info.run_id, name)
            said = [(step, of[name]) for step, of in expected.steps.items() if name in of]
            assert [(each.step, each.value) for each in history] == said
    assert client.get_experiment(experiment.experiment_id).artifact_location.startswith("file:")


def test_wandb_without_a_server(study: StudyFolder, tmp_path: Path) -> None:
    pytest.importorskip("wandb", reason="needs the extra wandb")
    logged = log_study(study, "wandb", project="papers", offline=tmp_path / "out")
    assert logged.n_runs == 4 and "wandb sync" in logged.where
    expected = {run.name: run for run in tracked_runs(load_study_data(study))}
    files = sorted((tmp_path / "out" / "wandb").glob("offline-run-*/run-*.wandb"))
    assert len(files) == 4
    for path in files:
        run, config, history = offline_run(path)
        assert (run.project, run.run_group) == ("papers", "plan")
        wanted = expected.pop(run.display_name)
        assert run.job_type == ("fine-tuning" if wanted.tuned else "as published")
        assert {name: config[name] for name in wanted.params} == wanted.params
        assert history == wanted.steps
    assert expected == {}


def records(data: bytes) -> Iterator[bytes]:
    """Yield the records of a log as LevelDB writes it: blocks of 32 kB, records cut to fit them."""
    at, whole = 7, b""
    while at + 7 <= len(data):
        if (left := -at % 32768) < 7 and left:
            at += left
            continue
        _, length, kind = struct.unpack_from("<IHB", data, at)
        whole += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):
            yield whole
            whole = b""


def offline_run(path: Path) -> tuple[Any, dict[str, Any], dict[int, dict[str, float]]]:
    """Return the run, the config and the metrics by step of a file that wandb wrote offline."""
    from wandb.proto import wandb_internal_pb2

    # A process of wandb's own writes the file, on a busy machine a little after the run has ended.
    deadline, whole = time.monotonic() + 60, False
    while not whole:
        assert time.monotonic() < deadline, "no end of the run in the file"
        found = [wandb_internal_pb2.Record.FromString(each) for each in records(path.read_bytes())]
        whole = any(record.WhichOneof("record_type") == "exit" for record in found)
        time.sleep(0.0 if whole else 0.1)
    run, config, history = None, {}, {}
    for record in found:
        if record.WhichOneof("record_type") == "run":
            run = record.run
            config |= {each.key: json.loads(each.value_json) for each in run.config.update}
        elif record.WhichOneof("record_type") == "history":
            row = {
                each.key or "/".join(each.nested_key): json.loads(each.value_json)
                for each in record.history.item
            }
            step = record.history.step.num
            history[step] = {k: v for k, v in row.items() if not k.startswith("_")}
    assert run is not None
    return run, config, history


@pytest.mark.parametrize("tracker", ["wandb", "mlflow"])
def test_a_missing_library_is_named_before_anything_is_read(
    study: StudyFolder, tracker: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, tracker, None)
    monkeypatch.setattr("geoprobe.studies.tracked_runs.load_study_data", lambda _: pytest.fail())
    with pytest.raises(GeoprobeError, match=rf"needs {tracker}.*geoprobe-engine\[{tracker}\]"):
        log_study(study, tracker, offline=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_logged_is_refused_by_name(study: StudyFolder, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no tracker 'wandbb'; .*wandb"):
        log_study(study, "wandbb")
    with pytest.raises(FormatError, match="no study"):
        log_study(StudyFolder(tmp_path), "mlflow", offline=tmp_path / "out")
    cut = StudyFolder(shutil.copytree(study.root, tmp_path / "study"))
    next((cut.root / "geometry").rglob("layer-01.npz")).unlink()
    with pytest.raises(InputError, match="not finished; pieces of work left: 1"):
        log_study(cut, "mlflow", offline=tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("tracker", ["wandb", "mlflow"])
def test_a_file_where_runs_should_go_is_an_error_by_name(
    study: StudyFolder, tracker: str, tmp_path: Path
) -> None:
    pytest.importorskip(tracker, reason=f"needs the extra {tracker}")
    if tracker == "mlflow":
        pytest.importorskip("alembic", reason="needs the extra mlflow")
    (tmp_path / "out").write_text("mine")
    made = CliRunner().invoke(
        app, ["study", "log", str(study.root), "--to", tracker, "--offline", str(tmp_path / "out")]
    )
    assert made.exit_code == 2
    assert str(tmp_path / "out") in made.stderr
    assert (tmp_path / "out").read_text() == "mine"


def test_a_database_of_something_else_is_refused(study: StudyFolder, tmp_path: Path) -> None:
    pytest.importorskip("mlflow", reason="needs the extra mlflow")
    pytest.importorskip("alembic", reason="needs the extra mlflow")
    (tmp_path / "mlflow.db").write_text("this is no database" * 100)
    with pytest.raises(GeoprobeError, match="MLflow cannot open the experiment 'plan'"):
        log_study(study, "mlflow", offline=tmp_path)


def test_a_run_that_breaks_off_is_marked_as_failed(tmp_path: Path) -> None:
    mlflow = pytest.importorskip("mlflow", reason="needs the extra mlflow")
    pytest.importorskip("alembic", reason="needs the extra mlflow")
    from geoprobe.studies.trackers.mlflow_runs import tracker

    run = TrackedRun("bert", "study", False, {"model": "bert"}, {0: {"no//name": 1.0}})
    with (
        tracker("study", tmp_path) as open_,
        pytest.raises(GeoprobeError, match=r"refused.*'bert'"),
    ):
        open_.log(run)
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    (found,) = client.search_runs([client.get_experiment_by_name("study").experiment_id])
    assert found.info.status == "FAILED"


def test_names_of_tasks_are_no_paths() -> None:
    assert plain_name("ps-role") == "ps-role"
    assert plain_name("a/b: c?") == "a_b_ c_"
    assert plain_name("..") == "__"
