"""Layer search, commitment and scores equal the plain computation: scikit-learn per subject and ROI."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from plain_similarity import plain_cka, plain_rsa
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import KFold, cross_val_predict

from cortexscale.alignment.collect import pretraining_table
from cortexscale.alignment.commit import commit_layers, commit_rois
from cortexscale.alignment.layer import check_store, held_out
from cortexscale.alignment.score import score_alignment
from cortexscale.alignment.search import search_layers
from cortexscale.alignment.subjects import load_targets, rank_subjects, scored_subjects
from cortexscale.alignment.targets import PreparedResponses, prepare_responses, shared_targets
from cortexscale.errors import InputError
from cortexscale.features import store as store_module
from cortexscale.features.store import FeatureStore, StoreWriter
from cortexscale.kernels.gram import gram
from cortexscale.recording import Recording, Split
from cortexscale.scaling.points import benchmark_scores
from cortexscale.stimuli import stimulus_rows
from cortexscale.study.experiments import Metrics
from cortexscale.study.ridge import Alphas, Folds, Ridge
from cortexscale.study.targets import BestSubjects, DatasetTargets

N_TRAIN, N_TEST, N_IMAGES = 60, 20, 100
SETTINGS = Ridge(alphas=Alphas(low=-1, high=4, count=8))


@pytest.fixture(scope="module")
def stimuli() -> pd.DataFrame:
    concepts = [f"concept {n // 4}" for n in range(N_IMAGES)]
    return pd.DataFrame({"stimulus_id": [f"i{n:03d}" for n in range(N_IMAGES)], "hash": "h", "concept": concepts})


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> FeatureStore:
    path = tmp_path_factory.mktemp("features") / "m.zarr.zip"
    rng = np.random.default_rng(0)
    writer = StoreWriter(path, {"model": "m", "stimuli": "set"}, N_IMAGES)
    writer.write({"shallow": rng.standard_normal((N_IMAGES, 30)) + 5, "deep": rng.standard_normal((N_IMAGES, 200))})
    writer.finish({"layers": {"shallow": {"position": 3, "depth": 0.3}, "deep": {"position": 10, "depth": 1.0}}})
    return FeatureStore(path)


def features(store: FeatureStore, layer: str) -> np.ndarray:
    return np.concatenate(list(store.slabs(layer)), axis=1).astype(np.float64)


def record(store, stimuli, subject, seed, images_seed) -> Recording:
    """V1 reads the shallow layer, IT the deep one; ROI `all` holds both; `none` is empty."""
    rng = np.random.default_rng(seed)
    order = np.random.default_rng(images_seed).permutation(N_IMAGES)
    train, test = order[:N_TRAIN], order[N_TRAIN : N_TRAIN + N_TEST]
    signal = np.hstack(
        [
            features(store, "shallow")[:, :5] @ rng.standard_normal((5, 4)),
            features(store, "deep")[:, :5] @ rng.standard_normal((5, 3)),
        ]
    )
    responses = (signal + rng.standard_normal(signal.shape)).astype(np.float32)
    units = pd.DataFrame({"unit": [f"u{n}" for n in range(7)], "nc_percent": rng.uniform(20, 90, 7)})
    v1 = np.arange(7) < 4
    rois = pd.DataFrame({"V1": v1, "IT": ~v1, "all": True, "none": False})
    ids = stimuli["stimulus_id"].to_numpy()
    splits = (Split(ids[rows], responses[rows], np.ones(len(rows), int)) for rows in (train, test))
    return Recording("d", subject, *splits, units, rois).check()


@pytest.fixture(scope="module")
def recordings(store, stimuli) -> list[Recording]:
    """Two subjects saw the same images, the third others."""
    return [record(store, stimuli, "s1", 1, 7), record(store, stimuli, "s2", 2, 7), record(store, stimuli, "s3", 3, 8)]


ROIS = ["V1", "IT", "all", "none"]


@pytest.fixture(scope="module")
def search(store, stimuli, recordings) -> pd.DataFrame:
    return search_layers(store, shared_targets(recordings, stimuli, ROIS), SETTINGS)


def pearson(a, b):
    return np.array([np.corrcoef(x, y)[0, 1] for x, y in zip(a.T, b.T, strict=True)])


def test_subjects_with_the_same_stimuli_share_targets(stimuli, recordings):
    shared, alone = shared_targets(recordings, stimuli, ROIS)
    assert shared.train.shape == (N_TRAIN, 14) and alone.train.shape == (N_TRAIN, 7)
    assert list(shared.groups["subject"].unique()) == ["s1", "s2"] and list(alone.groups["subject"].unique()) == ["s3"]
    assert not (shared.groups["roi"] == "none").any()


def test_search_equals_scikit_learn_per_subject_and_roi(store, stimuli, recordings, search):
    for recording in recordings:
        rows = stimulus_rows(stimuli, recording.train.stimulus_ids, "")
        for roi in ("V1", "IT", "all"):
            members = recording.rois[roi].to_numpy()
            Y, ceiling = recording.train.responses[:, members].astype(np.float64), recording.units["nc_percent"][members] / 100
            for name in ("shallow", "deep"):
                X, scores = features(store, name)[rows], []
                for train, rest in KFold(5).split(X):
                    model = RidgeCV(SETTINGS.alphas.values).fit(X[train], Y[train])
                    scores.append(np.mean(pearson(model.predict(X[rest]), Y[rest]) / np.sqrt(ceiling)))
                ours = search.query("subject == @recording.subject and roi == @roi and layer_name == @name").iloc[0]
                assert ours["cv_score"] == pytest.approx(np.mean(scores), abs=1e-8)
                assert ours["alpha"] == pytest.approx(RidgeCV(SETTINGS.alphas.values).fit(X, Y).alpha_)
                assert ours["n_units"] == members.sum()


def test_commitment_finds_the_generating_layers(search):
    committed = commit_layers(search, "m")["d"]
    assert committed["V1"].layer_name == "shallow" and committed["IT"].layer_name == "deep"
    mean = search.groupby(["roi", "layer_name"])["cv_score"].mean()
    assert committed["V1"].score == pytest.approx(mean["V1", "shallow"])
    assert committed["V1"].margin == pytest.approx(mean["V1", "shallow"] - mean["V1", "deep"])


def test_a_stage_and_its_last_block_are_no_runner_up():
    rows = [("V1", "stage", 5, 0.5), ("V1", "stage.1", 5, 0.5), ("V1", "late", 9, 0.4)]
    search = pd.DataFrame(rows, columns=["roi", "layer_name", "layer_position", "cv_score"]).assign(layer_position_normalized=1.0)
    committed = commit_rois(search)["V1"]
    assert committed.runner_up == "late" and committed.margin == pytest.approx(0.1)


@pytest.mark.parametrize("alpha_per", ["roi", "unit"])
def test_scores_equal_scikit_learn_on_the_test_split(store, stimuli, recordings, search, alpha_per):
    committed = commit_layers(search, "m")
    alphas = SETTINGS.alphas.model_copy(update={"search": "adaptive" if alpha_per == "roi" else "full"})
    settings = Ridge(alphas=alphas, alpha_per=alpha_per)
    table, units = score_alignment(store, shared_targets(recordings, stimuli, ROIS), committed, settings)
    assert len(table) == 9
    for _, row in table.iterrows():
        recording = next(r for r in recordings if r.subject == row["subject"])
        members = recording.rois[row["roi"]].to_numpy()
        X = features(store, committed["d"][row["roi"]].layer_name)
        train, test = (X[stimulus_rows(stimuli, split.stimulus_ids, "")] for split in (recording.train, recording.test))
        Y = recording.train.responses[:, members].astype(np.float64)
        model = RidgeCV(settings.alphas.values, alpha_per_target=alpha_per == "unit").fit(train, Y)
        r = pearson(model.predict(test), recording.test.responses[:, members].astype(np.float64))
        ceiling = np.sqrt(recording.units["nc_percent"][members] / 100)
        assert row["pearsonr"] == pytest.approx(r.mean(), abs=1e-8)
        assert row["pearsonr_nc"] == pytest.approx((r / ceiling).mean(), abs=1e-8)
        assert row["noise_ceiling"] == pytest.approx(ceiling.mean())
        per_unit = units.query("subject == @row.subject and roi == @row.roi")
        np.testing.assert_allclose(per_unit["pearsonr"], r, atol=1e-8)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory, stimuli, recordings) -> PreparedResponses:
    path = tmp_path_factory.mktemp("prepared") / "set.h5"
    prepare_responses(shared_targets(recordings, stimuli, ROIS), ["train", "test"], path, {"code": "x"})
    return PreparedResponses(path)


def test_similarity_equals_the_plain_computation(store, stimuli, recordings, search, prepared):
    """Voxel encoding by scikit-learn: refits for the test split, the outer folds for the training split."""
    committed = commit_layers(search, "m")
    targets = [replace(target, prepared=prepared) for target in shared_targets(recordings, stimuli, ROIS)]
    table, _ = score_alignment(store, targets, committed, SETTINGS, Metrics(similarity=["train", "test"]))
    for _, row in table.iterrows():
        recording = next(r for r in recordings if r.subject == row["subject"])
        members = recording.rois[row["roi"]].to_numpy()
        X = features(store, committed["d"][row["roi"]].layer_name)
        splits = {"train": recording.train, "test": recording.test}
        X = {name: X[stimulus_rows(stimuli, split.stimulus_ids, "")] for name, split in splits.items()}
        Y = {name: split.responses[:, members].astype(np.float64) for name, split in splits.items()}
        encoded = {
            "train": cross_val_predict(RidgeCV(SETTINGS.alphas.values), X["train"], Y["train"], cv=KFold(5)),
            "test": RidgeCV(SETTINGS.alphas.values).fit(X["train"], Y["train"]).predict(X["test"]),
        }
        for split in splits:
            for kind, model in (("c", X[split]), ("ve", encoded[split])):
                name = f"{kind}_{split}_held_out" if (kind, split) == ("ve", "train") else f"{kind}_{split}"
                assert row[f"rsa_{name}"] == pytest.approx(plain_rsa(model, Y[split]), abs=1e-7)
                assert row[f"cka_{name}"] == pytest.approx(plain_cka(model, Y[split]), abs=1e-7)


def test_similarity_that_was_not_asked_for_is_empty(store, stimuli, recordings, search, prepared):
    targets = [replace(target, prepared=prepared) for target in shared_targets(recordings, stimuli, ROIS)]
    plain, _ = score_alignment(store, shared_targets(recordings, stimuli, ROIS), commit_layers(search, "m"), SETTINGS)
    table, _ = score_alignment(store, targets, commit_layers(search, "m"), SETTINGS, Metrics())
    columns = table.filter(regex="^(rsa|cka)_").columns
    assert len(columns) == 8 and plain[columns].isna().all(axis=None)
    assert table.filter(like="_train").filter(regex="^(rsa|cka)").isna().all(axis=None)
    assert table[[column for column in columns if column.endswith("_test")]].notna().all(axis=None)
    pd.testing.assert_frame_equal(table.drop(columns=columns), plain.drop(columns=columns))


def test_geometries_of_other_responses_are_refused(tmp_path, stimuli, recordings, prepared):
    target = shared_targets(recordings[:1], stimuli, ROIS)[0]
    fewer = replace(target, test=target.test[:-1], prepared=prepared)
    with pytest.raises(InputError, match=r"set\.h5\n.*190 pairs of stimuli in d/s1/V1/test\n.*the 171 pairs of 19 stimuli"):
        fewer.geometry(0, "test")
    with pytest.raises(InputError, match=r"no e/s1/V1/test"):
        replace(target, groups=target.groups.assign(benchmark_name="e"), prepared=prepared).geometry(0, "test")
    (tmp_path / "cut.h5").write_bytes(b"not HDF5")
    with pytest.raises(InputError, match=r"cut\.h5\n.*not a readable HDF5 file"):
        PreparedResponses(tmp_path / "cut.h5")


def test_wide_groups_are_decomposed_once_for_all_models(tmp_path, monkeypatch, store, stimuli, recordings):
    rng = np.random.default_rng(3)
    wide = replace(recordings[0])
    units = pd.DataFrame({"unit": [f"w{n}" for n in range(100)], "nc_percent": 50.0})
    responses = [rng.standard_normal((len(split.responses), 100)).astype(np.float32) for split in (wide.train, wide.test)]
    wide = replace(
        wide,
        train=replace(wide.train, responses=responses[0]),
        test=replace(wide.test, responses=responses[1]),
        units=units,
        rois=pd.DataFrame({"all": np.ones(100, bool)}),
    )
    targets = shared_targets([wide], stimuli, ["all"])
    expected = search_layers(store, targets, SETTINGS)
    prepare_responses(targets, [], tmp_path / "wide.h5", {})
    known = PreparedResponses(tmp_path / "wide.h5")
    monkeypatch.setattr(torch.linalg, "eigh", None)
    again = search_layers(
        store, [replace(target, prepared=known) for target in shared_targets([wide], stimuli, ["all"])], SETTINGS
    )
    pd.testing.assert_frame_equal(again, expected)


def test_grouped_folds_keep_a_concept_together_and_score_as_scikit_learn_on_those_folds(store, stimuli, recordings):
    settings = SETTINGS.model_copy(update={"folds": Folds(kind="grouped")})
    target = shared_targets(recordings[:1], stimuli, ["V1"])[0]
    folds = held_out(settings.folds, target)
    concepts = [set(stimuli["concept"].to_numpy()[target.train_rows[fold]]) for fold in folds]
    assert sum(map(len, concepts)) == len(set.union(*concepts)) > 5, "no concept lies in two folds"
    assert len(folds) == 5 and not np.array_equal(folds[0], held_out(SETTINGS.folds, target)[0])
    table = search_layers(store, [target], settings)
    X, Y = features(store, "shallow")[target.train_rows], target.train.astype(np.float64)
    scores = []
    for fold in folds:
        kept = np.setdiff1d(np.arange(N_TRAIN), fold)
        predicted = RidgeCV(SETTINGS.alphas.values).fit(X[kept], Y[kept]).predict(X[fold])
        scores.append(np.mean(pearson(predicted, Y[fold]) / np.sqrt(target.nc_percent / 100)))
    ours = table.query("layer_name == 'shallow'").iloc[0]
    assert ours["cv_score"] == pytest.approx(np.mean(scores), abs=1e-8)


def test_datasets_on_the_same_images_share_a_kernel_and_get_the_scores_of_one_alone(store, stimuli, recordings, monkeypatch):
    """s1, s2 and a second dataset show overlapping images; s3 of the second dataset shows others than s1."""
    other = [replace(recording, dataset="e") for recording in recordings[1:]]
    targets = [target for group in (recordings[:1], other) for target in shared_targets(group, stimuli, ROIS)]
    computed = []

    def counted(slabs, **kind):
        slabs = list(slabs)
        computed.append(len(slabs[0]))
        return gram(iter(slabs), **kind)

    monkeypatch.setattr(store_module, "gram", counted)
    together = search_layers(store, targets, SETTINGS)
    assert len(computed) == len(store.layers), "one Gram matrix per layer"
    alone = pd.concat([search_layers(store, shared_targets(group, stimuli, ROIS), SETTINGS) for group in (recordings[:1], other)])
    keys = ["benchmark_name", "subject", "roi", "layer_name"]
    pd.testing.assert_frame_equal(
        together.sort_values(keys, ignore_index=True), alone.sort_values(keys, ignore_index=True), rtol=1e-9
    )
    table, _ = score_alignment(store, targets, commit_layers(together, "m"), SETTINGS)
    single, _ = score_alignment(store, targets[:1], commit_layers(together, "m"), SETTINGS)
    pd.testing.assert_frame_equal(table[table["benchmark_name"] == "d"].reset_index(drop=True), single, rtol=1e-9)


def test_subjects_with_images_of_their_own_get_kernels_of_their_own(store, stimuli, recordings, monkeypatch):
    sizes = []

    def counted(slabs, **kind):
        slabs = list(slabs)
        sizes.append(len(slabs[0]))
        return gram(iter(slabs), **kind)

    monkeypatch.setattr(store_module, "gram", counted)
    ids = np.array_split(stimuli["stimulus_id"].to_numpy(), 2)
    own = [
        replace(
            recording,
            train=replace(
                recording.train, stimulus_ids=half[:30], responses=recording.train.responses[:30], repetitions=np.ones(30, int)
            ),
            test=replace(recording.test, stimulus_ids=half[30:50]),
        )
        for recording, half in zip(recordings, ids, strict=False)
    ]
    search_layers(store, shared_targets(own, stimuli, ROIS), SETTINGS)
    assert sizes == [30, 30] * len(store.layers)


def screened(recording: Recording, ceilings: list[float]) -> Recording:
    screening = pd.concat([recording.units.assign(kept=True), recording.rois], axis=1)
    lost = pd.DataFrame({"unit": ["x", "y"], "nc_percent": ceilings, "kept": False, "V1": True, "IT": False, "all": True})
    return replace(recording, screening=pd.concat([screening, lost.assign(none=False)], ignore_index=True))


def test_the_best_subjects_are_those_of_the_highest_mean_ceiling_over_all_screened_units(tmp_path, stimuli, recordings):
    """Units without a ceiling count as 0, so a subject with few good units among many bad ones does not win."""
    files = []
    for recording, ceilings in zip(recordings, ([np.nan, np.nan], [90, 90], [95, 95]), strict=True):
        screened(recording, ceilings).save(tmp_path / "d" / f"{recording.subject}.h5")
        files.append(tmp_path / "d" / f"{recording.subject}.h5")
    ranked = rank_subjects(files, BestSubjects(count=2, roi="V1"))
    expected = recordings[0].units["nc_percent"][:4].sum() / 6
    assert ranked.set_index("subject").loc["s1", "mean_nc_percent"] == pytest.approx(expected)
    assert ranked["mean_nc_percent"].is_monotonic_decreasing and ranked["scored"].tolist() == [True, True, False]
    assert ranked["subject"].iloc[-1] == "s1"
    assert [file.stem for file in scored_subjects(files, BestSubjects(count=2, roi="V1"))] == ["s2", "s3"]
    assert scored_subjects(files, None) == files
    datasets = {"d": DatasetTargets(ROIS, BestSubjects(count=2, roi="V1"))}
    assert {name for target in load_targets(files, datasets, stimuli) for name in target.groups["subject"]} == {"s2", "s3"}
    with pytest.raises(InputError, match=r"s1\.h5\n.*no unit in none"):
        scored_subjects(files, BestSubjects(count=2, roi="none"))


def test_a_stimulus_without_an_image_is_named(stimuli, recordings):
    with pytest.raises(
        InputError, match=r"no image for 1 of the 60 stimuli of d/s1 \(train\), e\.g\. " + recordings[0].train.stimulus_ids[4]
    ):
        shared_targets(recordings, stimuli[stimuli["stimulus_id"] != recordings[0].train.stimulus_ids[4]], ROIS)


def test_an_unknown_roi_is_named(stimuli, recordings):
    with pytest.raises(InputError, match=r"no ROI V7\n.*V1, IT, all, none"):
        shared_targets(recordings, stimuli, ["V1", "V7"])


def test_features_of_another_stimulus_set_are_refused(store):
    with pytest.raises(InputError, match=r"m\.zarr\.zip\n.*stimulus set set\n.*other"):
        check_store(store, "other")


def test_averages_go_from_subjects_over_rois_to_benchmarks(tmp_path):
    rows = [
        ("a", "s1", "V1", 0.1),
        ("a", "s2", "V1", 0.3),
        ("a", "s1", "IT", 0.6),
        ("b", "s1", "nsdgeneral", 0.9),
        ("b", "s1", "V1", 0.7),
    ]
    scores = pd.DataFrame(rows, columns=["benchmark_name", "subject", "roi", "pearsonr_nc"]).assign(model_id="m")
    card = {"model_id": ["m"], "pretraining_total_flops_estimate": [70.0], "pretraining_n_samples": [7]}
    card["held_out"] = card["is_selfsupervised_learning"] = card["is_adversarially_finetuned"] = [False]
    blank = ["backbone_source", "backbone_arch", "backbone_arch_family", "backbone_n_params", "pretraining_dataset"]
    card |= {column: ["x"] for column in (*blank, "pretraining_samples_per_class", "pretraining_seed")}
    scores.to_parquet(tmp_path / "scores.parquet")
    pd.DataFrame(card).to_parquet(tmp_path / "cards.parquet")
    table = pretraining_table([tmp_path / "scores.parquet"], tmp_path / "cards.parquet")
    assert (table["pretraining_total_flops_estimate"] == 70).all()
    means = benchmark_scores(table).set_index("benchmark_name")["score"]
    assert means["a"] == pytest.approx((0.2 + 0.6) / 2)
    assert means["b"] == pytest.approx(0.8)
    assert means["average"] == pytest.approx((0.4 + 0.8) / 2)
