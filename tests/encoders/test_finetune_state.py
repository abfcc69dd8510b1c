"""The state of training on the disk: bit by bit, whole or absent, and never another run's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from geoprobe.encoders.run_folder import (  # noqa: E402
    STATE,
    TrainingState,
    load_state,
    remove_state,
    restore,
    save_state,
    tensors_of,
)
from geoprobe.errors import FormatError  # noqa: E402
from geoprobe.files.disk import StoreError  # noqa: E402

PLAN = {"task": "t", "options": {"learning_rate": 0.1, "seed": 3}}


class Tied(torch.nn.Module):
    """Two names for one weight, a buffer that is kept, and a weight that learns nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.first = torch.nn.Linear(3, 3)
        self.second = torch.nn.Linear(3, 3)
        self.second.weight = self.first.weight
        self.idle = torch.nn.Parameter(torch.zeros(2))
        self.register_buffer("count", torch.zeros(1))
        self.register_buffer("scratch", torch.zeros(1), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.count += 1
        return self.second(self.first(x))


def made(seed: int) -> tuple[Tied, torch.optim.AdamW]:
    torch.manual_seed(seed)
    module = Tied()
    return module, torch.optim.AdamW(module.parameters(), lr=0.1, fused=True)


def step(module: Tied, optimizer: torch.optim.AdamW, number: int) -> None:
    x = torch.linspace(-1, 1, 6).view(2, 3) * (number + 1)
    module(x).square().sum().backward()
    optimizer.step()
    optimizer.zero_grad()


def bits(module: Tied, optimizer: torch.optim.AdamW) -> dict[str, bytes]:
    tensors = tensors_of(module, optimizer)
    return {name: value.detach().numpy().tobytes() for name, value in tensors.items()}


def test_goes_on_bit_by_bit(tmp_path: Path) -> None:
    straight = made(0)
    for number in range(5):
        step(*straight, number)

    first = made(0)
    for number in range(2):
        step(*first, number)
    save_state(tmp_path, PLAN, TrainingState(2, {"losses": [1.5, 0.1]}, tensors_of(*first)))
    second = made(1)
    loaded = load_state(tmp_path, PLAN)
    assert loaded is not None
    assert (loaded.step, loaded.notes) == (2, {"losses": [1.5, 0.1]})
    restore(*second, loaded.tensors, tmp_path)
    for number in range(2, 5):
        step(*second, number)
    assert bits(*second) == bits(*straight)
    assert second[0].second.weight is second[0].first.weight


def test_newer_state_replaces_the_older(tmp_path: Path) -> None:
    module, optimizer = made(0)
    for number in range(3):
        step(module, optimizer, number)
        save_state(tmp_path, PLAN, TrainingState(number, {}, tensors_of(module, optimizer)))
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["state-00000002.safetensors", STATE]
    remove_state(tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert load_state(tmp_path, PLAN) is None


def test_killed_between_the_two_files(tmp_path: Path) -> None:
    """The newer tensors are there, the file that would name them is not: the old state holds."""
    module, optimizer = made(0)
    save_state(tmp_path, PLAN, TrainingState(1, {}, tensors_of(module, optimizer)))
    old = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    step(module, optimizer, 0)
    save_state(tmp_path, PLAN, TrainingState(2, {}, tensors_of(module, optimizer)))
    for name, content in old.items():
        (tmp_path / name).write_bytes(content)
    loaded = load_state(tmp_path, PLAN)
    assert loaded is not None
    assert loaded.step == 1


def test_another_run_is_refused_by_what_differs(tmp_path: Path) -> None:
    save_state(tmp_path, PLAN, TrainingState(1, {}, tensors_of(*made(0))))
    other = PLAN | {"options": {"learning_rate": 0.2, "seed": 3}}
    with pytest.raises(FormatError, match=r"options\.learning_rate was 0\.1 and is now 0\.2"):
        load_state(tmp_path, other)
    with pytest.raises(FormatError, match="model was nothing and is now 'm'"):
        load_state(tmp_path, PLAN | {"model": "m"})


def test_damage_is_noticed(tmp_path: Path) -> None:
    module, optimizer = made(0)
    save_state(tmp_path, PLAN, TrainingState(7, {}, tensors_of(module, optimizer)))
    tensors = tmp_path / "state-00000007.safetensors"
    whole = tensors.read_bytes()
    tensors.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(FormatError, match="the file was changed"):
        load_state(tmp_path, PLAN)
    tensors.unlink()
    with pytest.raises(FormatError, match=r"state-00000007\.safetensors"):
        load_state(tmp_path, PLAN)
    for text in ("{", "[]", json.dumps({"format": "other"}), "\ufffd"):
        (tmp_path / STATE).write_text(text, encoding="utf8")
        with pytest.raises(FormatError, match=STATE):
            load_state(tmp_path, PLAN)


def test_another_model_is_refused(tmp_path: Path) -> None:
    tensors = tensors_of(*made(0))
    tensors["module|first.bias"] = torch.zeros(4)
    with pytest.raises(FormatError, match=r"first\.bias' is \(4,\)"):
        restore(*made(1), tensors, tmp_path)
    del tensors["module|first.bias"]
    with pytest.raises(FormatError, match=r"first\.bias' is missing"):
        restore(*made(1), tensors, tmp_path)


def test_full_disk_keeps_the_old_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module, optimizer = made(0)
    save_state(tmp_path, PLAN, TrainingState(1, {}, tensors_of(module, optimizer)))

    def full(tensors: object, path: Path) -> None:
        Path(path).write_bytes(b"part")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("safetensors.torch.save_file", full)
    with pytest.raises(StoreError, match="full"):
        save_state(tmp_path, PLAN, TrainingState(2, {}, tensors_of(module, optimizer)))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "state-00000001.safetensors",
        STATE,
    ]
    assert load_state(tmp_path, PLAN) is not None
