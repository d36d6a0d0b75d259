"""A reader of recordings that Brain-Score distributes.

The releases have no test set, so a fraction of the images is drawn, stratified by content, as the authors of the paper did. The
draw depends only on the ids, the strata and a seed. It is therefore the same for every subject and on every machine.
"""

import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pydantic

from cortexscale.datasets.formats.assembly import BLOCK_BYTES, Assembly, open_assembly
from cortexscale.datasets.readers import require_known
from cortexscale.datasets.splits import number_of_test, stratified_test
from cortexscale.errors import InputError
from cortexscale.kernels.noise_ceiling import ncsnr_from_trials, noise_ceiling_percent
from cortexscale.listing import folders_in
from cortexscale.recording import Recording, Split
from cortexscale.section import Seed
from cortexscale.stimuli.brainscore import read_stimuli

_CACHE = re.compile("[0-9a-f]{40}")


class Options(pydantic.BaseModel, extra="forbid"):
    """Options of a recording from Brain-Score. Default counts are those of the release.

    Attributes:
        window: start and end of a time window, in ms after stimulus onset. Responses are means over its time bins.
        test_fraction: fraction of the images that are test images. The number of test images is rounded up.
        split_seed: seed with which the test images are drawn. The default is the authors'.
        min_nc_percent: keep units whose noise ceiling is above this value, in percent of variance.
        neuroids: expected number of units in each area, summed over all subjects.
        images: expected number of images in the file.
        presentations: expected number of presentations in the file.
    """

    window: tuple[float, float]
    test_fraction: float = pydantic.Field(default=0.1, gt=0, lt=1)
    split_seed: Seed = 42
    min_nc_percent: float = pydantic.Field(default=10, ge=0, lt=100)
    neuroids: dict[str, pydantic.PositiveInt]
    images: int = pydantic.Field(ge=3)
    presentations: pydantic.PositiveInt


def memory_mb(options: Options) -> int:
    """Return the peak memory of :meth:`Release.read` in MB. The estimate assumes that one subject has all units."""
    averages, labels = 3 * 8 * options.images * sum(options.neuroids.values()), 64 * options.presentations
    libraries = 200
    return math.ceil((averages + labels + 6 * BLOCK_BYTES) / 1e6) + libraries


def shape(options: Options, subjects: Sequence[str]) -> tuple[int, int, int]:
    """Return the numbers of training images, of test images, and of units of all subjects. All subjects saw the same images."""
    n_test = number_of_test(options.images, options.test_fraction)
    return options.images - n_test, n_test, sum(options.neuroids.values())


@dataclass(frozen=True)
class _Opened:
    """An open recording that has passed all checks that do not need responses."""

    assembly: Assembly
    image_ids: np.ndarray  # (images,) digests, ascending; in the CSV's order, a fold of neighbours has one category
    is_test: np.ndarray  # (images,) bool
    image: np.ndarray  # (presentations,) position in image_ids
    neuroids: pd.DataFrame  # one row per unit of the file
    own: np.ndarray  # positions of the subject's units in the file, ascending
    time_bins: slice  # the time bins in the window


