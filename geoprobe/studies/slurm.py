"""Job scripts for Slurm: an array of jobs that share a study and nothing but its folder."""

from __future__ import annotations

import re
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from geoprobe.errors import InputError

_TIME = re.compile(r"\d+(:\d{1,2}){0,2}|\d+-\d{1,2}(:\d{1,2}){0,2}")
_MEMORY = re.compile(r"\d+[KMGT]?")
_PARTITION = re.compile(r"[A-Za-z0-9_.,-]+")


@dataclass(frozen=True)
class Request:
    """What each job of the array asks of Slurm.

    Parameters
    ----------
    shards : int
        Jobs of the array.
    time : str
        Such as ``"24:00:00"`` or ``"2-12"``.
    cores : int
    memory : str
        Such as ``"32G"``.
    partition : str, optional
        The cluster's own choice by default.
    gpus : int, default=0

    Raises
    ------
    InputError
        If sbatch would not understand it.
    """

    shards: int
    time: str
    cores: int
    memory: str
    partition: str | None = None
    gpus: int = 0

    def __post_init__(self) -> None:
        for name, least in (("shards", 1), ("cores", 1), ("gpus", 0)):
            number = getattr(self, name)
            if number < least:
                raise InputError(f"{name} is {number}, but at least {least} is expected.")
        for name, pattern, example in (
            ("time", _TIME, "24:00:00 or 2-12:00"),
            ("memory", _MEMORY, "32G"),
            ("partition", _PARTITION, "a name such as long"),
        ):
            said = getattr(self, name)
            if said is not None and pattern.fullmatch(said) is None:
                raise InputError(f"{name} is {said!r}, but {example} is expected.")


def job_script(plan: Path, folder: Path, request: Request) -> str:
    """Return a script for sbatch whose jobs each do a share of a study.

    Parameters
    ----------
    plan : path-like
    folder : path-like
        The study's, on a disk that all nodes share.
    request : Request

    Returns
    -------
    str
    """
    plan, folder = plan.expanduser().resolve(), folder.expanduser().resolve()
    said = [
        f"--job-name=geoprobe-{re.sub(r'[^A-Za-z0-9_.-]', '_', plan.stem)}",
        f"--array=1-{request.shards}",
        "--nodes=1",
        "--ntasks=1",
        f"--cpus-per-task={request.cores}",
        f"--mem={request.memory}",
        f"--time={request.time}",
    ]
    if request.partition is not None:
        said.append(f"--partition={request.partition}")
    if request.gpus:
        said.append(f"--gres=gpu:{request.gpus}")
    header = "\n".join(f"#SBATCH {each}" for each in said)
    return _SCRIPT.format(
        header=header,
        python=shlex.quote(sys.executable),
        plan=shlex.quote(str(plan)),
        folder=shlex.quote(str(folder)),
        cores=request.cores,
        shards=request.shards,
    )


_SCRIPT = """\
#!/bin/bash
{header}

# Compiled kernels stay on the node: home folders are shared, and their machines may differ.
if [ -z "${{GEOPROBE_CACHE_DIR:-}}" ]; then
    GEOPROBE_CACHE_DIR="${{TMPDIR:-/tmp}}/geoprobe-$UID"
    mkdir -p -m 700 "$GEOPROBE_CACHE_DIR"
    # What lies there is run, so that it must be nobody else's.
    [ -O "$GEOPROBE_CACHE_DIR" ] || GEOPROBE_CACHE_DIR=$(mktemp -d)
    export GEOPROBE_CACHE_DIR
fi

exec {python} -m geoprobe study run {plan} --out {folder} \\
    --shard "$SLURM_ARRAY_TASK_ID/{shards}" --workers "${{SLURM_CPUS_PER_TASK:-{cores}}}"
"""
