"""Code that readers of Brain-Score's recordings share: files, checks, split, averages and noise ceilings.

The releases have no test set, so one is drawn: a fraction of the images, stratified by what they show. The draw depends
only on the ids, the strata and a seed, so that it is the same for every subject and on every machine. The recording
stores the split as its stimulus ids.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pydantic

from cortexscale.datasets.formats.assembly import BLOCK_BYTES, Assembly, open_assembly
from cortexscale.errors import InputError
from cortexscale.kernels.noise_ceiling import ncsnr_from_trials, noise_ceiling_percent
from cortexscale.recording import Recording, Split
from cortexscale.stimuli.brainscore import read_stimuli

IMAGES = "The stimulus table and the zip of its images come with the assembly of the dataset, from the same bucket."
"""Instructions for fetching the images of a dataset of Brain-Score."""

_CACHE = "[0-9a-f]" * 40


class Options(pydantic.BaseModel, extra="forbid"):
    """Options of a recording from Brain-Score. The counts are those of the release.

    Attributes:
        window: start and end in ms after stimulus onset. Responses are means over the time bins in it.
        test_fraction: fraction of the images that are held out, rounded up to whole images.
        split_seed: seed of the draw of the test images.
        min_nc_percent: units need a noise ceiling above this, in percent of variance.
        neuroids: units of each area, all subjects together.
        images: images of the whole file.
        presentations: presentations of the whole file.
    """

    window: tuple[float, float]
    test_fraction: float = pydantic.Field(default=0.1, gt=0, lt=1)
    split_seed: int = 42
    min_nc_percent: float = pydantic.Field(default=10, ge=0, lt=100)
    neuroids: dict[str, pydantic.PositiveInt]
    images: int = pydantic.Field(ge=3)
    presentations: pydantic.PositiveInt


@dataclass(frozen=True)
class Release:
    """The files of one recording.

    Attributes:
        dataset: the name of its built-in dataset.
        assembly: names of the assembly, newest first.
        stimuli: names of the stimulus CSV, newest first.
        stratum: column of the CSV that the split is stratified by.
        remedy: where the files come from.
    """

    dataset: str
    assembly: tuple[str, ...]
    stimuli: tuple[str, ...]
    stratum: str
    remedy: str

    def files(self, root: Path) -> list[Path]:
        """List the assembly and the CSV, in one folder or in a cache of Brain-Score (``<sha1>/<file>``). They need not exist."""
        return [_locate(Path(root), names) for names in (self.assembly, self.stimuli)]


@dataclass(frozen=True)
class Opened:
    """An open recording that has passed every check that needs no response.

    Attributes:
        assembly: the open file.
        image_ids: (images,) ascending. In the order of the CSV, a cross-validation with contiguous folds would have all
            textures of one kind, or all images of one category, in one fold. Ids are digests, so their order is arbitrary.
        is_test: (images,) whether an image is held out.
        image: (presentations,) position in ``image_ids`` of the image of each presentation.
        neuroids: one row per unit of the file.
        time_bins: the bins of the window.
    """

    assembly: Assembly
    image_ids: np.ndarray
    is_test: np.ndarray
    image: np.ndarray
    neuroids: pd.DataFrame
    time_bins: slice


@contextmanager
def open_release(root: Path, release: Release, options: Options) -> Iterator[Opened]:
    """Open and check the files of a recording.

    Raises:
        InputError: a file is missing, damaged or unlike the release, or the two do not fit each other.
    """
    responses, table = release.files(root)
    stimuli = read_stimuli(table, ["image_id", release.stratum], release.remedy).sort_values("image_id").astype(object)
    with open_assembly(responses, release.remedy) as assembly:
        shown, image = assembly.coded("presentation", "image_id")
        _require_the_same_images(shown, stimuli["image_id"].to_numpy(), responses, table, release.remedy)
        for dim, name in (("neuroid", "neuroid_id"), ("neuroid", "region")):
            assembly.label(dim, name)
        neuroids = assembly.table("neuroid")
        counts = {"images": len(shown), "presentations": len(image)}
        for option, found in counts.items():
            expected = getattr(options, option)
            if found != expected:
                raise _unlike(responses, f"{found:,} {option}", f"{expected:,}", release, option)
        regions = {str(region): count for region, count in neuroids["region"].value_counts().items()}
        if regions != options.neuroids:
            raise _unlike(responses, _counts(regions), _counts(options.neuroids), release, "neuroids")
        if neuroids["neuroid_id"].duplicated().any():
            twice = neuroids["neuroid_id"][neuroids["neuroid_id"].duplicated()].iloc[0]
            raise InputError(responses, f"the unit {twice} twice", "one row per unit", release.remedy)
        fewest = np.bincount(image).min()
        if fewest < 2:
            raise InputError(responses, "an image with a single trial", "at least two repetitions of every image", release.remedy)
        where = f"{release.stratum} of {table}"
        is_test = stratified_test(shown, stimuli[release.stratum].to_numpy(), options.test_fraction, options.split_seed, where)
        yield Opened(assembly, shown, is_test, image, neuroids, assembly.time_bins(options.window))


def memory_mb(options: Options) -> int:
    """Return the peak memory of :func:`recording` in MB, if one subject had every unit.

    It consists of three times the averages of the images, the labels of the trials, some blocks, and the libraries.
    """
    averages = 3 * 8 * options.images * sum(options.neuroids.values())
    return math.ceil((averages + 64 * options.presentations + 6 * BLOCK_BYTES) / 1e6) + 200


def shape(options: Options) -> tuple[int, int, int]:
    """Return the numbers of training images, test images, and units of all subjects, who saw the same images."""
    n_test = _n_test(options.images, options.test_fraction)
    return options.images - n_test, n_test, sum(options.neuroids.values())


def recording(
    release: Release, subject: str, rows: np.ndarray, opened: Opened, options: Options, rois: Sequence[str]
) -> Recording:
    """Average the trials of one subject, estimate the noise ceilings and select the units.

    The signal and noise variance of a unit are estimated from all images, because a test set can have as few as 14. Its
    noise ceiling is that of averages over the repetitions of the test images.

    Args:
        release: the files.
        subject: its name.
        rows: positions of the subject's units in the file, ascending.
        opened: the open files.
        options: the options.
        rois: the areas of the dataset.

    Raises:
        InputError: a response is missing, or no unit passes.
    """
    counts = np.bincount(opened.image)
    averages = np.empty((len(counts), len(rows)), dtype=np.float32)
    ncsnr = np.empty(len(rows))
    for part, trials in opened.assembly.unit_blocks(rows, opened.time_bins):
        ncsnr[part] = ncsnr_from_trials(trials, opened.image)
        averages[:, part] = _image_means(trials, opened.image, counts)

    units = opened.neuroids.iloc[rows].reset_index(drop=True)
    units.insert(0, "unit", units.pop("neuroid_id").astype(str))
    units = units.assign(ncsnr=ncsnr, nc_percent=noise_ceiling_percent(ncsnr, counts[opened.is_test]))
    in_roi = pd.DataFrame({roi: (units["region"] == roi).to_numpy() for roi in rois})
    kept = (units["nc_percent"] > options.min_nc_percent).to_numpy()
    if not kept.any():
        raise InputError(
            opened.assembly.path,
            f"no unit of {subject} above {options.min_nc_percent:g} %; the highest ceiling is {units['nc_percent'].max():.1f} %",
            "units with a noise ceiling above `min_nc_percent`",
            f"lower min_nc_percent of {release.dataset}, or check that the file is whole",
        )
    train, test = (
        Split(opened.image_ids[part], averages[np.ix_(part, kept)], counts[part]) for part in (~opened.is_test, opened.is_test)
    )
    notes = {
        "dropped_units": int((~kept).sum()),
        "split": {"stratified_by": release.stratum, "seed": options.split_seed},
        "time_bins": opened.time_bins.stop - opened.time_bins.start,
        "images_by_repetitions": {
            name: {str(k): int(n) for k, n in zip(*np.unique(split.repetitions, return_counts=True), strict=True)}
            for name, split in (("train", train), ("test", test))
        },
    }
    screening = pd.concat([units[["unit", "nc_percent"]].assign(kept=kept), in_roi], axis=1)
    units, in_roi = (frame[kept].reset_index(drop=True) for frame in (units, in_roi))
    return Recording(release.dataset, subject, train, test, units, in_roi, notes, screening).check()


def stratified_test(ids: np.ndarray, strata: np.ndarray, fraction: float, seed: int, where: str) -> np.ndarray:
    """Draw the test images: ``fraction`` of all, rounded up, from each stratum in proportion (largest remainders).

    Args:
        ids: (images,) in any order; the draw does not depend on it.
        strata: (images,) the stratum of each image.
        fraction: of the images.
        seed: seed of the draw.
        where: names the strata in a message.

    Returns:
        (images,) bool, whether an image is a test image.

    Raises:
        InputError: there are more strata than test images.
    """
    names, counts = np.unique(strata, return_counts=True)
    n_test = _n_test(len(ids), fraction)
    if n_test < len(names):
        raise InputError(
            where,
            f"{n_test} test images ({fraction:g} of {len(ids)}) for {len(names)} strata ({', '.join(names[:4])} ...)",
            "at least one test image of each",
            "raise `test_fraction`, or show more images",
        )
    share = counts * n_test / len(ids)
    take = np.floor(share).astype(int)
    take[np.argsort(take - share, kind="stable")[: n_test - take.sum()]] += 1
    rng, test = np.random.default_rng(seed), np.zeros(len(ids), dtype=bool)
    order = np.argsort(ids)
    for name, n in zip(names, take, strict=True):
        test[rng.permutation(order[strata[order] == name])[:n]] = True
    return test


def _n_test(images: int, fraction: float) -> int:
    return math.ceil(round(images * fraction, 6))  # 0.07 x 100 is 7.000000000000001


def _image_means(trials: np.ndarray, image: np.ndarray, counts: np.ndarray) -> np.ndarray:
    order = np.argsort(image, kind="stable")
    return np.add.reduceat(trials[order], np.cumsum(counts) - counts) / counts[:, None]


def _locate(root: Path, names: Sequence[str]) -> Path:
    """Return the newest of the names that is in the folder or in a cache below it; if there is none, its place in the folder."""
    flat = [root / name for name in names]
    cached = (path for name in names for path in sorted(root.glob(f"{_CACHE}/{name}")))
    return next((path for path in flat if path.exists()), None) or next(cached, flat[0])


def _require_the_same_images(shown: np.ndarray, listed: np.ndarray, responses: Path, table: Path, remedy: str) -> None:
    for here, there, where, what in ((shown, listed, table, "row"), (listed, shown, responses, "trial")):
        missing = np.setdiff1d(here, there)
        if len(missing):
            raise InputError(
                where,
                f"no {what} for {len(missing)} of {len(here)} images, e.g. {missing[0]}",
                f"the images of {responses.name} and those of {table.name} to be the same",
                f"take both files from one release. {remedy}",
            )


def _unlike(path: Path, found: str, expected: str, release: Release, option: str) -> InputError:
    remedy = (
        f"download the file again; if it is partial or simulated on purpose, set {release.dataset}'s {option}. {release.remedy}"
    )
    return InputError(path, found, expected, remedy)


def _counts(regions: dict[str, int]) -> str:
    return "units in " + ", ".join(f"{name}: {n}" for name, n in sorted(regions.items()))
