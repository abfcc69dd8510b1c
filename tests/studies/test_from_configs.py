"""Studies from configs of DirectProbe: what they say, and the numbers of the runs they replace."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pandas", reason="tables need the extra report")

from geoprobe.errors import FormatError, GeoprobeError, InputError, OutputError
from geoprobe.findings import label_distances
from geoprobe.reference import run_config
from geoprobe.studies import load_study_data, read_plan, run_study, verify_study
from geoprobe.studies.from_configs import plan_from_configs
from tests.conftest import Run
from tests.support.given_cases import LABELS, clusters

CONFIG = """\
[run]
output_path = results/{name}/
[data]
common = ./data
label_set_path = ${{common}}/tags.txt
entities_path = ${{common}}/train.txt
test_entities_path = ${{common}}/test.txt
embeddings_path = ${{common}}/{name}/train.txt
test_embeddings_path = ${{common}}/{name}/test.txt
{extra}
[clustering]
enable_cuda = True
rate = 0.01
mode = {mode}
probing_cluster_path = results/{name}
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()
    Path("data/tags.txt").write_text("noun\nverb\nadverb\nabsent\n")
    for split in ("train", "test"):
        entities = "".join(f"some words\t{label}\n" for label in LABELS)
        Path(f"data/{split}.txt").write_text(entities)
    return tmp_path


def write(name: str, *, extra: str = "", mode: str = "probing", apart: float = 1.5) -> Path:
    """Write a config and the vectors that it names."""
    for seed, split in enumerate(("train", "test")):
        path = Path(f"data/{name}/{split}.txt")
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savetxt(path, clusters(len(name) + seed, apart=apart, dtype=np.float64))
    path = Path(f"configs/{name}.ini")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(CONFIG.format(name=name, extra=extra, mode=mode))
    return path


def run_plan(plan: Path) -> dict[str, object]:
    outcome = run_study(read_plan(plan), "study", n_workers=1)
    assert outcome.failed == {}
    assert verify_study(outcome.folder, n_workers=1).holds
    return {g.cell.task: g for g in load_study_data(outcome.folder).geometries}


def test_the_first_format_gives_the_numbers_of_its_runs() -> None:
    configs = [write("pos-bert-3"), write("pos-bert-11"), write("dep/roberta-0")]
    made = plan_from_configs(Path("configs"), Path("all.toml"))
    assert (made.n_configs, made.n_files) == (3, 6)
    measured = run_plan(made.plan)
    assert sorted(measured) == ["dep/roberta-0", "pos-bert-11", "pos-bert-3"]
    for path in configs:
        run = run_config(path)
        geometry = measured[path.relative_to("configs").with_suffix("").as_posix()]
        assert geometry.predictions.accuracy == run.accuracy
        assert geometry.n_clusters == run.n_clusters > 3
        written = (run.output / "clusters.txt").read_text().split()
        assert written == list(map(str, geometry.clusters.assignment))
        pairs = geometry.clusters.distances
        lines = (run.output / "dis.txt").read_text().splitlines()
        assert [line.rpartition(" ")[2] for line in lines] == [f"{d:.4f}" for d in pairs.distance]


def test_the_second_format_gives_the_numbers_of_its_runs() -> None:
    path = write("ss", extra="batch_embeddings_path =", apart=4.0)
    measured = run_plan(plan_from_configs(Path("configs"), Path("all.toml")).plan)
    plan = read_plan("all.toml")
    assert plan.min_cluster_size == 6
    run = run_config(path)
    distances = label_distances(measured["ss"], min_cluster_size=6)
    lines = (run.output / "vec.txt").read_text().splitlines()
    written = dict(line.rsplit(",", 1) for line in lines if "absent" not in line)
    names = measured["ss"].labels
    assert written == {
        f"{names[i]}---{names[j]}": f"{distances.matrix[i, j]:.4f}"
        for i in range(3)
        for j in range(i + 1, 3)
    }


def test_subsamples_are_those_of_the_runs() -> None:
    path = write("pos", extra="subsample = 20\nseed = 7", apart=5.0)
    geometry = run_plan(plan_from_configs(Path("configs"), Path("all.toml")).plan)["pos"]
    run = run_config(path)
    assert geometry.n_units == run.n_points == 20
    lines = (run.output / "dis.txt").read_text().splitlines()
    found = geometry.clusters.distances.distance
    assert [line.rpartition(" ")[2] for line in lines] == [f"{d:.4f}" for d in found]


def test_names_say_what_a_config_is(run: Run) -> None:
    for layer in (3, 11):
        write(f"pos/bert-{layer}", apart=6.0)
    names = ("--names", "{task}/{model}-{layer}.ini", "--fixed", "pooling=mean")
    code, out, _ = run("study", "from-configs", "configs", *names)
    assert code == 0 and "2 configs name 4 files" in out
    outcome = run_study(read_plan("study.toml"), "out", n_workers=1)
    cells = [g.cell for g in load_study_data(outcome.folder).geometries]
    assert [(c.task, c.model, c.layer) for c in cells] == [("pos", "bert", 3), ("pos", "bert", 11)]
    assert cells[0].group == (("pooling", "mean"),)


