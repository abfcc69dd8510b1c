"""Files of torch, ``.pt`` and ``.pth``: tensors alone, mapped into memory, and never a pickle."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

from geoprobe.errors import FormatError
from geoprobe.files.array_headers import check_memory
from geoprobe.files.text_files import checked_file
from geoprobe.spaces.formats.dictionaries import Dictionary
from geoprobe.spaces.formats.named_arrays import need
from geoprobe.spaces.formats.signatures import OLD_TORCH, ZIP, check_signature, zipped_kind

# Up to version 2.5 a file could run code even where weights alone were asked for.
_SAFE = (2, 6)


def open_torch(path: Path) -> Dictionary:
    """Return the tensors of a file of torch by name; a single one is called ``tensor``.

    Raises
    ------
    FormatError
        If the file holds anything but tensors, numbers and text in dictionaries and lists, or is
        damaged.
    """
    check_signature(checked_file(path), "torch", ZIP, OLD_TORCH)
    zipped = zipfile.is_zipfile(path)
    if zipped and zipped_kind(path) == "npz":
        raise FormatError(f"this is an npz file, but its name ends in {path.suffix}.", path)
    torch = need("torch", "pt", path)
    version = tuple(int(part) for part in re.findall(r"\d+", torch.__version__)[:2])
    if version < _SAFE:
        raise FormatError(
            f"torch {torch.__version__} is installed, which may run code that a file brings; "
            f"version 2.6 or later is needed to read one.",
            path,
        )
    if not zipped:
        check_memory(path.stat().st_size, "a file of an old torch, which cannot be mapped", path)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)
    # Whatever is no file of tensors raises errors of many kinds on its way.
    except Exception as error:
        raise FormatError(_refusal(str(error)), path) from error
    return Dictionary(
        content if isinstance(content, (dict, list, tuple)) else {"tensor": content}, path
    )


def _refusal(said: str) -> str:
    blocked = re.search(r"GLOBAL (\S+)", said)
    if blocked or "Weights only load failed" in said or "TorchScript" in said:
        what = f" ({blocked[1]})" if blocked else ""
        return (
            f"the file holds pickled Python objects{what}, which geoprobe never unpickles; save a "
            f"dictionary of tensors, such as torch.save({{'X': X, 'y': list_of_labels}}, path)."
        )
    return f"the torch file is damaged or cut off: {said.partition('. ')[0].rstrip('.')}."
