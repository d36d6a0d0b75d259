"""Writing recordings and images as Brain-Score releases them (see cortexscale/datasets/formats/assembly.py)."""

import csv
import hashlib
import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from PIL import Image

from cortexscale.simulation.visual_system import VisualSystem
from cortexscale.stimuli import StimulusImages, stimulus_table

Coordinates = Mapping[str, Mapping[str, np.ndarray]]
"""Dimension, in the order of the array's axes -> name -> one value per entry."""


def write_assembly(
    path: Path,
    responses: Iterable[np.ndarray],
    coordinates: Coordinates,
    dtype: str,
    name: str = "__xarray_dataarray_variable__",
    **storage: Any,
) -> None:
    """Write an assembly as xarray and netCDF-4 wrote the released ones.

    Args:
        responses: one array per entry of the first dimension, so that a file can be larger than the memory.
        coordinates: the levels of each dimension's index.
        dtype: of the responses.
        name: the array's. xarray's default is that of the older releases; newer ones say ``data``.
        storage: ``compression``, ``chunks`` ... of h5py; the older releases have none.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lengths = [len(next(iter(levels.values()))) for levels in coordinates.values()]
    with h5py.File(path, "w", track_order=True) as file:
        file.attrs["_NCProperties"] = np.bytes_("version=2,netcdf=4.6.3,hdf5=1.10.4")
        for number, (dim, length) in enumerate(zip(coordinates, lengths, strict=True)):
            scale = file.create_dataset(dim, (length,), ">f4", track_order=True)
            scale.make_scale(f"This is a netCDF dimension but not a netCDF variable.{length:10d}")
            scale.attrs["_Netcdf4Dimid"] = np.int32(number)
        data = file.create_dataset(name, lengths, dtype, track_order=True, **storage)
        data.attrs["coordinates"] = " ".join(level for levels in coordinates.values() for level in levels)
        for axis, (dim, levels) in enumerate(coordinates.items()):
            data.dims[axis].attach_scale(file[dim])
            for level, values in levels.items():
                text = values.dtype.kind in "OUT"
                label = file.create_dataset(level, data=values.astype(h5py.string_dtype()) if text else values, track_order=True)
                label.dims[0].attach_scale(file[dim])
        for index, row in enumerate(responses):
            data[index] = row


def png(picture: np.ndarray) -> tuple[bytes, str]:
    """A picture (height, width) or (height, width, 3) uint8 as PNG, and the sha1 of it, which is its id."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    return buffer.getvalue(), hashlib.sha1(buffer.getvalue()).hexdigest()


def write_stimuli(table: Path, rows: Sequence[Mapping[str, Any]], pictures: Mapping[str, bytes]) -> None:
    """Write the stimulus CSV and, beside it and of the same stem, the zip of its images.

    Args:
        rows: of the CSV; the first names the columns.
        pictures: file name -> content.
    """
    table.parent.mkdir(parents=True, exist_ok=True)
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    with zipfile.ZipFile(table.with_suffix(".zip"), "w") as archive:
        for name, content in pictures.items():
            archive.writestr(zipfile.ZipInfo(name), content)  # ZipInfo has a fixed date: same pictures, same bytes


def look_at(brain: VisualSystem, table: Path, size: int) -> dict[str, np.ndarray]:
    """What the visual system sees of the images of a stimulus CSV, in its order: per area (images, dimensions)."""
    images = StimulusImages("brainscore", table, stimulus_table("brainscore", table))
    side = (size, size)
    return brain.look(np.stack([np.asarray(images[row].resize(side, Image.Resampling.BILINEAR)) for row in range(len(images))]))


def luminance(pictures: np.ndarray) -> np.ndarray:
    """(n, size, size, 3) uint8 -> (n, size, size) in 0 ... 255."""
    return pictures.astype(np.float64) @ (0.299, 0.587, 0.114)


def fade_into_gray(pictures: np.ndarray, edge: float) -> np.ndarray:
    """(n, size, size) pictures inside a disc, with a raised-cosine border to gray 128.

    Args:
        edge: width of the border as a share of the radius; 1 begins to fade at the centre.
    """
    axis = (np.arange(pictures.shape[1]) + 0.5) / pictures.shape[1] * 2 - 1
    outward = np.clip((np.hypot(*np.meshgrid(axis, axis)) - 1 + edge) / edge, 0, 1)
    return np.clip(128 + (pictures - 128) * (0.5 + 0.5 * np.cos(np.pi * outward)), 0, 255).round().astype(np.uint8)
