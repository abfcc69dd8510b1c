"""Kill a run of fine-tuning and extraction at random moments, resume it, and compare every byte.

Usage: ``python -m scripts.kill_campaign --kills 20 --seed 1``. A BERT of a few thousand random
weights learns a task and is extracted for two. Each time the process is killed by SIGKILL; what
lies on the disk then is compared with the run that nobody interrupted, the run is resumed, and the
outcome compared again. Times are the only thing that may differ. Prints a line for each kill; ends
with status 1 when anything differs.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import torch  # noqa: TID253

from geoprobe.encoders import Schedule, TuningOptions, TuningResult
from geoprobe.encoders.finetune import finetune
from geoprobe.encoders.run_folder import STATE
from geoprobe.spaces import SpaceStore
from tests.support import finetune_cases as cases

ROOT = Path(__file__).resolve().parents[1]
READY = "ready"


def job(folder: Path) -> TuningResult:
    """Fine-tune and extract; the state is saved after every update."""
    task = cases.task(n_train=60, n_test=20)
    return finetune(
        cases.encoder(),
        task,
        options=TuningOptions(epochs=6, learning_rate=5e-3, batch_size=8, seed=2),
        store=SpaceStore(folder / "store"),
        run_folder=folder / "run",
        extract=[task, cases.task("other", kind="pair")],
        checkpoints=Schedule("linear:8"),
        save_models=True,
        save_every_s=0.0,
    )


@dataclass(frozen=True)
class Kill:
    """What was found after one kill.

    Attributes
    ----------
    after_s : float
        Seconds of work before it.
    at : str
        How far the run had come.
    wrong : list of str
        Everything that differs from the run without interruption.
    """

    after_s: float
    at: str
    wrong: list[str]


def kill_and_resume(folder: Path, after_s: float, expected: dict[str, object]) -> Kill:
    """Start the job in a process of its own, kill it, look, resume, and look again."""
    command = [sys.executable, "-m", "scripts.kill_campaign", "--job", str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        if process.stdout.readline().strip() != READY:
            raise RuntimeError("the job did not start")
        time.sleep(after_s)
        process.kill()
    at = _stands(folder)
    wrong = [f"after the kill: {what}" for what in _partial(folder, expected)]
    job(folder)
    found = cases.snapshot(folder)
    wrong += [
        f"after resuming: {name} {'differs' if name in expected and name in found else 'is alone'}"
        for name in sorted({*found, *expected})
        if found.get(name) != expected.get(name)
    ]
    return Kill(after_s, at, wrong)


def _stands(folder: Path) -> str:
    if (folder / "run" / "result.json").exists():
        return "finished"
    keys = len(SpaceStore(folder / "store").keys())
    steps = sorted(path.stem for path in (folder / "run").glob("state-*.safetensors"))
    return f"{keys} files of spaces, {', '.join(steps) or 'no state'}"


def _partial(folder: Path, expected: dict[str, object]) -> list[str]:
    """Return what passes for complete but is not what it should be."""
    store = SpaceStore(folder / "store")
    wrong = []
    for key in store.keys():
        stored = store.open(key, verify=True)
        if stored.path.read_bytes() != expected[f"store/{stored.path.relative_to(store.root)}"]:
            wrong.append(f"{key} passes for complete")
    found = cases.snapshot(folder) if folder.exists() else {}
    for name in found:
        if Path(name).name.startswith(".") or "/." in name or name.startswith("run/state"):
            continue
        if name.startswith("run/") and name != f"run/{STATE}" and found[name] != expected.get(name):
            wrong.append(f"{name} passes for complete")
    return wrong


def campaign(folder: Path, kills: int, seed: int) -> list[Kill]:
    """Run the job without interruption once, then kill and resume it again and again."""
    job(folder / "first")
    began = time.perf_counter()
    job(folder / "whole")
    duration = time.perf_counter() - began
    expected = cases.snapshot(folder / "whole")
    if cases.snapshot(folder / "first") != expected:
        raise RuntimeError("two runs without interruption differ")
    moments = random.Random(seed)
    found = []
    for number in range(kills):
        kill = kill_and_resume(folder / f"kill-{number}", moments.uniform(0, duration), expected)
        found.append(kill)
        print(
            f"killed after {kill.after_s:.2f} s at {kill.at}: {kill.wrong or 'equal'}", flush=True
        )
    print(f"{kills} kills in a run of {duration:.2f} s with {len(expected)} files")
    return found


def main() -> int:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--job", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.job is not None:
        with tempfile.TemporaryDirectory() as folder:
            # What Python loads at the first use would take up most of the time.
            job(Path(folder))
        print(READY, flush=True)
        job(arguments.job)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        found = campaign(Path(folder), arguments.kills, arguments.seed)
    return 1 if any(kill.wrong for kill in found) else 0


if __name__ == "__main__":
    sys.exit(main())
