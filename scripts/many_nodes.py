"""How long a large study takes on 1 to 64 nodes: a calculation from measured costs, not a run.

Usage: ``python -m scripts.many_nodes --cells 100000 --math 10``. What a cell costs was measured by
``scripts.many_cells`` and by counting system calls; ``docs/scale.md`` says how. What the shared
file system gives is assumed, and said by the arguments: its time for one operation, and how many it
does a second for all nodes together.

The model: every node runs one process with a worker for each core, and all of them share the folder
of the study. The first process looks into all files, with all its cores, before the others begin.
Every process lists all cells, and asks for the stamps of the files of its own share. Then its
workers do its share of the cells, while it claims pieces and notes what is done, one after the
other. The file system serves the operations of all nodes one after the other. What takes longest of
workers, processes and file system decides; looking, start and report come on top. Nothing is added
for nodes that differ, break or wait in a queue, nor for reading points, which hangs on the
bandwidth.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, fields

from geoprobe.studies.kinds import KINDS

NODES = (1, 2, 4, 8, 16, 32, 64)


@dataclass(frozen=True)
class Costs:
    """Costs in seconds and operations; the defaults were measured on one core each."""

    cells: int = 100_000
    math: float = 0.060
    """Of a cell in ``measure``."""
    overhead: float = 0.016
    """Of a cell in its worker: reading, packing, writing."""
    dispatch: float = 0.0010
    """Of a cell in the process that claims it, and hands it to a worker."""
    look: float = 0.9e-3
    """Of a cell, a file to train and one to test, when its files are looked into first."""
    listing: float = 60e-6
    """Of a cell in every process that takes part: listing of files and of pieces."""
    start: float = 15.0
    """Of a node: Python, kernels from the node's own cache, workers."""
    report: float = 0.11
    """Of a cell, in the one process that writes tables and report; without figures 0.0065."""
    piece_ops: float = 45.0
    """Operations on files for a cell by its worker and by its process."""
    process_ops: float = 8.0
    """Of them, those that its process waits for, one piece after the other."""
    look_ops: float = 25.0
    """Operations on files for a cell that is looked into."""
    list_ops: float = 0.3
    """Operations on files for a cell by every process that takes part: folders are read."""
    stamp_ops: float = 2.0
    """Operations on files for a cell of which a process may do a piece."""
    others_ops: float = 0.0
    """Operations for a cell that another process did; without ``--shard`` about 4."""
    cores: int = 16
    latency: float = 0.5e-3
    """Of one operation on the shared file system."""
    capacity: float = 20_000.0
    """Operations a second that it does for all nodes together."""


@dataclass(frozen=True)
class Wall:
    """Seconds that a study takes on some nodes, and what they are spent on."""

    start: float
    workers: float
    processes: float
    file_system: float
    report: float

    @property
    def total(self) -> float:
        """Start, then whatever takes longest, then the report."""
        return self.start + max(self.workers, self.processes, self.file_system) + self.report

    @property
    def limit(self) -> str:
        """What takes longest between start and report."""
        return max(("workers", "processes", "file_system"), key=lambda name: getattr(self, name))


def expected(costs: Costs, nodes: int) -> Wall:
    """Return the time that the study takes on so many nodes."""
    each = costs.cells / nodes
    others = (costs.cells - each) * costs.others_ops
    # Pieces of one cell may be of several shares; which they are is not known before.
    own = costs.cells * (1 - (1 - 1 / nodes) ** len(KINDS))
    list_ops = costs.cells * costs.list_ops + own * costs.stamp_ops
    look = costs.cells * (costs.look + costs.look_ops * costs.latency) / costs.cores
    worker_ops = costs.piece_ops - costs.process_ops
    worker = costs.math + costs.overhead + worker_ops * costs.latency
    process = costs.dispatch + costs.process_ops * costs.latency
    return Wall(
        # All nodes begin at once: each waits for its own operations, and for those of all.
        start=look
        + costs.start
        + costs.cells * costs.listing
        + max(list_ops * costs.latency, nodes * list_ops / costs.capacity),
        workers=each * worker / costs.cores,
        processes=each * process + others * costs.latency,
        file_system=(costs.cells * costs.piece_ops + nodes * others) / costs.capacity,
        report=costs.cells * costs.report,
    )


def main() -> None:
    """Read the costs, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for field in fields(Costs):
        kind = int if isinstance(field.default, int) else float
        parser.add_argument(
            f"--{field.name.replace('_', '-')}", type=kind, default=field.default, metavar="N"
        )
    costs = Costs(**vars(parser.parse_args()))
    alone = expected(costs, 1).total
    print("A calculation, not a measurement.", costs)
    print(
        "| nodes | start s | cells s | report s | all, min | times faster | what limits the cells |"
    )
    print("|---:|---:|---:|---:|---:|---:|---|")
    for nodes in NODES:
        wall = expected(costs, nodes)
        cells = wall.total - wall.start - wall.report
        print(
            f"| {nodes} | {wall.start:,.0f} | {cells:,.0f} | {wall.report:,.0f} "
            f"| {wall.total / 60:,.1f} | {alone / wall.total:.1f} "
            f"| {wall.limit.replace('_', ' ')} |"
        )


if __name__ == "__main__":
    main()
