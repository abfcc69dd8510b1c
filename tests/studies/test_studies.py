"""Studies: run, killed and gone on with, and gathered; on a tiny model with random weights."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="studies run models, which need the extra bert")
pytest.importorskip("transformers", reason="studies run models, which need the extra bert")
pytest.importorskip("pandas", reason="tables need the extra report")

from geoprobe.cli import app
from geoprobe.errors import FormatError, InputError
from geoprobe.geometry import read_geometry, write_geometry
from geoprobe.studies import (
    ANALYSES,
    Plan,
    StudyFindings,
    StudyFolder,
    compute_findings,
    read_plan,
    run_study,
    study_status,
    verify_study,
    write_tables,
)
from geoprobe.studies.status import estimate
from geoprobe.studies.study_data import load_study_data
from tests.conftest import Run
from tests.support import encoder_models
from tests.support.study_cases import PLAN, VERBS, write_task


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model, a task and a plan."""
    folder = tmp_path_factory.mktemp("study")
    encoder_models.save("bert", folder / "tiny")
    write_task(folder)
    (folder / "plan.toml").write_text(PLAN.format(model=folder / "tiny"), encoding="utf8")
    return folder


@pytest.fixture(scope="module")
def plan(place: Path) -> Plan:
    return read_plan(place / "plan.toml")


@pytest.fixture(scope="module")
def done(place: Path, plan: Plan) -> Iterator[StudyFolder]:
    """The folder of the finished study."""
    with pytest.warns(UserWarning, match="also occur in train"):
        outcome = run_study(plan, place / "done", n_workers=1)
    assert outcome.failed == {}
    yield outcome.folder


pytestmark = [pytest.mark.full, pytest.mark.filterwarnings("ignore:.*also occur in train")]


def tables(gathered: StudyFindings) -> dict[str, list[Any]]:
    return {
        f"{section.analysis} {sorted(view.choices.items())}": view.finding.to_frame()
        .replace({np.nan: None})
        .to_dict("records")
        for section in gathered.sections
        for view in section.views
    }


def test_a_study_has_all_its_sections(done: StudyFolder, plan: Plan) -> None:
    gathered = compute_findings(done)
    assert gathered.complete
    assert gathered.missing == ()
    assert [section.analysis for section in gathered.sections] == list(plan.analyses)
    for section in gathered.sections:
        assert section.views, (section.analysis, section.missing)
        assert section.missing == ()
        assert len({tuple(view.choices) for view in section.views}) == 1
    steps = {row["step"] for row in next(iter(tables(gathered).values()))}
    assert len(steps) == 2


def test_nothing_is_done_twice(done: StudyFolder, plan: Plan) -> None:
    files = {path: path.stat().st_mtime_ns for path in done.root.rglob("layer*")}
    again = run_study(plan, done.root, n_workers=1)
    assert again.failed == {}
    assert again.done == {}
    assert again.found["extract"] == again.found["fine-tune"] == 1
    assert {path: path.stat().st_mtime_ns for path in done.root.rglob("layer*")} == files


def test_clusters_of_the_original_space_are_kept(
    done: StudyFolder, plan: Plan, tmp_path: Path
) -> None:
    shutil.copytree(done.root, tmp_path / "kept")
    before = compute_findings(done, ["similarity"]).sections[0].views[0].finding
    outcome = run_study(plan.replaced(fixed_partition=True), tmp_path / "kept", n_workers=1)
    assert outcome.failed == {}
    assert set(outcome.done) == {"hold"}
    rows = compute_findings(outcome.folder, ["similarity"]).sections[0].views[0].finding.rows
    assert outcome.done["hold"] == sum(row.step > 0 for row in rows)
    linear = {row.layer for row in rows if row.step == 0 and row.is_linear}
    for known, row in zip(before.rows, rows, strict=True):
        # The clusters of a linear space are its labels, whose distances are known anyway.
        assert np.isfinite(row.fixed)
        assert known.fixed == row.fixed or (row.layer not in linear and np.isnan(known.fixed))
    assert verify_study(outcome.folder, n_workers=1).holds
    # One number of what was measured by kept clusters is another: its file is named.
    path = outcome.folder.held(next(iter(load_study_data(outcome.folder).held)))
    held = read_geometry(path)
    worse = replace(held, centroids=held.centroids + 1.0)
    write_geometry(worse, path)
    (failure,) = verify_study(outcome.folder, n_workers=1).failures.values()
    assert "held" in failure


