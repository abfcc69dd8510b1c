"""Spatial similarity: the correlation of the distances of labels in two spaces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from geoprobe.drawing.style import (
    describe,
    legend,
    one_axes,
    shade,
    step_axis,
    tell,
)
from geoprobe.errors import InputError
from geoprobe.findings.control_bands import Bands
from geoprobe.findings.finding import NAN, Finding, bands
from geoprobe.findings.intervals import Interval, fitting
from geoprobe.findings.label_pairs import Reduce, label_distances, match_labels, split_labels
from geoprobe.findings.trajectories import Trajectory, need_steps, one_family
from geoprobe.geometry.cells import Cell
from geoprobe.geometry.measured import FloatArray, Geometry

# Distances are exact to about 1e-9: below that, differences are noise.
_CONSTANT = 1e-9


def pearson(first: FloatArray, second: FloatArray) -> tuple[float, str]:
    """Correlate two vectors.

    Parameters
    ----------
    first, second : ndarray of float64, shape (n,)

    Returns
    -------
    value : float
        NaN where it is not defined.
    undefined : str
        Why it is not; empty where it is.
    """
    if len(first) < 3:
        return NAN, f"a correlation needs at least 3 pairs of labels, there are {len(first)}"
    for which, vector in (("first", first), ("second", second)):
        if float(np.ptp(vector)) <= _CONSTANT * float(np.max(np.abs(vector))):
            return NAN, (
                f"all {len(vector)} distances of the {which} space are equal "
                f"({float(vector[0]):.6g}): the distance vector is constant"
            )
    # Half a second of imports, which whoever correlates nothing does without.
    from scipy.stats import pearsonr

    return float(pearsonr(first, second).statistic), ""


@dataclass(frozen=True)
class Similarity:
    """Pearson correlation of the distance vectors of two spaces.

    Attributes
    ----------
    value : float
        In [-1, 1]; NaN where it is not defined.
    n_pairs : int
        Pairs of labels compared.
    labels : tuple of str
        The labels compared: those of both spaces that have a distance in both.
    only_in_first, only_in_second : tuple of str
        Labels that one of the spaces lacks.
    left_out : tuple of str
        Labels of both spaces without a cluster of the size asked for in one of them.
    undefined : str
        Why the value is NaN; empty where it is not.
    """

    value: float
    n_pairs: int
    labels: tuple[str, ...]
    only_in_first: tuple[str, ...]
    only_in_second: tuple[str, ...]
    left_out: tuple[str, ...]
    undefined: str

    def differences(self) -> list[str]:
        """Return a sentence on each group of labels that was not compared."""
        groups = (
            ("only in the first space", self.only_in_first),
            ("only in the second space", self.only_in_second),
            ("left out for their small clusters", self.left_out),
        )
        return [f"labels {what}: {', '.join(names)}." for what, names in groups if names]


def spatial_similarity(
    first: Geometry, second: Geometry, *, reduce: Reduce = "mean", min_cluster_size: int = 1
) -> Similarity:
    """Correlate the distance vectors of two spaces (ACL 2022, section 2).

    It is 1 when one space is the other moved, rotated and scaled.

    Parameters
    ----------
    first, second : Geometry
        Labels are matched by name; those of one space only are listed, not compared.
    reduce, min_cluster_size
        As in :func:`geoprobe.findings.label_distances`.

    Returns
    -------
    Similarity
        Undefined for fewer than three pairs of labels and for a constant distance vector.
    """
    options: dict[str, Any] = {"reduce": reduce, "min_cluster_size": min_cluster_size}
    of_each = [label_distances(g, **options) for g in (first, second)]
    match = match_labels(first.labels, second.labels)
    absent = {*of_each[0].left_out, *of_each[1].left_out}
    compared = tuple(name for name in match.common if name not in absent)
    vectors = [distances.vector(compared) for distances in of_each]
    value, undefined = pearson(vectors[0], vectors[1])
    return Similarity(
        value=value,
        n_pairs=len(vectors[0]),
        labels=compared,
        only_in_first=match.only_in_first,
        only_in_second=match.only_in_second,
        left_out=tuple(name for name in match.common if name in absent),
        undefined=undefined,
    )


class Kept(NamedTuple):
    """Correlation of the distances of one partition in two spaces."""

    value: float
    n_pairs: int
    undefined: str


def kept_similarity(
    original: Geometry, later: Geometry, held: Geometry | None = None, *, min_cluster_size: int = 1
) -> Kept:
    """Correlate the distances between the original space's clusters before and after.

    Clusters are not found anew: those of the original space are kept while its points move.

    Parameters
    ----------
    original : Geometry
    later : Geometry
        The same units after some updates. Where the original space is linear, its clusters are the
        labels, whose distances are known of any space.
    held : Geometry, optional
        ``later``'s space measured by the clusters of the original one
        (:func:`geoprobe.probes.partition.measure_partition`), for originals that are not linear.
    min_cluster_size : int, default=1
        Clusters of fewer points in the original space are left out.

    Returns
    -------
    Kept
        Undefined as a :class:`Similarity` is, and for an original that is not linear without
        ``held``.

    Raises
    ------
    InputError
        If ``held`` was measured by other clusters.
    """
    if original.is_linear:
        size = dict(zip(original.labels, original.counts.tolist(), strict=True))
        common = match_labels(original.labels, later.labels).common
        large = [name for name in common if size[name] >= min_cluster_size]
        first, second = (label_distances(g, reduce="hull").vector(large) for g in (original, later))
    elif later is original or held is not None:
        clusters = original.need_clusters()
        kept = (held or original).need_clusters()
        if not np.array_equal(clusters.assignment, kept.assignment):
            raise InputError(f"{later.cell} was measured by other clusters than its original has.")
        pairs = clusters.distances
        smaller = np.minimum(clusters.size[pairs.first], clusters.size[pairs.second])
        chosen = smaller >= min_cluster_size
        first, second = pairs.distance[chosen], kept.distances.distance[chosen]
    else:
        return Kept(NAN, 0, "the original space is not linear, and its clusters were not kept")
    value, undefined = pearson(first, second)
    return Kept(value, len(first), undefined)


class SimilarityRow(NamedTuple):
    """One layer at one step."""

    task: str
    model: str
    tuned_on: str
    seed: int
    layer: int
    step: int
    similarity: float
    low: float
    high: float
    n_pairs: int
    fixed: float
    fixed_pairs: int
    is_linear: bool
    undefined: str


@dataclass(frozen=True, eq=False)
class SimilarityDuringTuning(Finding):
    """Spatial similarity of each layer to its original during fine-tuning (ACL 2022, section 4.5).

    Higher layers usually leave their original further behind than lower ones; the paper finds that
    even they keep most of its arrangement.

    Attributes
    ----------
    rows : tuple of SimilarityRow
        ``low`` and ``high`` are NaN unless intervals were given. ``fixed`` is the similarity with
        the clusters of the original space kept, over ``fixed_pairs`` of them
        (:func:`kept_similarity`); where both spaces are linear it is the same. ``is_linear`` is of
        the space itself; where it is not, a note says what the distances are of.
    notes : tuple of str
    control : Bands
        Similarity under shuffled labels, where it was measured.
    """

    rows: tuple[SimilarityRow, ...]
    notes: tuple[str, ...]
    control: Bands = field(default_factory=Bands)

    row_type = SimilarityRow
    keys = ("task", "model", "tuned_on", "layer", "step")
    values = ("similarity", "fixed")

    def plot(self, ax: Any = None) -> Any:
        """Draw the similarity over the steps, one line a layer; bands span seeds or intervals.

        The similarity of the fixed partition is a dashed line where it differs. Grey is what
        shuffled labels have, in the last layer.
        """
        ax = one_axes(ax)
        columns, spread = self.over_seeds(), bands(self.columns(), self.keys, "similarity")
        layers = sorted(set(columns["layer"]))
        split = {row.layer for row in self.rows if not row.is_linear}
        for layer in layers:
            rows = [k for k, other in enumerate(columns["layer"]) if other == layer]
            steps = [columns["step"][k] for k in rows]
            mean = [columns["similarity_mean"][k] for k in rows]
            low, high = ([ends[k] for k in rows] for ends in spread)
            label = f"layer {layer}" + (" (not linear)" if layer in split else "")
            ink = shade(layers.index(layer) / max(1, len(layers) - 1))
            line = ax.plot(steps, mean, color=ink, marker="o", markersize=3.5, label=label)
            tell(line[0], [
                f"layer {layer}\nupdate {step:,}: {value:.4g}"
                for step, value in zip(steps, mean, strict=True)
            ])  # fmt: skip
            ax.fill_between(steps, low, high, color=ink, alpha=0.2, linewidth=0)
            fixed = [columns["fixed_mean"][k] for k in rows]
            if not np.allclose(mean, fixed, rtol=0, atol=1e-6):
                ax.plot(steps, fixed, color=ink, linestyle="--", label=f"layer {layer}, fixed")
        last = [k for k, layer in enumerate(columns["layer"]) if layer == layers[-1]]
        self.control.draw_along(ax, columns, last)
        step_axis(ax, columns["step"])
        describe(
            ax,
            title=f"Similarity to the original space: {_title(self.rows)}",
            y="spatial similarity (Pearson correlation)",
        )
        legend(ax, ncols=2 if len(layers) > 6 else 1)
        return ax


def similarity_to_original(
    runs: Sequence[Trajectory],
    *,
    reduce: Reduce = "mean",
    min_cluster_size: int = 1,
    intervals: Mapping[Cell, Interval] | None = None,
    held: Mapping[Cell, Geometry] | None = None,
) -> SimilarityDuringTuning:
    """Compare every layer at every step with the same layer of the model as published.

    Parameters
    ----------
    runs : sequence of Trajectory
        Of one task, model and fine-tuning; any layers and seeds.
    reduce, min_cluster_size
        As in :func:`geoprobe.findings.label_distances`.
    intervals : mapping from Cell to Interval, optional
        As :func:`geoprobe.findings.similarity_interval` gives them: of whole hulls, and so only
        used where the space is linear or ``reduce`` is ``"hull"``.
    held : mapping from Cell to Geometry, optional
        As for :func:`kept_similarity`.

    Returns
    -------
    SimilarityDuringTuning

    Raises
    ------
    InputError
        If an original space is missing, or a trajectory has a single step.
    """
    task, model, tuned_on = one_family(runs)
    rows: list[SimilarityRow] = []
    notes: dict[str, None] = {}
    for run in runs:
        need_steps(run)
        notes |= dict.fromkeys(split_labels(run.geometries, reduce, str(run)))
        for g in run.geometries:
            similarity = spatial_similarity(
                run.original, g, reduce=reduce, min_cluster_size=min_cluster_size
            )
            notes |= dict.fromkeys(f"{g.cell}: {text}" for text in similarity.differences())
            kept = kept_similarity(
                run.original, g, (held or {}).get(g.cell), min_cluster_size=min_cluster_size
            )
            interval = fitting(intervals or {}, g, reduce, notes)
            rows.append(
                SimilarityRow(
                    task=task,
                    model=model,
                    tuned_on=tuned_on,
                    seed=run.seed,
                    layer=run.layer,
                    step=g.cell.step,
                    similarity=similarity.value,
                    low=NAN if interval is None else interval.low,
                    high=NAN if interval is None else interval.high,
                    n_pairs=similarity.n_pairs,
                    fixed=kept.value,
                    fixed_pairs=kept.n_pairs,
                    is_linear=g.is_linear,
                    undefined=similarity.undefined,
                )
            )
    return SimilarityDuringTuning(tuple(rows), tuple(notes))


def _title(rows: Sequence[SimilarityRow]) -> str:
    row = rows[0]
    return f"{row.task}, {row.model} tuned on {row.tuned_on}"
