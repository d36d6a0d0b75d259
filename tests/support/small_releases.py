"""Small releases of the datasets of arrays, and what their readers return for the undamaged files."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd

from cortexscale.datasets.freemanziemba import reader as freemanziemba
from cortexscale.datasets.majajhong import reader as majajhong
from cortexscale.datasets.nsd import reader as nsd
from cortexscale.datasets.nsd.simulated_cortex import lay_out_cortex
from cortexscale.datasets.nsd.simulated_files import TRIALS, plan_experiment, single_trials, write_shared, write_subject
from cortexscale.datasets.things_fmri import reader as things_fmri
from cortexscale.datasets.things_fmri import simulate as things_fmri_files
from cortexscale.datasets.tvsd import reader as tvsd
from cortexscale.datasets.tvsd.simulate import write_tvsd
from cortexscale.errors import InputError
from cortexscale.recording import Recording
from cortexscale.simulation.assembly import write_assembly
from cortexscale.simulation.brain import AreaCode
from cortexscale.simulation.visual_system import AREAS, VisualSystem


def small_world(concepts: int, n_features: int = 6, n_latents: int = 3) -> SimpleNamespace:
    """Return 13 images of each concept, which areas code by random features."""
    rng = np.random.default_rng(0)
    ids = [f"c{concept:02d}/c{concept:02d}_{number:02d}s.jpg" for concept in range(concepts) for number in range(1, 14)]
    brain = VisualSystem.__new__(VisualSystem)
    features = {area: rng.standard_normal((len(ids), n_features)) for area in AREAS}
    brain.codes = {area: AreaCode.find(values, n_latents) for area, values in features.items()}
    latents = {area: brain.codes[area].latent(values) for area, values in features.items()}
    return SimpleNamespace(brain=brain, things_ids=np.array(ids), things_latents=latents)


class Release:
    """Files of a subject, files that may be exchanged, and what the reader returns for them."""

    def __init__(self, root, reader, subject, options, exchanges=()):
        self.root, self.reader, self.subject, self.options, self.exchanges = root, reader, subject, options, exchanges
        self.files = [file.relative_to(root) for file in reader.raw_files(root, subject, options)]
        self.truth = self.read(root)

    def read(self, root: Path) -> Recording:
        return self.reader.read(root, self.subject, self.options)

    def require_named_or_equal(self, root: Path, files: tuple[Path, ...], what: str) -> bool:
        """Return whether the damage was named."""
        try:
            found = self.read(root)
        except InputError as error:
            assert any(file.name in str(error) for file in files), f"{what} of {files}: {error}"
            return True
        kept = pd.Index(self.truth.units["unit"]).get_indexer(found.units["unit"])
        assert (kept >= 0).all() and len(kept) >= 0.9 * len(self.truth.units), f"{what} of {files}"
        for split in ("train", "test"):
            ours, theirs = getattr(found, split), getattr(self.truth, split)
            assert ours.stimulus_ids.tolist() == theirs.stimulus_ids.tolist(), f"{what} of {files}"
            np.testing.assert_array_equal(ours.responses, theirs.responses[:, kept], err_msg=f"{what} of {files}")
            np.testing.assert_array_equal(ours.repetitions, theirs.repetitions)
        np.testing.assert_allclose(found.units["nc_percent"], self.truth.units["nc_percent"].to_numpy()[kept], rtol=1e-9)
        np.testing.assert_array_equal(found.rois, self.truth.rois.iloc[kept], what)
        return False


def small_assembly(reader, root, subject, animals, regions, stratum, window, dtype):
    rng, options = np.random.default_rng(0), reader.Options
    ids = np.array([f"{(number * 7919) % 104729:06x}" for number in range(40)])
    shown, units = np.repeat(np.arange(40), 5), 20
    where = np.resize(regions, units)
    starts = np.arange(*window) if dtype == "f8" else np.array(window[:1])
    trials = rng.normal(5, 1, (40, units))[shown] + rng.normal(size=(len(shown), units))
    coordinates = {
        "neuroid": {
            "neuroid_id": np.array([f"site{n}" for n in range(units)]),
            "region": where,
            "animal": np.repeat(animals, units // 2),
        },
        "presentation": {"image_id": ids[shown], "repetition": np.tile(np.arange(5), 40)},
        "time_bin": {"time_bin_start": starts, "time_bin_end": np.append(starts[1:], window[1])},
    }
    assembly, table = reader.RELEASE.files(root)
    write_assembly(assembly, np.repeat(trials.T[..., None], len(starts), axis=2), coordinates, dtype)
    rows = {"image_id": ids, "filename": [f"{id}.png" for id in ids], stratum: np.tile(["one", "two"], 20)}
    pd.DataFrame(rows).to_csv(table, index=False)
    counts = {region: int((where == region).sum()) for region in regions}
    return Release(root, reader, subject, options(window=window, images=40, presentations=200, neuroids=counts), [(0, 1)])


def freemanziemba_release(root: Path) -> Release:
    arguments = "pooled", ["A", "B"], ["V1", "V2"], "texture_type", (50, 56), "f8"
    return small_assembly(freemanziemba, root, *arguments)


def majajhong_release(root: Path) -> Release:
    arguments = "Chabo", ["Chabo", "Tito"], ["V4", "IT"], "category_name", (70, 170), "f4"
    return small_assembly(majajhong, root, *arguments)


def tvsd_release(root: Path) -> Release:
    rng = np.random.default_rng(0)
    train_ids = [f"bat/bat_{number:02d}s.jpg" for number in range(36)]
    test_ids = [f"cat/cat_{number:02d}s.jpg" for number in range(20)]
    signal = rng.normal(0, 0.4, (20, 1024))
    repetitions = signal + rng.normal(0, 0.4, (4, 20, 1024)) / rng.uniform(0.7, 3, 1024)
    train = rng.normal(0, 0.4, (36, 1024))
    write_tvsd(root, "monkeyF", train_ids=train_ids, test_ids=test_ids, train=train, test_repetitions=repetitions)
    return Release(root, tvsd, "monkeyF", tvsd.Options(n_train=36, n_test=20, n_repetitions=4), [(0, 1)])


def things_fmri_release(root: Path) -> Release:
    world = small_world(concepts=44, n_features=20, n_latents=6)
    settings = things_fmri_files.Settings(train_concepts=8, test_images=36, voxels_per_parcel=4)
    list(things_fmri_files.simulate(root, ["sub-01", "sub-02"], world, settings, seed=0))
    voxels = {subject: int(np.prod(grid)) for subject, grid in things_fmri_files.GRIDS.items()}
    for subject in ("sub-01", "sub-02"):
        voxels[subject] = len(pd.read_csv(root / f"betas_csv/{subject}_VoxelMetadata.csv"))
    options = things_fmri.Options(n_train=96, n_test=36, n_voxels=voxels, max_voxels=400)
    files = ("ResponseData.h5", "StimulusMetadata.csv", "VoxelMetadata.csv")
    others = [(number, Path(f"betas_csv/sub-02_{name}")) for number, name in enumerate(files)]
    return Release(root, things_fmri, "sub-01", options, [*others, (0, 1), (1, 2)])


def nsd_release(root: Path) -> Release:
    experiment = plan_experiment(subjects=3, sessions=2, n_shared=60, seed=0)
    write_shared(root, experiment, np.zeros((experiment.n_images, 8, 8, 3)))
    for number, (subject, grid) in enumerate({"subj01": (9, 13, 11), "subj03": (11, 12, 8)}.items()):
        rng = np.random.default_rng(number)
        cortex = lay_out_cortex(grid, 5, number)
        ncsnr, shown = rng.uniform(0.5, 1.2, len(cortex.voxels)), experiment.ordering[: 2 * TRIALS]
        signal = rng.standard_normal((len(experiment.subject_images[0]), len(ncsnr)))
        write_subject(root, subject, experiment, cortex, single_trials(signal, shown, ncsnr, number))
    sessions = {"subj01": 2, "subj03": 2}
    options = nsd.Options(
        sessions=sessions, images_per_subject=len(experiment.subject_images[0]), shared_images=60, max_voxels=200
    )
    release = Release(root, nsd, "subj01", options)
    own = [
        (number, Path(str(file).replace("subj01", "subj03")))
        for number, file in enumerate(release.files)
        if "subj01" in str(file)
    ]
    release.exchanges = [(0, 1), (2, 3), *own]
    return release