@dataclass(frozen=True, kw_only=True)
class Release:
    """The files of one recording, and the functions that a dataset module has to read them."""

    dataset: str  # name of the built-in dataset
    title: str  # name in messages
    assembly: tuple[str, ...]  # names of the assembly in releases, newest first
    stimuli: tuple[str, ...]  # names of the stimulus CSV in releases, newest first
    stratum: str  # column of the CSV by which the split is stratified
    remedy: str  # says where the files come from
    subjects: tuple[str, ...]
    rois: tuple[str, ...]
    subject_label: str | None = None  # coordinate of the assembly with the subject of a unit; None if there is only one subject

    def files(self, root: Path) -> list[Path]:
        """List the paths of the assembly and the CSV, in a folder or a cache of Brain-Score (``<sha1>/<file>``).

        They need not exist.
        """
        return [_locate(Path(root), names) for names in (self.assembly, self.stimuli)]

    def raw_files(self, root: Path, subject: str, options: Options) -> list[Path]:
        """List the paths of the assembly and the CSV, which all subjects share. They need not exist."""
        require_known([subject], self.subjects, f"subjects of {self.title}")
        return self.files(root)

    def inspect(self, root: Path, subject: str, options: Options) -> None:
        """Check both files completely, except for the responses."""
        with self._opened(root, subject, options):
            pass

    def read(self, root: Path, subject: str, options: Options) -> Recording:
        """Average the trials of one subject, estimate noise ceilings, and select units.

        The signal and noise variance of a unit are estimated from all images, because a test set can have as few as 14 images.
        The noise ceiling is for averages over the repetitions of the test images. The unit table has the coordinates of the
        release, ``ncsnr`` and ``nc_percent``.
        """
        with self._opened(root, subject, options) as opened:
            return self._recording(subject, opened, options)

    @contextmanager
    def _opened(self, root: Path, subject: str, options: Options) -> Iterator[_Opened]:
        responses, table = self.raw_files(root, subject, options)
        stimuli = read_stimuli(table, ["image_id", self.stratum], self.remedy).sort_values("image_id").astype(object)
        with open_assembly(responses, self.remedy) as assembly:
            shown, image = assembly.coded("presentation", "image_id")
            self._require_the_same_images(shown, stimuli["image_id"].to_numpy(), responses, table)
            for name in ("neuroid_id", "region"):
                assembly.label("neuroid", name)
            neuroids = assembly.table("neuroid")
            self._require_counts(responses, options, len(shown), len(image), neuroids["region"])
            repeated = neuroids["neuroid_id"][neuroids["neuroid_id"].duplicated()]
            if len(repeated):
                raise InputError(responses, f"the unit {repeated.iloc[0]} twice", "one row per unit", self.remedy)
            if np.bincount(image).min() < 2:
                found = "an image with a single trial"
                raise InputError(responses, found, "at least two repetitions of every image", self.remedy)
            strata, where = stimuli[self.stratum].to_numpy(), f"{self.stratum} of {table}"
            is_test = stratified_test(shown, strata, options.test_fraction, options.split_seed, where)
            bins = assembly.time_bins(options.window)
            yield _Opened(assembly, shown, is_test, image, neuroids, self._units_of(subject, assembly, neuroids), bins)

    def _require_the_same_images(self, shown: np.ndarray, listed: np.ndarray, responses: Path, table: Path) -> None:
        for here, there, where, what in ((shown, listed, table, "row"), (listed, shown, responses, "trial")):
            missing = np.setdiff1d(here, there)
            if len(missing):
                found = f"no {what} for {len(missing)} of {len(here)} images, e.g. {missing[0]}"
                expected = f"the images of {responses.name} and those of {table.name} to be the same"
                raise InputError(where, found, expected, f"take both files from one release. {self.remedy}")

    def _require_counts(self, path: Path, options: Options, images: int, presentations: int, region: pd.Series) -> None:
        units = {str(name): count for name, count in region.value_counts().items()}
        counts: dict[str, int | dict[str, int]] = {"images": images, "presentations": presentations, "neuroids": units}
        for option, found in counts.items():
            expected = getattr(options, option)
            if found != expected:
                again = f"download the file again; if it is partial or simulated on purpose, set {self.dataset}'s {option}"
                raise InputError(path, f"{_counted(found)} {option}", _counted(expected), f"{again}. {self.remedy}")

    def _units_of(self, subject: str, assembly: Assembly, neuroids: pd.DataFrame) -> np.ndarray:
        if self.subject_label is None:
            return np.arange(len(neuroids))
        assembly.label("neuroid", self.subject_label)
        subjects = neuroids[self.subject_label]
        if set(subjects) != set(self.subjects):
            found, expected = (f"units of {', '.join(sorted(names))}" for names in (set(subjects), self.subjects))
            raise InputError(assembly.path, found, expected, self.remedy)
        return np.flatnonzero(subjects == subject)

    def _recording(self, subject: str, opened: _Opened, options: Options) -> Recording:
        order, counts = np.argsort(opened.image, kind="stable"), np.bincount(opened.image)
        first_trials = np.cumsum(counts) - counts
        averages = np.empty((len(counts), len(opened.own)), dtype=np.float32)
        ncsnr = np.empty(len(opened.own))
        for part, trials in opened.assembly.unit_blocks(opened.own, opened.time_bins):
            ncsnr[part] = ncsnr_from_trials(trials, opened.image)
            averages[:, part] = np.add.reduceat(trials[order], first_trials) / counts[:, None]

        units = opened.neuroids.iloc[opened.own].reset_index(drop=True)
        units.insert(0, "unit", units.pop("neuroid_id").astype(str))
        units = units.assign(ncsnr=ncsnr, nc_percent=noise_ceiling_percent(ncsnr, counts[opened.is_test]))
        in_roi = pd.DataFrame({roi: (units["region"] == roi).to_numpy() for roi in self.rois})
        kept = (units["nc_percent"] > options.min_nc_percent).to_numpy()
        if not kept.any():
            best = f"the highest ceiling is {units['nc_percent'].max():.1f} %"
            found = f"no unit of {subject} above {options.min_nc_percent:g} %; {best}"
            remedy = f"lower min_nc_percent of {self.dataset}, or check that the file is whole"
            raise InputError(opened.assembly.path, found, "units with a noise ceiling above `min_nc_percent`", remedy)
        train, test = (
            Split(opened.image_ids[part], averages[np.ix_(part, kept)], counts[part])
            for part in (~opened.is_test, opened.is_test)
        )
        notes = {
            "dropped_units": int((~kept).sum()),
            "ceiling_stimuli": len(opened.image_ids),
            "split": {"stratified_by": self.stratum, "seed": options.split_seed},
            "time_bins": opened.time_bins.stop - opened.time_bins.start,
            "images_by_repetitions": {
                name: {str(k): int(n) for k, n in zip(*np.unique(split.repetitions, return_counts=True), strict=True)}
                for name, split in (("train", train), ("test", test))
            },
        }
        screening = pd.concat([units[["unit", "nc_percent"]].assign(kept=kept), in_roi], axis=1)
        units, in_roi = (frame[kept].reset_index(drop=True) for frame in (units, in_roi))
        return Recording(self.dataset, subject, train, test, units, in_roi, notes, screening).check()


def _locate(root: Path, names: Sequence[str]) -> Path:
    """Return the path of the newest of ``names`` in the folder or in a cache below it.

    If none exists, return the path that the newest would have in the folder.
    """
    flat = [root / name for name in names]
    folders = [folder for folder in folders_in(root) if _CACHE.fullmatch(folder.name)]
    cached = (folder / name for name in names for folder in folders if (folder / name).exists())
    return next((path for path in flat if path.exists()), None) or next(cached, flat[0])


def _counted(count: int | dict[str, int]) -> str:
    return f"{count:,}" if isinstance(count, int) else ", ".join(f"{name}: {n}" for name, n in sorted(count.items()))
