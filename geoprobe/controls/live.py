"""Controls while a model trains: shuffled labels and drift of each probe, within a budget."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from geoprobe.controls.null import NullTest
from geoprobe.controls.permutations import permuted_rows
from geoprobe.controls.sampling import pseudo_test_drift
from geoprobe.encoders.probed import Probed
from geoprobe.errors import InputError
from geoprobe.geometry.measured import FloatArray
from geoprobe.probes.permuted import measure_labelings
from geoprobe.threads import checked_threads


@dataclass(frozen=True)
class LiveControls:
    """What :class:`geoprobe.encoders.callback.ProbeCallback` logs beside each layer it probes.

    ``clusters_shuffled`` and ``clusters_p``, mean and p-value of the number of clusters of
    shuffled labels; ``hull_distance``, the mean distance of the hulls of two labels, with
    ``hull_distance_shuffled`` and ``hull_distance_p``; ``n_permutations``, how many these rest on.
    Where there are units to test, ``similarity`` of training and test, and ``drift`` and
    ``drift_p``, seen less unseen similarity of pseudo-tests
    (:func:`geoprobe.controls.pseudo_test_drift`). What is not defined is not logged.

    Units of one sentence are held together. Permutation k and draw k depend on the seed and k
    alone, and are the same in every probe.

    Attributes
    ----------
    permutations : int, default=19
        Of the labels, at most; each costs what a probe of the layer costs. Nineteen can reach
        p = 0.05, fewer cannot. 0 leaves them out.
    draws : int, default=19
        Pseudo-tests; all together cost a few times what the distances of the labels cost. 0 leaves
        the drift out.
    seconds : float, default=30.0
        For the permutations of a layer in one probe: when they are over, no more are begun.
        ``n_permutations`` says how many there were, one for each thread at the least.
    seed : int, default=0

    Raises
    ------
    InputError
        If an option is out of its range; when called, if nothing can be exchanged or drawn.

    Examples
    --------
    ::

        ProbeCallback(task, every=100, controls=LiveControls(permutations=19)).attach(trainer)
    """

    permutations: int = 19
    draws: int = 19
    seconds: float = 30.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse options that cannot be used."""
        for name in ("permutations", "draws", "seed"):
            value: Any = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise InputError(f"{name} is a whole number from 0 on, but it is {value!r}.")
        if not self.seconds > 0:
            raise InputError(f"seconds are more than 0, but they are {self.seconds!r}.")

    def __call__(self, probed: Probed, *, n_threads: int | None = None) -> dict[str, float]:
        """Measure the controls of one layer's space.

        Parameters
        ----------
        probed : Probed
        n_threads : int, optional
            All processors by default.

        Returns
        -------
        dict of str to float
        """
        alone = len(np.unique(probed.groups)) == len(probed.groups)
        groups = None if alone else probed.groups
        found: dict[str, float] = {}
        if self.permutations:
            found |= self._shuffled(probed, groups, checked_threads(n_threads))
        if self.draws and probed.test_points is not None:
            found |= self._drift(probed, groups, n_threads)
        return {name: value for name, value in found.items() if math.isfinite(value)}

    def _shuffled(self, probed: Probed, groups: Any, n_threads: int) -> dict[str, float]:
        counts, distances = zip(*self._measured(probed, groups, n_threads), strict=True)
        clusters = NullTest(counts[0], np.array(counts[1:]), "less")
        apart = NullTest(distances[0], np.array(distances[1:]), "greater")
        return {
            "n_permutations": clusters.n_permutations,
            "clusters_shuffled": clusters.mean,
            "clusters_p": clusters.p_value,
            "hull_distance": apart.observed,
            "hull_distance_shuffled": apart.mean,
            "hull_distance_p": apart.p_value,
        }

    def _measured(
        self, probed: Probed, groups: Any, n_threads: int
    ) -> Iterator[tuple[float, float]]:
        """Yield clusters and mean distance of the labels, then of permutations while time lasts."""
        began = time.monotonic()
        rows = permuted_rows(
            probed.labels, n_permutations=self.permutations, seed=self.seed, groups=groups
        )
        labelings = [probed.labels, *(probed.labels[each] for each in islice(rows, n_threads))]
        while labelings:
            found = measure_labelings(probed.points, labelings, n_threads=n_threads)
            of_hulls: FloatArray = found.distances.mean(axis=1)
            yield from zip(found.n_clusters.astype(float).tolist(), of_hulls.tolist(), strict=True)
            if time.monotonic() - began > self.seconds:
                return
            labelings = [probed.labels[each] for each in islice(rows, n_threads)]

    def _drift(self, probed: Probed, groups: Any, n_threads: int | None) -> dict[str, float]:
        found = pseudo_test_drift(
            probed.points,
            probed.labels,
            probed.test_points,
            probed.test_labels,
            n_draws=self.draws,
            seed=self.seed,
            groups=groups,
            n_threads=n_threads,
        )
        return {
            "similarity": found.similarity,
            "drift": found.drift().value,
            "drift_p": found.test().p_value,
        }
