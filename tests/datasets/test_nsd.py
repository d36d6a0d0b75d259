"""NSD: what the simulation writes in the released layout is read back, checked against the files and the planted truth."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import h5py
import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import scipy.io
from hypothesis import given
from hypothesis import strategies as st
from memory import peak_mb

from cortexscale.datasets.nsd import reader as nsd
from cortexscale.datasets.nsd import simulate as simulation
from cortexscale.datasets.nsd.design import Design, assign_rows
from cortexscale.datasets.nsd.simulated_cortex import PARCELS, lay_out_cortex
from cortexscale.datasets.nsd.simulated_files import (
    TRIALS,
    Experiment,
    plan_experiment,
    single_trials,
    write_shared,
    write_subject,
)
from cortexscale.errors import InputError
from cortexscale.recording import load_recording
from cortexscale.simulation.brain import AreaCode

SESSIONS = {"subj01": 3, "subj03": 2}
OPTIONS = nsd.Options(sessions=SESSIONS, images_per_subject=TRIALS, shared_images=60, max_voxels=200)
GRIDS = {"subj01": (9, 13, 11), "subj03": (11, 12, 8)}
BETAS = "nsddata_betas/ppdata/subj03/func1pt8mm/betas_fithrf_GLMdenoise_RR"
ROI = "nsddata/ppdata/subj03/func1pt8mm/roi"
LABEL = "nsddata/freesurfer/subj03/label"
DESIGN = "nsddata/experiments/nsd/nsd_expdesign.mat"
STIMULI = "nsddata/experiments/nsd/nsd_stim_info_merged.csv"
LOG = "nsddata/ppdata/subj03/behav/responses.tsv"


def write(root, subject, experiment, absent=(), invalid=()):
    """Write a subject with random signals, and return its cortex and true ncsnr; ``invalid`` lists (session, voxel)."""
    seed = int(subject[4:])
    cortex = lay_out_cortex(GRIDS[subject], 5, seed, absent)
    rng = np.random.default_rng(seed)
    ncsnr = rng.uniform(0, 1.2, len(cortex.voxels))
    ncsnr[[voxel for _, voxel in invalid]] = 1.2
    shown = experiment.ordering[: SESSIONS[subject] * TRIALS]
    trials = single_trials(rng.standard_normal((TRIALS, len(ncsnr))), shown, ncsnr, seed)
    for session, voxel in invalid:
        trials[(session - 1) * TRIALS : session * TRIALS, voxel] = 0
    write_subject(root, subject, experiment, cortex, trials)
    return SimpleNamespace(cortex=cortex, ncsnr=ncsnr)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    root = tmp_path_factory.mktemp("nsd")
    experiment = plan_experiment(subjects=3, sessions=3, n_shared=60, seed=0)
    write_shared(root, experiment, np.zeros((experiment.n_images, 8, 8, 3)))
    truth = {"subj01": write(root, "subj01", experiment), "subj03": write(root, "subj03", experiment, absent=["FFA-2"])}
    recordings = {subject: nsd.read(root, subject, OPTIONS) for subject in SESSIONS}
    return SimpleNamespace(root=root, experiment=experiment, truth=truth, recordings=recordings)


def by_hand(root, subject, i, j, k):
    """Return every z-scored trial of one voxel, straight from the files."""
    folder = root / BETAS.replace("subj03", subject)
    sessions = []
    for path in sorted(folder.glob("betas_session*.hdf5")):
        with h5py.File(path) as file:
            beta = file["betas"][:].T[i, j, k] / 300  # reversed axes: X, Y, Z, trial
        sessions.append((beta - beta.mean()) / beta.std(ddof=1))
    return np.concatenate(sessions)


@pytest.mark.parametrize("subject", SESSIONS)
def test_responses_are_averages_of_trials_zscored_within_session(study, subject):
    recording = study.recordings[subject]
    table = pd.read_csv(study.root / LOG.replace("subj03", subject), sep="\t")
    shown = table["73KID"].to_numpy() - 1
    for column in range(0, len(recording.units), 7):
        z = by_hand(study.root, subject, *recording.units[["i", "j", "k"]].iloc[column])
        for split in (recording.train, recording.test):
            expected = [z[shown == int(stimulus)].mean() for stimulus in split.stimulus_ids]
            np.testing.assert_allclose(split.responses[:, column], expected, rtol=0, atol=1e-6)
    for split in (recording.train, recording.test):
        np.testing.assert_array_equal(split.repetitions, [(shown == int(s)).sum() for s in split.stimulus_ids])
    assert set(recording.train.stimulus_ids) | set(recording.test.stimulus_ids) == set(shown.astype(str))


def test_shared_images_are_tested_and_own_images_trained(study):
    shared = set(study.experiment.subject_images[0, :60].astype(str))
    complete, incomplete = study.recordings["subj01"], study.recordings["subj03"]
    assert set(complete.test.stimulus_ids) == shared
    assert len(complete.train.stimulus_ids) == 690
    assert set(complete.train.repetitions) == set(complete.test.repetitions) == {3}
    assert set(incomplete.test.stimulus_ids) < shared
    assert not shared & set(incomplete.train.stimulus_ids)
    for split in (complete.train, complete.test, incomplete.train, incomplete.test):
        assert (np.diff(split.stimulus_ids.astype(int)) > 0).all()
    assert set(incomplete.train.repetitions) == set(incomplete.test.repetitions) == {1, 2, 3}


@pytest.mark.parametrize("subject", SESSIONS)
def test_voxels_rois_and_ncsnr_follow_one_order(study, subject):
    units, rois = study.recordings[subject].units, study.recordings[subject].rois
    cortex = study.truth[subject].cortex
    ijk = list(units[["i", "j", "k"]].itertuples(index=False, name=None))
    assert ijk == sorted(ijk)
    assert list(units["unit"].iloc[:1]) == ["-".join(map(str, ijk[0]))]
    ncsnr = np.asarray(nib.load(study.root / BETAS.replace("subj03", subject) / "ncsnr.nii.gz").dataobj)
    np.testing.assert_array_equal(units["ncsnr"], [ncsnr[voxel] for voxel in ijk])
    of_voxel = {tuple(voxel): index for index, voxel in enumerate(cortex.voxels.tolist())}
    index = [of_voxel[voxel] for voxel in ijk]
    assert tuple(rois) == nsd.ROIS
    for roi in nsd.ROIS[:-1]:
        np.testing.assert_array_equal(rois[roi], cortex.members(roi)[index], err_msg=roi)
    assert rois["whole_brain"].all() and rois["nsdgeneral"].all()
    # Exactly the voxels of nsdgeneral above the threshold, none of the parcel in front of it.
    n = study.recordings[subject].test.repetitions
    nc = 100 * ncsnr**2 / (ncsnr**2 + (1 / n).mean())
    assert len(units) == sum(cortex.members("nsdgeneral")[of_voxel[voxel]] and nc[voxel] > 10 for voxel in of_voxel)


def test_ceiling_uses_the_repetitions_of_the_test_images(study):
    units = study.recordings["subj01"].units
    np.testing.assert_allclose(units["nc_percent"], 100 * units["ncsnr"] ** 2 / (units["ncsnr"] ** 2 + 1 / 3), rtol=1e-12)
    recording = study.recordings["subj03"]
    a, b, c = ((recording.test.repetitions == k).sum() for k in (3, 2, 1))
    mixed = (a / 3 + b / 2 + c) / (a + b + c)
    ncsnr = recording.units["ncsnr"]
    np.testing.assert_allclose(recording.units["nc_percent"], 100 * ncsnr**2 / (ncsnr**2 + mixed), rtol=1e-12)
    everything = np.concatenate([recording.train.repetitions, recording.test.repetitions])
    assert recording.notes["ceiling_stimuli"] == max((everything == 3).sum(), len(recording.test.repetitions)) > 1
    three = nsd.read(study.root, "subj03", OPTIONS.model_copy(update={"ceiling_repetitions": 3})).units
    np.testing.assert_allclose(three["nc_percent"], 100 * three["ncsnr"] ** 2 / (three["ncsnr"] ** 2 + 1 / 3), rtol=1e-12)


@pytest.mark.parametrize("subject", SESSIONS)
def test_ncsnr_recovers_the_planted_one(study, subject):
    recording, truth = study.recordings[subject], study.truth[subject]
    of_voxel = {tuple(voxel): ncsnr for voxel, ncsnr in zip(truth.cortex.voxels.tolist(), truth.ncsnr, strict=True)}
    true = np.array([of_voxel[voxel] for voxel in recording.units[["i", "j", "k"]].itertuples(index=False, name=None)])
    thrice = sum((split.repetitions == 3).sum() for split in (recording.train, recording.test))
    # The noise variance has 2 degrees of freedom per image, and ncsnr^2 = 1 / noise - 1.
    standard_error = np.sqrt(1 / thrice) * (1 + true**2) / (2 * true)
    assert (np.abs(recording.units["ncsnr"] - true) < 5 * standard_error).all()
    assert recording.notes["ncsnr_recomputed"]["voxels"] == len(true)
    assert recording.notes["ncsnr_recomputed"]["largest_difference"] < 1e-6


def test_every_roi_of_the_paper_is_read(study):
    assert len(nsd.ROIS) == 28
    rois = study.recordings["subj01"].rois
    assert tuple(rois) == nsd.ROIS and rois.any().all()
    # Volumes overlap: a voxel of FFA-1 is in a stream too, and where it is also in FBA-1 in a third volume.
    assert (rois["FFA-1"] & rois["FBA-1"] & rois["ventral"]).any()


@pytest.mark.parametrize("subject", SESSIONS)
def test_screening_has_all_voxels_of_the_selection(study, subject):
    recording, cortex = study.recordings[subject], study.truth[subject].cortex
    screening = recording.screening
    general = cortex.voxels[cortex.members("nsdgeneral")]
    assert screening["unit"].tolist() == ["-".join(map(str, voxel)) for voxel in general]
    assert screening.loc[screening["kept"], "unit"].tolist() == recording.units["unit"].tolist() and not screening["kept"].all()
    np.testing.assert_array_equal(screening["kept"], screening["nc_percent"] > 10)
    ncsnr = np.asarray(nib.load(study.root / BETAS.replace("subj03", subject) / "ncsnr.nii.gz").dataobj)
    np.testing.assert_array_equal(screening["released"], ncsnr[tuple(general.T)])
    np.testing.assert_array_equal(screening["recomputed"].notna(), screening["kept"])
    np.testing.assert_allclose(screening["recomputed"][screening["kept"]], screening["released"][screening["kept"]], atol=1e-6)
    for roi in nsd.ROIS[:-1]:
        inside = cortex.members(roi)[cortex.members("nsdgeneral")]
        np.testing.assert_array_equal(screening[roi], inside, err_msg=roi)
    assert recording.notes["released_statistic"] == "ncsnr"


def test_a_label_that_is_not_drawn_is_an_empty_roi(study):
    recording = study.recordings["subj03"]
    assert not recording.rois["FFA-2"].any()
    assert recording.notes["empty_rois"] == {"FFA-2": "not drawn in this subject"}
    assert recording.rois["FBA-2"].any()  # drawn over the same voxels, in another volume
    assert study.recordings["subj01"].notes["empty_rois"] == {}


def test_options_for_selection_and_test_images(study):
    brain = nsd.read(study.root, "subj01", OPTIONS.model_copy(update={"selection": "whole_brain"}))
    assert brain.rois["whole_brain"].all() and not brain.rois["nsdgeneral"].all()
    both = nsd.read(study.root, "subj01", OPTIONS.model_copy(update={"test_images": "shared_by_all"}))
    incomplete = study.recordings["subj03"].test
    assert set(both.test.stimulus_ids) == set(incomplete.stimulus_ids[incomplete.repetitions == 3])
    assert list(both.train.stimulus_ids) == list(study.recordings["subj01"].train.stimulus_ids)
    alone = study.recordings["subj01"].test
    rows = np.isin(alone.stimulus_ids, both.test.stimulus_ids)
    np.testing.assert_array_equal(both.test.responses, alone.responses[rows])


def test_the_threshold_itself_does_not_pass(study):
    ceilings = np.sort(study.recordings["subj01"].units["nc_percent"])
    higher = nsd.read(study.root, "subj01", OPTIONS.model_copy(update={"min_nc_percent": ceilings[40]}))
    np.testing.assert_array_equal(np.sort(higher.units["nc_percent"]), ceilings[41:])


def test_a_voxel_constant_in_a_session_is_averaged_over_the_others(tmp_path):
    # The last third of the images has all its trials in session 1; the others have theirs in sessions 2 and 3.
    first, second, last = np.arange(TRIALS).reshape(3, -1)
    ordering = np.concatenate([last, last, last, first, first, second, first, second, second])
    plan = plan_experiment(subjects=1, sessions=3, n_shared=60, seed=1)
    experiment = Experiment(plan.subject_images, ordering, 60)
    write_shared(tmp_path, experiment, np.zeros((experiment.n_images, 8, 8, 3)))
    general = np.flatnonzero(lay_out_cortex(GRIDS["subj01"], 5, 1).members("nsdgeneral"))
    kept, lost = general[3], general[8]
    truth = write(tmp_path, "subj01", experiment, invalid=[(2, kept), (1, lost)])
    recording = nsd.read(tmp_path, "subj01", OPTIONS)
    assert recording.notes["constant_voxels_by_session"] == {"1": 1, "2": 1}
    assert recording.notes["dropped_units"]["constant in a session, and an image was shown in no other"] == 1
    names = ["-".join(map(str, voxel)) for voxel in truth.cortex.voxels[[kept, lost]]]
    seen = recording.screening.set_index("unit").loc[names]
    assert seen["kept"].tolist() == [True, False] and seen["recomputed"].isna().all()
    assert names[1] not in set(recording.units["unit"])
    column = recording.units["unit"].tolist().index(names[0])
    with np.errstate(invalid="ignore"):
        z = by_hand(tmp_path, "subj01", *truth.cortex.voxels[kept])
    shown = experiment.subject_images[0, ordering]
    for split in (recording.train, recording.test):
        expected = [np.nanmean(z[shown == int(stimulus)]) for stimulus in split.stimulus_ids]
        np.testing.assert_allclose(split.responses[:, column], expected, rtol=0, atol=1e-6)
    # The shared images are in the first third: this voxel has one trial of each where the others have three.
    ncsnr = recording.units["ncsnr"][column]
    assert recording.units["nc_percent"][column] == pytest.approx(100 * ncsnr**2 / (ncsnr**2 + 1), rel=1e-12)


def test_a_recording_survives_its_file(study, tmp_path):
    recording = study.recordings["subj03"]
    recording.save(tmp_path / "subj03.h5")
    again = load_recording(tmp_path / "subj03.h5")
    pd.testing.assert_frame_equal(again.units, recording.units)
    pd.testing.assert_frame_equal(again.screening, recording.screening)
    assert again.notes == recording.notes


@given(data=st.data())
def test_every_trial_finds_the_row_of_its_image(data):
    n, sessions = data.draw(st.integers(2, 12)), data.draw(st.integers(1, 4))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    design = Design(rng.permutation(100)[:n], rng.integers(0, n, sessions * 6), data.draw(st.integers(1, n - 1)))
    read, by = data.draw(st.integers(1, sessions)), data.draw(st.integers(0, sessions))
    rows = assign_rows(design, read, 6, test_seen_thrice_by=by)
    shown = design.images[design.ordering[: read * 6]]
    np.testing.assert_array_equal(rows.ids[rows.of_trial.ravel()], shown)
    np.testing.assert_array_equal(rows.counts, [(shown == stimulus).sum() for stimulus in rows.ids])
    shared = set(design.images[: design.n_shared])
    early = list(design.images[design.ordering[: by * 6]])
    assert set(rows.ids[rows.train]) == set(shown) - shared
    assert set(rows.ids[rows.test]) == {s for s in set(shown) & shared if not by or early.count(s) >= 3}


def test_the_written_layout_is_the_released_one(study):
    with h5py.File(study.root / BETAS / "betas_session01.hdf5") as file:
        betas = file["betas"]
        assert (betas.dtype.str, betas.shape, betas.chunks) == ("<i2", (750, *GRIDS["subj03"][::-1]), (750, 1, 1, 1))
        assert betas.compression is None and not betas.attrs
    assert (study.root / DESIGN).read_bytes().startswith(b"MATLAB 5.0")
    table = pd.read_csv(study.root / STIMULI, index_col=0)
    assert table.shape == (study.experiment.n_images, 40)
    trial = table.loc[study.experiment.subject_images[2, 100], "subject3_rep1"]
    assert study.experiment.ordering[trial - 1] == 100  # 1-based, and planned trials count
    log = pd.read_csv(study.root / LOG, sep="\t")
    assert log.shape == (1500, 19)
    assert log.groupby(["SESSION", "RUN"]).size().tolist() == [63, 62] * 12
    volume = nib.load(study.root / ROI / "streams.nii.gz")
    assert (volume.header["sform_code"], volume.header["qform_code"]) == (1, 0)
    assert volume.get_data_dtype() == np.float64 and np.unique(volume.dataobj).tolist() == list(range(-1, 8))
    np.testing.assert_allclose(volume.affine @ [*(np.array(volume.shape) - 1) / 2, 1], [0, 0, 0, 1], atol=1e-5)
    assert {*nsd.ROIS} - {"nsdgeneral", "whole_brain"} <= {roi for rois in PARCELS.values() for roi in rois}


def test_raw_files_are_all_that_is_read(study, tmp_path):
    for path in nsd.raw_files(study.root, "subj03", OPTIONS):
        target = tmp_path / path.relative_to(study.root)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    np.testing.assert_array_equal(nsd.read(tmp_path, "subj03", OPTIONS).test.responses, study.recordings["subj03"].test.responses)


# --- files that are not what they should be ---------------------------------------------------------------------------


def edit_betas(change):
    def mutate(root):
        path = root / BETAS / "betas_session02.hdf5"
        with h5py.File(path) as file:
            betas = file["betas"][:]
        with h5py.File(path, "w") as file:
            change(file, betas)

    return mutate


def edit_volume(path, change):
    def mutate(root):
        volume = nib.load(root / path)
        nib.save(nib.Nifti1Image(change(np.asarray(volume.dataobj).copy()), volume.affine), root / path)

    return mutate


def edit_design(change):
    def mutate(root):
        content = {key: value for key, value in scipy.io.loadmat(root / DESIGN).items() if not key.startswith("__")}
        change(content)
        scipy.io.savemat(root / DESIGN, content)

    return mutate


def edit_table(path, separator, change):
    def mutate(root):
        table = pd.read_csv(root / path, sep=separator)
        change(table).to_csv(root / path, sep=separator, index=False)

    return mutate


def cut(path, keep):
    def mutate(root):
        content = (root / path).read_bytes()
        (root / path).write_bytes(content[: keep(len(content))])

    return mutate


def put(path, content):
    return lambda root: (root / path).write_bytes(content)


def put_annex_link(root):
    path = root / BETAS / "betas_session01.hdf5"
    path.unlink()
    path.symlink_to("../.git/annex/objects/xx/betas")


def with_value(volume, where, value):
    volume[tuple(np.argwhere(where)[0])] = value
    return volume


def v73(root):
    (root / DESIGN).unlink()
    with h5py.File(root / DESIGN, "w", userblock_size=512) as file:
        file["masterordering"] = np.zeros((4, 1))
    with (root / DESIGN).open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")


def without_shared_images(root):
    def no_shared(design):
        first = design["masterordering"]
        design["masterordering"] = np.where(first <= 60, first + 60, first)
        shown = design["subjectim"][2, design["masterordering"][0].astype(int) - 1]
        log = pd.read_csv(root / LOG, sep="\t")
        log["73KID"] = shown[: len(log)].astype(int)
        log.to_csv(root / LOG, sep="\t", index=False)

    edit_design(no_shared)(root)


HTML = b"<!DOCTYPE html><html><body>Sign in</body></html>"
POINTER = b"/annex/objects/SHA256E-s100--abc.mat\n"
SESSION = f"{BETAS}/betas_session02.hdf5"
NCSNR = f"{BETAS}/ncsnr.nii.gz"

BAD = {
    "missing session": (lambda root: (root / SESSION).unlink(), BETAS, "1 of 2 sessions of subj03; missing 2"),
    "half a session": (cut(SESSION, lambda n: n // 2), SESSION, "bytes"),
    "a session short of its end": (cut(SESSION, lambda n: n - 8), SESSION, "truncated"),
    "web page for betas": (put(SESSION, HTML), SESSION, "an HTML page"),
    "annex pointer for betas": (put(SESSION, POINTER), SESSION, "a git-annex pointer"),
    "annex link for betas": (put_annex_link, f"{BETAS}/betas_session01.hdf5", "git-annex"),
    "betas with axes reversed": (edit_betas(lambda f, b: f.create_dataset("betas", data=b.T)), SESSION, "shape (11, 12, 8, 750)"),
    "float betas": (edit_betas(lambda f, b: f.create_dataset("betas", data=b.astype("f4"))), SESSION, "float32"),
    "betas of a short session": (
        edit_betas(lambda f, b: f.create_dataset("betas", data=b[:700], chunks=(700, 1, 1, 1))),
        SESSION,
        "bytes",
    ),
    "no betas": (edit_betas(lambda f, b: f.create_dataset("beta", data=b)), SESSION, "the datasets beta"),
    "session of zeros": (edit_betas(lambda f, b: f.create_dataset("betas", data=0 * b)), SESSION, "in trial 1 to 750"),
    "truncated volume": (cut(NCSNR, lambda n: n // 2), NCSNR, "cannot be read"),
    "web page for a volume": (put(f"{ROI}/streams.nii.gz", HTML), f"{ROI}/streams.nii.gz", "an HTML page"),
    "junk for a volume": (put(f"{ROI}/streams.nii.gz", b"junk" * 200), f"{ROI}/streams.nii.gz", "cannot be read"),
    "volume of another grid": (
        edit_volume(f"{ROI}/floc-faces.nii.gz", lambda v: v.T),
        f"{ROI}/floc-faces.nii.gz",
        "shape (8, 12, 11)",
    ),
    "labels between integers": (
        edit_volume(f"{ROI}/streams.nii.gz", lambda v: v / 2),
        f"{ROI}/streams.nii.gz",
        "from -0.5 to 3.5",
    ),
    "label beyond the names": (edit_volume(f"{ROI}/streams.nii.gz", lambda v: v * 9), f"{ROI}/streams.nii.gz", "to 63"),
    "label below -1": (
        edit_volume(f"{ROI}/streams.nii.gz", lambda v: np.where(v < 0, -2, v)),
        f"{ROI}/streams.nii.gz",
        "from -2 to",
    ),
    "empty nsdgeneral": (
        edit_volume(f"{ROI}/nsdgeneral.nii.gz", lambda v: np.minimum(v, 0)),
        f"{ROI}/nsdgeneral.nii.gz",
        "label 1",
    ),
    "ncsnr missing in nsdgeneral": (edit_volume(NCSNR, lambda v: np.full_like(v, np.nan)), NCSNR, "not finite in nsdgeneral"),
    "negative ncsnr": (edit_volume(NCSNR, lambda v: with_value(v, v > 0, -1)), NCSNR, "1 voxels that are negative"),
    "label name missing": (
        put(f"{LABEL}/floc-faces.mgz.ctab", b"0 Unknown\n1 OFA\n2 FFA-1\n"),
        f"{LABEL}/floc-faces.mgz.ctab",
        "FFA-2",
    ),
    "label names garbled": (put(f"{LABEL}/streams.mgz.ctab", b"early\n"), f"{LABEL}/streams.mgz.ctab", "`<label> <name>`"),
    "pointer for the design": (put(DESIGN, POINTER), DESIGN, "a git-annex pointer"),
    "design of version 7.3": (v73, DESIGN, "also subjectim, sharedix"),
    "truncated design": (cut(DESIGN, lambda n: n // 2), DESIGN, "scipy cannot read"),
    "design without a key": (edit_design(lambda d: d.pop("sharedix")), DESIGN, "no variable sharedix"),
    "design of fewer trials": (
        edit_design(lambda d: d.update(masterordering=d["masterordering"][:, :900])),
        DESIGN,
        "900 trials",
    ),
    "0-based ordering": (edit_design(lambda d: d.update(masterordering=d["masterordering"] - 1)), DESIGN, "from 0 to 749"),
    "ordering beyond the images": (
        edit_design(lambda d: d.update(masterordering=d["masterordering"] + 1)),
        DESIGN,
        "from 2 to 751",
    ),
    "ids beyond the stimuli": (
        edit_design(lambda d: d.update(subjectim=d["subjectim"] + 5000 * (d["subjectim"] > 2000))),
        DESIGN,
        "ids from",
    ),
    "images that repeat": (edit_design(lambda d: d["subjectim"].__setitem__((2, 100), d["subjectim"][2, 101])), DESIGN, "repeat"),
    "other shared images": (edit_design(lambda d: d["subjectim"].__setitem__(2, d["subjectim"][2, ::-1])), DESIGN, "sharedix"),
    "too few shared images": (edit_design(lambda d: d.update(sharedix=d["sharedix"][:, :50])), DESIGN, "50 images in sharedix"),
    "too few images": (edit_design(lambda d: d.update(subjectim=d["subjectim"][:, :700])), DESIGN, "(3, 700)"),
    "a design without this subject": (edit_design(lambda d: d.update(subjectim=d["subjectim"][:2])), DESIGN, "(2, 750)"),
    "no test image": (without_shared_images, DESIGN, "n = 0 test images"),
    "stimulus table without a column": (edit_table(STIMULI, ",", lambda t: t.drop(columns="shared1000")), STIMULI, "shared1000"),
    "1-based stimulus table": (edit_table(STIMULI, ",", lambda t: t.assign(nsdId=t["nsdId"] + 1)), STIMULI, "nsdId"),
    "other images marked shared": (
        edit_table(STIMULI, ",", lambda t: t.assign(shared1000=t["nsdId"] < 60)),
        STIMULI,
        "60 images",
    ),
    "log of fewer trials": (edit_table(LOG, "\t", lambda t: t[:-1]), LOG, "1499 trials"),
    "log of another subject": (
        edit_table(LOG, "\t", lambda t: t.assign(**{"73KID": t["73KID"][::-1].to_numpy()})),
        LOG,
        "unlike the design",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_refused_by_name(study, tmp_path, name):
    mutate, path, found = BAD[name]
    root = tmp_path / "nsd"
    wanted = {*nsd.raw_files(study.root, "subj03", OPTIONS)}
    shutil.copytree(
        study.root, root, ignore=lambda d, names: [n for n in names if (p := Path(d) / n).is_file() and p not in wanted]
    )
    mutate(root)
    check = nsd.read if name == "session of zeros" else nsd.inspect
    with pytest.raises(InputError) as caught:
        check(root, "subj03", OPTIONS)
    error = caught.value
    assert error.where == str(root / path)
    assert found in error.found + error.expected
    assert error.expected
    if "n = 0" not in found:
        assert "natural-scenes-dataset/nsddata" in error.remedy


def test_inspect_passes_a_sound_release_without_its_betas(study, monkeypatch):
    monkeypatch.setattr(nsd, "average_over_repetitions", None)
    for subject in SESSIONS:
        assert nsd.inspect(study.root, subject, OPTIONS) is None


@pytest.mark.parametrize(
    ("subject", "change", "found", "remedy"),
    [
        ("subj09", {}, "subj09", "correct the names"),
        ("subj02", {}, "no entry for subj02", "sessions"),
        ("subj03", {"sessions": {"subj03": 5}}, "2 of 5 sessions of subj03; missing 3, 4, 5", "before August 2023"),
        ("subj03", {"sessions": {"subj03": 7}}, "2 of 7 sessions", "betas_session03.hdf5"),
        ("subj03", {"min_nc_percent": 99}, "no voxel above 99 %", "min_nc_percent"),
        ("subj03", {"max_voxels": 10}, "voxels to read", "max_voxels"),
    ],
)
def test_options_that_do_not_fit_the_files_are_refused(study, subject, change, found, remedy):
    with pytest.raises(InputError) as caught:
        nsd.read(study.root, subject, OPTIONS.model_copy(update=change))
    assert found in caught.value.found
    assert remedy in caught.value.remedy


def test_betas_of_other_voxels_are_refused(study, tmp_path):
    shutil.copytree(study.root, tmp_path / "nsd")
    inside = tuple(study.truth["subj03"].cortex.voxels[:, ::-1].T)
    for session in (1, 2):
        with h5py.File(tmp_path / "nsd" / BETAS / f"betas_session{session:02d}.hdf5", "r+") as file:
            betas = file["betas"][:]
            betas[:, *inside] = betas[:, *inside][:, ::-1]
            file["betas"][:] = betas
    with pytest.raises(InputError, match="other voxels"):
        nsd.read(tmp_path / "nsd", "subj03", OPTIONS)


# --- simulated subjects -----------------------------------------------------------------------------------------------


def test_simulated_subjects_are_read_back(tmp_path):
    features = np.random.default_rng(0).normal(size=(300, 8))
    code = AreaCode.find(features, 6)

    def look(images):
        assert images.shape[1:] == (8, 8, 3) and images.std() > 10
        return dict.fromkeys(("early", "middle", "late"), np.random.default_rng(1).normal(size=(len(images), 6)))

    def signal(latents, areas, seed):
        return code.mixtures(latents["early"] * np.sqrt(code.variance), len(areas), seed)

    world = SimpleNamespace(brain=SimpleNamespace(look=look, signal=signal), size=8)
    settings = simulation.Settings(planned_sessions=3, sessions=SESSIONS, shared_images=60, voxels_per_parcel=5)
    truths = dict(simulation.simulate(tmp_path, list(SESSIONS), world, settings, seed=0))
    for subject, truth in truths.items():
        recording = nsd.read(tmp_path, subject, OPTIONS)
        columns = pd.Index(truth.units["unit"]).get_indexer(recording.units["unit"])
        assert (columns >= 0).all() and len(columns) > 85
        pd.testing.assert_frame_equal(recording.rois, truth.rois.iloc[columns].reset_index(drop=True))
        assert recording.notes["constant_voxels_by_session"] == {str(SESSIONS[subject]): 1}
        for split in ("train", "test"):
            ours, theirs = getattr(recording, split), getattr(truth, split)
            order = np.argsort(theirs.stimulus_ids.astype(int))
            np.testing.assert_array_equal(ours.stimulus_ids, theirs.stimulus_ids[order])
            np.testing.assert_array_equal(ours.repetitions, theirs.repetitions[order])
            r = [np.corrcoef(ours.responses[:, n], theirs.responses[order, c])[0, 1] for n, c in enumerate(columns)]
            assert np.mean(r) > 0.6
    assert not truths["subj03"].rois["FFA-2"].any() and truths["subj01"].rois["FFA-2"].any()
    assert {*simulation.AREAS} == {*nsd.ROIS} - {"nsdgeneral", "whole_brain"}
    with h5py.File(tmp_path / "nsddata_stimuli/stimuli/nsd/nsd_stimuli.hdf5") as file:
        assert file["imgBrick"].shape == (60 + 3 * 690, 8, 8, 3)


# --- memory -----------------------------------------------------------------------------------------------------------

READ = """
from pathlib import Path
from cortexscale.datasets.nsd import reader as nsd
nsd.read(Path("{root}"), "subj01", nsd.Options.model_validate_json('{options}'))
"""


@pytest.mark.slow
def test_memory_holds_the_averages_and_one_session_of_a_block(tmp_path):
    peak, held, stored = [], [], []
    for sessions in (2, 8):
        root = tmp_path / str(sessions)
        experiment = plan_experiment(subjects=1, sessions=sessions, n_shared=60, seed=0)
        cortex = lay_out_cortex((14, 17, 15), 75, 0)
        shown, rng = experiment.ordering, np.random.default_rng(0)
        signal = rng.standard_normal((250 * sessions, len(cortex.voxels)), dtype=np.float32)
        write_shared(root, experiment, np.zeros((experiment.n_images, 8, 8, 3)))
        trials = single_trials(signal, shown, np.full(len(cortex.voxels), 1.5), seed=1)
        write_subject(root, "subj01", experiment, cortex, trials)
        options = nsd.Options(
            sessions={"subj01": sessions}, images_per_subject=250 * sessions, shared_images=60, max_voxels=len(cortex.voxels)
        )
        peak.append(peak_mb(READ.format(options=options.model_dump_json(), root=root)))
        held.append(4 * 250 * sessions * 75 * 19 / 2**20)
        stored.append(2 * 750 * sessions * 75 * 19 / 2**20)
        assert peak[-1] < nsd.memory_mb(options)
    # The betas of these voxels grow from 4 to 16 MB as stored, and to four times that as numbers to calculate with.
    assert peak[1] - peak[0] < held[1] - held[0] + 0.5 * (stored[1] - stored[0])
