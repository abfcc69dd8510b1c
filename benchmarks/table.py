"""Run the benchmarks, write their tables to ``docs/benchmarks.md`` and the gist to ``README.md``.

Usage: ``python -m benchmarks.table [--hard] [--json FILE]``; with ``--json`` an earlier run's file
is read instead of running.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "docs" / "benchmarks.md"
README = ROOT / "README.md"
MARKED = re.compile(r"(?<=<!-- benchmarks -->\n).*?(?=<!-- /benchmarks -->)", re.DOTALL)
PACKAGES = (
    "numpy", "numba", "scipy", "scikit-learn", "highspy", "piqp", "qpsolvers", "torch",
    "transformers", "sentence-transformers",
)  # fmt: skip

INTRODUCTION = """\
# Benchmarks

Every table is one run on one machine: all programs had the same points, one after the other. The
compiled kernels were warm except where the row says otherwise. Times are medians. A time with `~`
belongs to a program too slow to do all of the work: it did the stated share, and the time is
scaled up. The last column says what came out, for a fast wrong answer is none.
`python -m benchmarks.table --hard` writes this page.

The reference implementation needs Gurobi and is not part of these runs. Measured earlier on a
machine of this kind, with the same partitions, it took 86 s for 2,000 points of PS layer 6 in 16
dimensions, 2,733 s for all 4,285 in 16 dimensions, 52 s for all as they are (384 dimensions), and
68 s for 1,000 points in 8 dimensions.
"""


def run(hard: bool) -> dict[str, Any]:
    """Run the benchmarks and return pytest-benchmark's record."""
    with tempfile.TemporaryDirectory() as folder:
        record = Path(folder) / "benchmarks.json"
        command = [sys.executable, "-m", "pytest", "-q", str(ROOT / "benchmarks")]
        command += [f"--benchmark-json={record}", *(["--hard"] if hard else [])]
        subprocess.run(command, check=True, cwd=ROOT)
        return dict(json.loads(record.read_text(encoding="utf8")))


def seconds(benchmark: dict[str, Any]) -> float:
    """Return the time of the whole work, scaled up where only a share was done."""
    return float(benchmark["stats"]["median"] / benchmark["extra_info"]["share"])


def show_seconds(value: float) -> str:
    """Return a time with three digits, in a unit that suits it."""
    if value < 1:
        return f"{1000 * value:.3g} ms"
    return f"{value:.3g} s" if value < 1000 else f"{value:,.0f} s"


def table(benchmarks: list[dict[str, Any]]) -> list[str]:
    """Return the Markdown table of one piece of work, fastest program first."""
    ours = [seconds(b) for b in benchmarks if b["extra_info"]["program"] == "geoprobe"]
    lines = [
        "| program | threads | time | times geoprobe's best | outcome |",
        "|---|---:|---:|---:|---|",
    ]
    for benchmark in sorted(benchmarks, key=seconds):
        info = benchmark["extra_info"]
        whole = info["share"] >= 1
        time = ("" if whole else "~") + show_seconds(seconds(benchmark))
        ratio = f"{seconds(benchmark) / min(ours):.3g}" if ours else ""
        outcome = info["outcome"] + ("" if whole else f" ({100 * info['share']:.2g}% of the work)")
        lines.append(f"| {info['program']} | {info['threads']} | {time} | {ratio} | {outcome} |")
    return lines


def gist(record: dict[str, Any]) -> str:
    """Return the README's table: one row a piece of work that others did, too."""
    lines = ["| work | geoprobe | others |", "|---|---:|---|"]
    for work, benchmarks in grouped(record).items():
        quickest: dict[str, float] = {}
        for benchmark in benchmarks:
            program = benchmark["extra_info"]["program"]
            quickest[program] = min(quickest.get(program, float("inf")), seconds(benchmark))
        own = quickest.pop("geoprobe", None)
        if own is None or not quickest:
            continue
        others = ", ".join(
            f"{program} {show_seconds(time)} ({times(time / own)} times)"
            for program, time in sorted(quickest.items(), key=lambda item: item[1])
        )
        lines.append(f"| {work} | {show_seconds(own)} | {others} |")
    lines += [
        "",
        f"One run on one machine, {record['datetime'][:10]}; the best of one and two threads.",
        "[docs/benchmarks.md](docs/benchmarks.md) has the whole of it: what came out, work that",
        "nothing else here can do, and what the reference implementation took.",
        "",
    ]
    return "\n".join(lines)


def times(ratio: float) -> str:
    """Return a ratio with two digits or more."""
    return f"{ratio:,.0f}" if ratio >= 10 else f"{ratio:.2g}"


def grouped(record: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return the benchmarks of each piece of work."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for benchmark in record["benchmarks"]:
        groups.setdefault(benchmark["group"], []).append(benchmark)
    return groups


def page(record: dict[str, Any]) -> str:
    """Return the whole page."""
    cpu = record["machine_info"]["cpu"]
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    parts = [
        INTRODUCTION,
        f"Machine: {cpu.get('brand_raw', 'unknown processor')}, {cpu.get('count', '?')} cores; "
        f"Python {record['machine_info']['python_version']}, {versions}; "
        f"{record['datetime'][:10]}.\n",
    ]
    for work, benchmarks in grouped(record).items():
        parts += [f"## {work}\n", *table(benchmarks), ""]
    return "\n".join(parts).rstrip() + "\n"


def main() -> None:
    """Write the page from a new run or from a record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hard", action="store_true", help="also what takes minutes")
    parser.add_argument("--json", type=Path, help="a record of pytest-benchmark to read")
    options = parser.parse_args()
    if options.json:
        record = json.loads(options.json.read_text(encoding="utf8"))
    else:
        record = run(options.hard)
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(page(record), encoding="utf8")
    readme = README.read_text(encoding="utf8")
    README.write_text(MARKED.sub(lambda _: gist(record), readme, count=1), encoding="utf8")
    print(f"wrote {TARGET.relative_to(ROOT)} and the table of {README.name}")


if __name__ == "__main__":
    main()