def test_given_clusters_are_measured_as_the_runs_do() -> None:
    run = run_config(write("pos"))
    found = Path("results/pos").rename("results/found")
    path = write("pos", mode="prediction")
    text = path.read_text().replace(
        "probing_cluster_path = results/pos", f"probing_cluster_path = {found}"
    )
    path.write_text(text)
    again = run_config(path)
    geometry = run_plan(plan_from_configs(Path("configs"), Path("all.toml")).plan)["pos"]
    assert geometry.clusters.fixed
    assert geometry.predictions.accuracy == again.accuracy == run.accuracy
    lines = (again.output / "dis.txt").read_text().splitlines()
    pairs = geometry.clusters.distances
    assert [line.rpartition(" ")[2] for line in lines] == [f"{d:.4f}" for d in pairs.distance]


def test_a_batch_is_one_partition_over_checkpoints_and_layers() -> None:
    path = write("pos", extra="batch_embeddings_path =", apart=4.0)
    run_config(path)
    found = Path("results/pos").rename("results/found")
    for step in (0, 100):
        for layer in (1, 2):
            place = Path(f"data/batch/{step}/{layer}.txt")
            place.parent.mkdir(parents=True, exist_ok=True)
            # In the second layer the labels fall together in the end.
            apart = 4.0 + step / 100 if layer == 1 else 4.0 - 4 * step / 100
            np.savetxt(place, clusters(len("pos"), apart=apart, dtype=np.float64))
    text = path.read_text().replace("embeddings_path =\n", "embeddings_path = data/batch\n")
    text = text.replace("probing_cluster_path = results/pos", f"probing_cluster_path = {found}")
    path.write_text(text.replace("mode = probing", "mode = batch_probing"))
    run = run_config(path)
    made = plan_from_configs(Path("configs"), Path("all.toml"))
    assert made.n_files == 4
    outcome = run_study(read_plan(made.plan), "study", n_workers=1)
    assert outcome.failed == {} and outcome.done == {"measure": 4, "move": 2}
    assert verify_study(outcome.folder, n_workers=1).holds
    data = load_study_data(outcome.folder)
    for geometry in data.geometries:
        cell = geometry.cell
        lines = (run.output / "batch_vec" / f"{cell.step}.txt").read_text().splitlines()[1:]
        column = [line.split(",")[cell.layer] for line in lines if "absent" not in line]
        distances = label_distances(geometry, min_cluster_size=6)
        ours = [f"{d:.4f}" for d in distances.vector(geometry.labels)]
        together = (cell.step, cell.layer) == (100, 2)
        assert geometry.clusters.fixed and geometry.is_linear != together
        assert column == (["0.0000"] * 3 if together else ours)
    steps = {run.layer: run.steps for run in data.runs}
    assert steps == {1: (0, 100), 2: (0, 100)}
    # Another partition is not taken for the one that was measured.
    path = found / "clusters.txt"
    ids = path.read_text().split()
    path.write_text("\n".join(map(str, range(len(ids)))))
    with pytest.raises(InputError, match="these are not the clusters that were measured"):
        run_study(read_plan(made.plan), "study", n_workers=1)


def test_a_partition_that_mixes_labels_costs_its_cell() -> None:
    path = write("pos", mode="prediction")
    Path("results/pos").mkdir(parents=True)
    Path("results/pos/clusters.txt").write_text("0\n" * len(LABELS))
    plan = plan_from_configs(Path("configs"), Path("all.toml")).plan
    outcome = run_study(read_plan(plan), "study", n_workers=1)
    ((_, reason),) = outcome.failed.items()
    assert "clusters.txt: cluster 0 has points of two labels: row 0 is 'noun'" in reason
    assert path.is_file()


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"names": "{task}.ini"}, r"other\.ini: nothing says the model of this config"),
        ({"names": "{task}-{model}-{layer}.ini"}, "no file fits the pattern"),
        ({"names": "{task}_{layer}.ini", "fixed": {"model": "m"}}, "other.ini: the name of this"),
        ({"names": "{split}_{layer}.ini", "fixed": {"model": "m", "task": "t"}}, "says itself"),
        ({"names": "{task}", "fixed": {"model": "m", "task": "t", "layer": "0"}}, "said twice"),
    ],
)
def test_names_that_do_not_fit(how: dict[str, object], message: str) -> None:
    write("pos_3")
    write("other")
    with pytest.raises(GeoprobeError, match=message):
        plan_from_configs(Path("configs"), Path("all.toml"), **how)
    assert not Path("all.toml").exists() and not Path("all.csv").exists()


def test_what_is_refused() -> None:
    with pytest.raises(FormatError, match="no such folder"):
        plan_from_configs(Path("configs"), Path("all.toml"))
    Path("configs").mkdir()
    with pytest.raises(FormatError, match=r"ends in one of .ini"):
        plan_from_configs(Path("configs"), Path("all.toml"))
    path = write("a")
    path.write_text("[run]\n")
    with pytest.raises(FormatError, match=r"a\.ini: the key 'mode' is missing"):
        plan_from_configs(Path("configs"), Path("all.toml"))
    write("a")
    Path("all.csv").write_text("mine")
    with pytest.raises(OutputError, match=r"all\.csv is there already"):
        plan_from_configs(Path("configs"), Path("all.toml"))
