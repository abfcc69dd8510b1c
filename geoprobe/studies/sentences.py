"""Sentences about a measure: its number, control and seeds, and no more than these allow."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from geoprobe.controls import Claim

BEYOND = "beyond chance"
NO_CONTROL = "no control"
# More sentences than these are counted.
_FEW = 3


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


PHRASES = {
    "apart": Phrase(
        "Labels pushed apart",
        "Fine-tuning{on} pushes {value} of {n} labels of {task} apart",
        "After fine-tuning{on}, {value} of {n} labels of {task} came to lie further from their "
        "nearest",
    ),
    "closer": Phrase(
        "Labels brought closer to their nearest",
        "Fine-tuning{on} brings {value} of {n} labels of {task} closer to their nearest",
        "After fine-tuning{on}, {value} of {n} labels of {task} came to lie closer to their "
        "nearest",
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
    "left out": Phrase(
        "Test units further from their label than training units",
        "Test units of {task} {moment} lie further from their label than training units left out "
        "of it: {value} times as far",
        "Test units of {task} {moment} lie {value} times as far from their label as training units "
        "left out of it",
        "pseudo-tests of training",
    ),
    "memorised": Phrase(
        "Training units brought closer to their label than test units",
        "Fine-tuning{on} brings training units of {task} closer to their label than test units, "
        "whose distance to it, beside that of training units left out, is {value} times what it "
        "was",
        "The distance of test units of {task} to their label, beside that of training units left "
        "out of it, is {value} times what it was before fine-tuning{on}",
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


def sentence(one: Claim) -> Sentence:
    """Say what one measure gives: its number, its control, seeds, and what may be concluded.

    Parameters
    ----------
    one : Claim
        Of a measure in :data:`PHRASES`.
    """
    phrase = PHRASES[one.measure]
    controlled = not math.isnan(one.control)
    verdict = one.verdict if controlled else NO_CONTROL
    value = number(one.value)
    if one.n_seeds == 1 and not math.isnan(one.low):
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
    parts = [whereabouts(one.model, one.layer), _control(one, phrase.control)]
    if one.tuned_on:
        parts.append(seeds(one.n_seeds, one.low, one.high))
    end = "." if verdict in (BEYOND, NO_CONTROL) else f": {verdict}."
    return Sentence(f"{text} ({'; '.join(parts)}){end}", verdict)


def on_task(task: str, tuned_on: str) -> str:
    """Name the task of a fine-tuning where it is another than that looked at."""
    return "" if tuned_on == task else f" on {tuned_on}"


def whereabouts(model: str, layer: int) -> str:
    """Name a model, if it has a name, and a layer."""
    return f"{model}, layer {layer}" if model else f"layer {layer}"


def _control(one: Claim, name: str) -> str:
    if math.isnan(one.control):
        return NO_CONTROL
    spread = "" if math.isnan(one.control_std) else f" ± {one.control_std:.2g}"
    p = "" if math.isnan(one.p_value) else f", p = {one.p_value:.2g}"
    return f"{name}: {number(one.control)}{spread}{p}"


def seeds(n_seeds: int, low: float = math.nan, high: float = math.nan) -> str:
    """Say how many seeds there are, and their smallest and largest value where these are known."""
    if n_seeds == 1:
        return "1 seed"
    if math.isnan(low):
        return f"{n_seeds} seeds"
    ends = list(dict.fromkeys((number(low), number(high))))
    return f"{n_seeds} seeds, " + (" to ".join(ends) if len(ends) > 1 else f"each {ends[0]}")


def number(value: float) -> str:
    """Return a number with three digits, whole ones with all of theirs."""
    if math.isnan(value):
        return "undefined"
    whole = value == round(value) and abs(value) < 1e6
    return signed(f"{value:.0f}" if whole else f"{value:.3g}")


def signed(text: str) -> str:
    """Write the hyphens of numbers as minus signs."""
    return text.replace("-", "\N{MINUS SIGN}")


def gather(sentences: Sequence[Sentence], topic: str, noun: str) -> Answer:
    """Answer with a few sentences, or with how many of them conclude what."""
    texts = tuple(one.text for one in sentences)
    return Answer(texts) if len(texts) <= _FEW else Answer((tally(sentences, topic, noun),), texts)


def tally(sentences: Sequence[Sentence], topic: str, noun: str) -> str:
    """Count what several sentences conclude."""
    n_all = len(sentences)
    counted = Counter(one.verdict for one in sentences).most_common()
    if len(counted) == 1:
        return f"{topic}: {counted[0][0]} in all {n_all} {noun}."
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


def claimed(claims: Sequence[Claim], noun: str = "fine-tunings") -> Answer:
    """Answer with claims on one measure."""
    topic = PHRASES[claims[0].measure].topic if claims else ""
    return gather([sentence(one) for one in claims], topic, noun)
