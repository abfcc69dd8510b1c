"""Controls of a study: planned, measured, resumed, and said beside what they control."""

from __future__ import annotations

import json
import math
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pandas", reason="tables need the extra report")

from geoprobe.controls import BesideControl, load_shuffled, permutation_test, shuffle_labels
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
from geoprobe.studies.control_jobs import UnitNames, groups_to_hold, unit_names
from geoprobe.studies.controls_plan import ControlsPlan
from geoprobe.studies.given import find_given
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
    # Two models, as published and trained, in their last layer; movement in both layers.
    known = {"shuffle": 4, "shuffle-move": 4, "shuffle-predict": 4, "sample": 4}
    assert {kind: outcome.done[kind] for kind in known} == known
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
        "clusters", "distance", "apart", "to original", "movement", "common", "ceiling",
        "nearest",
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
    said = {s.analysis: s.answer for s in gathered.sections}
    rows = rows_of(gathered)
    # Two models, as published and tuned: the four sentences are counted.
    assert len(said["linearity"].each) == 4 and len(said["linearity"].lines) == 1
    for line in said["linearity"].each:
        model = "small" if "(small" in line else "large"
        row = rows[model, "pos" if "after fine-tuning" in line else "", "clusters"]
        assert line.startswith(f"{row.value:.0f} clusters for 3 labels of pos")
        assert f"shuffled: {row.control:.3g} ± {row.control_std:.2g}, p = {row.p_value:.2g}" in line
        assert ("fewer than shuffled labels have" in line) is (row.verdict == "beyond chance")
    for line in said["differences"].lines:
        row = rows["small" if "(small" in line else "large", "pos", "common"]
        assert f"share {row.value:.3g} of their squared movement" in line
        assert ("less than shuffled ones do" in line) is (row.verdict == "beyond chance")
    for line in said["min-distances"].lines:
        row = rows["small" if "(small" in line else "large", "pos", "apart"]
        assert f"{row.value:.0f} of 3 labels of pos" in line
        # In so few dimensions all shuffled labels overlap, which is no control.
        beside = "no control" if np.isnan(row.control) else f"p = {row.p_value:.2g}"
        assert beside in line
    assert {claim.measure for claim in gathered.claims} == {key[2] for key in rows}
    counted = Counter(claim.verdict for claim in gathered.claims if claim.verdict)
    assert f"beyond chance in {counted['beyond chance']}" in said["controls"].lines[0]


def test_figures_have_the_bands_of_their_control(done: StudyFolder) -> None:
    gathered = compute_findings(done)
    rows = rows_of(gathered)
    key = ("pos", "small", "pos", 40, 2)

    def control(analysis: str, **choices: str) -> Any:
        finding: Any = gathered.view(analysis, model="small", **choices).finding
        return finding.control

    row = rows["small", "pos", "clusters"]
    band = control("linearity").of[key]
    assert (band.low * 3, band.high * 3) == pytest.approx(
        (row.control - row.control_std, row.control + row.control_std)
    )
    assert band.value == row.value / 3
    shuffled = load_study_data(done).controls.shuffled[Cell("pos", "small", 2, "pos", 0, 40)]
    low, high = np.percentile(shuffled.nearest()[1], [2.5, 97.5])
    assert control("min-distances", layer="2").of[key][:2] == pytest.approx((low, high))
    # Shuffled labels overlap everywhere here, and a constant has no correlation.
    assert math.isnan(rows["small", "pos", "to original"].control)
    assert control("similarity").of == {}
    accuracy: Any = gathered.view("performance").finding
    assert accuracy.control["directprobe"].of[key].value == rows["small", "pos", "nearest"].value


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
    own = rows["all of training and test", "", 10]
    assert before.test is not None
    assert own.pearson == pytest.approx(spatial_similarity(before, before.test).value)
    # Three pairs of labels carry no finding, whatever their correlation.
    assert own.said == "no finding: 3 pairs of 3 labels, and fewer than 10 pairs carry none"


def test_margins_stand_against_accuracies_of_all_cells(done: StudyFolder) -> None:
    section = next(s for s in compute_findings(done).sections if s.analysis == "controls")
    (found,) = (v.finding for v in section.views if v.choices["show"] == "margin and accuracy")
    about = [(row.model, row.n_cells, row.n_controlled) for row in found.rows[::2]]
    assert about == [("large", 4, 2), ("small", 4, 2), ("all", 8, 4)]
    (g,) = (g for g in load_study_data(done).geometries if g.cell == Cell("pos", "small", 2))
    (of_cell,) = (each for each in found.cells if each.cell == g.cell)
    assert g.predictions is not None
    assert of_cell.accuracy == g.predictions.accuracy


