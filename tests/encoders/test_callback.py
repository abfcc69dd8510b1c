"""The callback for the Trainer of transformers: what it logs, and that it touches nothing."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytest.importorskip("accelerate", reason="the Trainer needs accelerate")

from geoprobe.controls import LiveControls  # noqa: E402
from geoprobe.encoders.callback import ProbeCallback, report_layer  # noqa: E402
from geoprobe.encoders.probed import Probed  # noqa: E402
from geoprobe.errors import InputError  # noqa: E402
from geoprobe.tasks import Split, Task, Unit  # noqa: E402
from tests.support import finetune_cases as cases  # noqa: E402

TASK = cases.task(n_train=16)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """The libraries below the Trainer warn of one another."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


class Examples(torch.utils.data.Dataset):  # type: ignore[misc]
    """The task's sentences as token classification takes them."""

    def __init__(self) -> None:
        coded = cases.tokenizer()(
            [list(sentence.words) for sentence in TASK.train.sentences],
            is_split_into_words=True,
            padding=True,
            return_tensors="pt",
        )
        names = sorted(set(TASK.train.labels))
        labels = torch.full(coded["input_ids"].shape, -100)
        for unit in TASK.train.units:
            labels[unit.sentence, 1 + unit.words[0]] = names.index(unit.label)
        self.rows = {
            "input_ids": coded["input_ids"],
            "attention_mask": coded["attention_mask"],
            "labels": labels,
        }

    def __len__(self) -> int:
        return len(self.rows["labels"])

    def __getitem__(self, row: int) -> dict[str, Any]:
        return {name: values[row] for name, values in self.rows.items()}


def trainer(folder: Path, **options: Any) -> Any:
    config = cases.model().config
    config.num_labels = len(set(TASK.train.labels))
    torch.manual_seed(5)
    model = transformers.BertForTokenClassification(config)
    settings = {
        "output_dir": str(folder),
        "num_train_epochs": 3,
        "per_device_train_batch_size": 4,
        "learning_rate": 1e-2,
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "use_cpu": True,
        "seed": 3,
    }
    arguments = transformers.TrainingArguments(**(settings | options))
    return transformers.Trainer(
        model, arguments, train_dataset=Examples(), processing_class=cases.tokenizer()
    )


def probed(history: list[dict[str, Any]]) -> dict[int, dict[str, float]]:
    """Return the callback's entries by step."""
    return {
        entry["step"]: {key: entry[key] for key in entry if key.startswith("geoprobe/")}
        for entry in history
        if any(key.startswith("geoprobe/") for key in entry)
    }


def losses(history: list[dict[str, Any]]) -> list[tuple[int, float, float]]:
    return [
        (entry["step"], entry["loss"], entry["grad_norm"]) for entry in history if "loss" in entry
    ]


@pytest.mark.full
def test_logs_every_layer_and_leaves_training_alone(tmp_path: Path) -> None:
    alone = trainer(tmp_path / "alone")
    alone.train()
    watched = trainer(tmp_path / "watched")
    callback = ProbeCallback(TASK, every=5, layers=[0, 2]).attach(watched)
    frozen = watched.model.bert.encoder.layer[0].attention.self.dropout
    watched.train()

    # Not one loss is missing, and every bit of training is the same.
    expected = losses(alone.state.log_history)
    assert len(expected) == 12
    assert losses(watched.state.log_history) == expected
    for name, value in alone.model.state_dict().items():
        assert torch.equal(value, watched.model.state_dict()[name]), name
    assert frozen.training

    entries = probed(watched.state.log_history)
    assert list(entries) == [0, 5, 10, 12]
    assert [step for step, _ in callback.reports] == [0, 5, 10, 12]
    names = ("n_clusters", "is_linear", "min_distance", "mean_distance")
    for step, found in callback.reports:
        assert set(found) == {0, 2}
        for layer in (0, 2):
            for name in names:
                logged = entries[step][f"geoprobe/layer_{layer}/{name}"]
                assert logged == getattr(found[layer], name)
    assert entries[12] != entries[0]


@pytest.mark.full
def test_numbers_are_those_of_the_model_at_that_step(tmp_path: Path) -> None:
    made = trainer(tmp_path)
    callback = ProbeCallback(TASK, every=100, layers=[2]).attach(made)
    made.train()
    model = made.model.bert.eval()
    points = []
    with torch.no_grad():
        for unit in TASK.train.units:
            words = list(TASK.train.sentences[unit.sentence].words)
            coded = cases.tokenizer()(words, is_split_into_words=True, return_tensors="pt")
            states = model(**coded, output_hidden_states=True).hidden_states[2][0]
            inside = [k for k, word in enumerate(coded.word_ids()) if word == unit.words[0]]
            points.append(states[inside].mean(dim=0).numpy())
    expected = report_layer(np.array(points), TASK.train.labels)
    step, found = callback.reports[-1]
    assert step == 12
    assert (found[2].n_clusters, found[2].is_linear) == (expected.n_clusters, expected.is_linear)
    assert found[2].min_distance == pytest.approx(expected.min_distance, rel=1e-3)
    assert found[2].mean_distance == pytest.approx(expected.mean_distance, rel=1e-3)


@pytest.mark.full
def test_counts_updates_under_gradient_accumulation(tmp_path: Path) -> None:
    made = trainer(tmp_path, gradient_accumulation_steps=2, per_device_train_batch_size=2)
    ProbeCallback(TASK, every=4).attach(made)
    made.train()
    assert list(probed(made.state.log_history)) == [0, 4, 8, 12]


