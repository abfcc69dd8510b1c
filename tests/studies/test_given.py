"""Studies of given spaces: found, measured, resumed, reported, verified; and what is refused."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pandas", reason="tables need the extra report")

from geoprobe.controls import measure_units
from geoprobe.errors import FormatError, GeoprobeError, InputError
from geoprobe.geometry import Cell
from geoprobe.progress import Progress
from geoprobe.spaces import Space
from geoprobe.studies import (
    Plan,
    StudyFolder,
    compute_findings,
    estimate,
    given_looks,
    load_study_data,
    plan_from_table,
    read_plan,
    run_study,
    study_status,
    verify_study,
    write_tables,
)
from geoprobe.studies.given import find_given
from geoprobe.studies.given_looks import look_at
from geoprobe.studies.inputs import planned_files, planned_inputs
from geoprobe.studies.kinds import KINDS
from geoprobe.studies.shares import Share
from tests.conftest import Run
from tests.support.given_cases import LABELS, PATTERN, clusters, write_space, write_spaces


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("given")
    write_spaces(folder)
    return folder


@pytest.fixture(scope="module")
def done(place: Path) -> Iterator[StudyFolder]:
    plan = read_plan(place / "plan.toml").replaced(resamples=3)
    outcome = run_study(plan, place / "done", n_workers=1)
    assert outcome.failed == {}
    assert outcome.done == {"measure": 12, "move": 6, "resample": 12, "leave-out": 4}
    yield outcome.folder


@pytest.fixture
def copy(place: Path, tmp_path: Path) -> Path:
    """A copy of the spaces and their plan, to be damaged."""
    for name in ("small", "large"):
        shutil.copytree(place / name, tmp_path / name)
    shutil.copy(place / "plan.toml", tmp_path)
    return tmp_path


def plan_of(folder: Path, files: str, **spaces: Any) -> Plan:
    table = {"classifier": False, "analyses": ["linearity"], "spaces": {"files": files, **spaces}}
    return plan_from_table(table, folder=folder)


def cells_of(plan: Plan) -> list[Cell]:
    assert plan.spaces is not None
    return list(find_given(plan.spaces, plan.tasks))


def test_every_analysis_that_needs_no_text_has_views(done: StudyFolder) -> None:
    gathered = compute_findings(done)
    assert gathered.complete
    without = {s.analysis: s.missing for s in gathered.sections if not s.views}
    # As many units to test as to train.
    assert without.keys() == {"memorisation"}
    assert "training has no more units, or these in one group: " in without["memorisation"][0]
    movement = next(s for s in gathered.sections if s.analysis == "movement")
    assert [view.choices["model"] for view in movement.views] == ["large", "small"]
    assert {row.step for view in movement.views for row in view.finding.rows} == {40}
    assert gathered.about["Models"]["small"] == "given, 6 spaces of float32"
    assert gathered.about["Tasks"] == {"pos": "36 units to train and 36 to test, 3 labels"}


def test_the_study_is_what_measuring_each_file_gives(done: StudyFolder, place: Path) -> None:
    from geoprobe import read_space
    from geoprobe.probes import measure

    for geometry in load_study_data(done).geometries:
        folder = place / geometry.cell.model / f"step-{geometry.cell.step}"
        train, test = (
            read_space(folder / f"layer_{geometry.cell.layer}.{split}.npz")
            for split in ("train", "test")
        )
        alone = measure(train, test=test, cell=geometry.cell)
        assert alone.hulls.distance.tolist() == geometry.hulls.distance.tolist()
        assert alone.predictions is not None and geometry.predictions is not None
        assert alone.predictions.accuracy == geometry.predictions.accuracy


@pytest.mark.full
def test_nothing_is_done_twice_and_workers_change_nothing(
    done: StudyFolder, place: Path, tmp_path: Path
) -> None:
    plan = read_plan(place / "plan.toml").replaced(resamples=3)
    again = run_study(plan, done.root)
    assert again.done == {} and again.found["measure"] == 12
    other = run_study(plan, tmp_path / "other", n_workers=2)
    for one, two in zip(write_tables(done), write_tables(other.folder), strict=True):
        assert one.read_bytes() == two.read_bytes()


def test_every_cell_is_verified(done: StudyFolder) -> None:
    outcome = verify_study(done, n_workers=1)
    assert outcome.holds and len(outcome.reports) == 12


def test_verification_notices_another_file(copy: Path) -> None:
    plan = read_plan(copy / "plan.toml").replaced(analyses=("linearity",))
    folder = run_study(plan, copy / "out", n_workers=1).folder
    changed = copy / "small" / "step-40" / "layer_1.test.npz"
    write_space(changed, clusters(7))
    outcome = verify_study(folder, n_workers=1)
    assert [str(cell) for cell in outcome.failures] == [
        "pos small tuned on pos, seed 0, step 40, layer 1"
    ]
    with pytest.raises(InputError, match=r"layer_1\.test\.npz: these are not the points that were"):
        run_study(plan, folder.root, n_workers=1)


def test_a_share_asks_for_the_files_of_its_own_cells(tmp_path: Path) -> None:
    write_space(tmp_path / "a_train.npz", clusters(0))
    plan = plan_of(tmp_path, "a_{split}.npz", fixed={"task": "pos", "model": "m", "layer": 0})
    folder = run_study(plan, tmp_path / "out", n_workers=1).folder
    write_space(tmp_path / "a_train.npz", clusters(1))
    # More shares than kinds of pieces, so that some have none of the cell.
    n_shares = len(KINDS) + 1
    shares = [Share(number, n_shares) for number in range(1, n_shares + 1)]
    own = [any(each.has_of(kind, "pos m layer 0") for kind in KINDS) for each in shares]
    # "pos m layer 0" is the name of the cell, and of its pieces.
    assert [str(cell) for cell in planned_inputs(plan, folder)] == ["pos m layer 0"]
    assert set(own) == {True, False}
    for share, is_own in zip(shares, own, strict=True):
        if is_own:
            with pytest.raises(InputError, match="these are not the points that were measured"):
                run_study(plan, folder.root, n_workers=1, shard=str(share))
        else:
            assert run_study(plan, folder.root, n_workers=1, shard=str(share)).failed == {}


@pytest.mark.full
def test_files_are_looked_at_in_several_processes(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (copy / "small" / "step-40" / "layer_1.test.npz").write_bytes(b"damaged")
    files = planned_files(read_plan(copy / "plan.toml"))
    alone = look_at(files, unseen="error")
    assert len(alone.looks) == 24 and len(alone.problems) == 1
    monkeypatch.setattr(given_looks, "_MANY", 1)
    steps: list[Progress] = []
    assert look_at(files, unseen="error", n_workers=2, progress=steps.append) == alone
    assert [step.done for step in steps] == list(range(1, 25))


def test_points_to_test_that_come_later_are_not_passed_over(tmp_path: Path) -> None:
    write_space(tmp_path / "a_train.npz", clusters(0))
    fixed = {"task": "pos", "model": "m", "layer": 0}
    plan = plan_of(tmp_path, "a_{split}.npz", fixed=fixed)
    folder = run_study(plan, tmp_path / "out", n_workers=1).folder
    write_space(tmp_path / "a_test.npz", clusters(1))
    with pytest.raises(
        InputError, match=r"a_test\.npz: the space was measured without points to te"
    ):
        run_study(plan, folder.root, n_workers=1)


def test_a_report_needs_the_files_no_more_but_verification_does(copy: Path) -> None:
    plan = read_plan(copy / "plan.toml").replaced(analyses=("linearity", "movement"))
    folder = run_study(plan, copy / "out", n_workers=1).folder
    before = write_tables(folder).spaces.read_bytes()
    shutil.rmtree(copy / "small")
    assert compute_findings(folder).complete
    assert write_tables(folder).spaces.read_bytes() == before
    outcome = verify_study(folder, n_workers=1)
    assert len(outcome.reports) == len(outcome.failures) == 6
    assert all("there is no such file" in reason for reason in outcome.failures.values())


def test_files_that_were_only_touched_or_moved_are_the_same(copy: Path) -> None:
    plan = read_plan(copy / "plan.toml").replaced(analyses=("linearity",))
    run_study(plan, copy / "out", n_workers=1)
    for path in copy.rglob("*.npz"):
        os.utime(path, (1, 1))
    assert run_study(plan, copy / "out", n_workers=1).done == {}
    moved = shutil.copytree(copy, copy / "elsewhere", ignore=shutil.ignore_patterns("out"))
    plan = read_plan(moved / "plan.toml").replaced(analyses=("linearity",))
    assert run_study(plan, copy / "out", n_workers=1).done == {}


def test_new_files_join_the_study(copy: Path) -> None:
    plan = read_plan(copy / "plan.toml").replaced(analyses=("linearity",))
    run_study(plan, copy / "out", n_workers=1)
    for split in ("train", "test"):
        write_space(copy / "third" / "step-0" / f"layer_0.{split}.npz", clusters(5))
    folder = StudyFolder(copy / "out")
    assert study_status(plan, folder).complete
    now = study_status(plan, folder, inputs=planned_inputs(plan, folder))
    assert now.missing == ("measure: pos third layer 0",)
    assert estimate(plan, folder.root).rows[0][1:3] == ("13", "12")
    assert run_study(plan, copy / "out", n_workers=1).done == {"measure": 1}


def test_layers_of_the_plan(place: Path, tmp_path: Path) -> None:
    plan = read_plan(place / "plan.toml").replaced(layers=(1,), analyses=("linearity",))
    outcome = run_study(plan, tmp_path / "out", n_workers=1)
    assert outcome.done == {"measure": 4}
    with pytest.raises(InputError, match="layer 9, but the given spaces have the layers 0, 1, 2"):
        run_study(plan.replaced(layers=(9,)), tmp_path / "none")
    assert not (tmp_path / "none").exists()


@pytest.mark.full
def test_classifier_and_memorisation(place: Path, tmp_path: Path) -> None:
    small = {"hidden_sizes": [4], "weight_decays": [1e-3], "folds": 2, "initialisations": 1}
    plan = read_plan(place / "plan.toml")
    plan = plan.replaced(classifier={**small, "max_epochs": 3}, layers=(2,))
    plan = plan.replaced(analyses=("performance", "memorisation"))
    outcome = run_study(plan, tmp_path / "out", n_workers=1)
    assert outcome.failed == {} and outcome.done["classify"] == outcome.done["memorise"] == 4
    assert outcome.done["leave-out"] == 4
    gathered = compute_findings(outcome.folder)
    assert [len(section.views) for section in gathered.sections] == [1, 2]


def test_units_left_out_say_what_was_memorised(tmp_path: Path) -> None:
    """A training draws its units to their centres and leaves test units; sentences are held."""
    centres, given = np.repeat(6 * np.eye(3, 12), 12, axis=0), {}
    for split, seed, rows in (("train", 1, slice(None)), ("test", 2, slice(None, None, 3))):
        sentence = np.array([f"{split} {k % 12 // 2}" for k in range(36)])[rows]
        noise = clusters(seed, n_dims=12) - centres
        for step, size in ((0, 1.0), (40, 0.3 if split == "train" else 1.0)):
            X = (centres + size * noise)[rows]
            np.savez(tmp_path / f"{step}-{split}.npz", X=X, y=LABELS[rows], sentence=sentence)
            given[step, split] = Space(X, LABELS[rows]), sentence
    fixed = {"task": "pos", "model": "m", "layer": 1}
    spaces = {"files": "{step}-{split}.npz", "groups": "sentence", "fixed": fixed}
    table = {"analyses": ["memorisation"], "classifier": False, "spaces": spaces}
    outcome = run_study(plan_from_table(table, folder=tmp_path), tmp_path / "out", n_workers=1)
    assert (outcome.failed, outcome.done) == ({}, {"measure": 2, "leave-out": 2})
    (train, groups), (test, test_groups) = given[40, "train"], given[40, "test"]
    alone = measure_units(train, test, groups=groups, test_groups=test_groups)
    cell, units = Cell("pos", "m", 1, "pos", 0, 40), load_study_data(outcome.folder).controls.units
    assert np.array_equal(units[cell].own, alone.own)
    change = units[cell].further(units[Cell("pos", "m", 1)])
    gathered = compute_findings(outcome.folder)
    (section,) = gathered.sections
    (line,) = section.answer.lines
    assert line.startswith("Fine-tuning brings training units of pos closer to their label than")
    assert f"is {change.observed:.3g} [" in line and f"p = {change.p_value:.2g}; 1 seed" in line
    assert section.answer.at_head and gathered.claims == ()
    (view,) = section.views
    assert [(row.step, row.n_train, row.n_test) for row in view.finding.rows] == [
        (step, 12, 4) for step in (0, 40) for _ in range(3)
    ]
    # A file of another cell is refused.
    one, other = (outcome.folder.units(each) for each in units)
    shutil.copy(one, other)
    with pytest.raises(FormatError, match="of the cell pos m layer 1, not of"):
        load_study_data(outcome.folder)


def test_clusters_of_an_original_that_is_not_linear_are_kept(tmp_path: Path) -> None:
    for step, apart in ((0, 0.5), (10, 1.0), (20, 6.0)):
        write_space(tmp_path / f"{step}.npz", clusters(step, apart=apart, n_dims=2))
    plan = plan_of(tmp_path, "{step}.npz", fixed={"task": "p", "model": "m", "layer": 0})
    plan = plan.replaced(analyses=("similarity",))
    outcome = run_study(plan, tmp_path / "study", n_workers=1)
    (view,) = compute_findings(outcome.folder).sections[0].views
    assert [row.is_linear for row in view.finding.rows] == [False, False, True]
    assert np.isnan([row.fixed for row in view.finding.rows]).tolist() == [False, True, True]
    assert "not linear" in view.finding.notes[0]

    outcome = run_study(plan.replaced(fixed_partition=True), tmp_path / "study", n_workers=1)
    assert outcome.failed == {} and outcome.done == {"hold": 2}
    (view,) = compute_findings(outcome.folder).sections[0].views
    first, *later = view.finding.rows
    assert first.fixed == pytest.approx(1)
    assert first.fixed_pairs == later[0].fixed_pairs == later[1].fixed_pairs > first.n_pairs
    assert all(abs(row.fixed - row.similarity) > 1e-3 for row in later)
    assert verify_study(outcome.folder, n_workers=1).holds


def test_without_test_points_and_steps_what_is_missing_is_named(tmp_path: Path) -> None:
    for layer in (0, 1):
        write_space(tmp_path / f"layer_{layer}.npz", clusters(layer))
    table = {"spaces": {"files": "layer_{layer}.npz", "fixed": {"task": "pos", "model": "m"}}}
    outcome = run_study(plan_from_table(table, folder=tmp_path), tmp_path / "out", n_workers=1)
    assert outcome.failed == {} and outcome.done == {"measure": 2}
    gathered = compute_findings(outcome.folder)
    assert gathered.complete
    said = {s.analysis: " ".join(s.missing) for s in gathered.sections if not s.views}
    assert said.keys() == {s.analysis for s in gathered.sections} - {"linearity"}
    for analysis in ("performance", "memorisation"):
        assert said.pop(analysis) == f"{analysis} needs points to test, and these spaces have none."
    assert all("before and after a training" in each for each in said.values())
    assert all(each.startswith(analysis) for analysis, each in said.items())
    assert verify_study(outcome.folder, n_workers=1).holds


def test_seeds_of_published_models_are_averaged(tmp_path: Path) -> None:
    for seed in (0, 1, 2):
        for split in ("train", "test"):
            write_space(tmp_path / f"s{seed}-{split}.npz", clusters(seed + 10 * len(split)))
    fixed = {"task": "pos", "model": "multi", "layer": 3}
    plan = plan_of(tmp_path, "s{seed}-{split}.npz", fixed=fixed)
    plan = plan.replaced(analyses=("performance", "linearity"))
    gathered = compute_findings(run_study(plan, tmp_path / "out", n_workers=1).folder)
    for section in gathered.sections:
        assert section.views[0].finding.over_seeds()["n_seeds"] == [3]


def test_seeds_start_where_their_own_files_say(tmp_path: Path) -> None:
    for seed in (0, 1):
        for step in (0, 10):
            write_space(tmp_path / f"{seed}-{step}.npz", clusters(10 * seed + step))
    plan = plan_of(tmp_path, "{seed}-{step}.npz", fixed={"task": "p", "model": "m", "layer": 0})
    plan = plan.replaced(analyses=("movement", "similarity"))
    outcome = run_study(plan, tmp_path / "out", n_workers=1)
    assert outcome.done == {"measure": 4, "move": 2}
    runs = load_study_data(outcome.folder).runs
    assert [(run.seed, run.original.cell.seed, run.steps) for run in runs] == [
        (0, 0, (0, 10)),
        (1, 1, (0, 10)),
    ]
    data = load_study_data(outcome.folder)
    moved = {cell.seed: value for cell, value in data.intervals["movement"].items()}
    assert moved[0]["noun"].value != moved[1]["noun"].value


def test_groupings_keep_apart_what_differs_in_them(tmp_path: Path) -> None:
    rows = ["file,task,model,layer,split,step,pooling,language"]
    for pooling in ("mean", "first"):
        for step in (0, 20):
            for split in ("train", "test"):
                name = f"{pooling}{step}{split}.npz"
                write_space(tmp_path / "v" / name, clusters(step + len(pooling), apart=3 + step))
                rows.append(f"v/{name},p/o:s,bert base,0,{split},{step},{pooling},de")
    (tmp_path / "cells.csv").write_text("\n".join(rows), encoding="utf8")
    plan = plan_of(tmp_path, "cells.csv").replaced(
        analyses=("performance", "linearity", "movement", "differences")
    )
    outcome = run_study(plan, tmp_path / "out", n_workers=1)
    assert outcome.failed == {} and outcome.done["measure"] == 4
    gathered = compute_findings(outcome.folder)
    choices = [view.choices for s in gathered.sections[2:] for view in s.views]
    assert {each["pooling"] for each in choices} == {"first", "mean"}
    assert {each["language"] for each in choices} == {"de"}
    performance = gathered.sections[0].views[0].finding
    assert performance.over_seeds()["n_seeds"] == [1] * 4
    header, *lines = write_tables(outcome.folder).spaces.read_text().splitlines()
    assert header.startswith("task,model,tuned_on,seed,step,layer,language,pooling,units")
    assert lines[0].startswith("p/o:s,bert base,,,0,0,de,first,36")
    assert verify_study(outcome.folder, n_workers=1).holds
    for path in (tmp_path / "out" / "geometry").rglob("*.npz"):
        assert path.relative_to(tmp_path).parts[2:4] == ("p%2Fo%3As", "bert%20base")


def test_a_table_in_parquet_with_numbers_and_gaps(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    write_space(tmp_path / "a.npz", clusters(0))
    write_space(tmp_path / "b.npz", clusters(1))
    frame = pandas.DataFrame(
        {
            "file": ["a.npz", "b.npz"],
            "task": "t",
            "model": "m",
            "layer": [1, 1],
            "seed": [None, 3],
            "step": [0, 50],
        }
    )
    frame.to_parquet(tmp_path / "cells.parquet")
    frame.to_csv(tmp_path / "cells.csv", index=False)
    expected = [Cell("t", "m", 1), Cell("t", "m", 1, "t", 3, 50)]
    for name in ("cells.parquet", "cells.csv"):
        assert cells_of(plan_of(tmp_path, name)) == expected


def test_layers_and_splits_within_one_file(tmp_path: Path) -> None:
    arrays = {
        f"layer_{k}{part}": clusters(k + 5 * len(part)) for k in (0, 1) for part in ("", "_test")
    }
    np.savez(tmp_path / "bert.npz", y=LABELS, y_test=LABELS, **arrays)
    plan = plan_of(tmp_path, "{model}.npz", points="layer_{layer}", fixed={"task": "pos"})
    outcome = run_study(plan, tmp_path / "out", n_workers=1)
    data = load_study_data(outcome.folder)
    assert [(g.cell.layer, g.predictions is not None) for g in data.geometries] == [
        (0, True),
        (1, True),
    ]
    assert data.geometries[0].centroids[0] == pytest.approx(
        clusters(0)[LABELS == "adverb"].mean(axis=0), abs=1e-5
    )


def test_labels_in_files_of_their_own_and_names_of_splits(tmp_path: Path) -> None:
    for split in ("train", "dev", "test"):
        (tmp_path / f"pos.{split}.txt").write_text("\n".join(LABELS), encoding="utf8")
        for layer in (0, 1):
            np.save(tmp_path / f"pos_{layer}_{split}.npy", clusters(layer + len(split)))
    spaces = {"labels": "{task}.{split}.txt", "fixed": {"model": "m"}}
    with pytest.raises(InputError, match=r"the split is 'dev'.*\[spaces\.splits\]"):
        cells_of(plan_of(tmp_path, "{task}_{layer}_{split}.npy", **spaces))
    plan = plan_of(tmp_path, "{task}_{layer}_{split}.npy", **spaces, splits={"test": "dev"})
    outcome = run_study(plan, tmp_path / "out", n_workers=1)
    assert outcome.failed == {} and outcome.done == {"measure": 2}
    assert plan.spaces is not None
    test = find_given(plan.spaces)[Cell("pos", "m", 0)].test
    assert test is not None and test.path == tmp_path / "pos_0_dev.npy"


def test_arrays_to_test_that_the_plan_does_not_speak_of_are_left_alone(tmp_path: Path) -> None:
    np.savez(tmp_path / "a_train.npz", X=clusters(0), y=LABELS, X_test=clusters(1), y_test=LABELS)
    plan = plan_of(tmp_path, "a_{split}.npz", fixed={"task": "t", "model": "m", "layer": 0})
    data = load_study_data(run_study(plan, tmp_path / "out", n_workers=1).folder)
    assert data.geometries[0].predictions is None


OTHERS = np.where(LABELS == "noun", "X", LABELS)
ONE = np.full(36, "noun")
NAN = np.full((36, 4), np.nan, np.float32)
BAD_CELLS: list[tuple[str, str, Callable[[Path], Any], str]] = [
    ("dimensions", "test", lambda p: write_space(p, clusters(0, n_dims=5)), "have 5 dimensions"),
    ("label", "test", lambda p: write_space(p, clusters(0), OTHERS), "'X' among the labels"),
    ("damage", "test", lambda p: p.write_bytes(p.read_bytes()[:200]), "damaged or cut off"),
    ("no labels", "test", lambda p: np.savez(p, X=clusters(0)), "labels"),
    ("lengths", "test", lambda p: write_space(p, clusters(0), LABELS[:5]), "has 5 labels, but"),
    ("one label", "train", lambda p: write_space(p, clusters(0), ONE), "every label is 'noun'"),
    ("shape", "train", lambda p: write_space(p, np.zeros(36)), r"of shape (36,): the shape (n_po"),
    ("no points", "train", lambda p: write_space(p, np.zeros((0, 4)), []), "shape (0, 4): labels"),
    ("nan", "train", lambda p: write_space(p, NAN), "nan in row 0, column 0"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "split", "damage", "message"), BAD_CELLS, ids=[kind for kind, *_ in BAD_CELLS]
)
def test_a_bad_file_costs_its_cell_and_no_other(
    copy: Path, kind: str, split: str, damage: Callable[[Path], Any], message: str
) -> None:
    path = copy / "small" / "step-0" / f"layer_1.{split}.npz"
    damage(path)
    plan = read_plan(copy / "plan.toml").replaced(analyses=("linearity",))
    outcome = run_study(plan, copy / "out", n_workers=1)
    assert outcome.done == {"measure": 11}
    ((name, reason),) = outcome.failed.items()
    assert name == "measure pos small layer 1"
    assert message in reason and str(path) in reason
    gathered = compute_findings(outcome.folder)
    assert not gathered.complete and reason in gathered.missing[0]
    assert verify_study(outcome.folder, n_workers=1).holds
    # Once the file is in order, the study is completed.
    write_space(path, clusters(0))
    again = run_study(plan, copy / "out", n_workers=1, retry_failed=True)
    assert again.done == {"measure": 1}


def test_a_damaged_file_of_a_plan_without_splits_costs_its_cell(tmp_path: Path) -> None:
    for layer in (0, 1):
        write_space(tmp_path / f"layer_{layer}.npz", clusters(layer))
    damaged = tmp_path / "layer_1.npz"
    damaged.write_bytes(damaged.read_bytes()[:200])
    plan = plan_of(tmp_path, "layer_{layer}.npz", fixed={"task": "pos", "model": "m"})
    outcome = run_study(plan, tmp_path / "out", n_workers=1)
    assert outcome.done == {"measure": 1}
    assert str(damaged) in outcome.failed["measure pos m layer 1"]


@pytest.mark.full
def test_labels_may_be_numbers_in_one_file_and_their_text_in_the_other(tmp_path: Path) -> None:
    """A number is never equal to a text, so that every prediction would be wrong."""
    codes = np.repeat([0, 1, 2], 12)
    write_space(tmp_path / "train.npz", clusters(0), codes)
    rows = [",".join(map(str, row)) for row in (["label", *"abcd"], *_rows(clusters(1), codes))]
    (tmp_path / "test.csv").write_text("\n".join(rows), encoding="utf8")
    files = "file,split\ntrain.npz,train\ntest.csv,test\n"
    (tmp_path / "cells.csv").write_text(files, encoding="utf8")
    np.savez(tmp_path / "test.npz", X=clusters(1).astype(np.float32), y=codes)
    grid = {"hidden_sizes": [8], "weight_decays": [1e-3], "folds": 2, "initialisations": 1}
    fixed = {"task": "t", "model": "m", "layer": 0}
    accuracies = []
    for files in ("cells.csv", "{split}.npz"):
        plan = plan_of(tmp_path, files, fixed=fixed, float32=True)
        plan = plan.replaced(analyses=("performance",), classifier={**grid, "max_epochs": 40})
        outcome = run_study(plan, tmp_path / f"out of {files}", n_workers=1)
        assert outcome.failed == {}
        (section,) = compute_findings(outcome.folder).sections
        accuracies.append(section.views[0].finding.rows)
    assert accuracies[0] == accuracies[1]


def _rows(points: Any, labels: Any) -> list[list[Any]]:
    return [[label, *row] for label, row in zip(labels.tolist(), points.tolist(), strict=True)]


def test_labels_only_in_test_may_count_as_wrong(copy: Path) -> None:
    write_space(copy / "small" / "step-0" / "layer_1.test.npz", clusters(0), OTHERS)
    plan = read_plan(copy / "plan.toml").replaced(analyses=("linearity",))
    assert plan.spaces is not None
    plan = plan.replaced(spaces=plan.spaces.replaced(unseen="wrong"))
    assert run_study(plan, copy / "out", n_workers=1).failed == {}


def test_mixed_types_are_refused(copy: Path) -> None:
    path = copy / "small" / "step-40" / "layer_1.train.npz"
    write_space(path, clusters(0, dtype=np.float64))
    with pytest.raises(
        InputError, match=r"pos small are float32 in .* and float64 in .*layer_1\.train"
    ):
        run_study(read_plan(copy / "plan.toml"), copy / "out", n_workers=1)
    assert not (copy / "out").exists()


HEADER = "file,task,model,layer,split,step,seed,tuned_on"
BAD_TABLES = [
    ("a.npz,t,m,0,train,,,\nno.npz,t,m,1,train,,,", r"line 3: there is no file .*no\.npz"),
    ("a.npz,t,m,0,train,,,\nb.npz,t,m,0,train,,,", "'train' of t m layer 0: .*line 2 and .*line 3"),
    ("a.npz,t,m,0,train,0,,a\nb.npz,t,m,0,train,0,,b", "0 is the model before any training"),
    ("a.npz,t,m,0,test,,,", "line 2: there are points to test of t m layer 0, but no file"),
    ("a.npz,t,m,last,train,,,", "line 2: layer is 'last', but a whole number"),
    ("a.npz,t,m,-1,train,,,", "layer is '-1', but a whole number"),
    (f"a.npz,t,m,{'9' * 16},train,,,", "of at most 15 digits is expected"),
    ("a.npz,t,m,1.5,train,,,", "layer is '1.5', but a whole number"),
    ("a.npz,t,,0,train,,,", "line 2: model is empty"),
    (",t,m,0,train,,,", "the column 'file' is empty"),
    ("a.npz,t,m,0,dev,,,", "the split is 'dev'"),
    ("a.npz,t,m,0,,,,", "the split is ''"),
    ("a.npz,t,m,0,train,,,other", "tuned_on is 'other', but no step is said"),
    ("a.npz,t,m,0,train,,", "the row has 7 cells, but there are 8 columns"),
    ("", "the table has no rows"),
]  # fmt: skip


@pytest.mark.parametrize(("rows", "message"), BAD_TABLES)
def test_a_bad_table_is_refused_by_name(tmp_path: Path, rows: str, message: str) -> None:
    write_space(tmp_path / "a.npz", clusters(0))
    write_space(tmp_path / "b.npz", clusters(1))
    (tmp_path / "cells.csv").write_text(f"{HEADER}\n{rows}\n", encoding="utf8")
    plan = plan_of(tmp_path, "cells.csv")
    with pytest.raises(GeoprobeError, match=message):
        run_study(plan, tmp_path / "out")
    assert not (tmp_path / "out").exists()


BAD_PLANS: list[tuple[dict[str, Any], str]] = [
    ({"spaces": {"files": "{model}.npz"}}, "does not say the task of a file"),
    ({"spaces": {"files": "{model"}}, "brace"),
    ({"spaces": {"files": "{task}{model}{layer}{layers}"}}, "the nearest known one is 'layer'"),
    ({"spaces": {"files": "{task}{model}{layer}{units}"}}, "means something else"),
    ({"spaces": {"files": "{task}.npz", "fixed": {"task": "a"}}}, "says task twice"),
    ({"spaces": {"file": "a.csv"}}, "no key 'file' in spaces; the nearest known one is 'files'"),
    ({"spaces": {"files": "{task}{model}{layer}", "unseen": "maybe"}}, "'error' or 'wrong'"),
    ({"spaces": {"files": "a.csv", "fixed": {"layer": [0, 1]}}}, "spaces.fixed.layer"),
    ({"spaces": {"files": "a.csv"}, "seeds": [1]}, "seeds is about text"),
    ({"spaces": {"files": "a.csv"}, "finetune": {"epochs": 1}}, "finetune is about text"),
    ({"spaces": {"files": "a.csv"}, "limit": {"train": 1}}, "limit is about text"),
    ({"spaces": {"files": "a.csv"}, "tasks": ["pos"]}, "the key 'models' is missing"),
    ({"spaces": {"files": "a.csv"}, "models": ["m"]}, "the key 'tasks' is missing"),
    ({"spaces": 3}, "spaces is 3: a table is expected"),
    ({}, "tasks and models, or in [spaces]"),
]


@pytest.mark.parametrize(("table", "message"), BAD_PLANS)
def test_what_a_plan_of_given_spaces_refuses(table: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        plan_from_table(table)
    assert message in str(caught.value)


def test_text_and_given_spaces_for_one_task_are_refused(tmp_path: Path) -> None:
    write_space(tmp_path / "a.npz", clusters(0))
    fixed = {"task": "builtin-pos", "model": "m", "layer": 0}
    table = {
        "tasks": ["builtin-pos"],
        "models": ["minilm"],
        "spaces": {"files": "{name}.npz", "fixed": fixed},
    }
    plan = plan_from_table(table, folder=tmp_path)
    with pytest.raises(InputError, match=r"a\.npz: the task 'builtin-pos' is text in this plan"):
        run_study(plan, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.full
def test_text_and_given_spaces_of_different_tasks_make_one_study(
    place: Path, tmp_path: Path
) -> None:
    pytest.importorskip("torch", reason="this extracts spaces, which needs the extra bert")
    from tests.support import encoder_models
    from tests.support.study_cases import PLAN, write_task

    encoder_models.save("bert", tmp_path / "tiny")
    write_task(tmp_path)
    spaces = f'[spaces]\nfiles = "{place}/{PATTERN}"\nfixed = {{ task = "own" }}\n'
    (tmp_path / "plan.toml").write_text(PLAN.format(model=tmp_path / "tiny") + spaces)
    plan = read_plan(tmp_path / "plan.toml").replaced(
        layers=(1,), analyses=("linearity", "similarity"), classifier=None, resamples=0
    )
    with pytest.warns(UserWarning, match="also occur in train"):
        outcome = run_study(plan, tmp_path / "out", n_workers=1)
    assert outcome.failed == {}
    assert outcome.done == {"extract": 1, "fine-tune": 1, "measure": 7}
    gathered = compute_findings(outcome.folder)
    assert gathered.complete
    tasks = {view.choices["task"] for section in gathered.sections for view in section.views}
    assert tasks == {"animals", "own"}
    assert verify_study(outcome.folder, n_workers=1).holds


def test_a_plan_can_be_kept_and_read_again(place: Path) -> None:
    plan = read_plan(place / "plan.toml")
    assert plan_from_table(json.loads(json.dumps(plan.as_table()))) == plan


@pytest.mark.full
def test_no_torch_is_needed(place: Path, tmp_path: Path) -> None:
    """Studies of given spaces run where the extra bert is not installed."""
    code = f"""
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name in ("torch", "transformers", "tokenizers"):
            raise ModuleNotFoundError(name, name=name)

