"""Encoders, loaded by transformers: weights from safetensors only, hashed, and no remote code."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch  # noqa: TID253  (only what runs models imports this module)
from transformers import (  # noqa: TID253
    AutoConfig,
    AutoModel,
    AutoTokenizer,
    BertConfig,
    PretrainedConfig,
)
from transformers.utils import logging  # noqa: TID253

from geoprobe.devices import checked_device
from geoprobe.encoders.model_files import (
    HUB,
    MissingModelError,
    ModelFiles,
    find_files,
    read_config,
    short_name,
)
from geoprobe.encoders.word_pieces import WordTokenizer, tokenizer_sha256
from geoprobe.errors import InputError
from geoprobe.showing import Showing, Summary, count
from geoprobe.tasks.units import Join

# A tokenizer or model without a limit says so with a huge number, or not at all.
NO_LIMIT = 10**6
# Layers on top of the last hidden state, which nothing of ours looks at.
_UNUSED = ("pooler.",)


@dataclass
class Encoder(Showing):
    """A model that turns words into vectors, layer by layer.

    Attributes
    ----------
    name : str
        Short, fit for the name of a folder.
    model : torch.nn.Module
        In float32, in evaluation mode.
    tokenizer : transformers.PreTrainedTokenizerFast
    device : torch.device
    n_layers : int
        Hidden states are 0, the output of the embedding layer, to ``n_layers``, the last.
    n_dims : int
        Of a hidden state.
    max_pieces : int
        Most word pieces of an input, special ones included.
    provenance : dict
        ``model`` (id on the hub or name of the folder), ``revision``, ``weights_sha256``,
        ``tokenizer_sha256`` and ``architecture``.
    """

    name: str
    model: torch.nn.Module
    tokenizer: Any
    device: torch.device
    n_layers: int
    n_dims: int
    max_pieces: int
    provenance: dict[str, Any] = field(default_factory=dict)

    def _summaries(self) -> Sequence[Summary]:
        size = f"{count(self.n_layers, 'layer')} of {count(self.n_dims, 'dimension')}"
        return (Summary((f"{self.name}: {size}, on {self.device}.",)),)

    def unit_dims(self, join: Join) -> int:
        """Return the number of dimensions of a unit whose words are joined so."""
        return self.n_dims * (2 if join == "concat" else 1)

    def moved_to(self, device: str) -> Encoder:
        """Return the encoder on another device; its model is moved there, not copied.

        Parameters
        ----------
        device : {"auto", "cpu", "cuda", "cuda:<number>"}

        Raises
        ------
        InputError
            If CUDA is asked for but absent.
        """
        place = checked_device(device)
        return replace(self, model=self.model.to(place), device=place)


def load_encoder(
    name: str | os.PathLike[str], *, revision: str | None = None, device: str = "auto"
) -> Encoder:
    """Load any encoder or decoder that ``AutoModel`` of transformers loads.

    Of a model with both, such as T5, the encoder is taken.

    Parameters
    ----------
    name : str or path-like
        ``"minilm"``, the offline model, whose hash is checked; ``"bert-tiny"`` to ``"bert-base"``,
        the papers' models; a folder; or an id on the Hugging Face hub.
    revision : str, optional
        Of a model on the hub: branch, tag, commit or ``"refs/pr/<number>"``.
    device : {"auto", "cpu", "cuda", "cuda:<number>"}
        ``"auto"`` takes CUDA where it is there.

    Returns
    -------
    Encoder

    Raises
    ------
    MissingModelError
        If something is missing, pickled, damaged, or not what transformers can load.
    InputError
        If CUDA is asked for but absent, a revision is asked of what is not on the hub, or the model
        or tokenizer is of a kind that cannot be used.
    """
    place = checked_device(device)
    files = find_files(name, revision)
    with quiet_transformers(), _errors_in_our_words(files):
        config = _config(files)
        model = _model(files, config)
        tokenizer = AutoTokenizer.from_pretrained(
            files.folder, config=config, trust_remote_code=False
        )
    short = short_name(name)
    # Made here so that a tokenizer that cannot be used is refused at once.
    WordTokenizer(tokenizer, short)
    _check_vocabulary(tokenizer, model, short)
    model = model.to(place).eval()
    n_layers, n_dims = _shape(model, short)
    return Encoder(
        name=short,
        model=model,
        tokenizer=tokenizer,
        device=place,
        n_layers=n_layers,
        n_dims=n_dims,
        max_pieces=max_pieces_of(tokenizer, model),
        provenance={
            "model": files.model,
            "revision": files.revision,
            "weights_sha256": files.sha256,
            "tokenizer_sha256": tokenizer_sha256(tokenizer, short),
            "architecture": type(model).__name__,
        },
    )


def max_pieces_of(tokenizer: Any, model: torch.nn.Module) -> int:
    """Return the most pieces that a model takes at once, special ones included.

    The smaller one of what the tokenizer says and of the positions that the model has.
    """
    limits = [int(tokenizer.model_max_length)]
    config = model.config
    if getattr(config, "max_position_embeddings", None) is not None:
        limits.append(int(config.max_position_embeddings) - _reserved_positions(model))
    return min(NO_LIMIT, *limits)


def _reserved_positions(model: torch.nn.Module) -> int:
    """Return how many positions no piece gets: RoBERTa and its kin count on from the padding's."""
    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, torch.nn.Embedding):
            return 0 if module.padding_idx is None else module.padding_idx + 1
    return 0


