"""THINGS-fMRI: the simulated tables are those that pandas would write, and are read back checked against pandas and the truth."""

import pickle
import shutil
from types import SimpleNamespace

import h5py
import numpy as np
import pandas as pd
import pytest
from memory import peak_mb

from cortexscale.datasets.things_fmri import reader as things_fmri
from cortexscale.datasets.things_fmri import simulate as simulation
from cortexscale.datasets.things_fmri.simulated_files import ROI_COLUMNS, write_responses, write_things_fmri
from cortexscale.errors import InputError
from cortexscale.recording import load_recording
from cortexscale.simulation.brain import AreaCode

SETTINGS = simulation.Settings(train_concepts=14, test_images=36, voxels_per_parcel=4)
N_VOXELS = {"sub-01": 348, "sub-02": 343, "sub-03": 385}
OPTIONS = things_fmri.Options(n_train=168, n_test=36, n_voxels=N_VOXELS, max_voxels=400)


class Brain:
    """This brain has three areas that code random features."""

    def __init__(self, n: int):
        rng = np.random.default_rng(0)
        features = {area: rng.normal(size=(n, 20)) for area in ("early", "middle", "late")}
        self.codes = {area: AreaCode.find(values, 6) for area, values in features.items()}
        self.latents = {area: self.codes[area].latent(values) for area, values in features.items()}

    def signal(self, latents, areas, seed):
        one = [self.codes[area].mixtures(latents[area], 1, seed=seed + i) for i, area in enumerate(areas)]
        return np.hstack(one)


@pytest.fixture(scope="module")
def world():
    concepts = [*(f"thing{n}" for n in range(34)), "t-shirt", "bow2", "first-aid_kit", "can_opener"]
    ids = sorted(f"{name}/{name}_{n:02d}{'b' if n == 1 else 's'}.jpg" for name in concepts for n in range(1, 14))
    brain = Brain(len(ids))
    return SimpleNamespace(brain=brain, size=32, things_ids=np.array(ids), things_latents=brain.latents)


@pytest.fixture(scope="module")
def study(tmp_path_factory, world):
    root = tmp_path_factory.mktemp("things_fmri")
    truth = dict(simulation.simulate(root, things_fmri.SUBJECTS, world, SETTINGS, seed=0))
    recordings = {subject: things_fmri.read(root, subject, OPTIONS) for subject in things_fmri.SUBJECTS}
    return SimpleNamespace(root=root, truth=truth, recordings=recordings)


@pytest.fixture
def copy(study, tmp_path):
    shutil.copytree(study.root / "betas_csv", tmp_path / "betas_csv")
    return tmp_path


def released(root, subject):
    """Read the three tables with pandas, the responses without ``voxel_id``."""
    folder = root / "betas_csv"
    responses = pd.read_hdf(folder / f"{subject}_ResponseData.h5").drop(columns="voxel_id")
    return responses, *(pd.read_csv(folder / f"{subject}_{name}Metadata.csv") for name in ("Stimulus", "Voxel"))


# --- what is read -----------------------------------------------------------------------------------------------------


def standardise(values):
    return (values - values.mean()) / values.std()


@pytest.mark.parametrize("zscore", ["split", "train", "session"])
@pytest.mark.parametrize("subject", ["sub-01", "sub-03"])
def test_responses_are_zscored_and_test_images_averaged(study, subject, zscore):
    recording = study.recordings[subject]
    if zscore != "split":
        recording = things_fmri.read(study.root, subject, OPTIONS.model_copy(update={"zscore": zscore}))
    responses, trials, _ = released(study.root, subject)
    ids = (trials["concept"] + "/" + trials["stimulus"]).to_numpy()
    is_train = (trials["trial_type"] == "train").to_numpy()
    for column in range(0, len(recording.units), 23):
        raw = responses.loc[int(recording.units["unit"][column].removeprefix("voxel"))].to_numpy()
        z = np.empty_like(raw)
        if zscore == "split":
            z[is_train], z[~is_train] = standardise(raw[is_train]), standardise(raw[~is_train])
        elif zscore == "train":
            z = (raw - raw[is_train].mean()) / raw[is_train].std()
        else:
            for session in range(1, 13):
                own = trials["session"] == session
                z[own] = standardise(raw[own])
        for split in (recording.train, recording.test):
            expected = [z[ids == stimulus].mean() for stimulus in split.stimulus_ids]
            np.testing.assert_allclose(split.responses[:, column], expected, rtol=0, atol=1e-6)
        moments = [raw[is_train].mean(), raw[is_train].std(), raw[~is_train].mean(), raw[~is_train].std()]
        units = recording.units[["train_mean", "train_sd", "test_mean", "test_sd"]]
        np.testing.assert_allclose(units.iloc[column], moments)


