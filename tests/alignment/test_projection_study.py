"""Projected features beside all activations: the numbers of the normal pipeline; nearer to those of all, the more dimensions."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import yaml
from places import COMPLETE

mpl.use("agg")

from galleries import some
from small_network import noise_images, small_backbone

from cortexscale.alignment.projection_study import COLUMNS, score_projections
from cortexscale.alignment.score import score_alignment
from cortexscale.alignment.targets import shared_targets
from cortexscale.commitments import Commitments, CommittedLayer
from cortexscale.errors import InputError
from cortexscale.features import extract as extraction
from cortexscale.features.blocks import ROWS
from cortexscale.features.exact import activations_on_disk, extract_kernels
from cortexscale.features.extract import ForwardPasses, extract_features, project_activations
from cortexscale.features.kernel_store import open_store
from cortexscale.features.store import FeatureStore, StoreWriter
from cortexscale.figures import layers as layer_figures
from cortexscale.jobs import plain
from cortexscale.models.layers import candidate_layers
from cortexscale.plan import Plan
from cortexscale.recording import Recording, Split
from cortexscale.stimuli import StimulusImages
from cortexscale.study.features import Projection
from cortexscale.study.ridge import Alphas, Ridge

NAMES = ("layer1", "layer2", "global_pool")
IDENTITY = {"model": "small", "stimuli": "s"}
SETTINGS = Ridge(alphas=Alphas(low=-1, high=5, count=8), precision="float64")
LAYERS = {roi: CommittedLayer(layer, 1, 0.5, score=0.1) for roi, layer in zip(("V1", "V4", "IT"), NAMES, strict=True)}
COMMITTED = Commitments("small", {"d": LAYERS})
N_IMAGES, N_TRAIN, N_TEST = ROWS + 44, 220, 80


def projection(dimensions: int, seed: int = 3, family: str = "sparse") -> Projection:
    return Projection(family=family, dimensions=dimensions, seed=seed)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> tuple:
    return noise_images(tmp_path_factory.mktemp("images"), N_IMAGES)


@pytest.fixture(scope="module")
def backbone(tmp_path_factory):
    return small_backbone(tmp_path_factory.mktemp("weights"))


def extract(backbone, pictures, path, dimensions) -> FeatureStore:
    layers = candidate_layers(backbone.network, NAMES)
    extract_features(passes(backbone, pictures), layers, path, projection=projection(dimensions), made_by={})
    return FeatureStore(path)


def passes(backbone, pictures) -> ForwardPasses:
    return ForwardPasses(backbone, StimulusImages("image_folder", *pictures), IDENTITY, 50)


def on_disk(backbone, pictures, folder, scratch_gb: float = 1):
    layers = candidate_layers(backbone.network, NAMES)
    return activations_on_disk(passes(backbone, pictures), layers, folder / "rows", scratch_gb=scratch_gb)


@pytest.fixture(scope="module")
def targets(backbone, pictures, tmp_path_factory) -> list:
    """Each ROI reads some directions of its layer."""
    whole, rng = extract(backbone, pictures, tmp_path_factory.mktemp("whole") / "f.zarr.zip", 10**6), np.random.default_rng(1)
    responses = []
    for layer in NAMES:
        left, singular, _ = np.linalg.svd(centred(whole.features(layer)[:].astype(float)), full_matrices=False)
        signal = (left[:, :20] * singular[:20]) @ rng.standard_normal((20, 6))
        responses.append(signal / signal.std() + 0.3 * rng.standard_normal(signal.shape))
    order, ids = rng.permutation(N_IMAGES), pictures[1]["stimulus_id"].to_numpy()
    responses = np.hstack(responses).astype(np.float32)
    rows = order[:N_TRAIN], order[N_TRAIN : N_TRAIN + N_TEST]
    units = pd.DataFrame({"unit": [f"u{n}" for n in range(18)], "nc_percent": 80.0})
    rois = pd.DataFrame({roi: np.arange(18) // 6 == number for number, roi in enumerate(COMMITTED["d"])})
    splits = (Split(ids[split], responses[split], np.ones(len(split), int)) for split in rows)
    return shared_targets([Recording("d", "s1", *splits, units, rois).check()], pictures[1], list(COMMITTED["d"]))


def centred(features: np.ndarray) -> np.ndarray:
    return features - features.mean(axis=0)


def assert_same_scores(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    """Scores agree up to the rounding of activations to float16."""
    expected = expected.set_index("roi").loc[found["roi"]]
    assert found["layer_name"].tolist() == expected["layer_name"].tolist()
    for column in ("pearsonr", "pearsonr_nc"):
        np.testing.assert_allclose(found[column], expected[column], atol=1e-3)
    np.testing.assert_allclose(found["alpha"], expected["alpha"])


@pytest.mark.slow
@pytest.mark.parametrize("scratch_gb", [1, 1e-6])
def test_scores_are_those_of_the_normal_pipeline(backbone, pictures, targets, tmp_path, scratch_gb):
    """The scratch space has room for all layers at a time, or for one."""
    stores, scratch = on_disk(backbone, pictures, tmp_path, scratch_gb), tmp_path / "projected.zarr.zip"
    table = score_projections(stores, [projection(128), projection(300)], targets, COMMITTED, SETTINGS, scratch)
    assert list(table) == list(COLUMNS) and len(table) == 9
    assert list(tmp_path.iterdir()) == [], "scratch is left behind"
    for dimensions in (128, 300):
        store = extract(backbone, pictures, tmp_path / f"{dimensions}.zarr.zip", dimensions)
        expected, _ = score_alignment(store, targets, COMMITTED, SETTINGS)
        assert_same_scores(table[table["dimensions"] == dimensions], expected)
    layers = candidate_layers(backbone.network, NAMES)
    shown = [np.concatenate([targets[0].train_rows, targets[0].test_rows])]
    how = {"image_rows": shown, "scratch_gb": 1, "made_by": {}}
    extract_kernels(passes(backbone, pictures), layers, tmp_path / "k.zarr.zip", **how)
    exact, _ = score_alignment(open_store(tmp_path / "k.zarr.zip"), targets, COMMITTED, SETTINGS)
    full = table[table["dimensions"].isna()]
    assert full["seed"].isna().all()
    assert_same_scores(full, exact)
    width = table.groupby("layer_name")["layer_width"].first()
    assert width["global_pool"] < 128 < 300 < width["layer2"] < width["layer1"]
    narrow = table.loc[table["layer_name"] == "global_pool", "pearsonr"]
    # It is not projected, but its activations are rounded to float16 again. The error of r is of second order in the rounding.
    np.testing.assert_allclose(narrow, narrow.iloc[0], rtol=0, atol=2.0**-22)


@pytest.mark.slow
@pytest.mark.parametrize("family", ["sparse", "countsketch"])
def test_scores_approach_those_of_all_activations(backbone, pictures, targets, tmp_path, family):
    projections = [projection(dimensions, seed, family) for dimensions in (8, 32, 128, 512) for seed in range(3)]
    stores = on_disk(backbone, pictures, tmp_path)
    table = score_projections(stores, projections, targets, COMMITTED, SETTINGS, tmp_path / "projected.zarr.zip")
    wide = table[table["layer_width"] > 512]
    assert set(wide["roi"]) == {"V1", "V4"}
    score = wide.groupby("dimensions", dropna=False)["pearsonr"].mean()
    full = score[score.index.isna()].item()
    gaps = (full - score.dropna()[score.index.dropna()]).to_numpy()
    assert (np.diff(gaps) < 0).all() and 0 < gaps[-1] < gaps[0] / 5, (full, gaps)


def test_an_interrupted_projection_continues(tmp_path, monkeypatch):
    rng, n, wanted = np.random.default_rng(0), 2 * ROWS + 30, projection(20)
    writer = StoreWriter(tmp_path / "all.zarr.zip", IDENTITY, n)
    writer.write({"a": rng.standard_normal((n, 50)), "b": rng.standard_normal((n, 10))})
    writer.finish({"layers": {"a": {"position": 1, "depth": 0.5}, "b": {"position": 2, "depth": 1.0}}})
    activations = FeatureStore(tmp_path / "all.zarr.zip")
    whole = project_activations(activations, tmp_path / "whole.zarr.zip", wanted)
    assert (whole.width("a"), whole.width("b")) == (20, 10) and whole.attributes["identity"]["projection"] == plain(wanted)

    class Interrupted(extraction.RandomProjection):
        calls = 0

        def __call__(self, rows):
            type(self).calls += 1
            if type(self).calls == 3:
                raise KeyboardInterrupt
            return super().__call__(rows)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(extraction, "RandomProjection", Interrupted)
        project_activations(activations, tmp_path / "p.zarr.zip", wanted)
    assert not (tmp_path / "p.zarr.zip").exists()
    monkeypatch.setattr(extraction, "RandomProjection", Interrupted)
    continued = project_activations(activations, tmp_path / "p.zarr.zip", wanted)
    assert Interrupted.calls == 3 + 2 * 2, "two layers of two more blocks"
    for layer in ("a", "b"):
        np.testing.assert_array_equal(continued.features(layer)[:], whole.features(layer)[:])


# ---------------------------------------------------------------------------------------------- figures


def scores() -> pd.DataFrame:
    """Model ``m`` at 10, 20 and 30 dimensions, ``n`` at 20 only; layer of IT narrower than 20; two subjects and seeds."""
    rows = [
        (model, dataset, subject, roi, width, dimensions, seed, 0.9 - 0.1 * len(roi) - drop(dimensions, width) + 0.01 * subject)
        for model, asked in (("m", (None, 10, 20, 30)), ("n", (None, 20)))
        for dataset in ("tvsd", "other")
        for subject in (0, 1)
        for roi, width in (("V1", 100), ("all", 50), ("IT", 15))
        for dimensions in asked
        for seed in ((None,) if dimensions is None else (1, 2))
    ]
    columns = ["model_id", "benchmark_name", "subject", "roi", "layer_width", "dimensions", "seed", "pearsonr_nc"]
    return pd.DataFrame(rows, columns=columns).astype({"dimensions": "Int64", "seed": "Int64"})


def drop(dimensions: int | None, width: int) -> float:
    return 1 / dimensions if dimensions is not None and width > dimensions else 0


def test_projected_rois_are_paired_at_the_largest_common_dimensions():
    figure, numbers = layer_figures.draw_projected_scores({"projection": scores()}, some(other="O") | some("tvsd"))
    assert set(numbers["dimensions"]) == {20} and set(numbers["roi"]) == {"V1", "all"} and len(numbers) == 2 * 2 * 2 * 2
    np.testing.assert_allclose(numbers["projected"] - numbers["full"], -1 / 20)
    v1 = numbers[numbers["roi"] == "V1"]
    np.testing.assert_allclose(v1["full"], 0.705, err_msg="the mean over subjects")
    assert [panel.get_title() for panel in figure.axes] == ["m", "n"]
    assert all("mean difference -0.050" in panel.texts[0].get_text() for panel in figure.axes)
    assert "r = 1.000" in figure.axes[0].texts[0].get_text()
    assert [text.get_text() for text in figure.legends[0].texts] == ["O", "TVSD-EP"], "as the config has them"


def test_scores_by_dimensions_average_subjects_then_rois():
    figure, numbers = layer_figures.draw_dimensions({"projection": scores()}, some("tvsd"))
    assert set(numbers["model_id"]) == {"m"} and len(figure.axes) == 1
    tvsd = numbers[numbers["benchmark_name"] == "tvsd"].groupby("dimensions", dropna=False)["score"].mean()
    full = 0.9 - 0.1 * (2 + 3 + 2) / 3 + 0.005
    np.testing.assert_allclose(tvsd, [full - 1 / 10, full - 1 / 20 * 2 / 3, full - 1 / 30 * 2 / 3, full])
    np.testing.assert_allclose(figure.axes[0].lines[0].get_ydata(), tvsd[:3])


def test_figures_without_a_comparison_say_so():
    table = scores()
    unlike = table[(table["model_id"] == "n") | (table["dimensions"] != 20).fillna(True)]
    with pytest.raises(InputError, match="no number of dimensions that all models have"):
        layer_figures.draw_projected_scores({"projection": unlike}, {})
    with pytest.raises(InputError, match="no layer wider than 20"):
        layer_figures.draw_projected_scores({"projection": table.assign(layer_width=20)}, {})
    with pytest.raises(InputError, match="several numbers of dimensions"):
        layer_figures.draw_dimensions({"projection": table[table["model_id"] == "n"]}, {})


# ---------------------------------------------------------------------------------------------- the plan


@pytest.fixture
def demo(tmp_path, monkeypatch) -> dict:
    monkeypatch.chdir(tmp_path)
    return yaml.safe_load(COMPLETE.read_text())


def test_the_plan_knows_every_projection_of_a_model(demo):
    demo["projection_study"] = {"models": {"vit_base_objects_full_seed-0": [8, 16]}, "seeds": [1, 2], "stimuli": ["hvm"]}
    plan = Plan(demo)
    assert plan.alignment.projected == [("hvm", "vit_base_objects_full_seed-0")]
    wanted = [projection(dimensions, seed) for dimensions in (8, 16) for seed in (1, 2)]
    assert plan.alignment.projections("vit_base_objects_full_seed-0") == wanted and "projection" in plan.tables.names
    del demo["projection_study"]["stimuli"]
    assert len(Plan(demo).alignment.projected) == len(plan.data.stimuli)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("projection_study"), r"key figures\n.*figS9, figS10: the config has no section projection_study"),
        (lambda c: c["projection_study"].update(models={"vit_bas_objects_full_seed-0": [8]}), r"vit_bas_.*\n.*vit_base_obj"),
        (lambda c: c["projection_study"].update(stimuli=["thongs"]), r"projection_study\.stimuli\n.*thongs\n.*things"),
        (lambda c: c["projection_study"].update(family="exact"), r"projection_study\.family\n.*'exact'"),
    ],
)
def test_what_a_projection_study_lacks_is_named(demo, change, message):
    change(demo)
    with pytest.raises(InputError, match=message):
        Plan(demo)
