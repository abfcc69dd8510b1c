"""Damage plans, results folders and studies: each is read, or refused with a clean error.

Usage: ``python -m scripts.fuzz_folders --number 5000 --seed 1 [--study DIR]``. A copy of the study
is damaged, not the study. Prints how many inputs were taken and refused; ends with status 1 at the
first other exception, and leaves that input behind.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from geoprobe import Space, verify_results, write_results
from geoprobe.errors import GeoprobeError
from geoprobe.files.json_files import seal
from geoprobe.probes import measure
from geoprobe.studies import StudyFolder, load_study_data, read_plan
from scripts.fuzz_readers import damaged, run

PLAN = b"""\
tasks = ["builtin-role", "mine"]
models = ["minilm"]
seeds = [0, 1]
checkpoints = "log:6"
analyses = ["linearity"]
[cross]
mine = ["builtin-role"]
[task.mine]
train = "train.jsonl"
test = "test.jsonl"
units = "words"
[finetune]
epochs = 1
"""
ODD: list[Any] = [None, True, -1, 0, 1.5, 1e400, 10**30, "", "\u202e", [], [1], [[]], {}, {"a": 1}]


def altered(value: Any, rng: random.Random) -> Any:
    """Return a JSON value with one part of it replaced, removed or renamed."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key, copy = rng.choice(sorted(value)), dict(value)
        if rng.random() < 0.1:
            copy["odd"] = copy.pop(key)
        elif rng.random() < 0.1:
            del copy[key]
        else:
            copy[key] = altered(value[key], rng)
        return copy
    if isinstance(value, list) and value and rng.random() < 0.8:
        at = rng.randrange(len(value))
        return [*value[:at], altered(value[at], rng), *value[at + 1 :]]
    return rng.choice(ODD)


def damage_file(path: Path, rng: random.Random) -> None:
    """Damage a file's bytes, or what it says, under a seal that fits again."""
    content = path.read_bytes()
    if path.suffix == ".json" and rng.random() < 0.7:
        said = altered(json.loads(content), rng)
        if isinstance(said, dict) and "sha256" in said and rng.random() < 0.8:
            # What no seal fits, an infinite number, keeps the old one.
            with contextlib.suppress(ValueError):
                said["sha256"] = seal(said)
        content = json.dumps(said).encode("utf8", "surrogatepass")
    else:
        content = damaged(content, rng)
    path.write_bytes(content)


def results_folder(folder: Path) -> tuple[Space, Space]:
    """Write results with two labels, one of them in two clusters, and with predictions."""
    train = Space([[0.0, 0.0], [1.0, 0.0], [3.0, 0.0], [4.0, 1.0]], ["a", "b", "a", "b"])
    test = Space([[0.1, 0.0], [3.9, 1.0]], ["a", "c"])
    write_results(measure(train, test=test, n_threads=1), folder)
    return train, test


def campaign(number: int, seed: int, study: Path | None, keep: Path) -> Counter[tuple[str, str]]:
    """Damage and read, and count what became of it.

    Raises
    ------
    Exception
        Whatever is no GeoprobeError; ``keep`` then holds the input.
    """
    rng = random.Random(seed)
    outcomes: Counter[tuple[str, str]] = Counter()
    plan, results = keep / "plan.toml", keep / "results"
    train, test = results_folder(keep / "whole")

    def read_results() -> None:
        verify_results(
            results, train.points, train.labels, test_points=test.points, test_labels=test.labels
        )

    kinds: list[tuple[str, Path | None, Path, Callable[[], object]]] = [
        ("plan", None, plan, lambda: read_plan(plan)),
        ("results", keep / "whole", results, read_results),
    ]
    if study is not None:
        copy = keep / "study"
        kinds.append(("study", study, copy, lambda: load_study_data(StudyFolder(copy))))
    for k in range(number):
        name, source, target, read = kinds[k % len(kinds)]
        if source is None:
            target.write_bytes(damaged(PLAN, rng))
        else:
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("*.npy", "*.safetensors"))
            files = [
                path
                for path in target.rglob("*")
                if path.is_file() and "spaces" not in path.parts and path.suffix != ".jsonl"
            ]
            damage_file(rng.choice(sorted(files)), rng)
        try:
            read()
        except GeoprobeError:
            outcomes[name, "refused"] += 1
        else:
            outcomes[name, "read"] += 1
    return outcomes


def main() -> int:
    """Run the campaign that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--number", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--study", type=Path)
    options = parser.parse_args()
    number, seed = options.number, options.seed
    return run(lambda folder: campaign(number, seed, options.study, folder), "fuzz_folders_", seed)


if __name__ == "__main__":
    sys.exit(main())
