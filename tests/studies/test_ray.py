"""Studies on a Ray cluster of two nodes on this machine: losses, refusals, equal tables."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from geoprobe.errors import ClusterError, InputError
from geoprobe.progress import Progress
from geoprobe.studies import StudyFolder, ray_executor, read_plan, run_study, write_tables
from geoprobe.studies.ray_executor import RayCluster
from tests.support import piece_cases as cases
from tests.support.given_cases import write_spaces

pytestmark = [
    pytest.mark.full,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    # The files of processes that were killed are closed when Python finds them.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
NODE = {"num_cpus": 1, "node_ip_address": "127.0.0.1", "object_store_memory": 80_000_000}


def start_cluster() -> Any:
    pytest.importorskip("ray", reason="needs the package ray, an extra of geoprobe")
    from ray.cluster_utils import Cluster

    return started(
        lambda: Cluster(initialize_head=True, head_node_args={**NODE, "include_dashboard": False})
    )


def started(start: Callable[[], Any]) -> Any:
    """Start a node, and again where Ray gave it up.

    Its raylet ends itself if its agent, a Python process that imports Ray, does not come up within
    20 seconds, which nothing can set: on a machine with ten processes a core it may not.
    """
    for left in (4, 3, 2, 1, 0):
        try:
            return start()
        except Exception as error:
            if "timed out during startup" not in str(error) or not left:
                raise
    raise AssertionError("the last one raises")


@pytest.fixture(scope="module")
def loopback() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        # Otherwise Ray takes 127.0.0.1 for the address that others see; read at its import.
        patch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
        yield patch


@pytest.fixture(scope="module")
def two_nodes(loopback: pytest.MonkeyPatch) -> Iterator[Any]:
    cluster = start_cluster()
    started(lambda: cluster.add_node(**NODE))
    yield cluster
    cluster.shutdown()


@pytest.fixture
def cluster(two_nodes: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("RAY_ADDRESS", two_nodes.address)
    return two_nodes


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    path = tmp_path / "plan.json"
    path.touch()
    return path


def test_pieces_that_fail_die_or_are_too_large_are_named(cluster: Any, marker: Path) -> None:
    folder = marker.parent
    failing = cases.Piece("measure", "failing", folder / "failing", cases.fail)
    refused = cases.Piece("measure", "refused", folder / "refused", cases.refuse)
    deadly = folder / "deadly"
    (folder / "other").mkdir()
    twice = folder / "other" / "twice"
    pieces = [
        failing,
        refused,
        cases.Piece("measure", "deadly", deadly, cases.partial(cases.die, deadly, 99)),
        cases.Piece("measure", "twice", twice, cases.partial(cases.die, twice, 2)),
        cases.large(folder, 10**15),
        *(cases.plain(folder, f"p{number}") for number in range(8)),
    ]
    tally = cases.work_off(pieces, folder, RayCluster(marker))
    assert tally.done == {"measure": 9} and twice.is_file()
    assert "this always fails" in tally.failed["measure failing"]
    assert tally.failed["measure refused"] == "the points are bad"
    assert tally.failed["measure deadly"].startswith("its worker on the Ray cluster was lost")
    assert tally.failed["measure deadly"].endswith("(tried 3 times)")
    assert "1,000,000.0 GB of memory" in tally.failed["measure large"]
    assert (folder / "deaths").read_text() == "xxx"


@pytest.mark.slow
def test_tables_are_those_of_one_process_whatever_is_lost(cluster: Any, tmp_path: Path) -> None:
    write_spaces(tmp_path)
    plan = read_plan(tmp_path / "plan.toml")
    lost_node = started(lambda: cluster.add_node(**NODE))
    killed: list[str] = []

    def lose(progress: Progress) -> None:
        if (
            progress.phase == "measuring"
            and progress.done == 3
            and lost_node in cluster.worker_nodes
        ):
            cluster.remove_node(lost_node, allow_graceful=False)
        if progress.done >= 5 and not killed and lost_node not in cluster.worker_nodes:
            killed.extend(kill_a_worker([cluster.head_node, *cluster.worker_nodes]))

    executor = RayCluster(StudyFolder(tmp_path / "ray").plan_file)
    outcome = run_study(plan, tmp_path / "ray", executor=executor, progress=lose)
    assert outcome.done["measure"] == 12 and not outcome.failed and not outcome.left
    assert lost_node not in cluster.worker_nodes and killed
    run_study(plan, tmp_path / "serial", n_workers=1)
    for folder in ("ray", "serial"):
        write_tables(StudyFolder(tmp_path / folder))
    names = sorted(path.name for path in (tmp_path / "serial" / "tables").iterdir())
    assert names == sorted(path.name for path in (tmp_path / "ray" / "tables").iterdir())
    for name in names:
        on_ray = (tmp_path / "ray" / "tables" / name).read_bytes()
        assert on_ray == (tmp_path / "serial" / "tables" / name).read_bytes(), name


def kill_a_worker(nodes: Iterable[Any]) -> list[str]:
    """Kill a process that is at a piece, and return its name; none if there is none."""
    for node in nodes:
        raylet = node.all_processes["raylet"][0].process.pid
        for number in Path(f"/proc/{raylet}/task/{raylet}/children").read_text().split():
            name = Path(f"/proc/{number}/cmdline").read_bytes().decode()
            # A node ends with its agents, and with the node of this process the process itself.
            if name.startswith(("ray::measure", "ray::move", "ray::resample")):
                os.kill(int(number), signal.SIGKILL)
                return [name]
    return []


def test_a_node_of_another_version_is_named(cluster: Any, marker: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    (other / "geoprobe").mkdir(parents=True)
    (other / "geoprobe" / "__init__.py").write_text("__version__ = '0.0.1'\n")
    # Imported as the process starts, before this repository is found.
    (other / "sitecustomize.py").write_text("import geoprobe\n")
    node = started(lambda: cluster.add_node(**NODE, env_vars={"PYTHONPATH": str(other)}))
    try:
        with pytest.raises(InputError, match=r"the node .* has geoprobe 0\.0\.1, but this study"):
            cases.work_off([cases.plain(tmp_path, "p")], tmp_path, RayCluster(marker))
    finally:
        cluster.remove_node(node)


def test_a_folder_that_nodes_do_not_see_is_named(cluster: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"does not see .*nowhere; the folder of a study must"):
        executor = RayCluster(tmp_path / "nowhere" / "plan.json")
        cases.work_off([cases.plain(tmp_path, "p")], tmp_path, executor)


def test_a_cluster_without_its_head_ends_the_run_and_no_finished_piece(
    loopback: pytest.MonkeyPatch, marker: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_executor, "_LOOK_S", 0.5)
    monkeypatch.setattr(ray_executor, "_CLOSE_S", 3.0)
    cluster = start_cluster()
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)
    pieces = [cases.plain(tmp_path, f"p{number}", 0.5) for number in range(12)]
    executor = RayCluster(marker)
    end = executor.finished

    def lose(timeout: float) -> Any:
        if (tmp_path / "p2").exists() and cluster.head_node.any_processes_alive():
            cluster.head_node.kill_all_processes(check_alive=False, allow_graceful=False, wait=True)
        return end(timeout)

    monkeypatch.setattr(executor, "finished", lose)
    with pytest.raises(ClusterError, match=r"no longer answers.*same command|does not"):
        cases.work_off(pieces, tmp_path, executor)
    cluster.shutdown()
    before = len((tmp_path / "log").read_text().split())
    tally = cases.work_off(pieces, tmp_path)
    assert 2 < before < 12 and tally.done["measure"] + tally.found["measure"] == 12


def test_an_address_that_does_not_answer_is_named(
    loopback: pytest.MonkeyPatch, marker: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray", reason="needs the package ray, an extra of geoprobe")
    monkeypatch.setattr(ray_executor, "ANSWER_S", 3.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setenv("RAY_ADDRESS", address)
        with pytest.raises(ClusterError, match=f"{address}.* does not answer within 3 seconds"):
            RayCluster(marker)
    with pytest.raises(ClusterError, match=f"{address}.* does not answer .*refused"):
        RayCluster(marker)


def test_a_cluster_that_does_not_start_here_is_told(
    marker: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ray = pytest.importorskip("ray", reason="needs the package ray, an extra of geoprobe")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)

    def fail(**_: Any) -> None:
        raise Exception("The current node timed out during startup.\nMore of it.")

    monkeypatch.setattr(ray, "init", fail)
    with pytest.raises(ClusterError, match=r"did not start .* timed out during startup\. The same"):
        RayCluster(marker)


@pytest.mark.parametrize("address", ["ray://127.0.0.1:10001", "nonsense", "127.0.0.1:many"])
def test_an_address_of_another_form_is_refused(
    address: str, marker: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray", reason="needs the package ray, an extra of geoprobe")
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(InputError, match=f"RAY_ADDRESS is .*{address}.*HOST:PORT"):
        RayCluster(marker)


def test_ray_is_asked_for_by_name(marker: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r'pip install "geoprobe-engine\[ray\]"'):
        RayCluster(marker)