def test_without_controls_sections_say_so(place: Path) -> None:
    plan = read_plan(place / "plan.toml").replaced(layers=(1,))
    outcome = run_study(plan, place / "bare", n_workers=1)
    gathered = compute_findings(outcome.folder)
    assert "controls" not in {s.analysis for s in gathered.sections}
    assert gathered.claims == ()
    said = [line for s in gathered.sections for line in (*s.answer.lines, *s.answer.each)]
    said.remove("Every task was looked at through its own fine-tuning only.")
    assert len(said) > 5
    for line in said:
        # The head of the page says once that nothing has a control.
        assert "no control" not in line and "chance" not in line, line
    # Controls may be added to a study that is there; nothing else is done again.
    more = run_study(plan.replaced(controls=CONTROLS), outcome.folder.root, n_workers=1)
    assert set(more.done) == {"shuffle", "shuffle-move", "shuffle-predict", "sample"}
    assert not set(more.found) - {"measure", "move", "leave-out"}


def test_larger_spaces_have_overlaps_for_clusters(place: Path, tmp_path: Path) -> None:
    plan = with_controls(place, clusters_up_to=35, pseudo_tests=0, halves=0)
    outcome = run_study(plan.replaced(analyses=["linearity"]), tmp_path / "study", n_workers=1)
    gathered = compute_findings(outcome.folder)
    row = rows_of(gathered)["small", "pos", "overlaps"]
    assert (row.value, row.control > 0, row.n_control) == (0.0, True, 19)
    said = next(s.answer for s in gathered.sections if s.analysis == "linearity")
    assert any("pairs of the 3 labels of pos" in line for line in (*said.lines, *said.each))
    notes = [
        note
        for section in gathered.sections
        for view in section.views
        if isinstance(view.finding, BesideControl)
        for note in view.finding.notes
    ]
    assert any("its 36 units are more than clusters_up_to" in note for note in notes)


def test_other_controls_are_other_files(done: StudyFolder, place: Path) -> None:
    other = with_controls(place, permutations=2)
    left = {each.kind: each.waiting for each in study_status(other, done).counts}
    assert (left["shuffle"], left["shuffle-move"], left["sample"]) == (4, 4, 0)
    every = with_controls(place, cells="all")
    left = {each.kind: each.waiting for each in study_status(every, done).counts}
    assert (left["shuffle"], left["sample"]) == (4, 4)
    none = with_controls(place, permutations=0, pseudo_tests=0, halves=0)
    assert {each.kind for each in study_status(none, done).counts} == {
        "measure",
        "move",
        "leave-out",
    }


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


def null_of_accuracy(folder: StudyFolder, place: Path, n_permutations: int) -> float:
    """The mean accuracy where labels change places within the groups of the test, counted here."""
    (g,) = load_study_data(folder).geometries
    held_out = g.predictions
    assert held_out is not None
    groups = np.load(place / "test.npz")["sentence"]
    tests = [
        permutation_test(
            lambda labels: float(np.mean(labels == held_out.predicted)),
            held_out.true,
            n_permutations=n_permutations,
            seed=2,
            groups=held,
        )
        for held in (groups, None)
    ]
    # Within groups there is less to exchange, so that this is another null than the free one.
    assert not np.array_equal(tests[0].null, tests[1].null)
    return tests[0].mean