def test_subjects_share_the_order_of_stimuli_though_not_of_trials(study, world):
    orders = {subject: tuple(released(study.root, subject)[1]["stimulus"]) for subject in things_fmri.SUBJECTS}
    assert len(set(orders.values())) == 3
    first = study.recordings["sub-01"]
    for recording in study.recordings.values():
        for split in ("train", "test"):
            ours, theirs = getattr(first, split), getattr(recording, split)
            np.testing.assert_array_equal(ours.stimulus_ids, theirs.stimulus_ids)
            np.testing.assert_array_equal(ours.stimulus_ids, np.sort(ours.stimulus_ids))
            assert set(ours.stimulus_ids) <= set(world.things_ids)
    assert (len(first.train.stimulus_ids), len(first.test.stimulus_ids)) == (168, 36)
    assert set(first.train.repetitions) == {1} and set(first.test.repetitions) == {12}
    assert any(stimulus.startswith("first-aid_kit/first-aid_kit_") for stimulus in first.test.stimulus_ids)


def test_rois_are_the_columns_of_the_release_under_the_names_of_the_paper(study):
    assert len(things_fmri.ROIS) == 29
    for subject, recording in study.recordings.items():
        _, _, voxels = released(study.root, subject)
        voxels = voxels.iloc[[int(unit.removeprefix("voxel")) for unit in recording.units["unit"]]].astype(float)
        assert tuple(recording.rois) == things_fmri.ROIS
        renamed = {"V4": "hV4", "LO1": "LO1 (prf)", "LO2": "LO2 (prf)"}
        for roi in things_fmri.ROIS[:-2]:
            np.testing.assert_array_equal(recording.rois[roi], voxels[renamed.get(roi, roi)] == 1, err_msg=roi)
        nine = [f"glasser-{area}" for area in ("TE1p", "TE2p", "FFC", "VVC", "VMV2", "VMV3", "PHA1", "PHA2", "PHA3")]
        np.testing.assert_array_equal(recording.rois["IT_glasser"], voxels[nine].sum(axis=1) > 0)
        assert recording.rois["whole_brain"].all()
        np.testing.assert_array_equal(recording.units[["i", "j", "k"]], voxels[["voxel_x", "voxel_y", "voxel_z"]])
        columns = {roi: [renamed.get(roi, roi)] for roi in things_fmri.ROIS[:-2]} | {"IT_glasser": nine}
        _, _, every = released(study.root, subject)
        counts = {roi: int(((every["nc_testset"] > 30) & every[of].any(axis=1)).sum()) for roi, of in columns.items()}
        table = study.root / f"betas_csv/{subject}_VoxelMetadata.csv"
        assert things_fmri.count_units(study.root, subject, OPTIONS, 30) == (table, counts)
    assert study.recordings["sub-03"].notes["empty_rois"] == {"rTOS": "not drawn in this subject"}
    assert study.recordings["sub-01"].notes["empty_rois"] == {}
    assert study.recordings["sub-01"].rois[list(things_fmri.ROIS)].any().all()


def ceiling_by_hand(repetitions):
    """Compute the percent of one voxel (repetitions, images), step by step as the release describes it."""
    z = np.array([standardise(repetition) for repetition in repetitions])
    noise = np.mean([image.var(ddof=1) for image in z.T])
    signal = max(1 - noise, 0)
    return 100 * (signal / noise) / (signal / noise + 1 / len(z))


def test_ceilings_are_the_released_ones_and_compared_with_the_trials(study):
    recording = study.recordings["sub-02"]
    responses, trials, voxels = released(study.root, "sub-02")
    kept = voxels["nc_testset"] > 10
    np.testing.assert_allclose(recording.units["nc_percent"], voxels["nc_testset"][kept], rtol=1e-12)
    screening = recording.screening
    assert len(screening) == N_VOXELS["sub-02"] and recording.notes["released_statistic"] == "nc_testset"
    np.testing.assert_array_equal(screening["kept"], kept)
    np.testing.assert_array_equal(screening["released"], voxels["nc_testset"])
    np.testing.assert_array_equal(screening["recomputed"].notna(), kept)
    np.testing.assert_allclose(screening["recomputed"][kept], screening["released"][kept], atol=1e-6)
    assert recording.notes["nc_testset_recomputed"]["voxels"] == kept.sum()
    assert recording.notes["nc_testset_recomputed"]["largest_difference"] < 1e-6
    test = trials[trials["trial_type"] == "test"].sort_values(["session", "stimulus"])
    for voxel in np.flatnonzero(kept)[::31]:
        expected = ceiling_by_hand(responses.loc[voxel, test.index.tolist()].to_numpy().reshape(12, 36))
        assert screening["recomputed"][voxel] == pytest.approx(expected, abs=1e-8)