@pytest.mark.full
def test_last_update_of_a_run_that_ends_early(tmp_path: Path) -> None:
    class Stop(transformers.TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            control.should_training_stop = state.global_step == 6

    made = trainer(tmp_path)
    ProbeCallback(TASK, every=4).attach(made)
    made.add_callback(Stop())
    made.train()
    assert list(probed(made.state.log_history)) == [0, 4, 6]


@pytest.mark.full
def test_keeps_what_the_trainer_was_about_to_log(tmp_path: Path) -> None:
    """The callback logs in the same event that asks for the Trainer's own entry."""
    made = trainer(tmp_path, logging_steps=4)
    ProbeCallback(TASK, every=4).attach(made)
    made.train()
    assert [step for step, _, _ in losses(made.state.log_history)] == [4, 8, 12]


@pytest.mark.full
def test_controls_are_logged_beside_what_was_probed(tmp_path: Path) -> None:
    alone = trainer(tmp_path / "alone")
    alone.train()
    made = trainer(tmp_path / "made")
    live = LiveControls(permutations=3, draws=4)
    seen: list[Probed] = []

    def controls(probed: Probed, *, n_threads: int | None) -> dict[str, float]:
        seen.append(probed)
        return live(probed, n_threads=1)

    callback = ProbeCallback(TASK, every=8, layers=[0, 2], controls=controls).attach(made)
    made.train()
    assert losses(made.state.log_history) == losses(alone.state.log_history)
    assert [step for step, _ in callback.controlled] == [0, 8, 12]
    assert len(seen) == 6
    test = TASK.test
    assert test is not None
    for probed in seen:
        assert probed.points.shape == (len(TASK.train.units), 16)
        assert probed.test_points is not None
        assert probed.test_points.shape == (len(test.units), 16)
        assert probed.test_labels is not None
        assert probed.test_labels.tolist() == list(test.labels)
        assert len(np.unique(probed.groups)) < len(TASK.train.sentences)
    for step, found in callback.controlled:
        entry = probed_at(made, step)
        assert {"clusters_shuffled", "hull_distance_p", "n_permutations"} <= set(found[2])
        for name, value in found[2].items():
            assert entry[f"geoprobe/layer_2/{name}"] == value
        assert found[2] == live(seen[(0, 8, 12).index(step) * 2 + 1], n_threads=1)
        assert "geoprobe/layer_2/n_clusters" in entry


def probed_at(made: Any, step: int) -> dict[str, float]:
    return probed(made.state.log_history)[step]


def test_reaches_tensorboard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    monkeypatch.setenv("TENSORBOARD_LOGGING_DIR", str(tmp_path / "board"))
    made = trainer(tmp_path, report_to="tensorboard")
    callback = ProbeCallback(TASK, every=6).attach(made)
    made.train()
    events = EventAccumulator(str(tmp_path / "board")).Reload()
    scalars = events.Scalars("train/geoprobe/layer_2/min_distance")
    assert [event.step for event in scalars] == [0, 6, 12]
    for event, (_, found) in zip(scalars, callback.reports, strict=True):
        assert event.value == pytest.approx(found[2].min_distance, rel=1e-6)


def test_parts_in_evaluation_stay_there(tmp_path: Path) -> None:
    made = trainer(tmp_path, max_steps=1)
    part = made.model.bert.embeddings
    seen = []

    class Watch(transformers.TrainerCallback):  # type: ignore[misc]
        def on_pre_optimizer_step(self, args: Any, state: Any, *rest: Any, **more: Any) -> None:
            part.eval()

        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            seen.append((part.training, made.model.bert.encoder.training))

    made.add_callback(Watch())
    ProbeCallback(TASK, every=1).attach(made)
    made.callback_handler.callbacks.append(Watch())
    made.train()
    assert seen == [(False, True), (False, True)]


def test_pairs_of_a_split(tmp_path: Path) -> None:
    pairs = cases.task("pairs", kind="pair")
    made = trainer(tmp_path, max_steps=1)
    callback = ProbeCallback(pairs.train, every=1, join="difference").attach(made)
    made.train()
    assert callback.reports[0][1][2].n_clusters >= 2


def test_without_a_trainer(tmp_path: Path) -> None:
    made = trainer(tmp_path)
    made.add_callback(ProbeCallback(TASK))
    with pytest.raises(InputError, match=r"callback\.attach\(trainer\)"):
        made.train()


def test_without_a_tokenizer(tmp_path: Path) -> None:
    made = trainer(tmp_path)
    made.processing_class = None
    made.callback_handler.processing_class = None
    ProbeCallback(TASK).attach(made)
    with pytest.raises(InputError, match="tokenizer"):
        made.train()


def one_label() -> Task:
    def relabelled(split: Split) -> Split:
        units = tuple(Unit(unit.sentence, unit.words, "same") for unit in split.units)
        return Split(split.name, split.sentences, units)

    return Task("one", relabelled(TASK.train), relabelled(TASK.test))


def test_options_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="every"):
        ProbeCallback(TASK, every=0)
    with pytest.raises(InputError, match="joins by 'single', not 'concat'"):
        ProbeCallback(TASK, join="concat")
    with pytest.raises(InputError, match="same label"):
        ProbeCallback(one_label())
    with pytest.raises(InputError, match=r"units is a Task, .* or a Split, but it is None"):
        ProbeCallback(None, every=10)  # type: ignore[arg-type]
    made = trainer(tmp_path)
    ProbeCallback(TASK, layers=[3]).attach(made)
    with pytest.raises(InputError, match="layer 3"):
        made.train()
