"""Extensions: a package that is installed beside geoprobe, used without a line of ours changed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from geoprobe import plugins
from geoprobe.errors import InputError, PluginError

WHO = "geoprobe-example 1.2"


@pytest.fixture(scope="module")
def site(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the tests' own package is installed in, as pip installs any folder."""
    source = tmp_path_factory.mktemp("package") / "source"
    shutil.copytree(repository / "tests" / "support" / "plugin_package", source)
    target = tmp_path_factory.mktemp("site")
    options = ["--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--target", target]
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", *options, source],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return target


def outcome(site: Path, code: str, cwd: Path) -> Any:
    """Run code where the package is installed; return what it prints last, as JSON."""
    root = Path(__file__).resolve().parents[2]
    path = os.pathsep.join((str(site), str(root)))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": path},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


TASKS = """
import json, geoprobe.tasks as t
from geoprobe.errors import GeoprobeError
def said(name):
    try: t.load_task(name)
    except GeoprobeError as error: return str(error)
infos = {info.name: (info.home, info.found) for info in t.task_infos()}
labels = t.load_task("vowels").train.labels.tolist()
print(json.dumps([labels, infos["vowels"], said("vowel"), said("broken"), said("wrong")]))
"""


@pytest.mark.full
def test_a_task(site: Path, tmp_path: Path) -> None:
    labels, info, unknown, broken, wrong = outcome(site, TASKS, tmp_path)
    assert labels == ["vowel", "vowel", "consonant", "vowel", "consonant"]
    assert info == [WHO, True]
    assert "the nearest known one is 'vowels'" in unknown
    assert broken.startswith(f"'broken' (geoprobe.tasks, {WHO}) cannot be loaded: AttributeError")
    assert f"{WHO}) gives of type PosixPath, but Task is expected" in wrong


READER = """
import json
from geoprobe import read_space
from geoprobe.errors import GeoprobeError
open("words.lines", "w").write("noun: 1 2\\nverb: 3 4\\n")
open("bad.lines", "w").write("noun: 1 two\\n")
space = read_space("words.lines")
def said(name):
    try: read_space(name)
    except GeoprobeError as error: return str(error)
content = [space.name, space.points.tolist(), space.labels.tolist()]
print(json.dumps([content, said("bad.lines"), said("words.xyz")]))
"""


@pytest.mark.full
def test_a_format(site: Path, tmp_path: Path) -> None:
    content, bad, unknown = outcome(site, READER, tmp_path)
    assert content == ["words", [[1.0, 2.0], [3.0, 4.0]], ["noun", "verb"]]
    assert f"'lines' (geoprobe.readers, {WHO}) fails: ValueError" in bad
    assert ".lines is expected" in unknown


ENCODER = """
import json, pathlib, numpy, geoprobe_example
from safetensors.numpy import save_file
from geoprobe.encoders.model_files import find_files, short_name
from geoprobe.files.disk import hash_file
folder = geoprobe_example.model()
folder.mkdir()
for name in ("config.json", "tokenizer.json"): (folder / name).write_text("{}")
save_file({"weights": numpy.zeros(2)}, folder / "model.safetensors")
files = find_files("example-model")
same = files.sha256 == hash_file(folder / "model.safetensors")
print(json.dumps([files.model, str(files.folder), same, short_name("example-model")]))
"""


@pytest.mark.full
def test_an_encoder(site: Path, tmp_path: Path) -> None:
    """The weights of a name are checked and hashed like those of any folder."""
    folder = str(site / "geoprobe_example_model")
    assert outcome(site, ENCODER, tmp_path) == ["example-model", folder, True, "example-model"]


FINDING = """
import json, pathlib, numpy
from geoprobe.studies import StudyData, StudyFolder, compute_findings, plan_from_table
from tests.support.geometry_by_hand import geometry_by_hand
numpy.savez("plane.train.npz", X=numpy.eye(2), y=["a", "b"])
plan = plan_from_table({
    "analyses": ["sizes", "linearity"], "classifier": False,
    "spaces": {"files": "{task}.{split}.npz", "fixed": {"model": "m", "layer": "0"}},
})
material = StudyData(plan, {}, (geometry_by_hand(),), {}, (), {}, {}, {}, {}, {})
folder = StudyFolder(pathlib.Path("study"))
section, _ = compute_findings(folder, material=material).sections
print(json.dumps([section.analysis, section.title, section.views[0].finding.columns()]))
"""


@pytest.mark.full
def test_a_finding(site: Path, tmp_path: Path) -> None:
    """It stands in a plan among the nine, with the words and the views of its own."""
    analysis, title, columns = outcome(site, FINDING, tmp_path)
    assert (analysis, title) == ("sizes", "Sizes")
    assert columns["label"] == sorted(columns["label"])
    assert sum(columns["n_units"]) == 14


def test_names_are_unique(monkeypatch: pytest.MonkeyPatch) -> None:
    points = tuple(EntryPoint("same", f"m:{which}", plugins.TASKS) for which in ("a", "b"))
    monkeypatch.setattr(plugins, "_installed", lambda group: points)
    with pytest.raises(PluginError, match=r"offers 'same' in the group 'geoprobe\.tasks', but the"):
        plugins.offered(plugins.TASKS)
    with pytest.raises(PluginError, match="but geoprobe has one of that name"):
        plugins.offered(plugins.TASKS, ["same"])


def test_errors_of_geoprobe_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """What an extension says itself, with our errors, needs no other words."""

    def refuse() -> None:
        raise InputError("not these.")

    point = EntryPoint("name", "module:function", plugins.TASKS)
    monkeypatch.setattr(EntryPoint, "load", lambda self: refuse)
    with pytest.raises(InputError, match=r"^not these\.$"):
        plugins.ask(point, int)
    monkeypatch.setattr(EntryPoint, "load", lambda self: 5)
    with pytest.raises(PluginError, match="is 5, but a function is expected"):
        plugins.ask(point, int)
