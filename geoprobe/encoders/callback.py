"""Callback that probes while the Trainer of transformers trains."""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from transformers import (  # noqa: TID253  (only who trains with it imports this module)
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from geoprobe.encoders.alignment import Alignment, align
from geoprobe.encoders.forward import checked_layers, extract_arrays
from geoprobe.encoders.load import Encoder, max_pieces_of
from geoprobe.encoders.probed import Controls, Probed
from geoprobe.errors import InputError, UnprovedError
from geoprobe.probes import DirectProbe
from geoprobe.tasks.units import Join, Split, Task

PREFIX = "geoprobe"
_AFTER = "attach the callback with callback.attach(trainer) before trainer.train()"


@dataclass(frozen=True)
class LayerReport:
    """Clusters and distances of one layer's space.

    Attributes
    ----------
    n_clusters : int
    is_linear : int
        1 for as many clusters as labels, else 0: what reports to has numbers only.
    min_distance, mean_distance : float
        Over all pairs of labels; of several clusters of a label the nearest counts.
    """

    n_clusters: int
    is_linear: int
    min_distance: float
    mean_distance: float


def report_layer(
    points: NDArray[Any], labels: NDArray[Any], n_threads: int | None = None
) -> LayerReport:
    """Measure one space.

    Parameters
    ----------
    points : ndarray, shape (n_units, n_dims)
    labels : ndarray, shape (n_units,)
    n_threads : int, optional
        All processors by default.

    Raises
    ------
    InputError
        If there is only one label.
    UnprovedError
        If float64 cannot decide a pair of hulls.
    """
    probe = DirectProbe(n_threads=n_threads).fit(points, labels)
    distances = probe.label_distances().upper
    return LayerReport(
        n_clusters=int(probe.n_clusters_),
        is_linear=int(probe.is_linear_),
        min_distance=float(distances.min()),
        mean_distance=float(distances.mean()),
    )


class ProbeCallback(TrainerCallback):  # type: ignore[misc]
    """Probe the encoder of a model while the Trainer trains it, and log the geometry.

    Every log entry has, for each layer, ``geoprobe/layer_6/n_clusters``, ``.../is_linear``,
    ``.../min_distance`` and ``.../mean_distance``; it goes where the Trainer's own entries go
    (``state.log_history``, tensorboard, wandb, mlflow). Training is not touched: dropout is off
    while units are extracted and no random number is drawn.

    Parameters
    ----------
    units : Task or Split
        What to probe; of a task the training split, under the task's join.
    every : int
        Updates between two probes; there is one more before the first update and one after the
        last. With gradient accumulation an update is one step of the optimiser.
    layers : sequence of int, optional
        0 is the output of the embedding layer; by default the last layer alone.
    join : {"single", "concat", "difference"}, optional
        For a split whose units have two words.
    tokenizer : optional
        A fast tokenizer; the Trainer's ``processing_class`` by default.
    n_threads : int, optional
        Of the probe; all processors by default.
    controls : callable, optional
        Such as :class:`geoprobe.controls.LiveControls`: shuffled labels and the drift between
        training and test of each layer, logged beside it, at a cost that it names. Nothing by
        default.

    Attributes
    ----------
    reports : list of (int, dict of int to LayerReport)
        Updates done, and the report of each layer.
    controlled : list of (int, dict of int to dict of str to float)
        Updates done, and what the controls of each layer gave.

    Raises
    ------
    InputError
        For options that cannot be used, units that are neither Task nor Split, or units with one
        label only.

    Examples
    --------
    ::

        callback = ProbeCallback(load_task("ps-role"), every=100, layers=[0, 6])
        callback.attach(trainer)
        trainer.train()

    Notes
    -----
    With several processes the first one probes and the others wait for it at their next exchange;
    a model whose weights are cut over processes cannot be probed.
    """

    def __init__(
        self,
        units: Task | Split,
        *,
        every: int = 100,
        layers: Sequence[int] | None = None,
        join: Join | None = None,
        tokenizer: Any = None,
        n_threads: int | None = None,
        controls: Controls | None = None,
    ) -> None:
        if isinstance(every, bool) or not isinstance(every, int) or every < 1:
            raise InputError(f"every is a whole number from 1 on, but it is {every!r}.")
        self.split, self.join = _chosen(units, join)
        self.every = every
        self.layers = None if layers is None else tuple(layers)
        self.tokenizer = tokenizer
        self.n_threads = n_threads
        self.controls = controls
        self.reports: list[tuple[int, dict[int, LayerReport]]] = []
        self.controlled: list[tuple[int, dict[int, dict[str, float]]]] = []
        # Nothing but a control asks for the units to test.
        self._test = units.test if isinstance(units, Task) and controls is not None else None
        self._trainer: weakref.ref[Any] | None = None
        self._encoder: Encoder | None = None
        self._alignment: Alignment | None = None
        self._test_alignment: Alignment | None = None

    def attach(self, trainer: Any) -> ProbeCallback:
        """Let the callback log through a trainer, which calls it from now on.

        The Trainer gives its callbacks no way to log; through the trainer itself they have one.

        Returns
        -------
        ProbeCallback
            The callback itself.
        """
        self._trainer = weakref.ref(trainer)
        if self not in trainer.callback_handler.callbacks:
            trainer.add_callback(self)
        return self

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Align the units with the model's word pieces and probe before the first update."""
        if self._trainer is None:
            raise InputError(f"the probe has no way to log: {_AFTER}.")
        self.reports, self.controlled = [], []
        self._encoder = _encoder_of(kwargs["model"], self.tokenizer or kwargs["processing_class"])
        self._alignment = align(self._encoder, self.split)
        if self._test is not None:
            self._test_alignment = align(self._encoder, self._test)
        self._probe(state, control)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Probe when it is time."""
        if state.global_step % self.every == 0:
            self._probe(state, control)

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Probe after the last update, while those that are reported to still listen."""
        over = control.should_training_stop or state.global_step >= state.max_steps
        if over and (not self.reports or self.reports[-1][0] != state.global_step):
            self._probe(state, control)

    def _probe(self, state: TrainerState, control: TrainerControl) -> None:
        """Extract the units, measure every layer, and log."""
        trainer = None if self._trainer is None else self._trainer()
        if trainer is None or not state.is_world_process_zero:
            return
        assert self._encoder is not None and self._alignment is not None
        layers = checked_layers(self.layers or [self._encoder.n_layers], self._encoder)
        spaces = extract_arrays(self._encoder, self._alignment, join=self.join, layers=layers)
        reports = {
            layer: report
            for layer, points in spaces.items()
            if (report := self._report(points, layer, state.global_step)) is not None
        }
        self.reports.append((state.global_step, reports))
        numbers: dict[int, dict[str, float]] = {
            layer: asdict(report) for layer, report in reports.items()
        }
        if self.controls is not None:
            controlled = self._control(self.controls, spaces, layers, state.global_step)
            self.controlled.append((state.global_step, controlled))
            for layer, more in controlled.items():
                numbers[layer] = {**numbers.get(layer, {}), **more}
        # Logging in the middle of an update would cancel what the Trainer itself is to log.
        flags = dict(vars(control))
        trainer.log(
            {
                f"{PREFIX}/layer_{layer}/{name}": value
                for layer, of_layer in numbers.items()
                for name, value in of_layer.items()
            }
        )
        vars(control).update(flags)

    def _control(
        self,
        controls: Controls,
        spaces: Mapping[int, NDArray[Any]],
        layers: Sequence[int],
        step: int,
    ) -> dict[int, dict[str, float]]:
        """Measure the controls of every layer."""
        assert self._encoder is not None
        tested: Mapping[int, NDArray[Any]] = {}
        if self._test_alignment is not None:
            tested = extract_arrays(
                self._encoder, self._test_alignment, join=self.join, layers=layers
            )
        split = self.split
        groups = np.array([" ".join(split.sentences[u.sentence].words) for u in split.units])
        test_labels = None if self._test is None else self._test.labels
        found = {}
        for layer, points in spaces.items():
            probed = Probed(points, split.labels, groups, tested.get(layer), test_labels)
            try:
                found[layer] = dict(controls(probed, n_threads=self.n_threads))
            except UnprovedError as error:
                _warn(layer, step, error)
        return found

    def _report(self, points: NDArray[Any], layer: int, step: int) -> LayerReport | None:
        """Measure a layer; hours of training do not end because of two hulls that nearly touch."""
        try:
            return report_layer(points, self.split.labels, self.n_threads)
        except UnprovedError as error:
            _warn(layer, step, error)
            return None


def _warn(layer: int, step: int, error: UnprovedError) -> None:
    warnings.warn(f"layer {layer} after {step} updates: {error}", stacklevel=3)


def _chosen(units: Task | Split, join: Join | None) -> tuple[Split, Join]:
    """Return what is probed, and how words become units."""
    if isinstance(units, Task):
        if join not in (None, units.join):
            raise InputError(f"the task {units.name!r} joins by {units.join!r}, not {join!r}.")
        split, join = units.train, units.join
    elif isinstance(units, Split):
        split, join = units, join or "single"
    else:
        raise InputError(
            f"units is a Task, such as load_task('ps-role'), or a Split, but it is {units!r:.200}."
        )
    if len(np.unique(split.labels)) < 2:
        raise InputError("all units to probe have the same label; two labels are expected.")
    return split, join


def _encoder_of(model: Any, tokenizer: Any) -> Encoder:
    """Return the part of a model below its head as an encoder; nothing is copied."""
    if tokenizer is None:
        raise InputError(
            "the probe needs a tokenizer: give one to the callback, or to the Trainer as its "
            "processing_class."
        )
    base = model.base_model
    config = base.config
    return Encoder(
        name=str(config.name_or_path or config.model_type),
        model=base,
        tokenizer=tokenizer,
        device=next(base.parameters()).device,
        n_layers=int(config.num_hidden_layers),
        n_dims=int(config.hidden_size),
        max_pieces=max_pieces_of(tokenizer, base),
    )