def test_memorisation_takes_the_network_that_was_chosen(done: StudyFolder) -> None:
    material = load_study_data(done)
    view = compute_findings(done, ["memorisation"]).view("memorisation", show="learning curves")
    assert {gap.hidden_sizes for gap in view.finding.gaps} == {"8 x 8"}
    assert {row.part for row in view.finding.rows} == {"subtrain", "subtest", "test"}
    assert {network.weight_decay for network in material.networks.values()} == {1e-3}


def test_memorisation_alone_trains_the_classifier_first(
    done: StudyFolder, plan: Plan, tmp_path: Path
) -> None:
    shutil.copytree(done.root, tmp_path / "alone")
    for what in ("classifier", "memorisation", "units"):
        shutil.rmtree(tmp_path / "alone" / what)
    few = plan.replaced(
        analyses=("memorisation",), classifier={"hidden_sizes": [4, 8], "max_epochs": 3, "folds": 2}
    )
    (tmp_path / "alone" / "plan.json").unlink()
    outcome = run_study(few, tmp_path / "alone", n_workers=1)
    assert outcome.done == {"classify": 2, "memorise": 2, "leave-out": 2}
    sizes = {network.sizes for network in load_study_data(outcome.folder).networks.values()}
    view = compute_findings(outcome.folder).view("memorisation", show="learning curves")
    assert {gap.hidden_sizes for gap in view.finding.gaps} == sizes


def test_workers_change_nothing(done: StudyFolder, plan: Plan, tmp_path: Path) -> None:
    few = plan.replaced(classifier=None, layers=(0, 3))
    outcome = run_study(few, tmp_path / "other", n_workers=2)
    assert outcome.failed == {}
    found, known = tables(compute_findings(outcome.folder)), tables(compute_findings(done))
    name = "movement [('model', 'tiny'), ('task', 'animals'), ('tuned on', 'animals')]"
    assert found[name] == [row for row in known[name] if row["layer"] in (0, 3)]


