"""The five architectures of the papers, from the hub's files to a measured space."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

import huggingface_hub  # noqa: E402

from geoprobe.encoders import (  # noqa: E402
    MissingModelError,
    Schedule,
    TuningOptions,
    load_encoder,
)
from geoprobe.encoders.finetune import finetune  # noqa: E402
from geoprobe.errors import InputError  # noqa: E402
from geoprobe.probes import measure  # noqa: E402
from geoprobe.spaces import SpaceStore  # noqa: E402
from tests.support import finetune_cases, papers_models  # noqa: E402
from tests.support.papers_models import PROPOSED, SHAPES  # noqa: E402


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub, which cannot be reached."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    return tmp_path / "hub"


@pytest.mark.full
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.slow if name == "bert-base" else ()) for name in SHAPES],
)
def test_loaded_tuned_extracted_measured(name: str, cache: Path, tmp_path: Path) -> None:
    papers_models.put_in_cache(name, cache)
    encoder = load_encoder(name, revision=PROPOSED, device="cpu")
    n_layers, n_dims, _ = SHAPES[name]
    assert (encoder.name, encoder.n_layers, encoder.n_dims) == (name, n_layers, n_dims)
    assert encoder.provenance["revision"] == "1" * 40
    assert TuningOptions().epochs_for(encoder.n_layers) == (3 if name == "bert-base" else 10)
    store, task = SpaceStore(tmp_path / "spaces"), finetune_cases.task(n_train=8, n_test=4)
    result = finetune(
        encoder,
        task,
        options=TuningOptions(epochs=1, batch_size=4),
        store=store,
        run_folder=tmp_path / "run",
        layers=(1, n_layers),
        checkpoints=Schedule("linear:1"),
    )
    assert [each.step for each in result.checkpoints] == [0, 2]
    for key in result.keys:
        if key.split == "train":
            stored = store.open(key)
            for layer in stored.layers:
                geometry = measure(stored.space(layer), cell=key.cell(layer), n_threads=1)
                assert geometry.n_dims == n_dims
                assert geometry.n_clusters >= geometry.n_labels == len(result.labels)


def test_pickled_weights_of_main_name_the_revision_key(cache: Path) -> None:
    papers_models.put_in_cache("bert-tiny", cache)
    with pytest.raises(MissingModelError, match="no weights in safetensors"):
        load_encoder("bert-tiny", device="cpu")


def test_layers_of_the_folder_decide_what_is_base(tmp_path: Path) -> None:
    folder = tmp_path / "bert-base"
    folder.mkdir()
    papers_models.write_files("bert-tiny", folder)
    encoder = load_encoder(folder, device="cpu")
    assert (encoder.name, encoder.n_layers) == ("bert-base", 2)
    assert TuningOptions().chosen_for(encoder.n_layers).epochs == 10


@pytest.mark.parametrize("name", ["minilm", "folder"])
def test_what_is_not_on_the_hub_has_no_revisions(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no revisions"):
        load_encoder(tmp_path if name == "folder" else name, revision="main")