def test_all_voxels_are_read_where_ceilings_are_recomputed(study):
    recording = things_fmri.read(study.root, "sub-02", OPTIONS.model_copy(update={"noise_ceiling": "recomputed"}))
    assert recording.screening["recomputed"].notna().all()
    pd.testing.assert_frame_equal(recording.units, study.recordings["sub-02"].units)
    np.testing.assert_array_equal(recording.train.responses, study.recordings["sub-02"].train.responses)


def test_the_option_says_which_ceilings_select_voxels_and_divide_scores(copy):
    path = copy / "betas_csv/sub-02_VoxelMetadata.csv"
    table = pd.read_csv(path)
    table["nc_testset"] += 0.05  # less than what is refused
    table.to_csv(path, index=False)
    ceilings = {}
    for source in ("released", "recomputed"):
        recording = things_fmri.read(copy, "sub-02", OPTIONS.model_copy(update={"noise_ceiling": source}))
        ceilings[source] = recording.screening.set_index("unit")["nc_percent"]
    known = ceilings["recomputed"].notna() & ceilings["released"].notna()
    np.testing.assert_allclose((ceilings["released"] - ceilings["recomputed"])[known], 0.05, atol=1e-5)


def test_ceilings_and_responses_recover_the_planted_signal(study):
    errors = []
    for subject, truth in study.truth.items():
        recording = study.recordings[subject]
        columns = pd.Index(recording.units["unit"]).get_indexer(truth.units["unit"])
        assert (columns >= 0).all(), "every live voxel has a high ceiling"
        np.testing.assert_array_equal(recording.rois.iloc[columns].to_numpy(), truth.rois.to_numpy())
        ceiling = truth.units["nc_percent"].to_numpy() / 100
        # Delta method: noise left in the averages of 36 images blurs their variance, 36 x 11 differences measure the noise.
        noise = (1 - ceiling) / ceiling
        standard_error = ceiling * (1 - ceiling) * np.sqrt((4 * noise + 2 * noise**2) / 36 + 2 / (36 * 11))
        errors.append((recording.units["nc_percent"].to_numpy()[columns] / 100 - ceiling) / standard_error)
        np.testing.assert_array_equal(recording.test.stimulus_ids, truth.test.stimulus_ids)
        for ours, theirs, k in ((recording.test, truth.test, 12), (recording.train, truth.train, 1)):
            r = [np.corrcoef(ours.responses[:, c], theirs.responses[:, u])[0, 1] for u, c in enumerate(columns)]
            assert abs(np.mean(r - np.sqrt(1 / (1 + noise * 12 / k)))) < 0.03
    assert abs(np.mean(errors)) < 0.3 and 0.9 < np.std(errors) < 1.25


def test_options_for_selection_and_threshold(study):
    rois = things_fmri.read(study.root, "sub-01", OPTIONS.model_copy(update={"selection": "rois"}))
    everywhere = study.recordings["sub-01"]
    inside = everywhere.rois[list(things_fmri.ROIS[:-1])].any(axis=1)
    assert rois.units["unit"].tolist() == everywhere.units["unit"][inside].tolist() and not inside.all()
    assert rois.screening["whole_brain"].all() and len(rois.screening) < len(everywhere.screening)
    ceilings = np.sort(everywhere.units["nc_percent"])
    higher = things_fmri.read(study.root, "sub-01", OPTIONS.model_copy(update={"min_nc_percent": ceilings[40]}))
    np.testing.assert_array_equal(np.sort(higher.units["nc_percent"]), ceilings[41:])


def test_voxels_without_signal_pass_the_threshold_of_the_paper():
    """The whole brain holds so many voxels because the released ceiling of pure noise is above 10 % in one of five."""
    noise = np.random.default_rng(0).normal(size=(400, 12, 100))
    passing = np.mean([ceiling_by_hand(voxel) > 10 for voxel in noise])
    assert 0.15 < passing < 0.27


