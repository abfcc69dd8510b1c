"""The command doctor: what it says of a whole installation, and of one that lacks something."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import metadata
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from geoprobe import __version__, plugins
from geoprobe.cli import doctor
from geoprobe.extras import CORE, EXTRAS, installing
from geoprobe.threads import available_threads


def examined(*args: str, prologue: str = "", **environment: str) -> tuple[int, Any]:
    """Run doctor --json in a process of its own; return exit code and what it says."""
    code = f"{prologue}\nimport sys; sys.argv = ['geoprobe', 'doctor', '--json', *{args}]\n"
    code += "from geoprobe.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_a_whole_installation(tmp_path: Path) -> None:
    """Versions, machine and cache are those that there are, and nothing is wrong."""
    (tmp_path / "jit-of-another-version").mkdir()
    (tmp_path / "jit-of-another-version" / "kernel.nbc").write_bytes(b"12345")
    code, state = examined(GEOPROBE_CACHE_DIR=str(tmp_path))
    assert (code, state["problems"]) == (0, [])
    assert state["geoprobe"] == __version__
    assert state["packages"] == {name: metadata.version(name) for name in CORE}
    assert state["machine"]["threads"] == available_threads()
    assert state["kernels"] == {
        **{"folder": str(tmp_path), "compiled": 0, "bytes": 0},
        "outdated_bytes": 5,
    }
    assert state["extras"].keys() == EXTRAS.keys()


def test_a_broken_package_and_an_unusable_cache_are_problems(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    code, state = examined(
        prologue="import sys; sys.modules['highspy'] = None",
        GEOPROBE_CACHE_DIR=str(tmp_path / "file"),
    )
    assert code == 1
    assert len(state["problems"]) == 2
    assert "highspy cannot be imported" in state["problems"][0]
    assert f"{tmp_path / 'file'} cannot hold compiled kernels" in state["problems"][1]


def test_a_missing_extra_is_a_problem_where_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = doctor.installed_versions

    def without_ray(names: Any) -> dict[str, str]:
        return {name: "1" for name in names if name != "ray"} if "ray" in names else versions(names)

    monkeypatch.setattr(doctor, "installed_versions", without_ray)
    assert doctor.examine()["extras"]["ray"]["missing"] == ["ray"]
    assert doctor.examine()["problems"] == []
    assert doctor.examine(["ray"])["problems"] == [
        f"the extra 'ray' lacks ray: {installing('ray')}."
    ]


def test_extensions_are_listed_and_two_of_one_name_are_a_problem(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def installed(group: str) -> tuple[EntryPoint, ...]:
        names = {plugins.TASKS: ("vowels",), plugins.READERS: ("mat", "mat")}
        return tuple(EntryPoint(name, "module:name", group) for name in names.get(group, ()))

    monkeypatch.setattr(plugins, "_installed", installed)
    state = doctor.examine()
    assert [(each["group"], each["name"]) for each in state["extensions"]] == [
        (plugins.TASKS, "vowels")
    ]
    assert len(state["problems"]) == 1
    assert "offers 'mat' in the group 'geoprobe.readers'" in state["problems"][0]


@pytest.mark.parametrize(("needed", "code"), [("report", 0), ("reports", 2)])
def test_needs_are_names_of_extras(
    needed: str, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from geoprobe import cli

    monkeypatch.setattr(sys, "argv", ["geoprobe", "doctor", "--need", needed])
    ended = 0
    try:
        cli.main()
    except SystemExit as end:
        ended = int(end.code or 0)
    out, err = capsys.readouterr()
    assert ended == code
    if code == 0:
        assert out.rstrip().endswith("No problem was found.")
        assert EXTRAS["report"].serves in out
    else:
        assert "the nearest known one is 'report'" in err
