"""Controls of a study: planned, measured, resumed, and said beside what they control."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pandas", reason="tables need the extra report")

from geoprobe.controls import BesideControl, load_shuffled, shuffle_labels
from geoprobe.errors import FormatError, InputError
from geoprobe.findings import spatial_similarity
from geoprobe.geometry import Cell
from geoprobe.studies import (
    StudyFindings,
    StudyFolder,
    compute_findings,
    load_study_data,
    plan_from_table,
    read_plan,
    run_study,
    study_status,
)
from geoprobe.studies.study_controls import CONTROLLED, WITHOUT
from tests.support.given_cases import LABELS, clusters, write_space, write_spaces
from tests.support.study_cases import PLAN, write_task

pytestmark = pytest.mark.full
CONTROLS = {"permutations": 19, "pseudo_tests": 5, "halves": 4, "seed": 2}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("controls")
    write_spaces(folder)
    return folder


def with_controls(folder: Path, **controls: Any) -> Any:
    table = read_plan(folder / "plan.toml").as_table()
    return plan_from_table({**table, "layers": [1, 2], "controls": {**CONTROLS, **controls}})


@pytest.fixture(scope="module")
def done(place: Path) -> Iterator[StudyFolder]:
    outcome = run_study(with_controls(place), place / "done", n_workers=1)
    assert outcome.failed == {}
    # Two models, as published and trained, in their last layer.
    assert {kind: outcome.done[kind] for kind in ("shuffle", "shuffle-move", "sample")} == {
        "shuffle": 4,
        "shuffle-move": 2,
        "sample": 4,
    }
    yield outcome.folder


def rows_of(gathered: StudyFindings) -> dict[tuple[str, str, str], Any]:
    section = next(s for s in gathered.sections if s.analysis == "controls")
    findings = [
        view.finding for view in section.views if view.choices["show"] == "beside the control"
    ]
    assert all(isinstance(finding, BesideControl) for finding in findings)
    return {(row.model, row.tuned_on, row.measure): row for each in findings for row in each.rows}


def test_files_hold_what_the_controls_give_alone(done: StudyFolder, place: Path) -> None:
    plan = done.plan()[0]
    assert plan.controls is not None
    cell = Cell("pos", "small", 2)
    X = np.load(place / "small" / "step-0" / "layer_2.train.npz")["X"]
    alone = shuffle_labels(X, LABELS, n_permutations=19, seed=2)
    found = load_shuffled(done.shuffled(cell, plan.controls))
    assert np.array_equal(found.null_distances, alone.null_distances)
    assert (found.cell, found.units) == (cell, alone.units)
    noted = json.loads(done.sampling(cell, plan.controls).read_text())
    # Test labels have as many units as training's: no pseudo-test can be drawn.
    assert "there are 0" in noted["drift"]["problem"]
    assert len(noted["ceiling"]["halves"]) == 4
    assert noted["leakage"] == {
        "n_test": 36, "same_vector": 0, "other_label": 0, "same_group": None, "share": 0.0,
    }  # fmt: skip


def test_every_controlled_number_stands_beside_its_control(done: StudyFolder) -> None:
    rows = rows_of(compute_findings(done))
    assert {measure for _, _, measure in rows} == {
        "clusters", "distance", "apart", "to original", "movement", "ceiling", "nearest",
    }  # fmt: skip
    row = rows["small", "pos", "clusters"]
    shuffled = load_study_data(done).controls.shuffled[Cell("pos", "small", 2, "pos", 0, 40)]
    assert (row.value, row.control) == (3.0, shuffled.null_clusters.mean())
    assert (row.p_value, row.n_control, row.n_units) == (1 / 20, 19, 36)
    assert row.verdict == "beyond chance"
    assert rows["small", "pos", "apart"].value == 3.0
    nearest = rows["small", "pos", "nearest"]
    (g,) = (g for g in load_study_data(done).geometries if g.cell == Cell("pos", "small", 2))
    assert g.predictions is not None
    assert rows["small", "", "nearest"].value == g.predictions.accuracy
    assert (nearest.n_units, nearest.p_value) == (36, 1 / 20)
    assert nearest.control == pytest.approx(1 / 3, abs=0.1)


def test_sections_say_what_was_found_beside_the_control(done: StudyFolder) -> None:
    gathered = compute_findings(done)
    linear = next(s for s in gathered.sections if s.analysis == "linearity")
    rows = rows_of(gathered)
    assert len(linear.beside) == 4
    for line in linear.beside:
        model = "small" if "small" in line else "large"
        row = rows[model, "pos" if "tuned on" in line else "", "clusters"]
        assert f"clusters {row.value:.0f}" in line
        assert f"p = {row.p_value:.2g}" in line
        assert "36 units" in line
        assert line.endswith(f"{row.verdict}.")
    assert {claim.measure for claim in gathered.claims} == {key[2] for key in rows}


def test_similarity_by_size_is_that_of_the_measured_spaces(done: StudyFolder) -> None:
    section = next(s for s in compute_findings(done).sections if s.analysis == "controls")
    (found,) = (
        view.finding
        for view in section.views
        if view.choices == {"show": "similarity by label size", "task": "pos", "model": "small"}
    )
    measured = {g.cell: g for g in load_study_data(done).geometries}
    before, after = (
        measured[Cell("pos", "small", 2)],
        measured[Cell("pos", "small", 2, "pos", 0, 40)],
    )
    rows = {(row.compared, row.tuned_on, row.min_units): row for row in found.rows}
    assert len(rows) == 9
    tuned = rows["original and tuned", "pos", 1]
    assert tuned.pearson == pytest.approx(spatial_similarity(before, after).value)
    own = rows["training and test", "", 10]
    assert before.test is not None
    assert own.pearson == pytest.approx(spatial_similarity(before, before.test).value)
    # Three pairs of labels carry no finding, whatever their correlation.
    assert own.said == "no finding: 3 pairs of 3 labels, and fewer than 10 pairs carry none"


def test_without_controls_sections_say_so(place: Path) -> None:
    plan = read_plan(place / "plan.toml").replaced(layers=(1,))
    outcome = run_study(plan, place / "bare", n_workers=1)
    gathered = compute_findings(outcome.folder)
    assert "controls" not in {s.analysis for s in gathered.sections}
    for section in gathered.sections:
        said = (WITHOUT,) if section.analysis in CONTROLLED else ()
        assert section.beside == said
    # Controls may be added to a study that is there; nothing else is done again.
    more = run_study(plan.replaced(controls=CONTROLS), outcome.folder.root, n_workers=1)
    assert set(more.done) == {"shuffle", "shuffle-move", "sample"}
    assert not set(more.found) - {"measure", "move"}


def test_other_controls_are_other_files(done: StudyFolder, place: Path) -> None:
    other = with_controls(place, permutations=2)
    left = {each.kind: each.waiting for each in study_status(other, done).counts}
    assert (left["shuffle"], left["shuffle-move"], left["sample"]) == (4, 2, 0)
    every = with_controls(place, cells="all")
    left = {each.kind: each.waiting for each in study_status(every, done).counts}
    assert (left["shuffle"], left["sample"]) == (4, 4)
    none = with_controls(place, permutations=0, pseudo_tests=0, halves=0)
    assert {each.kind for each in study_status(none, done).counts} == {"measure", "move"}


def test_damaged_and_exchanged_files_are_refused(done: StudyFolder, tmp_path: Path) -> None:
    root = shutil.copytree(done.root, tmp_path / "copy")
    folder, controls = StudyFolder(root), done.plan()[0].controls
    assert controls is not None
    small, large = (folder.shuffled(Cell("pos", name, 2), controls) for name in ("small", "large"))
    shutil.copy(small, large)
    with pytest.raises(FormatError, match=r"of the cell pos small .*, not of pos large"):
        load_study_data(folder)
    large.unlink()
    path = folder.sampling(Cell("pos", "small", 2), controls)
    path.write_text(path.read_text().replace('"n_test": 36', '"n_test": 35'))
    with pytest.raises(FormatError):
        load_study_data(folder)


@pytest.mark.parametrize(
    ("controls", "message"),
    [
        ({"permutation": 5}, "'permutation' in controls; the nearest known one is 'permutations'"),
        ({"cells": "last"}, "controls.cells is 'last'"),
        ({"exchange": "free"}, "controls.exchange is 'free'"),
        ({"pseudo_tests": -1}, "controls.pseudo_tests is -1"),
        ({"groups": "yes"}, "controls.groups is 'yes': true or false is expected"),
    ],
)
def test_what_a_plan_of_controls_refuses(controls: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        plan_from_table({"tasks": ["pos"], "models": ["m"], "controls": controls})


def test_plan_of_controls_can_be_kept() -> None:
    table = {"tasks": ["pos"], "models": ["m"]}
    assert plan_from_table(table).controls is None
    assert plan_from_table({**table, "controls": False}).controls is None
    plan = plan_from_table({**table, "controls": True})
    assert plan.controls is not None
    assert plan.controls.permutations == 100
    assert plan_from_table(plan.as_table()) == plan


def write_grouped(folder: Path) -> None:
    """Points in groups of three of every label; the test is smaller, and shares two groups."""
    for split, seed, n in (("train", 1, 36), ("test", 2, 12)):
        rows = np.arange(36) if split == "train" else np.arange(36)[::3]
        groups = np.array([f"{split}-{k % 12 // 2}" for k in rows], dtype="<U9")
        if split == "test":
            groups[:2] = "train-0"
        X = clusters(seed)[rows]
        path = folder / f"{split}.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        assert len(X) == n
        np.savez(path, X=X, y=LABELS[rows], sentence=groups, word=np.char.add("w", groups))


def grouped_plan(folder: Path, **controls: Any) -> Any:
    spaces = {
        "files": "{split}.npz", "groups": "sentence", "types": "word",
        "fixed": {"task": "pos", "model": "m", "layer": 1},
    }  # fmt: skip
    classifier = {
        "hidden_sizes": [8, 4], "weight_decays": [1e-3], "folds": 2, "initialisations": 1,
        "max_epochs": 3,
    }  # fmt: skip
    return plan_from_table(
        {
            "analyses": ["performance", "linearity"],
            "device": "cpu",
            "classifier": classifier,
            "spaces": spaces,
            "controls": {**CONTROLS, **controls},
        },
        folder=folder,
    )


def test_groups_and_types_of_given_points(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the classifier probe trains with torch")
    write_grouped(tmp_path)
    plan = grouped_plan(tmp_path, control_tasks=2)
    outcome = run_study(plan, tmp_path / "done", n_workers=1)
    assert outcome.failed == {}
    assert outcome.done == {"measure": 1, "classify": 1, "shuffle": 1, "sample": 1, "select": 1}
    cell, folder = Cell("pos", "m", 1), outcome.folder
    X, groups = np.load(tmp_path / "train.npz")["X"], np.load(tmp_path / "train.npz")["sentence"]
    alone = shuffle_labels(X, LABELS, n_permutations=19, seed=2, groups=groups)
    found = load_shuffled(folder.shuffled(cell, plan.controls))
    assert np.array_equal(found.null_distances, alone.null_distances)
    noted = json.loads(folder.sampling(cell, plan.controls).read_text())
    assert noted["leakage"]["same_group"] == 2
    assert noted["grouped"] is True
    rows = rows_of(compute_findings(folder))
    assert {"accuracy", "bits", "train to test"} <= {measure for _, _, measure in rows}
    accuracy = rows["m", "", "accuracy"]
    assert (accuracy.n_control, accuracy.n_units) == (2, 12)
    section = next(s for s in compute_findings(folder).sections if s.analysis == "controls")
    notes = section.views[0].finding.notes
    assert any("2 belong to a group that is in train too" in note for note in notes)
    free = grouped_plan(tmp_path, control_tasks=2, groups=False)
    assert free.controls.shuffled_name != plan.controls.shuffled_name


def test_groups_that_are_not_there_fail_by_name(tmp_path: Path) -> None:
    write_space(tmp_path / "train.npz", clusters(1))
    outcome = run_study(grouped_plan(tmp_path), tmp_path / "done", n_workers=1)
    (reason,) = {text for name, text in outcome.failed.items() if name.startswith("shuffle")}
    assert "there is no array 'sentence' to take the labels from" in reason


def test_column_of_groups_that_would_be_a_coordinate_is_refused(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("label,sentence,a,b\nx,1,0,1\ny,1,2,3\n", encoding="utf8")
    plan = plan_from_table(
        {
            "spaces": {
                "files": "{split}.csv",
                "groups": "sentence",
                "fixed": {"task": "pos", "model": "m", "layer": 1},
            },
            "controls": CONTROLS,
        },
        folder=tmp_path,
    )
    with pytest.raises(InputError, match="'sentence', but points does not say which columns"):
        run_study(plan, tmp_path / "done", n_workers=1)


def test_units_of_text_have_their_sentence_and_word(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="studies run models, which need the extra bert")
    pytest.importorskip("transformers", reason="studies run models, which need the extra bert")
    from tests.support import encoder_models

    encoder_models.save("bert", tmp_path / "tiny")
    write_task(tmp_path)
    text = PLAN.format(model=tmp_path / "tiny") + "[controls]\npermutations = 3\nhalves = 2\n"
    text = 'analyses = ["performance"]\nlayers = [1]\n' + text
    text += "pseudo_tests = 2\ncontrol_tasks = 1\ndescription_length = false\n"
    (tmp_path / "plan.toml").write_text(text, encoding="utf8")
    plan = read_plan(tmp_path / "plan.toml")
    with pytest.warns(UserWarning, match="also occur in train"):
        outcome = run_study(plan, tmp_path / "done", n_workers=1)
    assert outcome.failed == {}
    known = {"shuffle": 2, "shuffle-move": 1, "sample": 2, "select": 2}
    assert {kind: outcome.done[kind] for kind in known} == known
    cell, folder, controls = Cell("animals", "tiny", 1), outcome.folder, plan.controls
    assert controls is not None
    sentences = [json.loads(line) for line in (tmp_path / "train.jsonl").read_text().splitlines()]
    groups = [" ".join(each["tokens"]) for each in sentences for _ in each["tokens"]]
    space = next(
        folder.store.open(key).space(1)
        for key in folder.store.keys()
        if key.split == "train" and key.tuned_on is None
    )
    alone = shuffle_labels(space.points, space.labels, n_permutations=3, groups=groups)
    found = load_shuffled(folder.shuffled(cell, controls))
    assert np.array_equal(found.null_distances, alone.null_distances)
    noted = json.loads(folder.selectivity(cell, controls).read_text())["selectivity"]
    words = {word for each in sentences for word in each["tokens"]}
    assert len(words) <= noted["n_types"] <= len(words) + 2
    leakage = json.loads(folder.sampling(cell, controls).read_text())["leakage"]
    # The test has no sentence twice, nor has training, and some are in both.
    test = (tmp_path / "test.jsonl").read_text().splitlines()
    both = {line for line in test if line in (tmp_path / "train.jsonl").read_text().splitlines()}
    assert leakage["same_group"] == 6 * len(both)
    assert "controls" in {s.analysis for s in compute_findings(folder).sections}