def test_voxels_with_missing_or_constant_responses_are_dropped(copy):
    path = copy / "betas_csv/sub-01_ResponseData.h5"
    kept = things_fmri.read(copy, "sub-01", OPTIONS).units["unit"].tolist()
    lost = [int(unit.removeprefix("voxel")) for unit in (kept[3], kept[10])]
    with h5py.File(path, "r+") as file:
        file["ResponseData/block0_values"][lost[0], 5] = np.nan
        file["ResponseData/block0_values"][lost[1]] = 0.1
    recording = things_fmri.read(copy, "sub-01", OPTIONS)
    assert recording.units["unit"].tolist() == kept[:3] + kept[4:10] + kept[11:]
    assert recording.notes["dropped_units"]["missing or constant responses"] == 2
    assert recording.screening["recomputed"][lost].isna().all()


def test_a_recording_survives_its_file(study, tmp_path):
    recording = study.recordings["sub-03"]
    recording.save(tmp_path / "sub-03.h5")
    again = load_recording(tmp_path / "sub-03.h5")
    pd.testing.assert_frame_equal(again.units, recording.units)
    pd.testing.assert_frame_equal(again.screening, recording.screening)
    assert again.notes == recording.notes


# --- the two releases and their versions ------------------------------------------------------------------------------


def same(ours, theirs):
    pd.testing.assert_frame_equal(ours.units, theirs.units)
    pd.testing.assert_frame_equal(ours.rois, theirs.rois)
    np.testing.assert_array_equal(ours.train.responses, theirs.train.responses)
    np.testing.assert_array_equal(ours.test.responses, theirs.test.responses)


@pytest.mark.parametrize("separator", [",", "\t"])
@pytest.mark.parametrize("top", [".", "ds004192"])
def test_openneuro_derivatives_hold_the_same(study, tmp_path, top, separator):
    folder = tmp_path / top / "derivatives/ICA-betas/sub-02/voxel-metadata"
    folder.mkdir(parents=True)
    source = study.root / "betas_csv"
    shutil.copy(source / "sub-02_ResponseData.h5", folder / "sub-02_task-things_voxel-wise-responses.h5")
    for theirs, ours in (("Stimulus", "stimulus"), ("Voxel", "voxel")):
        table = pd.read_csv(source / f"sub-02_{theirs}Metadata.csv")
        table.to_csv(folder / f"sub-02_task-things_{ours}-metadata.tsv", index=False, sep=separator)
    same(things_fmri.read(tmp_path, "sub-02", OPTIONS), study.recordings["sub-02"])
    with pytest.raises(InputError, match=r"s3://openneuro\.org/ds004192/derivatives/ICA-betas/sub-02/voxel-metadata"):
        things_fmri.inspect(tmp_path, "sub-02", OPTIONS.model_copy(update={"n_test": 37}))


