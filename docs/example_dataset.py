"""Read a lab's recordings of neurons in two areas of monkeys that saw photographs. Copy this file and adapt it to your files.

Each subject has two files. ``<subject>_neurons.csv`` has one row per neuron, with its number and area.
``<subject>_responses.npz`` has spike counts in four arrays. ``train_ids`` (n,) and ``test_ids`` (m,) are paths of images below
the image folder. ``train`` (n, neurons) has one trial per image, and ``test`` (repetitions, m, neurons) has several trials per
image.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import BaseModel, Field

from cortexscale.datasets.source import Source
from cortexscale.errors import InputError
from cortexscale.files import require_real_file
from cortexscale.kernels.noise_ceiling import ncsnr_from_repetitions, noise_ceiling_percent
from cortexscale.recording import Recording, Split

SUBJECTS = ("anna", "bruno")
ROIS = ("V4", "IT")
MODALITY = "ephys"
SOURCE = Source(
    title="Single neurons in V4 and IT of two macaques",
    citation="Nobody et al., in preparation",
    licence="not released; ask the authors",
    get="on the lab's server, below recordings/photographs: the files *_responses.npz and *_neurons.csv.",
)


class Options(BaseModel, extra="forbid"):
    """Options of this dataset. A study sets them in its config."""

    min_nc_percent: float = Field(10, ge=0, lt=100, description="Keep neurons with a noise ceiling above this.")
    n_train: int = Field(2000, description="Training images.")
    n_test: int = Field(100, ge=2, description="Test images.")
    n_repetitions: int = Field(20, ge=2, description="Trials of every test image.")
    max_neurons: int = Field(500, description="The most neurons of one subject.")


def raw_files(root: Path, subject: str, options: Options) -> list[Path]:
    """List every file that is read. The files need not exist yet."""
    return [Path(root) / f"{subject}_responses.npz", Path(root) / f"{subject}_neurons.csv"]


def inspect(root: Path, subject: str, options: Options) -> None:
    """Raise an InputError if a file is missing or wrong."""
    _read_files(root, subject, options)  # these files are small; if yours are large, check only their headers


def memory_mb(options: Options) -> int:
    """Return the peak memory of :func:`read` in MB: the memory of the libraries, and about twice the size of all arrays."""
    trials = options.n_train + options.n_repetitions * options.n_test
    return 250 + 16 * trials * options.max_neurons // 10**6


def shape(options: Options, subjects: Sequence[str]) -> tuple[int, int, int]:
    """Return the numbers of training images, test images and units. All subjects saw the same images, so units are summed."""
    return options.n_train, options.n_test, options.max_neurons * len(subjects)


def read(root: Path, subject: str, options: Options) -> Recording:
    """Read the recording of one monkey. Units are neurons.

    Raises:
        InputError: a file is missing, the files do not agree, or no neuron has a sufficient noise ceiling.
    """
    arrays, neurons = _read_files(root, subject, options)
    test = arrays["test"].astype(np.float64)
    nc_percent = noise_ceiling_percent(ncsnr_from_repetitions(test), options.n_repetitions)
    screening = pd.DataFrame({"unit": neurons["neuron"].astype(str), "nc_percent": nc_percent})
    screening["kept"] = keep = nc_percent > options.min_nc_percent
    for roi in ROIS:
        screening[roi] = neurons["area"] == roi
    kept = screening[keep].reset_index(drop=True)
    train = Split(arrays["train_ids"], arrays["train"][:, keep].astype(np.float32), np.ones(options.n_train, int))
    repetitions = np.full(options.n_test, options.n_repetitions)
    test = Split(arrays["test_ids"], test.mean(axis=0)[:, keep].astype(np.float32), repetitions)
    units, rois = kept[["unit", "nc_percent"]], kept[list(ROIS)]
    return Recording("mylab", subject, train, test, units, rois, notes={}, screening=screening).check()


def _read_files(root: Path, subject: str, options: Options) -> tuple[dict[str, np.ndarray], pd.DataFrame]:
    responses, table = (require_real_file(file, SOURCE.get) for file in raw_files(root, subject, options))
    with np.load(responses) as file:  # allow_pickle stays off, because a pickle can run code
        arrays = dict(file)
    neurons = pd.read_csv(table)
    n = len(neurons)
    expected = {
        "train_ids": (options.n_train,),
        "train": (options.n_train, n),
        "test_ids": (options.n_test,),
        "test": (options.n_repetitions, options.n_test, n),
    }
    found = {name: arrays[name].shape if name in arrays else "missing" for name in expected}
    if found != expected:
        raise InputError(responses, f"arrays {found}", f"{expected}, one column per row of {table.name}", SOURCE.get)
    return arrays, neurons
