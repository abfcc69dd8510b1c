"""Answers to the questions of a study: sentences that say no more than their numbers allow."""

from __future__ import annotations

import math
from collections import Counter
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

BEYOND = "beyond chance"
NO_CONTROL = "no control"
# More sentences than these are counted.
_FEW = 3
_SAME = "not distinguishable from no change"


class Answer(NamedTuple):
    """What an analysis found.

    Attributes
    ----------
    lines : tuple of str
        A line for each thing that was asked; none where nothing was found out. Where many
        sentences answer it, the line counts what they conclude.
    each : tuple of str
        The sentences that were counted.
    terms : tuple of str
        What the words of the answer mean.
    at_head : bool
        Whether it belongs to the head of a report: answers that a control can stand beside.
    """

    lines: tuple[str, ...] = ()
    each: tuple[str, ...] = ()
    terms: tuple[str, ...] = ()
    at_head: bool = False


NOTHING = Answer()
_OWN_ONLY = Answer(("Every task was looked at through its own fine-tuning only.",))


class Sentence(NamedTuple):
    """A sentence, and what it concludes."""

    text: str
    verdict: str


class Phrase(NamedTuple):
    """How one measure is spoken of.

    Attributes
    ----------
    topic : str
        What is counted where there are several sentences.
    beyond, plain : str
        What is said where the number is beyond chance, and where nothing may be concluded.
    control : str
        What the control is.
    """

    topic: str
    beyond: str
    plain: str
    control: str = "shuffled"


_PHRASES = {
    "apart": Phrase(
        "Labels pushed apart",
        "Fine-tuning{on} pushes {value} of {n} labels of {task} apart",
        "After fine-tuning{on}, {value} of {n} labels of {task} lie further from their nearest",
    ),
    "closer": Phrase(
        "Labels brought closer to their nearest",
        "Fine-tuning{on} brings {value} of {n} labels of {task} closer to their nearest",
        "After fine-tuning{on}, {value} of {n} labels of {task} lie closer to their nearest",
    ),
    "clusters": Phrase(
        "Fewer clusters than shuffled labels have",
        "{value} clusters for {n} labels of {task} {moment}{linear}, fewer than shuffled labels "
        "have",
        "{value} clusters for {n} labels of {task} {moment}{linear}",
    ),
    "to original": Phrase(
        "More of the layout kept than of that of shuffled labels",
        "The labels of {task} keep more of their layout than shuffled ones {moment}: similarity "
        "{value} to the original",
        "The layout of the labels of {task} {moment} has a similarity of {value} to the original",
    ),
    "movement": Phrase(
        "Labels moved further than shuffled ones",
        "Fine-tuning{on} moves the labels of {task} by {value} in the mean, further than shuffled "
        "ones",
        "Fine-tuning{on} moves the labels of {task} by {value} in the mean",
    ),
    "train to test": Phrase(
        "Test laid out otherwise than training",
        "The test of {task} {moment} is laid out otherwise than training: similarity {value}",
        "The similarity of training and test of {task} {moment} is {value}",
        "pseudo-tests of training",
    ),
    "nearest": Phrase(
        "Accuracy of the nearest cluster",
        "The nearest cluster names the label of {value} of the test units of {task} {moment}, more "
        "than chance would",
        "The nearest cluster names the label of {value} of the test units of {task} {moment}",
        "permuted test labels",
    ),
}

_SHUFFLED = "Shuffled: labels dealt out at random over the same units, as many of each."
_APART = (
    "Apart, closer, nearest: the hull of a label lies further from the nearest hull of another "
    "label than before fine-tuning, or less far; hulls that overlap before and after count as "
    "neither."
)


def sentence(one: Claim) -> Sentence:
    """Say what one measure gives: its number, its control, seeds, and what may be concluded.

    Parameters
    ----------
    one : Claim
        Of a measure among apart, closer, clusters, to original, movement, train to test, nearest.
    """
    phrase = _PHRASES[one.measure]
    controlled = not math.isnan(one.control)
    verdict = one.verdict if controlled else NO_CONTROL
    value = _number(one.value)
    if one.n_seeds == 1 and not math.isnan(one.low):
        value += f" [{_number(one.low)}, {_number(one.high)}]"
    on = _on(one.task, one.tuned_on)
    linear = ", so that a hyperplane lies between every two" if one.value == one.n_labels else ""
    text = (phrase.beyond if verdict == BEYOND else phrase.plain).format(
        value=value,
        n=one.n_labels,
        task=one.task,
        on=on,
        moment=f"after fine-tuning{on}" if one.tuned_on else "as published",
        linear=linear,
    )
    parts = [_where(one.model, one.layer), _control(one, phrase.control)]
    if one.tuned_on:
        parts.append(_seeds(one.n_seeds, one.low, one.high))
    end = "." if verdict in (BEYOND, NO_CONTROL) else f": {verdict}."
    return Sentence(f"{text} ({'; '.join(parts)}){end}", verdict)


