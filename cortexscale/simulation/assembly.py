"""A writer of assemblies, stimulus tables and images in the layout of Brain-Score's releases."""

import hashlib
import io
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from PIL import Image

from cortexscale.arrays import open_hdf5

Coordinates = Mapping[str, Mapping[str, np.ndarray]]
"""Dimension -> name of a coordinate -> one value for each entry along the dimension. Dimensions have the order of the array's
axes."""


def write_assembly(path: Path, responses: Iterable[np.ndarray], coordinates: Coordinates, dtype: str) -> None:
    """Write an assembly in the format that xarray and netCDF-4 gave to older releases.

    ``responses`` yields one array per entry of the first dimension, so that a file can be larger than the memory.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lengths = [len(next(iter(levels.values()))) for levels in coordinates.values()]
    with open_hdf5(path, "w", track_order=True) as file:
        file.attrs["_NCProperties"] = np.bytes_("version=2,netcdf=4.6.3,hdf5=1.10.4")
        for number, (dim, length) in enumerate(zip(coordinates, lengths, strict=True)):
            scale = file.create_dataset(dim, (length,), ">f4", track_order=True)
            scale.make_scale(f"This is a netCDF dimension but not a netCDF variable.{length:10d}")
            scale.attrs["_Netcdf4Dimid"] = np.int32(number)
        data = file.create_dataset("__xarray_dataarray_variable__", lengths, dtype, track_order=True)
        data.attrs["coordinates"] = " ".join(level for levels in coordinates.values() for level in levels)
        for axis, (dim, levels) in enumerate(coordinates.items()):
            data.dims[axis].attach_scale(file[dim])
            for level, values in levels.items():
                text = values.dtype.kind in "OUT"
                label = file.create_dataset(level, data=values.astype(h5py.string_dtype()) if text else values, track_order=True)
                label.dims[0].attach_scale(file[dim])
        for index, row in enumerate(responses):
            data[index] = row


def png(image: np.ndarray) -> tuple[bytes, str]:
    """Encode a uint8 image (height, width) or (height, width, 3) as PNG. Return the PNG and its sha1, which is the image's id."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue(), hashlib.sha1(buffer.getvalue()).hexdigest()


def write_stimuli(table: Path, rows: pd.DataFrame, files: Mapping[str, bytes]) -> None:
    """Write a stimulus CSV, and a zip file of the same name with its images. ``files`` has the content of each image file."""
    table.parent.mkdir(parents=True, exist_ok=True)
    rows.to_csv(table, index=False, lineterminator="\r\n")
    with zipfile.ZipFile(table.with_suffix(".zip"), "w") as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content)  # a ZipInfo has a fixed date, so equal images give equal bytes


def luminance(images: np.ndarray) -> np.ndarray:
    """Return the luminance (n, size, size), in 0 ... 255, of uint8 images (n, size, size, 3)."""
    return images.astype(np.float64) @ (0.299, 0.587, 0.114)


def fade_into_gray(images: np.ndarray, edge: float) -> np.ndarray:
    """Fade images (n, size, size), in 0 ... 255, into gray 128 outside a disc with a raised-cosine border.

    The width of the border is ``edge`` times the radius. With ``edge`` 1, the border begins at the centre.
    """
    axis = (np.arange(images.shape[1]) + 0.5) / images.shape[1] * 2 - 1
    outward = np.clip((np.hypot(*np.meshgrid(axis, axis)) - 1 + edge) / edge, 0, 1)
    return np.clip(128 + (images - 128) * (0.5 + 0.5 * np.cos(np.pi * outward)), 0, 255).round().astype(np.uint8)