def test_groups_and_types_of_given_points(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the classifier probe trains with torch")
    write_grouped(tmp_path)
    plan = grouped_plan(tmp_path, control_tasks=2)
    outcome = run_study(plan, tmp_path / "done", n_workers=1)
    assert outcome.failed == {}
    kinds = ("measure", "classify", "shuffle", "shuffle-predict", "sample", "select")
    assert outcome.done == dict.fromkeys(kinds, 1)
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
    assert rows["m", "", "nearest"].control == null_of_accuracy(folder, tmp_path, 19)
    section = next(s for s in compute_findings(folder).sections if s.analysis == "controls")
    notes = section.views[0].finding.notes
    assert any("2 belong to a group that is in train too" in note for note in notes)
    free = grouped_plan(tmp_path, control_tasks=2, groups=False)
    assert free.controls.shuffled_name != plan.controls.shuffled_name
    # Controls that are there were not computed with other groups.
    other = plan.replaced(spaces={**plan.spaces.as_table(), "groups": "word"})
    with pytest.raises(InputError, match=r"its groups are 'word' now, but were 'sentence' when"):
        run_study(other, folder.root, n_workers=1)
    assert load_study_data(folder).plan == plan


def test_groups_of_one_label_leave_the_accuracy_without_a_null(tmp_path: Path) -> None:
    write_grouped(tmp_path)
    held = dict(np.load(tmp_path / "test.npz"))
    np.savez(tmp_path / "test.npz", **(held | {"sentence": held["y"]}))
    plan = grouped_plan(tmp_path, pseudo_tests=0, halves=0, control_tasks=0)
    plan = plan.replaced(
        classifier=None,
        controls=plan.controls.replaced(description_length=False).model_dump(),
    )
    outcome = run_study(plan, tmp_path / "done", n_workers=1)
    assert outcome.failed == {}
    assert not any(key[2] == "nearest" for key in rows_of(compute_findings(outcome.folder)))
    section = next(s for s in compute_findings(outcome.folder).sections if s.analysis == "controls")
    (note,) = section.views[0].finding.notes
    assert "no control of the accuracy: no label can change within its group" in note


@pytest.mark.parametrize(
    ("groups", "held"), [("aabbc", True), ("aabc", False), ("aabcd", False), ("abcd", False)]
)
def test_groups_are_held_where_most_units_share_theirs(groups: str, held: bool) -> None:
    names = UnitNames(np.array([*groups]), None)
    assert (groups_to_hold(ControlsPlan(), names) is names.groups) is held
    assert groups_to_hold(ControlsPlan(groups=False), names) is None


def test_groups_that_are_not_there_fail_by_name(tmp_path: Path) -> None:
    write_space(tmp_path / "train.npz", clusters(1))
    outcome = run_study(grouped_plan(tmp_path), tmp_path / "done", n_workers=1)
    (reason,) = {text for name, text in outcome.failed.items() if name.startswith("shuffle")}
    assert "the groups of the units, 'sentence', cannot be read: " in reason
    assert "train.npz: there is no array 'sentence'" in reason


def test_rows_of_a_table_say_where_groups_and_types_are(tmp_path: Path) -> None:
    write_grouped(tmp_path / "spaces")
    lines = [f"document-{k // 5}" for k in range(36)]
    (tmp_path / "spaces" / "documents.txt").write_text("\n".join(lines), encoding="utf8")
    (tmp_path / "spaces" / "few.txt").write_text("\n".join(lines[:7]), encoding="utf8")
    rows = (
        "train.npz,1,train,,\n"
        "test.npz,1,test,word,none\n"
        "train.npz,2,train,documents.txt,\n"
        "train.npz,3,train,few.txt,\n"
    )
    header = "file,layer,split,groups,types\n"
    (tmp_path / "spaces" / "cells.csv").write_text(header + rows, encoding="utf8")
    spaces = {
        "files": "spaces/cells.csv", "groups": "sentence", "types": "word",
        "fixed": {"task": "pos", "model": "m"},
    }  # fmt: skip
    plan = plan_from_table({"spaces": spaces, "controls": CONTROLS}, folder=tmp_path)
    assert plan.spaces is not None
    found = find_given(plan.spaces)
    held = np.load(tmp_path / "spaces" / "train.npz")
    # A row that says nothing has what the plan says of all files, and a file starts at the table.
    names: Any = unit_names(plan, found[Cell("pos", "m", 1)].train, 36)
    assert list(map(list, names)) == [held["sentence"].tolist(), held["word"].tolist()]
    names = unit_names(plan, found[Cell("pos", "m", 2)].train, 36)
    assert list(map(list, names)) == [lines, held["word"].tolist()]
    test = found[Cell("pos", "m", 1)].test
    assert test is not None and test.groups == "word"
    with pytest.raises(InputError, match=r"the types of the units, 'none', .* no array 'none'"):
        unit_names(plan, test, 12)
    with pytest.raises(InputError, match=r"the groups of .*few\.txt', .* 7 labels"):
        unit_names(plan, found[Cell("pos", "m", 3)].train, 36)


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
    known = {"shuffle": 2, "shuffle-move": 1, "shuffle-predict": 2, "sample": 2, "select": 2}
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
