"""The documents: what they print is what comes out, and what they name is there."""

from __future__ import annotations

import contextlib
import doctest
import io
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from geoprobe import cli

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
# benchmarks/table.py writes this page from measurements.
GENERATED = ROOT / "docs" / "benchmarks.md"
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
# What slow work says on its way; the kernels may be compiled here for the first time.
ON_THE_WAY = re.compile(r"^([a-z ]+: \d+% after .*|compiling kernels, once: .*)\n", re.MULTILINE)

MANUAL = "python -m venv .venv && .venv/bin/pip install -q -c .ci/constraints.txt "
DEMO = MANUAL + '".[demo]" && .venv/bin/geoprobe demo'
TEST = MANUAL + '-e ".[data,demo,dev]" && .venv/bin/python -m pytest -q -n 2 --dist loadfile'


def blocks(page: Path) -> Iterator[tuple[str, str]]:
    """Yield (language, text) of every fenced block of a page."""
    yield from FENCE.findall(page.read_text(encoding="utf8"))


def shell_lines(page: Path) -> list[str]:
    """Return the lines of a page's blocks of shell commands."""
    return [line for kind, text in blocks(page) if kind == "sh" for line in text.splitlines()]


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def test_readme_has_its_two_commands() -> None:
    assert shell_lines(PAGES[0]) == [DEMO, TEST]


def test_ci_runs_the_command_of_the_readme() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf8")
    sed = re.search(r"^command=\$\((sed -n .*) \"\$root/README.md\"\)$", script, re.MULTILINE)
    assert sed, "the line that takes the command from README.md is gone"
    found = subprocess.run(
        [*shlex.split(sed[1]), ROOT / "README.md"], capture_output=True, text=True, check=True
    )
    assert found.stdout == TEST + "\n"
    assert 'bash -euo pipefail -c "$command"' in script


def test_contributing_sets_up_and_tests_as_the_readme_does() -> None:
    commands = [line.partition(" #")[0].strip() for line in shell_lines(ROOT / "CONTRIBUTING.md")]
    assert " && ".join(commands[:2]) == TEST


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    missing = []
    for link in re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", page.read_text(encoding="utf8"))):
        target, _, anchor = link.partition("#")
        if target.startswith("http"):
            continue
        file = (page.parent / target).resolve() if target else page
        if not file.exists() and file != GENERATED:
            missing.append(link)
        elif anchor and anchor not in anchors(file):
            missing.append(link)
    assert missing == []


def anchors(page: Path) -> set[str]:
    """Return what links to the headings of a page end in."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_blocks_of_code_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the blocks of a page in order, in one folder and one namespace."""
    if page.name in ("laptop.md", "my-vectors.md"):
        pytest.importorskip("zarr", reason="it needs Python 3.11")
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, Any] = {}
    for number, (kind, text) in enumerate(blocks(page)):
        if kind == "python":
            run_python(text, namespace, f"{name(page)}, block {number}")
        elif kind == "console":
            run_console(text)
        elif kind == "ini":
            Path("config.ini").write_text(text, encoding="utf8")
        elif kind == "toml" and (named := re.match(r"# (\w+\.toml)\n", text)):
            Path(named[1]).write_text(text, encoding="utf8")
        else:
            assert kind in ("sh", "text", "toml", "jsonl"), (
                f"{name(page)}: no test knows blocks of {kind!r}"
            )


def run_python(text: str, namespace: dict[str, Any], where: str) -> None:
    """Run a script, or a session and compare what it prints."""
    if ">>>" not in text:
        exec(compile(text, where, "exec"), namespace)
        return
    session = doctest.DocTestParser().get_doctest(text, namespace, where, None, 0)
    said: list[str] = []
    outcome = doctest.DocTestRunner(optionflags=OPTIONS).run(
        session, out=said.append, clear_globs=False
    )
    assert outcome.failed == 0, "".join(said)
    namespace.update(session.globs)


def run_console(text: str) -> None:
    """Run the commands of a block, which follow a dollar sign, and compare what they print."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, expected = part.partition("\n")
        printed = ON_THE_WAY.sub("", run_command(command))
        # Three dots stand for any characters of a line, and on a line of their own for any lines.
        passages = re.split(r"^\.\.\.\n", expected.strip() + "\n", flags=re.MULTILINE)
        pattern = r"(?:.*\n)*?".join(
            ".*?".join(map(re.escape, passage.split("..."))) for passage in passages
        )
        assert re.fullmatch(pattern, printed.strip() + "\n"), f"$ {command}\n{printed}"


def run_command(command: str) -> str:
    """Return what a command prints; geoprobe itself runs in this process, for speed."""
    if not command.startswith("geoprobe "):
        done = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
        return done.stdout
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        with contextlib.suppress(SystemExit), pytest.MonkeyPatch.context() as patch:
            patch.setattr("sys.argv", shlex.split(command))
            cli.main()
    return printed.getvalue()
