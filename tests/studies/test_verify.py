"""Verification of a study notices every single change, and names cell and row."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="studies run models, which need the extra bert")
pytest.importorskip("transformers", reason="studies run models, which need the extra bert")

from geoprobe.geometry import Geometry, read_geometry, write_geometry
from geoprobe.studies import StudyFolder, read_plan, run_study, verify_study
from tests.conftest import Run
from tests.support import encoder_models
from tests.support.study_cases import PLAN, write_task

pytestmark = [pytest.mark.full, pytest.mark.filterwarnings("ignore:.*also occur in train")]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    encoder_models.save("bert", folder / "tiny")
    write_task(folder)
    text = PLAN.format(model=folder / "tiny").replace("resamples = 3", "")
    text = text.replace('device = "cpu"', 'device = "cpu"\nanalyses = ["linearity"]')
    (folder / "plan.toml").write_text(text, encoding="utf8")
    outcome = run_study(read_plan(folder / "plan.toml"), folder / "done", n_workers=1)
    assert outcome.failed == {}
    return outcome.folder.root


@pytest.fixture
def study(done: Path, tmp_path: Path) -> StudyFolder:
    return StudyFolder(shutil.copytree(done, tmp_path / "study"))


def files(study: StudyFolder) -> list[Path]:
    return sorted(study.root.glob("geometry/**/*.npz"))


def bump(array: np.ndarray, k: int, by: Any) -> np.ndarray:
    changed = array.copy()
    changed[k % len(changed)] += by
    return changed


def pairs(g: Geometry, name: str, k: int, by: float) -> Geometry:
    hulls = dataclasses.replace(g.hulls, **{name: bump(getattr(g.hulls, name), k, by)})
    clusters = g.clusters
    if clusters is not None and len(clusters) == g.n_labels:
        clusters = dataclasses.replace(
            clusters, distances=dataclasses.replace(hulls, names=clusters.distances.names)
        )
    return dataclasses.replace(g, hulls=hulls, clusters=clusters)


def supports(g: Geometry, name: str, k: int, by: Any) -> Geometry:
    changed = dataclasses.replace(
        g.hulls.supports, **{name: bump(getattr(g.hulls.supports, name), k, by)}
    )
    return dataclasses.replace(g, hulls=dataclasses.replace(g.hulls, supports=changed))


def part(g: Geometry, name: str, value: Any) -> Geometry:
    return dataclasses.replace(g, **{name: value})


CHANGES: list[tuple[str, Callable[[Geometry], Geometry]]] = [
    *((f"upper {k}", lambda g, k=k: pairs(g, "upper", k, 1e-6)) for k in range(4)),
    *((f"lower {k}", lambda g, k=k: pairs(g, "lower", k, -1e-5)) for k in range(4)),
    *((f"weight a {k}", lambda g, k=k: supports(g, "weight_a", 3 * k, 1e-6)) for k in range(3)),
    *((f"weight b {k}", lambda g, k=k: supports(g, "weight_b", 3 * k, 1e-6)) for k in range(3)),
    *((f"row a {k}", lambda g, k=k: supports(g, "index_a", 5 * k, 1)) for k in range(2)),
    ("tau", lambda g: part(g, "hulls", dataclasses.replace(g.hulls, tau=3.0))),
    ("scale", lambda g: part(g, "hulls", dataclasses.replace(g.hulls, scale=g.scale * 1.001))),
    ("centroid", lambda g: part(g, "centroids", g.centroids + 1e-6)),
    ("points of a label", lambda g: part(g, "counts", bump(bump(g.counts, 0, 1), 1, -1))),
    ("label", lambda g: part(g, "classes", np.char.lower(g.classes))),
    ("hash", lambda g: part(g, "fingerprints", {**g.fingerprints, "points": "0" * 64})),
    (
        "prediction",
        lambda g: part(
            g,
            "predictions",
            dataclasses.replace(g.predictions, distance=bump(g.predictions.distance, 0, 0.5)),
        ),
    ),
    ("test space", lambda g: part(g, "test", pairs(g.test, "upper", 0, 1e-6))),
]


@pytest.mark.parametrize(("name", "change"), CHANGES, ids=[name for name, _ in CHANGES])
def test_a_change_is_named(
    study: StudyFolder, name: str, change: Callable[[Geometry], Geometry]
) -> None:
    """A forger writes one cell anew, with whatever hashes belong to it."""
    path = files(study)[1]
    before = read_geometry(path)
    write_geometry(change(before), path)
    outcome = verify_study(study, n_workers=1)
    assert not outcome.holds
    assert list(outcome.failures) == [before.cell]
    assert str(path) in outcome.failures[before.cell]


def test_a_whole_study_holds(study: StudyFolder) -> None:
    outcome = verify_study(study, n_workers=2)
    assert outcome.holds
    assert len(outcome.reports) == len(files(study)) > 3
    assert outcome.not_measured == ()
    alone = verify_study(study, n_workers=1)
    assert [r.checks for r in alone.reports.values()] == [
        r.checks for r in outcome.reports.values()
    ]


def test_a_digit_of_a_file(study: StudyFolder) -> None:
    path = files(study)[0]
    with np.load(path) as file:
        arrays = dict(file)
    arrays["centroids"][0, 0] = np.nextafter(arrays["centroids"][0, 0], 9)
    np.savez(path, **arrays)
    outcome = verify_study(study, n_workers=1)
    (reason,) = outcome.failures.values()
    assert f"{path}: the file was changed" in reason


def test_swapped_files(study: StudyFolder) -> None:
    one, two = files(study)[:2]
    content = one.read_bytes()
    one.write_bytes(two.read_bytes())
    two.write_bytes(content)
    outcome = verify_study(study, n_workers=1)
    assert len(outcome.failures) == 2
    assert all("this is of the cell" in reason for reason in outcome.failures.values())


def test_a_cell_of_another_space_under_the_right_name(study: StudyFolder) -> None:
    one, two = files(study)[:2]
    geometry = read_geometry(one)
    write_geometry(dataclasses.replace(read_geometry(two), cell=geometry.cell), one)
    outcome = verify_study(study, n_workers=1)
    assert list(outcome.failures) == [geometry.cell]
    assert "hash of the points" in outcome.failures[geometry.cell]


def test_a_changed_space_in_the_store(study: StudyFolder) -> None:
    path = sorted(study.root.glob("spaces/**/train.safetensors"))[0]
    whole = bytearray(path.read_bytes())
    whole[-1] ^= 1
    path.write_bytes(whole)
    assert verify_study(study, n_workers=1).failures


def test_the_command(study: StudyFolder, run: Run) -> None:
    verify = partial(run, "verify", study.root, "--workers", "1")
    code, out, _ = verify()
    assert code == 0
    assert out.index("Claimed") < out.index("Checked") < out.index("holds: ")
    path = files(study)[0]
    write_geometry(pairs(read_geometry(path), "upper", 0, 1e-3), path)
    code, out, _ = verify()
    assert code == 1 and f"Does not hold: {path}" in out
    code, out, _ = verify("--json")
    assert code == 1
    answer = json.loads(out)
    assert answer["verified"] is False
    assert len(answer["failures"]) == 1
