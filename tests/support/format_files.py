"""Small files in every format, each written through the library that people write it with."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Points = NDArray[Any]


def part(points: Points) -> int:
    """Return how many rows lie together in a format that keeps them so: a fifth, or 1,000."""
    return min(len(points) // 5, 1000)


def write_npz(path: Path, points: Points, labels: list[Any]) -> None:
    np.savez(path, X=points, y=np.array(labels))


def write_npz_compressed(path: Path, points: Points, labels: list[Any]) -> None:
    np.savez_compressed(path, X=points, y=np.array(labels))


def write_hdf5(path: Path, points: Points, labels: list[Any]) -> None:
    import h5py

    with h5py.File(path, "w") as file:
        file.create_dataset(
            "X", data=points, chunks=(part(points), points.shape[1]), compression="gzip"
        )
        file["y"] = np.array(labels, dtype=object if isinstance(labels[0], str) else None)


def write_parquet(path: Path, points: Points, labels: list[Any]) -> None:
    import pyarrow.parquet as pq

    pq.write_table(table(points, labels), path, row_group_size=part(points) + 1)


def write_feather(path: Path, points: Points, labels: list[Any]) -> None:
    from pyarrow import feather

    feather.write_feather(table(points, labels), path, chunksize=part(points) + 1)


def write_arrow_stream(path: Path, points: Points, labels: list[Any]) -> None:
    import pyarrow as pa

    content = table(points, labels)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, content.schema) as writer:
        writer.write_table(content, max_chunksize=part(points) + 1)


def table(points: Points, labels: list[Any]) -> Any:
    import pyarrow as pa

    numbers = pa.list_(pa.from_numpy_dtype(points.dtype))
    return pa.table({"X": pa.array(list(points), numbers), "label": labels})


def write_datasets(path: Path, points: Points, labels: list[Any]) -> None:
    import datasets

    datasets.disable_progress_bars()
    kind = datasets.Sequence(datasets.Value(str(points.dtype)))
    label = datasets.Value("string" if isinstance(labels[0], str) else "int64")
    datasets.Dataset.from_dict(
        {"X": list(points), "label": labels},
        features=datasets.Features({"X": kind, "label": label}),
    ).save_to_disk(str(path))


def write_zarr(path: Path, points: Points, labels: list[Any]) -> None:
    import zarr

    group = zarr.open_group(str(path), mode="w")
    group.create_array("X", data=points, chunks=(part(points), points.shape[1]))
    if isinstance(labels[0], str):
        text = group.create_array("y", shape=(len(labels),), dtype=str)
        text[:] = np.array(labels)
    else:
        group.create_array("y", data=np.array(labels))


def write_zipped_zarr(path: Path, points: Points, labels: list[Any]) -> None:
    write_zarr(path.with_suffix(""), points, labels)
    shutil.make_archive(str(path.with_suffix("")), "zip", path.with_suffix(""))
    shutil.rmtree(path.with_suffix(""))


def write_torch(path: Path, points: Points, labels: list[Any]) -> None:
    import torch

    torch.save({"X": torch.tensor(points), "y": labels}, path)


def write_old_torch(path: Path, points: Points, labels: list[Any]) -> None:
    import torch

    content = {"X": torch.tensor(points), "y": labels}
    torch.save(content, path, _use_new_zipfile_serialization=False)


WRITERS = {
    "npz": ("s.npz", write_npz),
    "compressed npz": ("s.npz", write_npz_compressed),
    "hdf5": ("s.h5", write_hdf5),
    "parquet": ("s.parquet", write_parquet),
    "feather": ("s.feather", write_feather),
    "arrow stream": ("s.arrow", write_arrow_stream),
    "datasets": ("s", write_datasets),
    "zarr": ("s.zarr", write_zarr),
    "zipped zarr": ("s.zarr.zip", write_zipped_zarr),
    "torch": ("s.pt", write_torch),
    "old torch": ("s.pth", write_old_torch),
}
"""A name for the file, and what writes points (n_points, n_dims) and labels into it."""