def _on(task: str, tuned_on: str) -> str:
    """Name the task of a fine-tuning where it is another than that looked at."""
    return "" if tuned_on == task else f" on {tuned_on}"


def _where(model: str, layer: int) -> str:
    return f"{model}, layer {layer}" if model else f"layer {layer}"


def _control(one: Claim, name: str) -> str:
    if math.isnan(one.control):
        return NO_CONTROL
    spread = "" if math.isnan(one.control_std) else f" ± {one.control_std:.2g}"
    p = "" if math.isnan(one.p_value) else f", p = {one.p_value:.2g}"
    return f"{name}: {_number(one.control)}{spread}{p}"


def _seeds(n_seeds: int, low: float = math.nan, high: float = math.nan) -> str:
    if n_seeds == 1:
        return "1 seed"
    if math.isnan(low):
        return f"{n_seeds} seeds"
    ends = list(dict.fromkeys((_number(low), _number(high))))
    return f"{n_seeds} seeds, " + (" to ".join(ends) if len(ends) > 1 else f"each {ends[0]}")


def _number(value: float) -> str:
    if math.isnan(value):
        return "undefined"
    whole = value == round(value) and abs(value) < 1e6
    return _signed(f"{value:.0f}" if whole else f"{value:.3g}")


def _signed(text: str) -> str:
    return text.replace("-", "\N{MINUS SIGN}")


def _gather(sentences: Sequence[Sentence], topic: str, noun: str) -> Answer:
    """Answer with a few sentences, or with how many of them conclude what."""
    texts = tuple(one.text for one in sentences)
    return Answer(texts) if len(texts) <= _FEW else Answer((_tally(sentences, topic, noun),), texts)


def _tally(sentences: Sequence[Sentence], topic: str, noun: str) -> str:
    """Count what several sentences conclude."""
    n_all = len(sentences)
    counted = Counter(one.verdict for one in sentences).most_common()
    if len(counted) == 1:
        return f"{topic}: {counted[0][0]} in all {n_all} {noun}."
    parts = [f"{verdict} in {n}" for verdict, n in counted]
    parts[0] += f" of {n_all} {noun}"
    return f"{topic}: {', '.join(parts)}."


def _together(*answers: Answer, terms: tuple[str, ...] = ()) -> Answer:
    """Join answers; of the terms, "word, word: meaning", those stay whose words are said."""
    lines = tuple(line for one in answers for line in one.lines)
    each = tuple(text for one in answers for text in one.each)
    said = " ".join((*lines, *each)).lower()
    words = [term.partition(":")[0].lower().split(", ") for term in terms]
    needed = (any(word in said for word in each_) for each_ in words)
    return Answer(lines, each, tuple(term for term, yes in zip(terms, needed, strict=True) if yes))


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
    changed = _gather(_changes(own), "Accuracy of the nearest cluster", "fine-tunings")
    if not changed.lines:
        changed = _claimed(found.of("nearest", tuned=False), "spaces as published")
    drift = _claimed(found.everywhere("train to test"), "spaces")
    terms = (
        "Accuracy: share of the test units whose nearest cluster has their label; the interval of "
        "a change pairs them, and over several seeds it holds that of each.",
        "Pseudo-tests: units of training, as many of each label as the test has; both are compared "
        "with the rest of training.",
    )
    return _together(changed, drift, terms=terms)


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
    on, what = _on(task, tuned_on), f"the accuracy of the nearest cluster on {task}"
    ends = f"from {before:.3f} to {after:.3f}"
    change = _signed(f"{after - before:+.3f} [{low:+.3f}, {high:+.3f}]")
    beside = f"({_where(model, layer)}; {change}; {_seeds(len(each))})"
    for does, verdict, holds in (("raises", "raised", low > 0), ("lowers", "lowered", high < 0)):
        if holds:
            return Sentence(f"Fine-tuning{on} {does} {what} {ends} {beside}.", verdict)
    return Sentence(f"With fine-tuning{on} {what} goes {ends} {beside}: {_SAME}.", _SAME)


def _claimed(claims: Sequence[Claim], noun: str = "fine-tunings") -> Answer:
    """Answer with claims on one measure."""
    topic = _PHRASES[claims[0].measure].topic if claims else ""
    return _gather([sentence(one) for one in claims], topic, noun)


def _linearity(found: Found) -> Answer:
    claimed = _claimed(found.everywhere("clusters"), "spaces")
    terms = (
        "Hyperplane: as many clusters as labels leave one between every two labels, which small "
        "labels in many dimensions allow whatever they mean."
    )
    return _together(claimed, terms=(terms, _SHUFFLED))


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
    told = _gather(said, _PHRASES["apart"].topic, "fine-tunings")
    return _together(told, terms=(_APART, _SHUFFLED))


