"""Studies: run, killed and gone on with, and gathered; on a tiny model with random weights."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="studies run models, which need the extra bert")
pytest.importorskip("transformers", reason="studies run models, which need the extra bert")
pytest.importorskip("pandas", reason="tables need the extra report")

import encoder_models

from geoprobe.errors import FormatError, InputError
from geoprobe.studies import Plan, StudyFolder, read_plan, run_study, study_status
from geoprobe.studies.estimate import estimate
from geoprobe.studies.gathering import Gathered, gather

NOUNS, VERBS = ("cat", "house", "dog", "tree"), ("sleeps", "walks", "sings", "runs")
TEXT = """
resamples = 3
tasks = ["animals"]
models = ["{model}"]
checkpoints = "linear:2"
device = "cpu"

[task.animals]
train = "train.jsonl"
test = "test.jsonl"
units = "words"

[finetune]
epochs = 1
batch_size = 8

[classifier]
hidden_sizes = [8]
weight_decays = [1e-3]
folds = 2
initialisations = 2
max_epochs = 5
"""


def write_task(folder: Path) -> None:
    rng = random.Random(0)
    for name, number in (("train", 40), ("test", 15)):
        lines = []
        for _ in range(number):
            words = ["the", rng.choice(NOUNS), rng.choice(VERBS), rng.choice(["in", "on"])]
            words += ["the", rng.choice(NOUNS)]
            labels = ["DET", "NOUN", "VERB", "ADP", "DET", "NOUN"]
            lines.append(json.dumps({"tokens": words, "labels": labels}))
        (folder / f"{name}.jsonl").write_text("\n".join(dict.fromkeys(lines)), encoding="utf8")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model, a task and a plan."""
    folder = tmp_path_factory.mktemp("study")
    encoder_models.save("bert", folder / "tiny")
    write_task(folder)
    (folder / "plan.toml").write_text(TEXT.format(model=folder / "tiny"), encoding="utf8")
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


pytestmark = pytest.mark.filterwarnings("ignore:.*also occur in train")


def tables(gathered: Gathered) -> dict[str, list[Any]]:
    return {
        f"{section.analysis} {sorted(view.choices.items())}": view.finding.to_frame()
        .replace({np.nan: None})
        .to_dict("records")
        for section in gathered.sections
        for view in section.views
    }


def test_a_study_has_all_its_sections(done: StudyFolder, plan: Plan) -> None:
    gathered = gather(done)
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


def test_workers_change_nothing(done: StudyFolder, plan: Plan, tmp_path: Path) -> None:
    few = replace(plan, classifier=None, layers=(0, 3))
    outcome = run_study(few, tmp_path / "other", n_workers=2)
    assert outcome.failed == {}
    found, known = tables(gather(outcome.folder)), tables(gather(done))
    name = "movement [('model', 'tiny'), ('task', 'animals'), ('tuned on', 'animals')]"
    assert found[name] == [row for row in known[name] if row["layer"] in (0, 3)]


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
    done: StudyFolder, plan: Plan, tmp_path: Path
) -> None:
    more = replace(plan, seeds=(0, 1))
    folder = StudyFolder(tmp_path / "copy")
    subprocess.run(["cp", "-R", done.root, folder.root], check=True)
    folder.adopt(more, {more.models[0]: "tiny"})
    gathered = gather(folder)
    assert not gathered.complete
    assert gathered.missing == ("fine-tune: tiny on animals, seed 1",)


def test_whole_sentences_have_no_first_layer(place: Path, plan: Plan, tmp_path: Path) -> None:
    """The embedding of [CLS] is one point for all sentences: nothing to measure, and said."""
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
    text = TEXT.replace('units = "words"', 'units = "sentence"').format(model=place / "tiny")
    path.write_text(text, encoding="utf8")
    own = replace(read_plan(path), classifier=None, resamples=0)
    outcome = run_study(own, tmp_path / "out", n_workers=1)
    assert outcome.failed == {}
    assert study_status(own, outcome.folder).complete
    assert all(total == finished for _, total, finished, _ in estimate(own, tmp_path / "out").rows)
    gathered = gather(outcome.folder)
    layers = {row.layer for s in gathered.sections for v in s.views for row in v.finding.rows
              if hasattr(row, "layer")}  # fmt: skip
    assert layers == {1, 2, 3}
    assert "layer 0 is not measured" in gathered.about["Tasks"]["animals"]


def test_another_plan_is_refused(done: StudyFolder, plan: Plan) -> None:
    other = replace(plan, finetune=replace(plan.finetune, learning_rate=1e-2))
    with pytest.raises(InputError, match="finetune"):
        run_study(other, done.root)
    with pytest.raises(InputError, match="layer 9"):
        run_study(replace(plan, layers=(9,)), done.root)
    with pytest.raises(FormatError, match="no study"):
        gather(StudyFolder(done.root.parent))


def test_killed_and_gone_on_with(done: StudyFolder, place: Path, tmp_path: Path) -> None:
    """Kill the program at random moments; what comes out in the end is the same."""
    code = "import sys; from geoprobe.cli import main; main()"
    command = [sys.executable, "-c", code, "study", "run", str(place / "plan.toml"), "--out", "out"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    rng = random.Random(3)
    killed = 0
    for _ in range(3):
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
    assert tables(gather(outcome.folder)) == tables(gather(done))
