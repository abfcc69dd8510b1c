"""Executor on a Ray cluster, and the only file that knows Ray."""

from __future__ import annotations

import contextlib
import importlib
import os
import pickle
import re
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from geoprobe.errors import ClusterError, InputError
from geoprobe.extras import installing
from geoprobe.studies.executors import Answer, Piece, Uses
from geoprobe.threads import available_threads

ANSWER_S = 40.0
"""A cluster that has not let this process in for so long does not answer."""

_REFUSED_S = 5.0
_LOOK_S = 3.0
_LOOKS_IN_VAIN = 4
_NOTICE_S = 15.0
_PROBE_S = 60.0
_CLOSE_S = 15.0
# Paths and parameters travel, never points, so that little of a machine's memory is set aside.
_OBJECT_STORE = 100_000_000
_TRIAL = "import sys, ray; ray.init(sys.argv[1], log_to_driver=False); ray.shutdown()"


class _Node(NamedTuple):
    """What a living node has."""

    host: str
    cores: int
    gpus: int
    memory: int


class RayCluster:
    """Runs pieces on the nodes of a Ray cluster.

    The variable ``RAY_ADDRESS`` names the cluster; without it one is started on this machine. As
    many pieces are under way as the nodes have room for, and one more for each node, so that none
    waits for the next.

    Parameters
    ----------
    marker : pathlib.Path
        A file in the folder of the study that every node must see, there before the first piece.
    n_workers : int, optional
        Pieces that are under way at most.

    Raises
    ------
    InputError
        If Ray is not installed, or the address is of a form that cannot be used.
    ClusterError
        If the cluster does not answer.
    """

    def __init__(self, marker: Path, *, n_workers: int | None = None) -> None:
        self._ray = _need_ray()
        self._marker = marker
        self._n_workers = n_workers
        self._address = os.environ.get("RAY_ADDRESS", "")
        self._running: dict[Any, tuple[Piece, float]] = {}
        self._taken: dict[Any, Counter[str]] = {}
        self._nodes: dict[str, _Node] = {}
        self._fit: set[str] = set()
        self._looked = 0.0
        self._in_vain = 0
        self._in_doubt = False
        self._may_leave = True
        self._connect()
        do, probe = _portable(importlib.import_module("geoprobe").__version__)
        self._do, self._probe = self._ray.remote(do), self._ray.remote(probe)
        # A process that ends with its piece gives the memory of the GPU back.
        self._do_on_gpu = self._ray.remote(max_calls=1)(do)

    def refuses(self, uses: Uses) -> str:
        """Say why a piece can never run here, however long one waits; empty if it can.

        Raises
        ------
        InputError
            If a node has another version of geoprobe or does not see the folder of the study.
        ClusterError
            If the cluster is lost.
        """
        self._look()
        needs = self._needs(uses)
        if any(
            needs["CPU"] <= node.cores
            and needs["GPU"] <= node.gpus
            and needs["memory"] <= node.memory
            for node in self._nodes.values()
        ):
            return ""
        cores = max((node.cores for node in self._nodes.values()), default=0)
        if needs["CPU"] > cores:
            return (
                f"it needs {needs['CPU']} cores, but no node of the Ray cluster has more than "
                f"{cores}"
            )
        memory = max((node.memory for node in self._nodes.values()), default=0)
        return (
            f"it needs at least {needs['memory'] / 1e9:,.1f} GB of memory, but no node of the Ray "
            f"cluster that is fit for it gives more than {memory / 1e9:,.1f} GB to its pieces"
        )

    def has_room(self, uses: Uses) -> bool:
        """Whether a piece would run now, or as soon as a node is done with another."""
        if self._n_workers is not None and len(self._running) >= self._n_workers:
            return False
        taken: Counter[str] = sum(self._taken.values(), Counter())
        nodes = self._nodes.values()
        there = {
            "CPU": sum(node.cores for node in nodes) + len(nodes),
            "GPU": sum(node.gpus for node in nodes),
            "memory": sum(node.memory for node in nodes),
        }
        needs = self._needs(uses)
        return all(taken[name] + needs[name] <= there[name] for name in there if needs[name])

    def start(self, piece: Piece) -> None:
        """Hand a piece over to the cluster."""
        needs = self._needs(piece.uses)
        do_piece = self._do_on_gpu if needs["GPU"] else self._do
        reference = do_piece.options(
            name=str(piece),
            num_cpus=needs["CPU"],
            num_gpus=needs["GPU"],
            memory=needs["memory"] or None,
            # Whoever hands over counts the tries, and knows which piece it was.
            max_retries=0,
        ).remote(str(self._marker), pickle.dumps(piece.work), needs["CPU"], bool(self._address))
        self._running[reference] = piece, time.perf_counter()
        self._taken[reference] = needs

    def finished(self, timeout: float) -> list[tuple[Piece, Answer]]:
        """Return the pieces that have ended since the last call.

        Raises
        ------
        InputError
            If a node that has joined meanwhile has another version of geoprobe or does not see the
            folder of the study.
        ClusterError
            If the cluster is lost.
        """
        if not self._running:
            return []
        references = list(self._running)
        some, _ = self._ray.wait(references, num_returns=1, timeout=min(timeout, _LOOK_S))
        if not some:
            self._look()
            return []
        done, _ = self._ray.wait(references, num_returns=len(references), timeout=0)
        answers = [self._answer(reference) for reference in done]
        if self._in_doubt:
            self._in_doubt = False
            self._refuse_without_node()
        return answers

    def close(self) -> None:
        """Leave the cluster, which ends what runs; a cluster that was started here ends as well."""
        self._running.clear()
        self._taken.clear()
        if not self._may_leave:
            return
        # A cluster whose head is gone is waited for in vain.
        leaving = threading.Thread(target=self._ray.shutdown, daemon=True)
        leaving.start()
        leaving.join(_CLOSE_S)

    def _connect(self) -> None:
        how: dict[str, Any] = {"address": self._address}
        if self._address:
            _try_to_connect(self._address)
        else:
            how = {
                "address": "local",
                "num_cpus": self._n_workers or available_threads(),
                "include_dashboard": False,
                "object_store_memory": _OBJECT_STORE,
            }
        try:
            self._ray.init(**how, log_to_driver=False, logging_level="error")
        # A node that is not up within half a minute is a bare Exception.
        except Exception as error:
            raise ClusterError(
                f"Ray did not start on this machine, which may be too busy: {_sentence(error)} "
                f"The same command tries again."
            ) from error
        here = self._ray.get_runtime_context()
        self._head, self._own = here.gcs_address, here.get_node_id()

    def _refuse_without_node(self) -> None:
        """End the run if the node through which this process talks to the cluster is gone."""
        until = time.monotonic() + _NOTICE_S
        while time.monotonic() < until:
            if not any(node["NodeID"] == self._own and node["Alive"] for node in self._ray.nodes()):
                # Ray would end this process, without a word, if it were asked to leave.
                self._may_leave = False
                raise ClusterError(
                    "the node from which the study is run left the Ray cluster. What is finished "
                    "is kept: once the node is there again, the same command goes on."
                )
            time.sleep(0.5)

    def _answer(self, reference: Any) -> tuple[Piece, Answer]:
        """Return how a piece ended whose reference is ready."""
        piece, began = self._running[reference]
        try:
            answer = self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:
            answer = Answer(time.perf_counter() - began, f"on its node: {error}")
        except self._ray.exceptions.RayError as error:
            self._in_doubt |= isinstance(error, self._ray.exceptions.LocalRayletDiedError)
            reason = f"its worker on the Ray cluster was lost: {_sentence(error)}"
            answer = Answer(time.perf_counter() - began, reason, lost=True)
        self._running.pop(reference)
        self._taken.pop(reference)
        if isinstance(answer, str):
            raise InputError(answer)
        return piece, answer

    def _needs(self, uses: Uses) -> Counter[str]:
        """Return what of a node a piece takes."""
        on_gpu = uses.gpu and any(node.gpus for node in self._nodes.values())
        if uses.cores is not None:
            cores = uses.cores
        elif on_gpu:
            cores = max(node.cores // node.gpus for node in self._nodes.values() if node.gpus)
        else:
            cores = max((node.cores for node in self._nodes.values()), default=1)
        return Counter({"CPU": max(1, cores), "GPU": int(on_gpu), "memory": uses.memory})

    def _look(self) -> None:
        """Learn which nodes there are, at times, and whether those that are new can take part."""
        if self._nodes and time.monotonic() - self._looked < _LOOK_S:
            return
        self._looked = time.monotonic()
        if not self._head_answers():
            return
        self._nodes = {
            node["NodeID"]: _Node(
                node["NodeManagerHostname"] or node["NodeManagerAddress"],
                int(node["Resources"].get("CPU", 0)),
                int(node["Resources"].get("GPU", 0)),
                int(node["Resources"].get("memory", 0)),
            )
            for node in self._ray.nodes()
            if node["Alive"]
        }
        self._refuse_unfit(set(self._nodes) - self._fit)

    def _refuse_unfit(self, nodes: Iterable[str]) -> None:
        """Look whether nodes can take part before a piece is at stake.

        One that is too busy to say is asked again by every piece.
        """
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        asked = {
            self._probe.options(
                num_cpus=0,
                max_retries=0,
                scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False),
            ).remote(str(self._marker)): node
            for node in nodes
        }
        if not asked:
            return
        said, _ = self._ray.wait(list(asked), num_returns=len(asked), timeout=_PROBE_S)
        for reference in said:
            with contextlib.suppress(self._ray.exceptions.RayError):
                if refusal := self._ray.get(reference):
                    raise InputError(refusal)
                self._fit.add(asked[reference])

    def _head_answers(self) -> bool:
        """Notice that the head is gone, before Ray ends this process for it or waits for ever."""
        try:
            _call(self._head)
        except OSError as error:
            self._in_vain += 1
            if self._in_vain < _LOOKS_IN_VAIN:
                return False
            raise ClusterError(
                f"the head of the Ray cluster at {self._head} no longer answers. What is finished "
                f"is kept: once there is a cluster again, the same command goes on."
            ) from error
        self._in_vain = 0
        return True


