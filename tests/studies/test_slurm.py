from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from geoprobe.cli import app
from geoprobe.errors import InputError
from geoprobe.studies.slurm import Request, job_script
from tests.support.given_cases import write_spaces

ASKED = Request(3, "0-01:30", 2, "4G", "short", 1)


def test_what_is_asked_of_slurm(tmp_path: Path) -> None:
    script = job_script(tmp_path / "my plan.toml", tmp_path / "out", ASKED)
    asked = [line for line in script.splitlines() if line.startswith("#SBATCH")]
    assert asked == [
        "#SBATCH --job-name=geoprobe-my_plan",
        "#SBATCH --array=1-3",
        "#SBATCH --nodes=1",
        "#SBATCH --ntasks=1",
        "#SBATCH --cpus-per-task=2",
        "#SBATCH --mem=4G",
        "#SBATCH --time=0-01:30",
        "#SBATCH --partition=short",
        "#SBATCH --gres=gpu:1",
    ]
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)


@pytest.mark.parametrize(
    "wrong",
    [
        {"shards": 0},
        {"cores": 0},
        {"gpus": -1},
        {"time": "soon"},
        {"memory": "much"},
        {"partition": "a b"},
    ],
)
def test_what_sbatch_would_not_understand_is_refused(wrong: dict[str, object]) -> None:
    asked = {"shards": 1, "time": "1", "cores": 1, "memory": "1G"} | wrong
    with pytest.raises(InputError, match=next(iter(wrong))):
        Request(**asked)  # type: ignore[arg-type]


@pytest.mark.full
def test_jobs_of_an_array_finish_a_study(tmp_path: Path, repository: Path) -> None:
    folder = tmp_path / "a folder"
    write_spaces(folder, steps=(0,))
    plan = folder / "plan.toml"
    asked = ["study", "slurm", str(plan), "--shards", "2", "--cores", "1"]
    script = CliRunner().invoke(app, asked, catch_exceptions=False).stdout
    for number in (1, 2):
        environment = {**os.environ, "SLURM_ARRAY_TASK_ID": str(number), "SLURM_CPUS_PER_TASK": "1"}
        job = subprocess.run(
            ["bash", "-s"],
            input=script,
            text=True,
            capture_output=True,
            cwd=repository,
            env=environment,
            timeout=120,
        )
        assert job.returncode == 0, job.stderr
    assert len(list((folder / "plan" / "geometry").rglob("*.npz"))) == 6
    assert (folder / "plan" / "report.html").is_file()
    assert sys.executable in script
