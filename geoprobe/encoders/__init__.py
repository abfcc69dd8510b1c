"""Encoders: language models that turn units into spaces; torch and transformers live here only.

The functions ``extract`` and ``finetune`` are imported from the modules of the same names, which
they would hide here.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from geoprobe.errors import GeoprobeError

if TYPE_CHECKING:
    from geoprobe.encoders.alignment import Alignment, align
    from geoprobe.encoders.callback import ProbeCallback
    from geoprobe.encoders.extract import extract_to_store
    from geoprobe.encoders.load import Encoder, load_encoder
    from geoprobe.encoders.names import MissingModelError, short_name, short_names
    from geoprobe.encoders.options import TuningOptions
    from geoprobe.encoders.schedule import Schedule
    from geoprobe.encoders.tuning_result import TuningResult

_HOMES = {
    "Alignment": "alignment",
    "Encoder": "load",
    "MissingModelError": "names",
    "ProbeCallback": "callback",
    "Schedule": "schedule",
    "TuningOptions": "options",
    "TuningResult": "tuning_result",
    "align": "alignment",
    "extract_to_store": "extract",
    "load_encoder": "load",
    "short_name": "names",
    "short_names": "names",
}

_NEEDED = ("torch", "transformers", "tokenizers", "huggingface_hub")

__all__ = [
    "Alignment",
    "Encoder",
    "MissingModelError",
    "ProbeCallback",
    "Schedule",
    "TuningOptions",
    "TuningResult",
    "align",
    "extract_to_store",
    "load_encoder",
    "short_name",
    "short_names",
]


def __getattr__(name: str) -> Any:
    """Load what is asked for, and no more."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        home = import_module(f"{__name__}.{_HOMES[name]}")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in _NEEDED:
            raise
        raise GeoprobeError(
            f'encoders need {error.name}, which is not installed: pip install "geoprobe[bert]".'
        ) from error
    return getattr(home, name)


def __dir__() -> list[str]:
    """List the public names."""
    return sorted(__all__)
