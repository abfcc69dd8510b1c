"""Fine-tuning: what it learns, what it extracts, what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

import geoprobe.encoders.finetune  # noqa: E402
from geoprobe.encoders import Schedule, TuningOptions, TuningResult, load_encoder  # noqa: E402
from geoprobe.encoders.finetune import finetune  # noqa: E402
from geoprobe.encoders.training import TuningError  # noqa: E402
from geoprobe.errors import FormatError, InputError, OutputError  # noqa: E402
from geoprobe.files.disk import DiskSpaceError  # noqa: E402
from geoprobe.progress import Progress  # noqa: E402
from geoprobe.spaces import SpaceKey, SpaceStore  # noqa: E402
from geoprobe.tasks import Split, Task, Unit  # noqa: E402
from tests.support import finetune_cases as cases  # noqa: E402

OPTIONS = TuningOptions(epochs=3, learning_rate=5e-3, batch_size=8, seed=4)
TASK = cases.task()


def run(folder: Path, **changes: Any) -> TuningResult:
    """Fine-tune in the folder, with whatever is to differ."""
    arguments: dict[str, Any] = {
        "encoder": cases.encoder(),
        "task": TASK,
        "options": OPTIONS,
        "store": SpaceStore(folder / "store"),
        "run_folder": folder / "run",
        "checkpoints": Schedule("steps:2,last"),
    }
    arguments |= changes
    encoder, task = arguments.pop("encoder"), arguments.pop("task")
    return finetune(encoder, task, **arguments)


def vectors(model: Any, split: Split, layer: int) -> np.ndarray:
    """Represent single words one sentence at a time, in plain transformers."""
    points = []
    with torch.no_grad():
        for unit in split.units:
            words = list(split.sentences[unit.sentence].words)
            coded = cases.tokenizer()(words, is_split_into_words=True, return_tensors="pt")
            states = model.eval()(**coded, output_hidden_states=True).hidden_states[layer][0]
            inside = [k for k, word in enumerate(coded.word_ids()) if word == unit.words[0]]
            points.append(states[inside].mean(dim=0).numpy())
    return np.array(points)


@pytest.mark.full
@pytest.mark.parametrize("kind", ["word", "pair", "sentence", "difference"])
def test_learns_units_of_every_kind(tmp_path: Path, kind: str) -> None:
    options = TuningOptions(epochs=30, learning_rate=1e-2, batch_size=8)
    task = cases.task(kind=kind)
    # Without dropout, which such a small model cannot afford.
    found = run(tmp_path, encoder=cases.encoder(dropout=0), task=task, options=options)
    assert found.checkpoints[-1].train_accuracy > found.checkpoints[0].train_accuracy + 0.2
    assert np.mean(found.losses[-5:]) < 0.6 * np.mean(found.losses[:3])
    n_dims = 32 if kind == "pair" else 16
    for key in found.keys:
        stored = SpaceStore(tmp_path / "store").open(key, verify=True)
        assert stored.n_dims == n_dims
        assert stored.layers == (0, 1, 2)


@pytest.mark.full
def test_generalises_and_says_so(tmp_path: Path) -> None:
    found = run(tmp_path, options=TuningOptions(epochs=20, learning_rate=5e-3, batch_size=8))
    assert found.test_accuracy == found.checkpoints[-1].test_accuracy == 1.0


@pytest.mark.full
def test_result_and_store(tmp_path: Path) -> None:
    found = run(tmp_path)
    # 24 sentences of which 3 have no units, in batches of 8, three times.
    assert (found.n_updates, found.updates_per_epoch) == (9, 3)
    assert [each.step for each in found.checkpoints] == [0, 2, 9]
    assert [each.epoch for each in found.checkpoints] == pytest.approx([0, 2 / 3, 3])
    assert len(found.losses) == 9
    assert found.losses[0] == pytest.approx(np.log(4), abs=0.15)
    store = SpaceStore(tmp_path / "store")
    assert sorted(found.keys) == store.keys()
    assert store.leftovers() == []
    tuned = SpaceKey("toy", "tiny", "test", "toy", 4, 9)
    assert tuned in store
    assert store.open(tuned).provenance["tuning"]["learning_rate"] == 5e-3
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["result.json"]
    assert TuningResult.read(tmp_path / "run") == found
    seen = []
    assert run(tmp_path, progress=seen.append) == found
    assert seen == []


@pytest.mark.full
def test_spaces_and_accuracy_are_those_of_the_saved_model(tmp_path: Path) -> None:
    found = run(tmp_path, save_models=True)
    store = SpaceStore(tmp_path / "store")
    for step in (2, 9):
        folder = tmp_path / "run" / "models" / f"step-{step:08d}"
        encoder = load_encoder(folder, device="cpu")
        for split in TASK.splits.values():
            stored = store.open(SpaceKey("toy", "tiny", split.name, "toy", 4, step))
            for layer in (0, 1, 2):
                expected = vectors(encoder.model, split, layer)
                np.testing.assert_allclose(stored.points(layer), expected, atol=1e-5)
    from safetensors.numpy import load_file

    head = load_file(folder / "head.safetensors")
    labels = np.array(json.loads((folder / "labels.json").read_text(encoding="ascii")))
    for split in TASK.splits.values():
        logits = vectors(encoder.model, split, 2) @ head["weight"].T + head["bias"]
        accuracy = float((labels[logits.argmax(axis=1)] == split.labels).mean())
        assert accuracy == getattr(found.checkpoints[-1], f"{split.name}_accuracy")


@pytest.mark.full
def test_first_space_is_the_original_and_the_encoder_stays(tmp_path: Path) -> None:
    encoder = cases.encoder()
    before = {name: value.clone() for name, value in encoder.model.state_dict().items()}
    run(tmp_path, encoder=encoder)
    for name, value in encoder.model.state_dict().items():
        assert torch.equal(value, before[name])
    stored = SpaceStore(tmp_path / "store").open(SpaceKey("toy", "tiny", "train"))
    expected = vectors(encoder.model, TASK.train, 1)
    np.testing.assert_allclose(stored.points(1), expected, atol=1e-5)


@pytest.mark.full
def test_extraction_leaves_training_alone(tmp_path: Path) -> None:
    """Many checkpoints or few, other tasks or none: the same path, bit by bit."""
    few = run(tmp_path / "few", checkpoints=Schedule("linear:1"))
    many = run(
        tmp_path / "many",
        checkpoints=Schedule("linear:9"),
        extract=[cases.task("other", kind="pair"), TASK],
    )
    assert many.losses == few.losses
    assert many.checkpoints[-1] == few.checkpoints[-1]
    last = SpaceKey("toy", "tiny", "train", "toy", 4, 9)
    found = [SpaceStore(tmp_path / name / "store").open(last).sha256 for name in ("few", "many")]
    assert found[0] == found[1]


@pytest.mark.full
def test_cross_task(tmp_path: Path) -> None:
    other = cases.task("other", kind="sentence")
    found = run(tmp_path, extract=[other], layers=[1])
    assert {key.task for key in found.keys} == {"other"}
    assert {key.tuned_on for key in found.keys} == {None, "toy"}
    stored = SpaceStore(tmp_path / "store").open(SpaceKey("other", "tiny", "test", "toy", 4, 9))
    assert stored.layers == (1,)
    # Accuracy is that of the task learnt, whatever is extracted.
    expected = run(tmp_path / "same").checkpoints
    assert found.checkpoints == expected


@pytest.mark.full
def test_seeds_differ(tmp_path: Path) -> None:
    losses = [
        run(tmp_path / str(seed), options=OPTIONS.replaced(seed=seed)).losses for seed in (0, 1)
    ]
    assert losses[0] != losses[1]


@pytest.mark.full
def test_parts_of_a_batch_add_up(tmp_path: Path) -> None:
    """Small parts give the gradient of the whole batch, up to the order of sums."""
    whole, cut = (
        run(
            tmp_path / str(most),
            encoder=cases.encoder(dropout=0),
            options=OPTIONS.replaced(max_pieces=most),
        )
        for most in (8192, 24)
    )
    np.testing.assert_allclose(cut.losses, whole.losses, rtol=1e-4)


@pytest.mark.full
def test_labels_that_training_never_sees(tmp_path: Path) -> None:
    units = tuple(
        Unit(unit.sentence, unit.words, "new" if row < 3 else unit.label)
        for row, unit in enumerate(TASK.test.units)
    )
    task = Task("toy", TASK.train, Split("test", TASK.test.sentences, units))
    options = TuningOptions(epochs=20, learning_rate=5e-3, batch_size=8)
    found = run(tmp_path, task=task, options=options)
    assert found.unseen_labels == {"new": 3}
    assert "new" not in found.labels
    assert found.test_accuracy == pytest.approx(1 - 3 / len(units))


def test_one_label_only(tmp_path: Path) -> None:
    units = tuple(Unit(unit.sentence, unit.words, "X") for unit in TASK.train.units)
    task = Task("toy", Split("train", TASK.train.sentences, units), TASK.test)
    with pytest.raises(InputError, match="label 'X'"):
        run(tmp_path, task=task)


def test_loss_that_is_no_number_names_the_update(tmp_path: Path) -> None:
    wild = OPTIONS.replaced(learning_rate=1e38, warmup=0.0, max_grad_norm=0.0)
    with pytest.raises(TuningError, match=r"the loss is (nan|inf) in update [2-9] of 9"):
        run(tmp_path, options=wild)


def test_too_little_memory_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object, **kwargs: object) -> None:
        raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr(torch.nn.functional, "cross_entropy", full)
    with pytest.raises(TuningError, match=r"cpu has too little memory for update 1.*max_pieces"):
        run(tmp_path)


def test_another_run_in_the_same_folder(tmp_path: Path) -> None:
    run(tmp_path)
    other = OPTIONS.replaced(learning_rate=1e-3)
    with pytest.raises(FormatError, match=r"options\.learning_rate was 0\.005 and is now 0\.001"):
        run(tmp_path, options=other)
    with pytest.raises(FormatError, match=r"task\.fingerprint"):
        run(tmp_path, task=cases.task(n_train=20))
    with pytest.raises(FormatError, match=r"model\.model was 'tiny, seed 0'"):
        run(tmp_path, encoder=cases.encoder(seed=1))
    with pytest.raises(FormatError, match=r"checkpoints was 'steps:2,last' and is now 'epochs'"):
        run(tmp_path, checkpoints=None)


def test_another_run_in_the_same_store(tmp_path: Path) -> None:
    """Other options under the same key would mix two runs."""
    run(tmp_path)
    other = OPTIONS.replaced(learning_rate=1e-3)
    with pytest.raises(FormatError, match="learning_rate"):
        run(tmp_path, run_folder=tmp_path / "other", options=other)


def test_finished_run_without_its_spaces(tmp_path: Path) -> None:
    run(tmp_path)
    with pytest.raises(FormatError, match="lacks it"):
        run(tmp_path, store=SpaceStore(tmp_path / "elsewhere"))


def test_damaged_result(tmp_path: Path) -> None:
    run(tmp_path)
    path = tmp_path / "run" / "result.json"
    noted = json.loads(path.read_text(encoding="ascii"))
    for wrong in ({"checkpoints": [{"step": 1}]}, {"losses": ["x"]}, {"keys": [{}]}):
        path.write_text(json.dumps(noted | wrong), encoding="ascii")
        with pytest.raises(FormatError, match=r"result\.json: "):
            run(tmp_path)
    with pytest.raises(FormatError, match=r"no result\.json"):
        TuningResult.read(tmp_path)


def test_one_process_at_a_time(tmp_path: Path) -> None:
    refused = []

    def second(report: Progress) -> None:
        if not refused:
            with pytest.raises(OutputError, match="another process"):
                run(tmp_path)
            refused.append(report)

    run(tmp_path, progress=second)
    assert len(refused) == 1


def test_disk_too_small_is_found_before_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(root: Path, needed: int) -> None:
        raise DiskSpaceError(f"{needed} bytes")

    monkeypatch.setattr(geoprobe.encoders.finetune, "check_disk", no_room)
    with pytest.raises(DiskSpaceError):
        run(tmp_path)
    assert list((tmp_path / "run").iterdir()) == []
    assert not (tmp_path / "store").exists()


def test_tasks_of_one_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="two different tasks are named 'toy'"):
        run(tmp_path, extract=[cases.task(n_train=20)])
    with pytest.raises(InputError, match="named twice"):
        run(tmp_path, extract=[TASK, TASK])


@pytest.mark.full
def test_bfloat16(tmp_path: Path) -> None:
    plain = run(tmp_path / "plain", encoder=cases.encoder(dropout=0))
    options = OPTIONS.replaced(precision="bfloat16")
    found = run(tmp_path / "half", encoder=cases.encoder(dropout=0), options=options)
    assert found.losses != plain.losses
    np.testing.assert_allclose(found.losses, plain.losses, rtol=0.05)
    stored = SpaceStore(tmp_path / "half" / "store").open(found.keys[-1])
    assert stored.provenance["precision"] == "float32"
    assert stored.provenance["tuning"]["precision"] == "bfloat16"


def test_progress(tmp_path: Path) -> None:
    seen: list[Progress] = []
    run(tmp_path, progress=seen.append)
    tuning = [each for each in seen if each.phase == "fine-tuning"]
    assert [(each.done, each.total) for each in tuning] == [(k, 9) for k in range(1, 10)]
    assert tuning[-1].detail.startswith("loss ")
    assert any("extracting" in each.phase for each in seen)


def test_caller_keeps_random_numbers_and_settings(tmp_path: Path) -> None:
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    run(tmp_path)
    assert torch.equal(torch.rand(3), expected)
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.utils.deterministic.fill_uninitialized_memory