def test_models_are_loaded_and_texts_aligned_once(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two models with one tokenizer, two seeds: each model once, both texts of a task once."""
    encoder_models.save("bert", tmp_path / "twin")
    (tmp_path / "plan.toml").write_text(
        PLAN.format(model=place / "tiny")
        + '[task.animals2]\ntrain = "test.jsonl"\ntest = "train.jsonl"\nunits = "words"\n',
        encoding="utf8",
    )
    write_task(tmp_path)
    small = read_plan(tmp_path / "plan.toml").replaced(
        tasks=("animals", "animals2"),
        models=(str(place / "tiny"), str(tmp_path / "twin")),
        seeds=(0, 1),
        layers=(1,),
        analyses=("linearity",),
        classifier=None,
        resamples=0,
    )
    loads, texts = count_loads_and_texts(monkeypatch)
    outcome = run_study(small, tmp_path / "out", n_workers=1)
    assert (outcome.done["extract"], outcome.done["fine-tune"]) == (4, 8)
    assert sorted(Path(folder).name for folder in loads) == ["tiny", "twin"]
    assert len(texts) == 4
    again = run_study(small, tmp_path / "out", n_workers=1)
    assert again.done == {}
    assert (len(loads), len(texts)) == (4, 4)


def count_loads_and_texts(monkeypatch: pytest.MonkeyPatch) -> tuple[list[Any], list[Any]]:
    """Return lists to which folders of loaded models and tokenized texts are added."""
    from transformers import AutoModel

    from geoprobe.encoders.word_pieces import WordTokenizer

    loads: list[Any] = []
    texts: list[Any] = []
    load, tokenize = AutoModel.from_pretrained, WordTokenizer.tokenize

    def counted_load(folder: Any, **options: Any) -> Any:
        loads.append(folder)
        return load(folder, **options)

    def counted_text(self: WordTokenizer, sentences: Any) -> Any:
        texts.append(tuple(sentences))
        return tokenize(self, sentences)

    monkeypatch.setattr(AutoModel, "from_pretrained", counted_load)
    monkeypatch.setattr(WordTokenizer, "tokenize", counted_text)
    return loads, texts


def test_status_and_estimate(done: StudyFolder, plan: Plan, tmp_path: Path) -> None:
    assert study_status(plan, done).complete
    fresh = study_status(plan, StudyFolder(tmp_path / "fresh"))
    assert not fresh.complete
    assert fresh.missing == ("extract: animals tiny", "fine-tune: tiny on animals, seed 0")
    expected = estimate(plan, done.root)
    assert all(total == finished for _, total, finished, _ in expected.rows)
    sizes = [path.stat().st_size for path in (done.root / "spaces").rglob("*.safetensors")]
    # Each file is given some room for its header and its sidecar.
    assert sum(sizes) < expected.n_bytes < sum(sizes) + len(sizes) * 100_000
    assert estimate(plan, tmp_path / "fresh").n_bytes == expected.n_bytes
    assert not (tmp_path / "fresh").exists()


def test_an_unfinished_study_says_what_is_missing(
    done: StudyFolder, plan: Plan, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = plan.replaced(seeds=(0, 1))
    folder = StudyFolder(tmp_path / "copy")
    subprocess.run(["cp", "-R", done.root, folder.root], check=True)
    folder.adopt(more, {more.models[0]: "tiny"})
    gathered = compute_findings(folder)
    assert not gathered.complete
    assert gathered.missing[0] == "fine-tune: tiny on animals, seed 1"
    assert "measure: animals tiny tuned on animals, seed 1, step 2, layer 0" in gathered.missing
    assert all("seed 1" in name for name in gathered.missing)
    with pytest.raises(SystemExit):
        app(["findings", str(folder.root), "movement"])
    said = capsys.readouterr()
    assert (
        f"pieces of work left: {len(gathered.missing)}, such as fine-tune: tiny on" in said.err
        and "All numbers" in said.out
    )


def test_a_space_of_one_point_is_measured(place: Path, plan: Plan, tmp_path: Path) -> None:
    """The embedding of [CLS] is one point for all sentences: it is measured, and not linear."""
    for name in ("train", "test"):
        lines = [
            {"text": f"the {noun} {verb} {place_}", "label": "thing" if k > 1 else "animal"}
            for k, noun in enumerate(("cat", "dog", "house", "tree"))
            for verb in VERBS
            for place_ in ("in", "on")
        ]
        text = "\n".join(map(json.dumps, lines))
        (tmp_path / f"{name}.jsonl").write_text(text, encoding="utf8")
    path = tmp_path / "plan.toml"
    text = PLAN.replace('units = "words"', 'units = "sentence"').format(model=place / "tiny")
    path.write_text(text, encoding="utf8")
    own = read_plan(path).replaced(classifier=None, resamples=0)
    outcome = run_study(own, tmp_path / "out", n_workers=1)
    assert outcome.failed == {}
    assert study_status(own, outcome.folder).complete
    assert all(total == finished for _, total, finished, _ in estimate(own, tmp_path / "out").rows)
    gathered = compute_findings(outcome.folder)
    rows = [row for s in gathered.sections for v in s.views for row in v.finding.rows]
    assert {row.layer for row in rows if hasattr(row, "layer")} == {0, 1, 2, 3}
    first = [g for g in load_study_data(outcome.folder).geometries if g.cell.layer == 0]
    assert [(g.scale, g.is_linear, g.n_clusters) for g in first] == [(0.0, False, 2)] * len(first)
    assert verify_study(outcome.folder, n_workers=1).holds


def test_tables_hold_all_spaces_and_all_distances(done: StudyFolder) -> None:
    import pandas as pd

    spaces, distances = (pd.read_csv(path) for path in write_tables(done))
    keys = ["task", "model", "tuned_on", "seed", "step", "layer"]
    assert len(spaces) == 4 * 3 and not spaces.duplicated(keys).any()
    assert spaces.seed.isna().tolist() == spaces.tuned_on.isna().tolist()
    pairs = spaces.labels * (spaces.labels - 1) // 2
    assert len(distances) == pairs.sum()
    shown = tables(compute_findings(done))
    least = {
        (row["step"], row["layer"]): row["distance"]
        for name, rows in shown.items()
        if name.startswith("min-distances")
        for row in sorted(rows, key=lambda row: -row["distance"])
    }
    found = distances.groupby(["step", "layer"]).distance.min()
    assert found.to_dict() == pytest.approx(least)
    assert spaces.set_index(["step", "layer"]).smallest_distance.to_dict() == pytest.approx(least)
    (performance,) = (rows for name, rows in shown.items() if name.startswith("performance"))
    of_layer = spaces[spaces.layer == 3].set_index("step")
    for row in performance:
        known = of_layer.loc[row["step"]]
        assert known.directprobe_accuracy == row["directprobe"]
        assert known.classifier_accuracy == pytest.approx(row["classifier"])
        assert known.classifier_std == pytest.approx(row["classifier_std"])
        assert known.similarity_to_test == pytest.approx(row["similarity"])
    similarity = next(rows for name, rows in shown.items() if name.startswith("similarity"))
    known = spaces.set_index(["step", "layer"]).similarity_to_original
    for row in similarity:
        assert known[row["step"], row["layer"]] == pytest.approx(row["similarity"])


def test_intervals_are_in_the_findings(done: StudyFolder) -> None:
    shown = tables(compute_findings(done))
    movement = next(rows for name, rows in shown.items() if name.startswith("movement"))
    assert all(row["low"] <= row["movement"] for row in movement)
    linear = {cell for cell in measured(done) if cell[2]}
    for name, rows in shown.items():
        if name.startswith(("min-distances", "similarity")):
            for row in rows:
                assert (row["low"] is None) == ((row["step"], row["layer"], True) not in linear)


def measured(folder: StudyFolder) -> set[tuple[int, int, bool]]:
    return {(g.cell.step, g.cell.layer, g.is_linear) for g in load_study_data(folder).geometries}


def test_findings_on_the_terminal(done: StudyFolder, run: Run) -> None:
    findings = partial(run, "findings", done.root)
    code, out, err = findings()
    assert err == ""
    assert code == 0 and all(analysis in out for analysis in ANALYSES)
    code, out, _ = findings("min-distances", "--where", "layer=2", "--json")
    (section,) = json.loads(out)
    assert code == 0 and [view["choices"]["layer"] for view in section["views"]] == ["2"]
    frame = tables(compute_findings(done))
    name = next(name for name in frame if name.startswith("min-distances") and "'2'" in name)
    assert section["views"][0]["columns"]["distance"] == [row["distance"] for row in frame[name]]
    for analysis in ANALYSES:
        code, out, _ = findings(analysis)
        assert code == 0 and "All numbers" in out
    for args, expected in (
        (("moves",), "nearest known one is 'movement'"),
        (("movement", "--where", "layer"), "KEY=VALUE"),
        (("similarity", "--where", "task=birds"), "there are: animals"),
        (("min-distances", "--where", "laeyr=2"), "the nearest known one is 'layer'"),
        (("--where", "colour=red"), "no view is told from others by 'colour'"),
    ):
        code, out, err = findings(*args)
        assert code == 2 and out == "" and expected in err


def test_what_fails_late_is_refused_before_anything_is_done(
    place: Path, plan: Plan, tmp_path: Path
) -> None:
    """A sentence of the second task is too long for the model."""
    (tmp_path / "plan.toml").write_text(
        PLAN.format(model=place / "tiny").replace('["animals"]', '["animals", "long"]')
        + '[task.long]\ntrain = "long.jsonl"\ntest = "test.jsonl"\nunits = "words"\n',
        encoding="utf8",
    )
    write_task(tmp_path)
    long = {"tokens": ["cat", "sleeps"] * 40, "labels": ["NOUN", "VERB"] * 40}
    short = (tmp_path / "train.jsonl").read_text(encoding="utf8")
    (tmp_path / "long.jsonl").write_text(f"{short}\n{json.dumps(long)}", encoding="utf8")
    own = read_plan(tmp_path / "plan.toml")
    own = own.replaced(classifier=None, resamples=0, layers=(1,))
    with pytest.raises(InputError, match="at most"):
        run_study(own, tmp_path / "out", n_workers=1)
    assert not (tmp_path / "out").exists()
    outcome = run_study(own.replaced(overlong="split"), tmp_path / "out", n_workers=1)
    assert outcome.failed == {} and outcome.done["fine-tune"] == 2
    with pytest.raises(InputError, match="overlong"):
        own.replaced(overlong="cut")


def test_another_plan_is_refused(done: StudyFolder, plan: Plan) -> None:
    other = plan.replaced(finetune=plan.finetune.replaced(learning_rate=1e-2))
    with pytest.raises(InputError, match="finetune"):
        run_study(other, done.root)
    with pytest.raises(InputError, match=r"some of the layers .*\(9\)"):
        run_study(plan.replaced(layers=(9,)), done.root)
    with pytest.raises(InputError, match="layer 9"):
        run_study(plan.replaced(layers=(9,)), done.root.parent / "none")
    with pytest.raises(InputError, match="layer 9"):
        estimate(plan.replaced(layers=(9,)), done.root)
    with pytest.raises(FormatError, match="no study"):
        compute_findings(StudyFolder(done.root.parent))


@pytest.mark.parametrize("kills", [3, pytest.param(10, marks=pytest.mark.slow)])
def test_killed_and_gone_on_with(
    done: StudyFolder, place: Path, tmp_path: Path, kills: int
) -> None:
    """Kill the program at random moments; what comes out in the end is the same."""
    code = "import sys; from geoprobe.cli import main; main()"
    command = [sys.executable, "-c", code, "study", "run", str(place / "plan.toml"), "--out", "out"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    rng = random.Random(3)
    killed = 0
    for _ in range(kills):
        run = subprocess.Popen(
            command,
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        begun = tmp_path / "out" / "plan.json"
        while not begun.exists() and run.poll() is None:
            time.sleep(0.05)
        time.sleep(rng.uniform(0.0, 4.0))
        killed += run.poll() is None
        run.send_signal(signal.SIGKILL)
        run.wait()
    assert killed
    outcome = run_study(read_plan(place / "plan.toml"), tmp_path / "out", n_workers=1)
    assert outcome.failed == {}
    assert tables(compute_findings(outcome.folder)) == tables(compute_findings(done))
    for one, other in zip(write_tables(outcome.folder), write_tables(done), strict=True):
        assert one.read_bytes() == other.read_bytes()


def tampered(root: Path, kind: str) -> Path:
    """Edit one file of a study as somebody would by hand; return its path."""
    if kind in ("distances", "swapped geometry"):
        path, other = sorted(root.glob("geometry/**/*.npz"))[:2]
        if kind == "swapped geometry":
            path.write_bytes(other.read_bytes())
            return path
        with np.load(path) as file:
            arrays = dict(file)
        arrays["hulls.upper"] *= 1000
        np.savez(path, **arrays)
        return path
    if kind == "swapped resamples":
        path, other = sorted(root.glob("resamples-*/**/*.npz"))[:2]
        path.write_bytes(other.read_bytes())
        return path
    folder = {"accuracy": "classifier", "interval": "movement", "curve": "memorisation"}[kind]
    path = sorted(root.glob(f"{folder}/**/*.json"))[0]
    noted = json.loads(path.read_text())
    if kind == "accuracy":
        noted["each"] = [0.999 for _ in noted["each"]]
    elif kind == "interval":
        first = next(iter(noted["intervals"].values()))
        first["value"] = first["value"] + 1
    else:
        next(iter(noted["curves"].values()))[0] = 0.5
    path.write_text(json.dumps(noted, indent=1))
    return path


@pytest.mark.parametrize("command", ["report", "findings"])
@pytest.mark.parametrize(
    "kind",
    ["distances", "swapped geometry", "swapped resamples", "accuracy", "interval", "curve"],
)
def test_an_edited_study_is_not_reported(
    done: StudyFolder,
    tmp_path: Path,
    run: Run,
    command: str,
    kind: str,
) -> None:
    root = Path(shutil.copytree(done.root, tmp_path / "copy"))
    path = tampered(root, kind)
    code, _, err = run(command, root)
    assert code == 2 and str(path) in err


def test_an_invented_accuracy_of_the_head_is_noticed(done: StudyFolder, tmp_path: Path) -> None:
    root = Path(shutil.copytree(done.root, tmp_path / "copy"))
    path = next(iter(root.glob("runs/**/result.json")))
    noted = json.loads(path.read_text())
    noted["checkpoints"][-1]["test_accuracy"] = 1.0
    path.write_text(json.dumps(noted))
    with pytest.raises(FormatError, match="was changed"):
        compute_findings(StudyFolder(root))