def _portable(version: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return what does a piece and what probes a node, as functions that travel as their code.

    A function of a module would be looked for on a node that may lack it.
    """

    def unfit() -> str:
        import importlib
        import platform

        try:
            found = importlib.import_module("geoprobe").__version__
        except ImportError as error:
            return f"the node {platform.node()} of the Ray cluster cannot import geoprobe: {error}."
        if found == version:
            return ""
        return (
            f"the node {platform.node()} of the Ray cluster has geoprobe {found}, "
            f"but this study is run by {version}; all nodes need the same version."
        )

    def placed(refusal: str) -> str:
        import platform

        return f"the node {platform.node()} of the Ray cluster {refusal}."

    def do(marker: str, packed: bytes, n_threads: int, own_kernels: bool) -> Any:
        from pathlib import Path

        if refusal := unfit():
            return refusal
        from geoprobe.studies.ray_node import do_piece

        answer = do_piece(Path(marker), packed, n_threads, own_kernels)
        return placed(answer) if isinstance(answer, str) else answer

    def probe(marker: str) -> str:
        from pathlib import Path

        if refusal := unfit():
            return refusal
        from geoprobe.studies.ray_node import unseen

        refusal = unseen(Path(marker))
        return refusal and placed(refusal)

    return do, probe


def _need_ray() -> Any:
    try:
        import ray
        import ray.exceptions
    except ImportError as error:
        raise InputError(
            f"running a study on Ray needs the package ray: {installing('ray')}."
        ) from error
    return ray


def _try_to_connect(address: str) -> None:
    """Let another process try: Ray may hang where there is no cluster, or end the process.

    Raises
    ------
    InputError
        If the address is not of a form that can be used.
    ClusterError
        If there is no cluster, or it does not let this machine in.
    """
    if "://" in address:
        raise InputError(
            f"RAY_ADDRESS is {address}, but a study is run from a node of the cluster, without "
            f"Ray's client: there HOST:PORT of its head is expected, or auto."
        )
    no_answer = f"the Ray cluster at {address}, which RAY_ADDRESS names, does not answer"
    if address != "auto":
        try:
            _call(address)
        except ValueError as error:
            raise InputError(
                f"RAY_ADDRESS is {address!r}, but HOST:PORT of the head is expected, or auto."
            ) from error
        except OSError as error:
            raise ClusterError(f"{no_answer} ({error.strerror or error}).") from error
    try:
        trial = subprocess.run(
            [sys.executable, "-c", _TRIAL, address],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=ANSWER_S,
        )
    except subprocess.TimeoutExpired as error:
        raise ClusterError(f"{no_answer} within {ANSWER_S:.0f} seconds.") from error
    if trial.returncode:
        said = re.split(r"^(?:[\w.]*Error|Exception): ", trial.stderr, flags=re.MULTILINE)[-1]
        raise ClusterError(
            f"the Ray cluster at {address}, which RAY_ADDRESS names, cannot be used: "
            f"{' '.join(said.split())[-600:]}"
        )


def _call(address: str) -> None:
    """Open a connection to HOST:PORT and close it again."""
    host, _, port = address.rpartition(":")
    if not host:
        raise ValueError("no port")
    socket.create_connection((host.strip("[]"), int(port)), timeout=_REFUSED_S).close()


def _sentence(error: BaseException) -> str:
    """Return the first line of what Ray says of a loss."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
