"""Answers to the questions of a study, analysis by analysis."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from geoprobe.controls import Claim
from geoprobe.controls.null import LEVEL
from geoprobe.findings import (
    CentroidPaths,
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
    about,
    beside,
    claimed,
    gather,
    number,
    on_task,
    seeds,
    sentence,
    signed,
    span,
    tally,
    together,
    whereabouts,
)

_OWN_ONLY = Answer(("Every task was looked at through its own fine-tuning only.",))
_SAME = "not distinguishable from no change"
_NOT_ALL = "not the same in every seed"
_FURTHER = {0.0: "closer together", 1.0: "further apart"}
_SHUFFLED = (
    "Shuffled: labels dealt out at random over the same units, as many of each; where a plan holds "
    "groups, such as the words of a sentence, inside these."
)
_PSEUDO_TESTS = (
    "Pseudo-tests: units of training, as many of each label as the test has, beside the rest."
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

    @property
    def alone(self) -> str:
        """What is said of a number without a control: nothing in a study that asks for none.

        Units left out have theirs in any study.
        """
        asked = (one for one in self.claims if one.measure not in ("left out", "memorised"))
        return "" if all(math.isnan(one.control) for one in asked) else NO_CONTROL

    def each(self, noun: str = "fine-tunings", when: str = "") -> str:
        """Say how many seeds there are of each fine-tuning, where there are several."""
        counts = {one.n_seeds for one in self.claims if one.tuned_on}
        several = span(str(min(counts)), str(max(counts))) if max(counts, default=1) > 1 else ""
        return f"{noun} ({several} seeds each{when})" if several else noun

    def claimed(self, claims: Sequence[Claim], noun: str = "", **how: Any) -> Answer:
        """Answer with claims on one measure, as :func:`geoprobe.studies.sentences.claimed` does."""
        return claimed(claims, noun or self.each(), alone=self.alone, **how)

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
    changed = gather(_changes(own), "Accuracy of the nearest cluster", found.each())
    if not changed.lines:
        changed = found.claimed(found.of("nearest", tuned=False), "spaces as published")
    drift = found.claimed(
        found.everywhere("train to test"), found.each("spaces", " after fine-tuning")
    )
    terms = (
        "Accuracy: share of the test units whose nearest cluster has their label; the interval of "
        "a change pairs them. Of several seeds the accuracies are means, and the interval holds "
        "that of each.",
        _PSEUDO_TESTS,
        "Rest of training: what a pseudo-test leaves; test and pseudo-test are both compared with "
        "it, and the similarity to all of training is another number.",
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
    n, where = len(each), whereabouts(model, layer)
    some = ""
    for does, verdict, holding in (
        ("raises", "raised", sum(one[2].low > 0 for one in each)),
        ("lowers", "lowered", sum(one[2].high < 0 for one in each)),
    ):
        if holding == n:
            every = f" in {n} of {n} seeds" if n > 1 else ""
            told = beside(where, change, "" if n > 1 else seeds(n))
            return Sentence(f"Fine-tuning{on} {does} {what} {ends}{every} {told}.", verdict)
        if holding:
            some += f", though {verdict} in {holding} of {n} seeds"
    told = beside(where, change, seeds(n))
    return Sentence(f"With fine-tuning{on} {what} goes {ends} {told}: {_SAME}{some}.", _SAME)


def _linearity(found: Found) -> Answer:
    noun = found.each("spaces", " after fine-tuning")
    told = (found.claimed(found.everywhere(each), noun) for each in ("clusters", "overlaps"))
    terms = (
        "Hyperplane: as many clusters as labels leave one between every two labels, which small "
        "labels in many dimensions allow whatever they mean."
    )
    return together(*told, terms=(terms, _SHUFFLED))


def _min_distances(found: Found) -> Answer:
    gains = {}
    for one in found.findings:
        if isinstance(one, MinDistances):
            row = one.rows[0]
            gains[row.task, row.model, row.tuned_on, max(one.gains)] = one

    def most(one: Claim) -> str:
        finding = gains.get((one.task, one.model, one.tuned_on, one.layer))
        return _most(finding) if finding else ""

    told = found.claimed(found.of("apart"), more=most)
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
    # Of each pair of tasks there are three sentences.
    few, noun = 1, found.each("pairs of tasks")
    told = gather(changes, "Accuracy of the nearest cluster", noun, few)
    both = (found.claimed(each, noun, few=few) for each in (apart, closer))
    return together(*both, told, terms=(_APART, _SHUFFLED))


def _movement(found: Found) -> Answer:
    told = found.claimed(found.everywhere("movement"))
    layers = _layers(
        found,
        Movement,
        "relative",
        "layer {0} moves furthest, the median label by {1} of the radius of its space, and layer "
        "{2} least, by {3}",
        "The layer that moves furthest",
    )
    return together(told, layers, terms=(_SHUFFLED,))


def _similarity(found: Found) -> Answer:
    told = found.claimed(found.everywhere("to original"))
    layers = _layers(
        found,
        SimilarityDuringTuning,
        "similarity",
        "layer {2} keeps least of its layout, a similarity of {3}, and layer {0} most, {1}",
        "The layer that keeps least of its layout",
    )
    terms = (
        "Similarity: Pearson correlation of the distances between the hulls of labels; layer by "
        "layer, where labels are split, of the distances that the plan's reduce gives them."
    )
    return together(told, layers, terms=(terms, _SHUFFLED))


def _layers(found: Found, kind: type[Finding], value: str, form: str, topic: str) -> Answer:
    """Say in which layers a value is largest and smallest after the last update."""
    said = []
    for one in found.findings:
        if not isinstance(one, kind):
            continue
        columns = one.columns()
        last = max(columns["step"])
        whole: dict[int, list[float]] = {}
        of_seed: dict[int, dict[int, list[float]]] = {}
        for seed, layer, step, each in zip(
            *(columns[name] for name in ("seed", "layer", "step", value)), strict=True
        ):
            if step == last and not math.isnan(each):
                for of_layer in (whole, of_seed.setdefault(seed, {})):
                    of_layer.setdefault(layer, []).append(each)
        if len(whole) > 1:
            (top, highest), (low, lowest) = _extremes(whole)
            text = form.format(top, number(highest), low, number(lowest))
            n_so = sum(
                [layer for layer, _ in _extremes(of_layer)] == [top, low]
                for of_layer in of_seed.values()
            )
            n_seeds = len(of_seed)
            so = f"so in {n_so} of {n_seeds} seeds" if n_seeds > 1 else seeds(1)
            row = one.rows[0]
            whose = f"{row.task}, {row.model} tuned on {row.tuned_on}"
            named = f"layer {low if form.startswith('layer {2}') else top}"
            verdict = named if n_so == n_seeds else _NOT_ALL
            said.append(Sentence(f"In {whose}, {text} {beside(found.alone, so)}.", verdict))
    return gather(said, about(topic, found.alone), found.each())


def _extremes(of_layer: Mapping[int, Sequence[float]]) -> tuple[tuple[int, float], ...]:
    """Return the layers whose median is largest and smallest, and these medians."""
    middle = {layer: float(np.median(each)) for layer, each in of_layer.items()}
    found = (pick(middle, key=middle.__getitem__) for pick in (max, min))
    return tuple((layer, middle[layer]) for layer in found)


def _memorisation(found: Found) -> Answer:
    each = [_left_out(one, found) for one in found.of("memorised")]
    told = gather(each, PHRASES["memorised"].topic, found.each())
    if not told.lines:
        told = found.claimed(found.of("left out", tuned=False), "spaces as published")
    terms = (
        "Left out: of the hull of its own label, with the units of its sentence or group; a test "
        "unit is placed beside the hull without another one.",
        _PSEUDO_TESTS,
    )
    return together(told, _gaps(found), terms=terms)


def _left_out(one: Claim, found: Found) -> Sentence:
    """Say how the distances of test units have changed, and what they were and are."""
    said = sentence(one)
    lay = {
        each.tuned_on: each.value
        for each in found.everywhere("left out")
        if (each.task, each.model, each.layer) == (one.task, one.model, one.layer)
    }
    was, now = (number(lay[key]) for key in ("", one.tuned_on))
    more = f" Test units lay {was} times as far, and lie {now} times."
    return said._replace(text=said.text + more)


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
            ends = signed(f"{min(each):+.3f}"), signed(f"{max(each):+.3f}")
            start = signed(f"{np.mean(before):+.3f} as published") if before else ""
            told = beside(whereabouts(model, layer), found.alone, start, seeds(len(each)))
            text = (
                f"The classifier's accuracy on training units that it has not seen, less that on "
                f"test units of {task}, is {span(*ends)} after "
                f"fine-tuning{on_task(task, tuned_on)} {told}."
            )
            said.append(Sentence(text, NO_CONTROL, ends, float(np.mean(each))))
    return gather(said, about("Gap between subtest and test", found.alone), found.each())


def _centroid_paths(found: Found) -> Answer:
    said = []
    for one in found.findings:
        if isinstance(one, CentroidPaths):
            row = one.rows[0]
            layer = max(each.layer for each in one.rows)
            spread = [_spread(one, layer, seed) for n, seed in one.explained if n == layer]
            was, now = (
                span(number(min(ends)), number(max(ends))) for ends in zip(*spread, strict=True)
            )
            told = beside(whereabouts(row.model, layer), found.alone, seeds(len(spread)))
            text = (
                f"The closest labels of {row.task}, {', '.join(one.labels)}, are {was} apart "
                f"before fine-tuning{on_task(row.task, row.tuned_on)} and {now} after it, in the "
                f"plane of their paths {told}."
            )
            n_further = sum(end > start for start, end in spread)
            said.append(Sentence(text, _FURTHER.get(n_further / len(spread), _NOT_ALL)))
    terms = ("Apart: the mean distance of two of their centroids.",)
    topic = about("The closest labels", found.alone)
    return together(gather(said, topic, found.each()), terms=terms)


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
    terms = (
        "Share, shares: 1 where all labels move alike; n directions with nothing in common would "
        "give 1 / n.",
        _SHUFFLED,
    )
    return together(found.claimed(found.everywhere("common")), terms=terms)


def _controls(found: Found) -> Answer:
    verdicts = [Sentence("", one.verdict) for one in found.claims if one.verdict]
    if not verdicts:
        return NOTHING
    lines = [tally(verdicts, "In the last layers", "numbers")]
    tested = [one for one in found.claims if not math.isnan(one.p_value)]
    n, below = len(tested), f"at most {LEVEL:g}"
    if tested:
        few, still = (
            sum(p <= LEVEL for p in each)
            for each in zip(*((one.p_value, one.p_adjusted) for one in tested), strict=True)
        )
        lines.append(
            f"p is {below} in {few} of {n} tests, by chance alone in {LEVEL * n:.2g} ({LEVEL:g} of "
            f"{n}); corrected for their number, p (BH), in {still}."
        )
    coarse = Counter(one.n_control for one in tested if 1 / (1 + one.n_control) >= LEVEL)
    lines += (
        f"In {n_of} of them p cannot be below {1 / (1 + drawn):.2g}, since {drawn} controls were "
        "drawn."
        for drawn, n_of in sorted(coarse.items())
    )
    terms = (
        "p: the share of the controls that reach the number, itself counted; of several seeds the "
        f"largest. Beyond chance: p is {below}. p (BH): p after Benjamini and Hochberg (1995), "
        "who bound the share of false ones among all that are called beyond chance.",
    )
    return Answer(tuple(lines), terms=terms)


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