def _most(finding: MinDistances) -> str:
    """Name the labels that gain most and least, and when half of the mean gain was there."""
    most, least = (
        ", ".join(f"{one.label} ({one.gain:+.3g})" for one in found)
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
    when = f" Half of the mean gain is there at update {half:,}." if last > first else ""
    return _signed(f" Most: {most}" + (f"; least: {least}" if least else "") + f".{when}")


def _cross_task(found: Found) -> Answer:
    apart, closer = (found.of(measure, cross=True) for measure in ("apart", "closer"))
    changes = _changes([run for run in found.runs if run.task != run.tuned_on])
    if not (apart or closer or changes):
        return _OWN_ONLY
    told = _gather(changes, "Accuracy of the nearest cluster", "tasks looked at")
    both = (_claimed(each, "tasks looked at") for each in (apart, closer))
    return _together(*both, told, terms=(_APART, _SHUFFLED))


def _movement(found: Found) -> Answer:
    claimed = _claimed(found.everywhere("movement"))
    layers = _layers(
        found.findings,
        Movement,
        "relative",
        "layer {0} moves furthest, the median "
        "label by {1} of the radius of its space, and layer {2} least, by {3}",
    )
    terms = ("Shuffled: the means of as many units of any labels.",)
    return _together(claimed, layers, terms=terms)


def _similarity(found: Found) -> Answer:
    claimed = _claimed(found.everywhere("to original"))
    layers = _layers(
        found.findings,
        SimilarityDuringTuning,
        "similarity",
        "layer {2} keeps least of its layout, a similarity of {3}, and layer {0} most, {1}",
    )
    terms = "Similarity: Pearson correlation of the distances between the hulls of labels."
    return _together(claimed, layers, terms=(terms, _SHUFFLED))


def _layers(findings: Iterable[Finding], kind: type[Finding], value: str, form: str) -> Answer:
    """Say in which layers a value is largest and smallest after the last update."""
    said = []
    for one in findings:
        if not isinstance(one, kind):
            continue
        columns = one.columns()
        last = max(columns["step"])
        of_layer: dict[int, list[float]] = {}
        for layer, step, number in zip(
            columns["layer"], columns["step"], columns[value], strict=True
        ):
            if step == last and not math.isnan(number):
                of_layer.setdefault(layer, []).append(number)
        if len(of_layer) > 1:
            middle = {layer: float(np.median(each)) for layer, each in of_layer.items()}
            top, low = max(middle, key=middle.__getitem__), min(middle, key=middle.__getitem__)
            text = form.format(top, _number(middle[top]), low, _number(middle[low]))
            row = one.rows[0]
            whose = f"{row.task}, {row.model} tuned on {row.tuned_on}"
            said.append(Sentence(f"In {whose}, {text} ({NO_CONTROL}).", NO_CONTROL))
    return _gather(said, "The layers that change most and least", "fine-tunings")


def _memorisation(found: Found) -> Answer:
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
            gap = _signed(f"{np.mean(each):+.3f}")
            start = _signed(f"; {np.mean(before):+.3f} as published") if before else ""
            seeds = _seeds(len(each), min(each), max(each))
            text = (
                f"The classifier's accuracy on training units that it has not seen, less that on "
                f"test units of {task}, is {gap} after fine-tuning{_on(task, tuned_on)} "
                f"({_where(model, layer)}; {NO_CONTROL}{start}; {seeds})."
            )
            said.append(Sentence(text, NO_CONTROL))
    return _gather(said, "Gap between subtest and test", "fine-tunings")


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
                    f"{_number(was)} apart before fine-tuning{_on(row.task, row.tuned_on)} and "
                    f"{_number(now)} after it, in the plane of their paths "
                    f"({_where(row.model, layer)}; {NO_CONTROL}; {_seeds(len(spread))}).",
                    NO_CONTROL,
                )
            )
    terms = ("Apart: the mean distance of two of their centroids.",)
    return _together(_gather(said, "Closest labels", "fine-tunings"), terms=terms)


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
        said.append(
            Sentence(
                f"The labels of {task} share {share:.0%} of their squared movement in "
                f"fine-tuning{_on(task, tuned_on)}; {n_labels} directions with nothing in common "
                f"would share {1 / n_labels:.0%} ({_where(model, layer)}; {NO_CONTROL}; "
                f"{_seeds(len(drifts))}).",
                NO_CONTROL,
            )
        )
    return _gather(said, "Movement that all labels share", "fine-tunings")


def _controls(found: Found) -> Answer:
    tested = [Sentence("", one.verdict) for one in found.claims if one.verdict]
    if not tested:
        return NOTHING
    terms = (
        "p: the share of the controls that reach the number, itself counted; of several seeds the "
        "largest. Beyond chance: p is at most 0.05.",
    )
    return Answer((_tally(tested, "In the last layers", "numbers"),), terms=terms)


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
    "performance", "linearity", "min-distances", "cross-task", "movement", "similarity", "controls",
)  # fmt: skip
