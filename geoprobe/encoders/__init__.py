"""Encoders: language models that turn units into spaces; torch and transformers live here only.

The functions ``extract`` and ``finetune`` are imported from the modules of the same names, which
they would hide here.
"""

from __future__ import annotations

from typing import Any

import lazy_loader

from geoprobe.errors import GeoprobeError
from geoprobe.extras import installing

_NEEDED = ("torch", "transformers", "tokenizers", "huggingface_hub")
_load, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    """Load a public name when it is asked for, and say what is missing."""
    try:
        return _load(name)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in _NEEDED:
            raise
        raise GeoprobeError(
            f"encoders need {error.name}, which is not installed: {installing('bert')}."
        ) from error