@pytest.mark.parametrize("folder", ["betas_csv", "", "20492835", "20492835/betas_csv"])
def test_the_archive_may_be_unpacked_in_a_folder_of_its_own(study, tmp_path, folder):
    (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    for file in (study.root / "betas_csv").glob("sub-02*"):
        shutil.copy(file, tmp_path / folder)
    same(things_fmri.read(tmp_path, "sub-02", OPTIONS), study.recordings["sub-02"])


def test_missing_files_are_expected_where_figshare_puts_them(tmp_path):
    names = ("ResponseData.h5", "StimulusMetadata.csv", "VoxelMetadata.csv")
    assert things_fmri.raw_files(tmp_path, "sub-01", OPTIONS) == [tmp_path / f"betas_csv/sub-01_{name}" for name in names]


def first_version(root):
    path = root / "betas_csv/sub-01_VoxelMetadata.csv"
    table = pd.read_csv(path)
    table[table.columns[:41]].to_csv(path, index=False)


def test_the_first_version_of_the_voxel_table_has_no_it(copy, study):
    first_version(copy)
    with pytest.raises(InputError, match=r"(?s)41 columns, without IT, glasser-TE1p.*20492835, version 2.*`voxel_metadata: v1`"):
        things_fmri.inspect(copy, "sub-01", OPTIONS)
    recording = things_fmri.read(copy, "sub-01", OPTIONS.model_copy(update={"voxel_metadata": "v1"}))
    assert set(recording.notes["empty_rois"]) == {"IT", "IT_glasser"}
    assert recording.notes["empty_rois"]["IT"] == "not in version 1 of the voxel table"
    shared = [roi for roi in things_fmri.ROIS if roi not in ("IT", "IT_glasser")]
    pd.testing.assert_frame_equal(recording.rois[shared], study.recordings["sub-01"].rois[shared])
    with pytest.raises(InputError, match="222 columns: the second version"):
        things_fmri.inspect(study.root, "sub-01", OPTIONS.model_copy(update={"voxel_metadata": "v1"}))


# --- the HDF5 file of pandas ------------------------------------------------------------------------------------------


def frame_of(responses):
    frame = pd.DataFrame(responses)
    frame.insert(0, "voxel_id", range(len(frame)))
    return frame


def write_with_pandas(path, frame, **options):
    path.unlink(missing_ok=True)
    with pytest.warns(pd.errors.PerformanceWarning):  # of the pickled labels that make the release what it is
        frame.to_hdf(path, key="ResponseData", **options)


def structure(path):
    """Describe everything in an HDF5 file but the numbers."""
    found = {}
    with h5py.File(path) as file:

        def note(name, item):
            shape = (item.shape, item.dtype.str, item.maxshape) if isinstance(item, h5py.Dataset) else None
            found[name] = (
                shape,
                {key: (np.dtype(item.attrs.get_id(key).dtype), str(value)) for key, value in item.attrs.items()},
            )

        note("/", file)
        file.visititems(note)
    return found


@pytest.mark.parametrize("precision", ["f8", "f4"])
def test_the_written_file_is_what_pandas_writes(tmp_path, precision):
    responses = np.random.default_rng(0).normal(size=(7, 11)).astype(precision)
    write_responses(tmp_path / "ours.h5", responses)
    write_with_pandas(tmp_path / "theirs.h5", frame_of(responses))
    assert structure(tmp_path / "ours.h5") == structure(tmp_path / "theirs.h5")
    pd.testing.assert_frame_equal(pd.read_hdf(tmp_path / "ours.h5"), frame_of(responses))


@pytest.mark.parametrize("precision", ["f8", "f4"])
@pytest.mark.parametrize("voxel_ids_first", [False, True])
def test_files_of_pandas_are_read_whatever_the_order_of_blocks(copy, study, precision, voxel_ids_first):
    path = copy / "betas_csv/sub-01_ResponseData.h5"
    responses = pd.read_hdf(path).drop(columns="voxel_id").astype(precision)
    ids = pd.DataFrame({"voxel_id": range(len(responses))})
    frame = pd.concat([ids, responses], axis=1) if voxel_ids_first else frame_of(responses)
    write_with_pandas(path, frame)
    with h5py.File(path) as file:
        assert (file["ResponseData/block0_values"].dtype.kind == "i") == voxel_ids_first
    if precision == "f8":
        same(things_fmri.read(copy, "sub-01", OPTIONS), study.recordings["sub-01"])
    else:
        ours = things_fmri.read(copy, "sub-01", OPTIONS)
        np.testing.assert_allclose(ours.test.responses, study.recordings["sub-01"].test.responses, atol=1e-5)
        assert ours.notes["nc_testset_recomputed"]["largest_difference"] < 1e-3


class Bomb:
    def __reduce__(self):
        return (open, (self.target, "w"))


def test_pickled_labels_are_never_loaded(copy):
    bomb = Bomb()
    bomb.target = str(copy / "exploded")
    with h5py.File(copy / "betas_csv/sub-01_ResponseData.h5", "r+") as file:
        for name in ("axis0", "block0_items"):
            file["ResponseData"][name][0] = np.frombuffer(pickle.dumps(bomb), np.uint8)
    things_fmri.read(copy, "sub-01", OPTIONS)
    assert not (copy / "exploded").exists()
    pickle.loads(pickle.dumps(bomb)).close()
    assert (copy / "exploded").exists(), "the test itself works"


# --- files that are not what they should be ---------------------------------------------------------------------------

RESPONSES, TRIALS, VOXELS = (f"betas_csv/sub-01_{n}" for n in ("ResponseData.h5", "StimulusMetadata.csv", "VoxelMetadata.csv"))


def edit(path, change, **options):
    def mutate(root):
        change(pd.read_csv(root / path)).to_csv(root / path, index=False, **options)

    return mutate


def swap(table, column, first, second):
    """Exchange two rows of one column."""
    values = table[column].tolist()
    values[first], values[second] = values[second], values[first]
    return table.assign(**{column: values})


def put(path, content):
    return lambda root: (root / path).write_bytes(content)


def cut(path, keep):
    return lambda root: (root / path).write_bytes((root / path).read_bytes()[: keep((root / path).stat().st_size)])


def rewrite(change):
    """Write the responses again, changed."""

    def mutate(root):
        change(root / RESPONSES, pd.read_hdf(root / RESPONSES).drop(columns="voxel_id").to_numpy())

    return mutate


def other_ids(path, responses):
    with h5py.File(path, "r+") as file:
        file["ResponseData/block1_values"][0] = 5


def other_key(path, responses):
    with h5py.File(path, "r+") as file:
        file.move("ResponseData", "betas")


def table_format(path, responses):
    path.unlink()
    pd.DataFrame(responses[:, :20]).to_hdf(path, key="ResponseData", format="table")


def all_one_block(path, responses):
    frame = frame_of(responses).astype(float)
    write_with_pandas(path, frame)


def twice(table):
    """One training image takes the place of another."""
    train = table.index[table["trial_type"] == "train"]
    table.loc[train[0], ["stimulus", "concept"]] = table.loc[train[1], ["stimulus", "concept"]]
    return table


def in_both(table):
    """A test image takes the place of a training image."""
    train, test = (table.index[table["trial_type"] == kind] for kind in ("train", "test"))
    table.loc[train[0], ["stimulus", "concept"]] = table.loc[test[0], ["stimulus", "concept"]]
    return table


HTML = b"<!DOCTYPE html><html><body>Sign in</body></html>"
POINTER = b"/annex/objects/SHA256E-s100--abc.h5\n"

BAD = {
    "missing responses": (lambda root: (root / RESPONSES).unlink(), RESPONSES, "nothing"),
    "missing trials": (lambda root: (root / TRIALS).unlink(), TRIALS, "nothing"),
    "missing voxels": (lambda root: (root / VOXELS).unlink(), VOXELS, "nothing"),
    "web page for responses": (put(RESPONSES, HTML), RESPONSES, "an HTML page"),
    "pointer for responses": (put(RESPONSES, POINTER), RESPONSES, "a git-annex pointer"),
    "web page for voxels": (put(VOXELS, HTML), VOXELS, "an HTML page"),
    "truncated responses": (cut(RESPONSES, lambda n: n - 1000), RESPONSES, "truncated"),
    "junk for responses": (put(RESPONSES, b"junk" * 300), RESPONSES, "is not HDF5"),
    "another key": (rewrite(other_key), RESPONSES, "the keys betas"),
    "the table format": (rewrite(table_format), RESPONSES, "frame_table"),
    "a block of everything": (rewrite(all_one_block), RESPONSES, "(348, 601)"),
    "trials by voxels": (rewrite(lambda p, r: write_responses(p, r.T)), RESPONSES, "(600, 348)"),
    "fewer trials": (rewrite(lambda p, r: write_responses(p, r[:, :-1])), RESPONSES, "(348, 599)"),
    "fewer voxels": (rewrite(lambda p, r: write_responses(p, r[:-1])), RESPONSES, "(347, 600)"),
    "other voxel ids": (rewrite(other_ids), RESPONSES, "voxel_id unlike"),
    "trials without a column": (edit(TRIALS, lambda t: t.drop(columns="concept")), TRIALS, "no column concept"),
    "trials of another subject": (edit(TRIALS, lambda t: t.assign(subject_id=2)), TRIALS, "subject_id 2"),
    "trials out of order": (edit(TRIALS, lambda t: swap(t, "trial_id", 3, 4)), TRIALS, "trial_id"),
    "trials from 1": (edit(TRIALS, lambda t: t.assign(trial_id=t["trial_id"] + 1)), TRIALS, "trial_id"),
    "catch trials": (edit(TRIALS, lambda t: t.assign(trial_type=["catch", *t["trial_type"][1:]])), TRIALS, "catch"),
    "an empty trial type": (
        edit(TRIALS, lambda t: t.assign(trial_type=[None, *t["trial_type"][1:]])),
        TRIALS,
        "nothing in line 2",
    ),
    "session 0": (edit(TRIALS, lambda t: t.assign(session=t["session"] - 1)), TRIALS, "sessions"),
    "a session that is not a number": (edit(TRIALS, lambda t: t.assign(session="one")), TRIALS, "'one' in line 2"),
    "a train image shown twice": (
        edit(TRIALS, twice),
        TRIALS,
        "167 train images shown 1 to 2 times",
    ),
    "a repetition lost": (edit(TRIALS, lambda t: t.drop(t.index[t["trial_type"] == "test"][-1])), TRIALS, "11 to 12 times"),
    "another concept": (edit(TRIALS, lambda t: t.assign(concept=["owl", *t["concept"][1:]])), TRIALS, "the concept owl of"),
    "an image in both splits": (edit(TRIALS, in_both), TRIALS, "1 images in both splits"),
    "trials cut short": (cut(TRIALS, lambda n: n // 2), TRIALS, "6 fields in line 304"),
    "voxels without a column": (edit(VOXELS, lambda t: t.drop(columns="nc_testset")), VOXELS, "no column nc_testset"),
    "voxels of another subject": (edit(VOXELS, lambda t: t.assign(subject_id=3)), VOXELS, "subject_id 3"),
    "fewer rows of voxels": (edit(VOXELS, lambda t: t[:-1]), VOXELS, "347 voxels"),
    "voxels out of order": (edit(VOXELS, lambda t: t[::-1]), VOXELS, "voxel_id"),
    "fractions": (
        edit(VOXELS, lambda t: t.assign(nc_testset=t["nc_testset"] / 100, nc_singletrial=t["nc_singletrial"] / 100)),
        VOXELS,
        "fractions",
    ),
    "a ceiling above 100": (edit(VOXELS, lambda t: t.assign(nc_testset=t["nc_testset"] + 50)), VOXELS, "nc_testset from 50"),
    "a missing ceiling": (edit(VOXELS, lambda t: t.assign(nc_testset=[None, *t["nc_testset"][1:]])), VOXELS, "nothing in line"),
    "ceilings of other repetitions": (
        edit(VOXELS, lambda t: t.assign(nc_testset=t["nc_singletrial"])),
        VOXELS,
        "from what nc_singletrial gives for 12",
    ),
    "labels that are no labels": (edit(VOXELS, lambda t: t.assign(hV4=2 * t["hV4"])), VOXELS, "other than 0 and 1 in hV4"),
    "an empty label": (edit(VOXELS, lambda t: t.assign(V1=[None, *t["V1"][1:]])), VOXELS, "nothing in line 4, column V1"),
}
FOUND_WHILE_READING = {
    "columns in another order": (rewrite(lambda p, r: write_responses(p, r[:, ::-1])), RESPONSES, "trials that give ceilings of"),
    "rows in another order": (
        rewrite(lambda p, r: write_responses(p, np.roll(r, 1, axis=0))),
        RESPONSES,
        "trials that give ceil",
    ),
}


@pytest.mark.parametrize("name", [*BAD, *FOUND_WHILE_READING])
def test_bad_files_are_refused_by_name(copy, name):
    mutate, path, found = (BAD | FOUND_WHILE_READING)[name]
    mutate(copy)
    check = things_fmri.inspect if name in BAD else things_fmri.read
    with pytest.raises(InputError) as caught:
        check(copy, "sub-01", OPTIONS)
    error = caught.value
    assert error.where == str(copy / path)
    assert found in error.found
    assert error.expected and error.remedy


def test_inspect_passes_a_sound_release(study):
    for subject in things_fmri.SUBJECTS:
        assert things_fmri.inspect(study.root, subject, OPTIONS) is None


@pytest.mark.parametrize(
    ("subject", "change", "found", "remedy"),
    [
        ("sub-04", {}, "sub-04", "correct the names"),
        ("sub-02", {"n_voxels": {"sub-01": 348}}, "no entry for sub-02", "n_voxels"),
        ("sub-01", {"n_voxels": {"sub-01": 300}}, "348 voxels", "n_voxels"),
        ("sub-01", {"n_train": 160}, "168 train images", "counts of the options"),
        ("sub-01", {"n_repetitions": 10}, "36 test images shown 12 to 12 times", "counts of the options"),
        ("sub-01", {"min_nc_percent": 99.9}, "no voxel above 99.9 %", "min_nc_percent"),
        ("sub-01", {"max_voxels": 10}, "voxels to read", "max_voxels"),
    ],
)
def test_options_that_do_not_fit_the_files_are_refused(study, subject, change, found, remedy):
    with pytest.raises(InputError) as caught:
        things_fmri.inspect(study.root, subject, OPTIONS.model_copy(update=change))
    assert found in caught.value.found
    assert remedy in caught.value.remedy


def test_the_released_ceilings_of_one_and_twelve_trials_belong_together(copy):
    """The numbers are those of four voxels of the real sub-01."""
    real = {1.102513: 11.799193, 2.134454: 20.743164, 1.868743: 18.601217, 0.0: 0.0}

    def with_real_ceilings(table):
        table.loc[:3, "nc_singletrial"], table.loc[:3, "nc_testset"] = list(real), list(real.values())
        return table

    edit(VOXELS, with_real_ceilings)(copy)
    things_fmri.inspect(copy, "sub-01", OPTIONS)


# --- the written release ----------------------------------------------------------------------------------------------


def test_the_written_tables_are_laid_out_as_released(study):
    for subject in things_fmri.SUBJECTS:
        _, trials, voxels = released(study.root, subject)
        assert list(trials) == ["trial_type", "session", "run", "subject_id", "trial_id", "stimulus", "concept"]
        train = trials[trials["trial_type"] == "train"]
        assert not train.groupby("session")["concept"].apply(lambda names: names.duplicated().any()).any()
        assert train.groupby("session").size().tolist() == [14] * 12
        test = trials[trials["trial_type"] == "test"]
        assert (test.groupby("stimulus")["session"].nunique() == 12).all()
        assert trials["session"].is_monotonic_increasing and trials["run"].max() == 10
        assert list(voxels)[13:] == list(ROI_COLUMNS) and voxels.shape[1] == 222
        assert {"glasser-p9-\n46v", "glasser-a9-\n46v"} <= set(voxels)
        place = voxels[["voxel_x", "voxel_y", "voxel_z"]].to_numpy().tolist()
        assert place == sorted(place)
    header = (study.root / VOXELS).read_text().split("glasser-a9")[0]
    assert '"glasser-p9-\n46v"' in header


def test_simulated_subjects_differ_and_worlds_may_be_too_small(study, world):
    units = {subject: truth.units["nc_percent"].tolist() for subject, truth in study.truth.items()}
    assert len(units) == 3 and len({tuple(values) for values in units.values()}) == 3
    assert {*simulation.AREAS} == {*things_fmri.ROIS} - {"whole_brain"}
    with pytest.raises(ValueError, match="not enough"):
        next(simulation.simulate(study.root, ["sub-01"], world, simulation.Settings(train_concepts=41), seed=0))


# --- memory -----------------------------------------------------------------------------------------------------------

READ = """
from pathlib import Path
from cortexscale.datasets.things_fmri import reader as things_fmri
options = things_fmri.Options.model_validate_json('''{options}''')
things_fmri.read(Path("{root}"), "sub-01", options)
"""


def write_large(root, n_train):
    """Write a subject with ``n_train`` training images and 3,000 voxels, of which every fifth has a signal."""
    rng = np.random.default_rng(0)
    n_voxels, n_test = 3000, 20
    ids = [f"c{n}_01b.jpg" for n in range(n_train + n_test)]
    names = [*ids[:n_train], *ids[n_train:] * 12]
    trials = pd.DataFrame({"trial_type": np.repeat(["train", "test"], [n_train, n_test * 12]), "session": 1, "run": 1})
    trials = trials.assign(subject_id=1, trial_id=range(len(names)), stimulus=names)
    trials["concept"] = [name.split("_")[0] for name in names]
    signal = np.where(np.arange(n_voxels) % 5 == 0, 3.0, 0.0)[:, None]
    responses = rng.standard_normal((n_voxels, len(names)), dtype=np.float32)
    responses[:, n_train:] += signal * np.tile(rng.normal(size=(n_voxels, n_test)), 12)
    nc_testset = np.where(signal[:, 0] > 0, 99.0, 0.0)
    x = nc_testset / (100 - nc_testset) / 12
    voxels = pd.DataFrame({"voxel_id": range(n_voxels), "subject_id": 1, "voxel_x": 0, "voxel_y": 0, "voxel_z": range(n_voxels)})
    voxels = voxels.assign(nc_singletrial=100 * x / (1 + x), nc_testset=nc_testset)
    voxels = pd.concat([voxels, pd.DataFrame(0, voxels.index, ROI_COLUMNS)], axis=1)
    write_things_fmri(root, "sub-01", responses.astype(np.float64), trials, voxels)
    return things_fmri.Options(n_train=n_train, n_test=n_test, n_voxels={"sub-01": n_voxels}, max_voxels=600)


@pytest.mark.slow
def test_memory_holds_the_selected_voxels_and_no_more(tmp_path):
    peak, held = [], []
    for n_train in (1000, 4000):
        options = write_large(tmp_path / str(n_train), n_train)
        peak.append(peak_mb(READ.format(options=options.model_dump_json(), root=tmp_path / str(n_train))))
        held.append(4 * 600 * (n_train + 20) / 2**20)
        assert peak[-1] < things_fmri.memory_mb(options)
    # The files grow from 30 to 100 MB, and with them the ids and the table of trials.
    assert peak[1] - peak[0] < held[1] - held[0] + 8