def _config(files: ModelFiles) -> PretrainedConfig:
    # The first BERTs on the hub are older than the entry that says what they are.
    noted = read_config(files.folder)
    if "model_type" not in noted and "type_vocab_size" in noted and _has_word_pieces(files):
        return BertConfig.from_pretrained(files.folder)
    return AutoConfig.from_pretrained(files.folder, trust_remote_code=False)


def _has_word_pieces(files: ModelFiles) -> bool:
    return (files.folder / "vocab.txt").is_file() or files.model in HUB.values()


def _model(files: ModelFiles, config: PretrainedConfig) -> torch.nn.Module:
    model, report = AutoModel.from_pretrained(
        files.folder,
        config=config,
        dtype=torch.float32,
        use_safetensors=True,
        trust_remote_code=False,
        output_loading_info=True,
    )
    lacking = [key for key in report["missing_keys"] if not key.startswith(_UNUSED)]
    lacking += [str(key[0]) for key in report["mismatched_keys"]]
    if lacking:
        raise MissingModelError(
            f"{files.folder}: {len(lacking)} weights of {type(model).__name__} are missing or of "
            f"another shape, the first {sorted(lacking)[0]!r}; they would be random numbers."
        )
    # Keys and values for a next word, which a decoder keeps unless told not to.
    model.config.use_cache = False
    if model.config.is_encoder_decoder:
        model = model.get_encoder()
    encoder: torch.nn.Module = model
    return encoder


def _check_vocabulary(tokenizer: Any, model: torch.nn.Module, name: str) -> None:
    rows = model.get_input_embeddings().num_embeddings
    if len(tokenizer) > rows:
        raise InputError(
            f"the tokenizer of {name} knows {len(tokenizer)} pieces, but the model has vectors for "
            f"{rows}: they do not belong together."
        )


def _shape(model: torch.nn.Module, name: str) -> tuple[int, int]:
    """Return the number of layers and of dimensions, as a pass of the model shows them."""
    ids = torch.zeros((1, 3), dtype=torch.long, device=next(model.parameters()).device)
    with torch.inference_mode():
        states = getattr(model(input_ids=ids, output_hidden_states=True), "hidden_states", ())
    widths = {int(state.shape[-1]) for state in states or ()}
    if len(widths) != 1:
        raise InputError(
            f"{name} gives hidden states of {sorted(widths) or 'no'} dimensions; one layer like "
            f"the other is expected."
        )
    return len(states) - 1, widths.pop()


@contextmanager
def _errors_in_our_words(files: ModelFiles) -> Iterator[None]:
    """Turn whatever transformers raises into an error that names the folder."""
    try:
        yield
    except MissingModelError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:400]
        raise MissingModelError(
            f"{files.folder}: transformers cannot load {files.model}: {type(error).__name__}: "
            f"{reason}"
        ) from error


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Silence transformers: bars for every file, and every head that a bare encoder leaves out."""
    bars = logging.is_progress_bar_enabled()
    verbosity = logging.get_verbosity()
    with contextlib.ExitStack() as stack:
        stack.callback(logging.set_verbosity, verbosity)
        if bars:
            stack.callback(logging.enable_progress_bar)
        logging.disable_progress_bar()
        logging.set_verbosity_error()
        yield