sys.meta_path.insert(0, Absent())
from geoprobe.studies import read_plan, run_study
plan = read_plan({str(place / "plan.toml")!r}).replaced(layers=(0,))
print(len(run_study(plan, {str(tmp_path / "out")!r}, n_workers=1).failed))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.stdout == "0\n", run.stderr


def test_the_index_is_sealed(done: StudyFolder, tmp_path: Path) -> None:
    root = Path(shutil.copytree(done.root, tmp_path / "copy"))
    path = root / "given.json"
    path.write_text(path.read_text().replace("layer_1.train", "layer_2.train"))
    with pytest.raises(FormatError, match=r"given\.json: the file was changed"):
        compute_findings(StudyFolder(root))


@pytest.mark.full
def test_on_the_command_line(place: Path, tmp_path: Path, run: Run) -> None:
    shutil.copy(place / "plan.toml", tmp_path / "short.toml")
    text = (tmp_path / "short.toml").read_text()
    text = f'analyses = ["linearity"]\n{text}'.replace('files = "', f'files = "{place}/')
    (tmp_path / "short.toml").write_text(text)
    plan = str(tmp_path / "short.toml")
    code, out, _ = run("study", "run", plan, "--dry-run")
    assert code == 0 and "measure" in out and "Spaces:" not in out
    code, out, _ = run("study", "run", plan)
    assert code == 0 and "Clusters for each label" in out
    code, out, _ = run("study", "status", plan)
    assert code == 0 and "12" in out and "To do" not in out
    code, out, _ = run("verify", str(tmp_path / "short"))
    assert code == 0 and "no failure" in out
