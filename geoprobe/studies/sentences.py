"""Sentences about a measure: its number, control and seeds, and no more than these allow."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from geoprobe.controls import Claim
from geoprobe.controls.null import BELOW, BEYOND, CHANCE

NO_CONTROL = "no control"
# More sentences than these are counted.
FEW = 3


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


class Sentence(NamedTuple):
    """A sentence, and what it concludes.

    Attributes
    ----------
    text, verdict : str
    ends : (str, str)
        Smallest and largest number of the seeds, for where nothing may be concluded.
    rank : float
        Orders what was measured.
    """

    text: str
    verdict: str
    ends: tuple[str, str] = ("", "")
    rank: float = math.nan


class Phrase(NamedTuple):
    """How one measure is spoken of.

    Attributes
    ----------
    topic, measured : str
        What is counted where there are several sentences, and what they measure where none of
        them has a control.
    beyond, plain : str
        What is said where the number is beyond chance, and where nothing may be concluded.
    control : str
        What the control is.
    short : str
        The number alone.
    """

    topic: str
    measured: str
    beyond: str
    plain: str
    control: str = "shuffled"
    short: str = "{value}"


PHRASES = {
    "apart": Phrase(
        "Labels pushed apart",
        "Labels further from their nearest than before",
        "Fine-tuning{on} pushes {value} of {n} labels of {task} apart",
        "After fine-tuning{on}, {value} of {n} labels of {task} came to lie further from their "
        "nearest",
        short="{value} of {n}",
    ),
    "closer": Phrase(
        "Labels brought closer to their nearest",
        "Labels closer to their nearest than before",
        "Fine-tuning{on} brings {value} of {n} labels of {task} closer to their nearest",
        "After fine-tuning{on}, {value} of {n} labels of {task} came to lie closer to their "
        "nearest",
        short="{value} of {n}",
    ),
    "clusters": Phrase(
        "Fewer clusters than shuffled labels have",
        "Clusters",
        "{value} clusters for {n} labels of {task} {moment}{linear}, fewer than shuffled labels "
        "have",
        "{value} clusters for {n} labels of {task} {moment}{linear}",
        short="{value} for {n} labels",
    ),
    "overlaps": Phrase(
        "Fewer pairs that overlap than of shuffled labels",
        "Pairs of labels that overlap",
        "{value} pairs of the {n} labels of {task} {moment} overlap, fewer than of shuffled ones",
        "{value} pairs of the {n} labels of {task} {moment} overlap",
    ),
    "to original": Phrase(
        "More of the layout kept than of that of shuffled labels",
        "Similarity to the original",
        "The labels of {task} keep more of their layout than shuffled ones {moment}: similarity "
        "{value} to the original",
        "The layout of the labels of {task} {moment} has a similarity of {value} to the original",
    ),
    "movement": Phrase(
        "Labels moved further than shuffled ones",
        "Mean movement of the labels",
        "Fine-tuning{on} moves the labels of {task} by {value} in the mean, further than shuffled "
        "ones",
        "Fine-tuning{on} moves the labels of {task} by {value} in the mean",
    ),
    "common": Phrase(
        "Labels that share less of their movement than shuffled ones",
        "Share of the squared movement that all labels have in common",
        "In fine-tuning{on} the labels of {task} go ways of their own: they share {value} of their "
        "squared movement, less than shuffled ones do",
        "In fine-tuning{on} the labels of {task} share {value} of their squared movement",
    ),
    "train to test": Phrase(
        "Test laid out otherwise than training",
        "Similarity of the test to the rest of training",
        "The test of {task} {moment} is laid out otherwise than training: similarity {value} to "
        "the rest of training",
        "The test of {task} {moment} has a similarity of {value} to the rest of training",
        "pseudo-tests",
    ),
    "left out": Phrase(
        "Test units further from their label than training units",
        "Distance of test units to their label, beside that of training units left out of it",
        "Test units of {task} {moment} lie further from their label than training units left out "
        "of it: {value} times as far",
        "Test units of {task} {moment} lie {value} times as far from their label as training units "
        "left out of it",
        "pseudo-tests",
    ),
    "memorised": Phrase(
        "Training units brought closer to their label than test units",
        "What became of the distance of test units to their label, beside training units left out",
        "Fine-tuning{on} brings training units of {task} closer to their label than test units, "
        "whose distance to it, beside that of training units left out, is {value} times what it "
        "was",
        "The distance of test units of {task} to their label, beside that of training units left "
        "out of it, is {value} times what it was before fine-tuning{on}",
        "pseudo-tests",
    ),
    "nearest": Phrase(
        "Accuracy of the nearest cluster",
        "Accuracy of the nearest cluster",
        "The nearest cluster names the label of {value} of the test units of {task} {moment}, more "
        "than chance would",
        "The nearest cluster names the label of {value} of the test units of {task} {moment}",
        "permuted test labels",
    ),
}


def sentence(one: Claim, alone: str = NO_CONTROL) -> Sentence:
    """Say what one measure gives: its number, its control, seeds, and what may be concluded.

    Parameters
    ----------
    one : Claim
        Of a measure among the keys of :data:`PHRASES`.
    alone : str
        What is said of a number without a control.
    """
    phrase = PHRASES[one.measure]
    controlled = not math.isnan(one.control)
    verdict = one.verdict if controlled else NO_CONTROL
    several = one.n_seeds > 1
    value = span(number(one.low), number(one.high)) if several else number(one.value)
    if not several and not math.isnan(one.low):
        value += f" [{number(one.low)}, {number(one.high)}]"
    on = on_task(one.task, one.tuned_on)
    linear = ", so that a hyperplane lies between every two" if one.value == one.n_labels else ""
    text = (phrase.beyond if verdict == BEYOND else phrase.plain).format(
        value=value,
        n=one.n_labels,
        task=one.task,
        on=on,
        moment=f"after fine-tuning{on}" if one.tuned_on else "as published",
        linear=linear,
    )
    every = f" in {one.n_seeds} of {one.n_seeds} seeds" if several else ""
    end = ""
    if verdict == BEYOND:
        text += every
    elif verdict in BELOW.values():
        end = f": {verdict}{every}"
    elif controlled:
        end = f": {verdict}"
        if verdict == CHANCE and one.n_beyond:
            end += f", though beyond it in {one.n_beyond} of {one.n_seeds} seeds"
    counted = one.tuned_on and not (several and every in text + end)
    where = beside(
        whereabouts(one.model, one.layer),
        _control(one, phrase.control) if controlled else alone,
        seeds(one.n_seeds) if counted else "",
    )
    each = (one.low, one.high) if several else (one.value, one.value)
    low, high = (phrase.short.format(value=number(end), n=one.n_labels) for end in each)
    rank = one.value / (one.n_labels or 1) if "{n}" in phrase.short else one.value
    return Sentence(f"{text} {where}{end}.", verdict, (low, high), rank)


def on_task(task: str, tuned_on: str) -> str:
    """Name the task of a fine-tuning where it is another than that looked at."""
    return "" if tuned_on == task else f" on {tuned_on}"


def whereabouts(model: str, layer: int) -> str:
    """Name a model, if it has a name, and a layer."""
    return f"{model}, layer {layer}" if model else f"layer {layer}"


def _control(one: Claim, name: str) -> str:
    spread = "" if math.isnan(one.control_std) else f" ± {one.control_std:.2g}"
    p = (
        ""
        if math.isnan(one.p_value)
        else f", p {'≤' if one.n_seeds > 1 else '='} {one.p_value:.2g}"
    )
    return f"{name}: {number(one.control)}{spread}{p}"


def beside(*parts: str) -> str:
    """Put in brackets what belongs to a number, as far as there is something to say."""
    return f"({'; '.join(filter(None, parts))})"


def seeds(n_seeds: int) -> str:
    """Say how many seeds there are."""
    return "1 seed" if n_seeds == 1 else f"{n_seeds} seeds"


def span(low: str, high: str) -> str:
    """Name the ends of what was found; one, where they are alike."""
    return low if low == high else f"{low} to {high}"


def number(value: float) -> str:
    """Return a number with three digits, whole ones with all of theirs."""
    if math.isnan(value):
        return "undefined"
    whole = value == round(value) and abs(value) < 1e6
    return signed(f"{value:.0f}" if whole else f"{value:.3g}")


def signed(text: str) -> str:
    """Write the hyphens of numbers as minus signs."""
    return text.replace("-", "\N{MINUS SIGN}")


def gather(sentences: Sequence[Sentence], topic: str, noun: str, few: int = FEW) -> Answer:
    """Answer with a few sentences, or with how many of them conclude what."""
    texts = tuple(one.text for one in sentences)
    return Answer(texts) if len(texts) <= few else Answer((tally(sentences, topic, noun),), texts)


def about(topic: str, alone: str) -> str:
    """Name what is counted, and what is said of numbers without a control."""
    return f"{topic} ({alone})" if alone else topic


def tally(sentences: Sequence[Sentence], topic: str, noun: str) -> str:
    """Count what several sentences conclude; say what they measure where that is nothing."""
    n_all = len(sentences)
    counted = Counter(one.verdict for one in sentences).most_common()
    if [verdict for verdict, _ in counted] == [NO_CONTROL]:
        ranked = sorted(sentences, key=lambda one: (one.rank, one.ends))
        return f"{topic}: {span(ranked[0].ends[0], ranked[-1].ends[1])} in {n_all} {noun}."
    if len(counted) == 1:
        return f"{topic}: {counted[0][0]} in {'both' if n_all == 2 else f'all {n_all}'} {noun}."
    parts = [f"{verdict} in {n}" for verdict, n in counted]
    parts[0] += f" of {n_all} {noun}"
    return f"{topic}: {', '.join(parts)}."


def together(*answers: Answer, terms: tuple[str, ...] = ()) -> Answer:
    """Join answers; of the terms, "word, word: meaning", those stay whose words are said."""
    lines = tuple(line for one in answers for line in one.lines)
    each = tuple(text for one in answers for text in one.each)
    said = " ".join((*lines, *each)).lower()
    words = [term.partition(":")[0].lower().split(", ") for term in terms]
    needed = (any(word in said for word in each_) for each_ in words)
    return Answer(lines, each, tuple(term for term, yes in zip(terms, needed, strict=True) if yes))


def claimed(
    claims: Sequence[Claim],
    noun: str,
    *,
    alone: str = NO_CONTROL,
    more: Callable[[Claim], str] | None = None,
    few: int = FEW,
) -> Answer:
    """Answer with claims on one measure, and with more on each."""
    if not claims:
        return NOTHING
    phrase, said = PHRASES[claims[0].measure], [sentence(one, alone) for one in claims]
    if more is not None:
        said = [
            told._replace(text=told.text + more(one))
            for one, told in zip(claims, said, strict=True)
        ]
    unchecked = all(one.verdict == NO_CONTROL for one in said)
    return gather(said, about(phrase.measured, alone) if unchecked else phrase.topic, noun, few)
