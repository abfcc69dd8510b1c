"""Answers to the questions of a study, analysis by analysis."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from geoprobe.controls import Claim
from geoprobe.findings import (
    CentroidPaths,
    Differences,
    Finding,
    Memorisation,
    MinDistances,
    Movement,
    SimilarityDuringTuning,
    Trajectory,
    accuracy_change_interval,
)
from geoprobe.findings.intervals import Interval, same_units
from geoprobe.findings.trajectories import at_layer
from geoprobe.studies.sentences import (
    NO_CONTROL,
    NOTHING,
    PHRASES,
    Answer,
    Sentence,
    claimed,
    gather,
    number,
    on_task,
    seeds,
    sentence,
    signed,
    tally,
    together,
    whereabouts,
)

_OWN_ONLY = Answer(("Every task was looked at through its own fine-tuning only.",))
_SAME = "not distinguishable from no change"
_SHUFFLED = (
    "Shuffled: labels dealt out at random over the same units, as many of each; where a plan holds "
    "groups, such as the words of a sentence, inside these."
)
_APART = (
    "Apart, closer, nearest: the hull of a label lies further from the nearest hull of another "
    "label than before fine-tuning, or less far; hulls that overlap before and after count as "
    "neither."
)


class Found(NamedTuple):
    """What answers are made of.

    Attributes
    ----------
    claims : sequence of Claim
        Of the last layers, with a control or without.
    findings : sequence of Finding
        Those of the analysis.
    runs : sequence of Trajectory
    """

    claims: Sequence[Claim]
    findings: Sequence[Finding]
    runs: Sequence[Trajectory]

    def of(self, measure: str, *, tuned: bool = True, cross: bool = False) -> list[Claim]:
        """Select claims on tasks looked at through their own fine-tuning, or through another."""
        return [
            one
            for one in self.everywhere(measure)
            if bool(one.tuned_on) is tuned and (not tuned or (one.tuned_on != one.task) is cross)
        ]

    def everywhere(self, measure: str) -> list[Claim]:
        """Select all claims on a measure."""
        return [one for one in self.claims if one.measure == measure]


def answer(analysis: str, found: Found) -> Answer:
    """Answer the question of an analysis.

    Parameters
    ----------
    analysis : str
    found : Found

    Returns
    -------
    Answer
        Empty for the analysis of another package, and where nothing was found.
    """
    if analysis not in _ANSWERS:
        return NOTHING
    said = _ANSWERS[analysis](found)
    return said._replace(at_head=analysis in _AT_HEAD and said != _OWN_ONLY)


def _performance(found: Found) -> Answer:
    own = [run for run in found.runs if run.task == run.tuned_on]
    changed = gather(_changes(own), "Accuracy of the nearest cluster", "fine-tunings")
    if not changed.lines:
        changed = claimed(found.of("nearest", tuned=False), "spaces as published")
    drift = claimed(found.everywhere("train to test"), "spaces")
    terms = (
        "Accuracy: share of the test units whose nearest cluster has their label; the interval of "
        "a change pairs them, and over several seeds it holds that of each.",
        "Pseudo-tests: units of training, as many of each label as the test has; both are compared "
        "with the rest of training.",
    )
    return together(changed, drift, terms=terms)


def _changes(runs: Sequence[Trajectory]) -> list[Sentence]:
    """Say how fine-tuning changes accuracies in the last layer; a change has to hold in all seeds.

    Runs whose test units are not the same at both ends are passed over.
    """
    groups: dict[tuple[str, str, str, int], list[tuple[float, float, Interval]]] = {}
    for run in at_layer(runs, None) if runs else ():
        first, last = run.geometries[0], run.last
        before, after = first.predictions, last.predictions
        if first is last or first.cell.step or before is None or after is None:
            continue
        if same_units(before, after):
            change = accuracy_change_interval(before, after)
            each = (before.accuracy, after.accuracy, change)
            groups.setdefault((*run.family, run.layer), []).append(each)
    return [_change(*key, each) for key, each in groups.items()]


def _change(
    task: str, model: str, tuned_on: str, layer: int, each: Sequence[tuple[float, float, Interval]]
) -> Sentence:
    before, after = (float(np.mean([one[k] for one in each])) for k in (0, 1))
    low, high = min(one[2].low for one in each), max(one[2].high for one in each)
    on, what = on_task(task, tuned_on), f"the accuracy of the nearest cluster on {task}"
    ends = f"from {before:.3f} to {after:.3f}"
    change = signed(f"{after - before:+.3f} [{low:+.3f}, {high:+.3f}]")
    beside = f"({whereabouts(model, layer)}; {change}; {seeds(len(each))})"
    for does, verdict, holds in (("raises", "raised", low > 0), ("lowers", "lowered", high < 0)):
        if holds:
            return Sentence(f"Fine-tuning{on} {does} {what} {ends} {beside}.", verdict)
    return Sentence(f"With fine-tuning{on} {what} goes {ends} {beside}: {_SAME}.", _SAME)


def _linearity(found: Found) -> Answer:
    told = claimed(found.everywhere("clusters"), "spaces")
    terms = (
        "Hyperplane: as many clusters as labels leave one between every two labels, which small "
        "labels in many dimensions allow whatever they mean."
    )
    return together(told, terms=(terms, _SHUFFLED))


def _min_distances(found: Found) -> Answer:
    claims = found.of("apart")
    gains = {}
    for one in found.findings:
        if isinstance(one, MinDistances):
            row = one.rows[0]
            gains[row.task, row.model, row.tuned_on, max(one.gains)] = one
    said = []
    for claim in claims:
        text, verdict = sentence(claim)
        finding = gains.get((claim.task, claim.model, claim.tuned_on, claim.layer))
        said.append(Sentence(text + (_most(finding) if finding else ""), verdict))
    told = gather(said, PHRASES["apart"].topic, "fine-tunings")
    return together(told, terms=(_APART, _SHUFFLED))


def _most(finding: MinDistances) -> str:
    """Name the labels that gain most and least, and when half of the mean gain was there."""
    most, least = (
        ", ".join(f"{one.label} ({signed(f'{one.gain:+.3g}')})" for one in found)
        for found in (finding.most(), finding.least())
    )
    if not most:
        return ""
    by_step: dict[int, list[float]] = {}
    for row in finding.rows:
        if row.layer == max(finding.gains) and not math.isnan(row.distance):
            by_step.setdefault(row.step, []).append(row.distance)
    means = {step: float(np.mean(by_step[step])) for step in sorted(by_step)}
    first, *_, last = means.values()
    half = next(step for step, mean in means.items() if 2 * (mean - first) >= last - first)
    # At the last moment all of it is there: that says nothing.
    early = last > first and half < max(by_step)
    when = f" Half of the mean gain is there at update {half:,}." if early else ""
    return f" Most: {most}" + (f"; least: {least}" if least else "") + f".{when}"


def _cross_task(found: Found) -> Answer:
    apart, closer = (found.of(measure, cross=True) for measure in ("apart", "closer"))
    changes = _changes([run for run in found.runs if run.task != run.tuned_on])
    if not (apart or closer or changes):
        return _OWN_ONLY
    told = gather(changes, "Accuracy of the nearest cluster", "tasks looked at")
    both = (claimed(each, "tasks looked at") for each in (apart, closer))
    return together(*both, told, terms=(_APART, _SHUFFLED))


def _movement(found: Found) -> Answer:
    told = claimed(found.everywhere("movement"))
    layers = _layers(
        found.findings,
        Movement,
        "relative",
        "layer {0} moves furthest, the median "
        "label by {1} of the radius of its space, and layer {2} least, by {3}",
    )
    terms = ("Shuffled: the means of as many units of any labels.",)
    return together(told, layers, terms=terms)


def _similarity(found: Found) -> Answer:
    told = claimed(found.everywhere("to original"))
    layers = _layers(
        found.findings,
        SimilarityDuringTuning,
        "similarity",
        "layer {2} keeps least of its layout, a similarity of {3}, and layer {0} most, {1}",
    )
    terms = "Similarity: Pearson correlation of the distances between the hulls of labels."
    return together(told, layers, terms=(terms, _SHUFFLED))


def _layers(findings: Iterable[Finding], kind: type[Finding], value: str, form: str) -> Answer:
    """Say in which layers a value is largest and smallest after the last update."""
    said = []
    for one in findings:
        if not isinstance(one, kind):
            continue
        columns = one.columns()
        last = max(columns["step"])
        of_layer: dict[int, list[float]] = {}
        for layer, step, each in zip(
            columns["layer"], columns["step"], columns[value], strict=True
        ):
            if step == last and not math.isnan(each):
                of_layer.setdefault(layer, []).append(each)
        if len(of_layer) > 1:
            middle = {layer: float(np.median(each)) for layer, each in of_layer.items()}
            top, low = max(middle, key=middle.__getitem__), min(middle, key=middle.__getitem__)
            text = form.format(top, number(middle[top]), low, number(middle[low]))
            row = one.rows[0]
            whose = f"{row.task}, {row.model} tuned on {row.tuned_on}"
            said.append(Sentence(f"In {whose}, {text} ({NO_CONTROL}).", NO_CONTROL))
    return gather(said, "The layers that change most and least", "fine-tunings")


def _memorisation(found: Found) -> Answer:
    told = gather(
        [_left_out(one, found) for one in found.of("memorised")],
        PHRASES["memorised"].topic,
        "fine-tunings",
    )
    if not told.lines:
        told = claimed(found.of("left out", tuned=False), "spaces as published")
    terms = (
        "Left out: of the hull of its own label, with the units of its sentence or group; a test "
        "unit is placed beside the hull without another one.",
        "Pseudo-tests: units of training, as many of each label as the test has, beside the rest.",
    )
    return together(told, _gaps(found), terms=terms)


def _left_out(one: Claim, found: Found) -> Sentence:
    """Say how the distances of test units have changed, and what they were and are."""
    text, verdict = sentence(one)
    ends = {
        each.tuned_on: each.value
        for each in found.everywhere("left out")
        if (each.task, each.model, each.layer) == (one.task, one.model, one.layer)
    }
    was, now = (number(ends[key]) for key in ("", one.tuned_on))
    return Sentence(f"{text} Test units lay {was} times as far, and lie {now} times.", verdict)


def _gaps(found: Found) -> Answer:
    said = []
    for one in found.findings:
        if not isinstance(one, Memorisation):
            continue
        # Cells are in the order of their steps: the last one of a seed stays.
        gaps: dict[tuple[str, str, str, int], dict[int | None, float]] = {}
        for end in one.gaps:
            cell = end.cell
            key = (cell.task, cell.representation, cell.tuned_on or "", cell.layer)
            gaps.setdefault(key, {})[cell.seed] = end.gap
        for (task, model, tuned_on, layer), of_seed in gaps.items():
            if not tuned_on:
                continue
            each, before = [*of_seed.values()], [*gaps.get((task, model, "", layer), {}).values()]
            gap = signed(f"{np.mean(each):+.3f}")
            start = signed(f"; {np.mean(before):+.3f} as published") if before else ""
            text = (
                f"The classifier's accuracy on training units that it has not seen, less that on "
                f"test units of {task}, is {gap} after fine-tuning{on_task(task, tuned_on)} "
                f"({whereabouts(model, layer)}; {NO_CONTROL}{start}; "
                f"{seeds(len(each), min(each), max(each))})."
            )
            said.append(Sentence(text, NO_CONTROL))
    return gather(said, "Gap between subtest and test", "fine-tunings")


def _centroid_paths(found: Found) -> Answer:
    said = []
    for one in found.findings:
        if isinstance(one, CentroidPaths):
            row = one.rows[0]
            layer = max(each.layer for each in one.rows)
            spread = [_spread(one, layer, seed) for n, seed in one.explained if n == layer]
            was, now = np.mean(spread, axis=0)
            said.append(
                Sentence(
                    f"The closest labels of {row.task}, {', '.join(one.labels)}, are "
                    f"{number(was)} apart before fine-tuning{on_task(row.task, row.tuned_on)} and "
                    f"{number(now)} after it, in the plane of their paths "
                    f"({whereabouts(row.model, layer)}; {NO_CONTROL}; {seeds(len(spread))}).",
                    NO_CONTROL,
                )
            )
    terms = ("Apart: the mean distance of two of their centroids.",)
    return together(gather(said, "Closest labels", "fine-tunings"), terms=terms)


def _spread(paths: CentroidPaths, layer: int, seed: int) -> tuple[float, float]:
    """Return the mean distance of two labels at the first and at the last step."""
    rows = [row for row in paths.rows if (row.layer, row.seed) == (layer, seed)]
    steps = [row.step for row in rows]
    means = []
    for step in (min(steps), max(steps)):
        points = np.array([(row.x, row.y) for row in rows if row.step == step])
        between = np.linalg.norm(points[:, None] - points[None], axis=2)
        means.append(float(between[np.triu_indices(len(points), 1)].mean()))
    return means[0], means[1]


def _differences(found: Found) -> Answer:
    last: dict[tuple[str, str, str], tuple[int, Differences]] = {}
    for one in found.findings:
        if isinstance(one, Differences):
            row = one.rows[0]
            key, layer = (row.task, row.model, row.tuned_on), max(n for n, _ in one.drift)
            if key not in last or layer > last[key][0]:
                last[key] = (layer, one)
    said = []
    for (task, model, tuned_on), (layer, one) in last.items():
        drifts = [drift for (n, _), drift in one.drift.items() if n == layer]
        n_labels = len({row.label for row in one.rows if row.layer == layer})
        share = np.mean([drift.share for drift in drifts])
        beside = f"({whereabouts(model, layer)}; {NO_CONTROL}; {seeds(len(drifts))})"
        text = (
            f"The labels of {task} share {share:.0%} of their squared movement in "
            f"fine-tuning{on_task(task, tuned_on)}; {n_labels} directions with nothing in common "
            f"would share {1 / n_labels:.0%} {beside}."
        )
        said.append(Sentence(text, NO_CONTROL))
    return gather(said, "Movement that all labels share", "fine-tunings")


def _controls(found: Found) -> Answer:
    tested = [Sentence("", one.verdict) for one in found.claims if one.verdict]
    if not tested:
        return NOTHING
    terms = (
        "p: the share of the controls that reach the number, itself counted; of several seeds the "
        "largest. Beyond chance: p is at most 0.05.",
    )
    return Answer((tally(tested, "In the last layers", "numbers"),), terms=terms)


_ANSWERS: dict[str, Callable[[Found], Answer]] = {
    "performance": _performance,
    "memorisation": _memorisation,
    "linearity": _linearity,
    "min-distances": _min_distances,
    "centroid-paths": _centroid_paths,
    "cross-task": _cross_task,
    "movement": _movement,
    "similarity": _similarity,
    "differences": _differences,
    "controls": _controls,
}

_AT_HEAD = (
    "performance", "memorisation", "linearity", "min-distances", "cross-task", "movement",
    "similarity", "controls",
)  # fmt: skip
