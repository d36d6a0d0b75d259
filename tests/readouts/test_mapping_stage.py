"""The mapping stage on synthetic recordings: tables, readouts in files, kills, and a test split that is never looked at."""

from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from markdown_cells import unpadded

mpl.use("agg")

from galleries import some
from readout_data import synthetic_targets, tokens_of

from cortexscale.commitments import CommittedLayer
from cortexscale.errors import InputError
from cortexscale.figures import readouts
from cortexscale.readouts import stage as stage_module
from cortexscale.readouts.parts import Parts
from cortexscale.readouts.recipes import ReadoutRecipe
from cortexscale.readouts.saved import load_readout
from cortexscale.readouts.stage import Stage
from cortexscale.readouts.table import gates_table, mapping_table
from cortexscale.readouts.token_store import POOLED, TokenStore, TokenWriter
from cortexscale.scaling.laws import fit_axis
from cortexscale.scaling.mapping import readable, readout_table
from cortexscale.scaling.points import mapping_points
from cortexscale.stores import write_table
from cortexscale.study.fits import FitSettings
from cortexscale.study.ridge import Alphas, Ridge

SHAPES = {"early": (6, 8), "late": (4, 4)}
COMMITMENTS = {
    "V1": CommittedLayer("early", 1, 0.5, score=0.4),
    "IT": CommittedLayer("late", 2, 1.0, score=0.3),
}
FITS = FitSettings(bootstraps=20, seed=0)
RECIPE = ReadoutRecipe("attention", width=8, heads=2, latents=2, rank=4, hidden=4, epochs=2, batch=32, learning_rate=5e-3)
READOUTS = ["linear", "attention_individual", "attention_shared", "low_rank_individual", "layer_gate_shared"]
N_TRAIN, N_TEST = 120, 40


@pytest.fixture(scope="module")
def tokens() -> dict[str, np.ndarray]:
    return {name: tokens_of(2 * N_TRAIN + N_TEST, *shape, seed=number) for number, (name, shape) in enumerate(SHAPES.items())}


@pytest.fixture(scope="module")
def store(tokens, tmp_path_factory) -> TokenStore:
    path, n = tmp_path_factory.mktemp("store") / "t.zarr.zip", 2 * N_TRAIN + N_TEST
    identity = {"model": "m", "weights": "w", "stimuli": "s"}
    writer = TokenWriter(path, identity, np.arange(n), SHAPES, list(SHAPES))
    writer.write({name: array.reshape(n, -1).astype(np.float32) for name, array in tokens.items()})
    places = {name: {"position": number, "depth": number / 2} for number, name in enumerate(SHAPES, 1)}
    shapes = {**{name: list(shape) for name, shape in SHAPES.items()}, POOLED: [2, 8]}
    writer.finish({"layers": places, "shapes": shapes, "pooled_widths": [8, 4]})
    return TokenStore(path)


@pytest.fixture(scope="module")
def targets(tokens):
    rng, mean = np.random.default_rng(0), {name: array.mean(axis=1).astype(float) for name, array in tokens.items()}
    signals = {
        subject: {"V1": mean["early"] @ rng.standard_normal((8, 5)), "IT": mean["late"] @ rng.standard_normal((4, 3))}
        for subject in ("a", "b")
    }
    return synthetic_targets(signals, N_TRAIN, N_TEST, own_stimuli=True)


def staged(store, targets, folder, **changes) -> Stage:
    ids = np.array([f"i{row:05d}" for row in range(2 * N_TRAIN + N_TEST)])
    how = {"percents": [50, 100], "seeds": [0, 1], "validation_fraction": 0, "save": True} | changes
    return Stage(store, targets, COMMITMENTS, ids, parts=Parts(folder, {"all": "the same"}), **how)


def run(stage: Stage, readout: str) -> dict[str, pd.DataFrame]:
    kind, _, config = readout.rpartition("_")
    if readout == "linear":
        return stage.linear(Ridge(alphas=Alphas(low=-1, high=4, count=6)))
    return stage.trained(replace(RECIPE, readout=kind), shared=config == "shared")


def files(stage: Stage) -> dict[str, bytes]:
    return {str(file.relative_to(stage.saved)): file.read_bytes() for file in sorted(stage.saved.rglob("*.safetensors"))}


@pytest.mark.parametrize("readout", READOUTS)
def test_every_fraction_seed_subject_and_roi_has_a_row(store, targets, tmp_path, readout):
    tables = run(staged(store, targets, tmp_path / "p"), readout)
    scores = tables["scores"]
    assert len(scores.drop_duplicates(["data_pct", "seed", "subject", "roi"])) == len(scores) == 16
    assert set(scores["fitting_samples"]) == {60, 120} and np.isfinite(scores["pearsonr_nc"]).all()
    assert (tables["units"]["data_pct"] == 100).all() and len(tables["units"]) == 2 * 2 * 8
    gate = readout.startswith("layer_gate")
    assert (scores["layer_name"] == (POOLED if gate else scores["roi"].map({"V1": "early", "IT": "late"}))).all()
    assert scores["layer_position"].isna().all() == gate and len(tables["gates"]) == (16 * 2 if gate else 0)
    if gate:
        assert (tables["gates"].loc[tables["gates"]["committed"].astype(bool), "roi"].value_counts() == 8).all()


@pytest.mark.slow
def test_a_validation_fraction_is_left_out_of_the_training_and_scored(store, targets, tmp_path):
    scores = run(staged(store, targets, tmp_path / "p", validation_fraction=0.25), "attention_shared")["scores"]
    assert set(scores["fitting_samples"]) == {45, 90} and np.isfinite(scores["validation_pearsonr"]).all()
    assert "validation_pearsonr" not in run(staged(store, targets, tmp_path / "q"), "attention_shared")["scores"]


@pytest.mark.slow
@pytest.mark.parametrize("readout", READOUTS)
def test_the_test_split_is_never_seen(store, targets, tmp_path, readout):
    """Readouts of poisoned test responses are the same, to the bit; only scores differ."""
    poisoned = [
        replace(target, test=np.random.default_rng(9).normal(1e6, 1e3, target.test.shape).astype("f4")) for target in targets
    ]
    stages = [staged(store, of, tmp_path / name) for name, of in (("clean", targets), ("poisoned", poisoned))]
    clean, other = (run(stage, readout)["scores"] for stage in stages)
    ours, theirs = map(files, stages)
    assert ours == theirs and len(ours) == (2 if readout.endswith("shared") else 4)
    assert not np.allclose(clean["pearsonr"], other["pearsonr"])


@pytest.mark.parametrize("readout", READOUTS)
def test_a_saved_readout_reproduces_the_scores_of_the_stage(store, targets, tmp_path, readout):
    stage = staged(store, targets, tmp_path / "p")
    units = run(stage, readout)["units"].query("seed == 0").set_index(["subject", "roi", "unit"])["pearsonr"]
    seen = 0
    for file in stage.saved.rglob("*.safetensors"):
        saved = load_readout(file)
        for target in targets:
            for group, entry in target.groups[target.groups["roi"] == saved.facts.roi].iterrows():
                if entry["subject"] in saved.subjects:
                    features = store.tokens(saved.facts.layer).read(target.test_rows)
                    predicted = saved.predict(features, entry["subject"])
                    names, inside = saved.facts.units[entry["subject"]], target.members[group]
                    r = [np.corrcoef(*pair)[0, 1] for pair in zip(predicted.T, target.test[:, inside].T, strict=True)]
                    assert names == target.unit_names[inside].tolist()
                    assert r == pytest.approx([units[entry["subject"], saved.facts.roi, name] for name in names], abs=1e-4)
                    assert saved.facts.training_stimuli[entry["subject"]] == [f"i{row:05d}" for row in target.train_rows]
                    seen += 1
    assert seen == 4


@pytest.mark.parametrize(
    ("readout", "fit", "left"),
    [("linear", "linear_scores", 3 * 4), ("attention_shared", "score_readouts", 2 * 2)],
    ids=["linear", "attention_shared"],
)
def test_a_killed_stage_goes_on_to_the_same_numbers(store, targets, tmp_path, monkeypatch, readout, fit, left):
    """A part of the linear readout is a layer of subjects with the same images; a part of the others is a percentage and seed."""
    expected, calls, original = run(staged(store, targets, tmp_path / "whole"), readout), [], getattr(stage_module, fit)

    def counted(*arguments):
        calls.append(1)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return original(*arguments)

    monkeypatch.setattr(stage_module, fit, counted)
    with pytest.raises(KeyboardInterrupt):
        run(staged(store, targets, tmp_path / "p"), readout)
    stage = staged(store, targets, tmp_path / "p")
    found = run(stage, readout)
    assert len(calls) == 6 + left, "what was done is not done again"
    for kind in expected:
        pd.testing.assert_frame_equal(found[kind], expected[kind])
    assert len(files(stage)) == (2 if readout.endswith("shared") else 4)
    assert not (stage.parts.folder / "states").exists()


def test_parts_of_other_inputs_are_not_continued(tmp_path):
    table = {"scores": pd.DataFrame({"x": [1]})}
    assert Parts(tmp_path / "p", {"recipe": 1}).tables("50-0", lambda: table)["scores"]["x"].tolist() == [1]
    assert "50-0" in Parts(tmp_path / "p", {"recipe": 1})
    assert "50-0" not in Parts(tmp_path / "p", {"recipe": 2})


@pytest.fixture(scope="module")
def mapping(store, targets, tmp_path_factory) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The collected tables, and those of the gates."""
    folder, scores, gates = tmp_path_factory.mktemp("mapping"), [], []
    for readout in READOUTS:
        changes = {"percents": [10, 20, 30, 60, 100], "save": False}
        tables = run(staged(store, targets, folder / f"{readout}.parts", **changes), readout)
        for kind, found in (("scores", scores), ("gates", gates)):
            found.append(folder / f"{readout}.{kind}.parquet")
            write_table(tables[kind], found[-1], {})
    return mapping_table(scores), gates_table(gates)


@pytest.mark.slow
def test_names_and_parameters_are_those_of_the_published_table(mapping):
    table, gates = mapping
    names = table.drop_duplicates("probe_type").set_index("probe_type")["probe_name"].to_dict()
    assert names["linear_individual"] == "Linear (Single-Subject)"
    assert names["attention_shared"] == "Attention (Multi-Subject)"
    assert set(table["probe_subj_config"]) == {"individual", "shared"}
    shared = table["probe_subj_config"] == "shared"
    assert (table["n_params_per_subject"] == table["n_params"] / np.where(shared, 2, 1)).all()
    assert gates["committed"].dtype == bool


@pytest.mark.slow
def test_points_are_flat_means_and_fits_have_all_of_them(mapping):
    table, _ = mapping
    points = mapping_points(table, "mapping")
    assert len(points) == 5 * 5 * 2
    one = table.query("probe_type == 'attention_shared' and data_pct == 30 and seed == 1")
    found = points.query("family == 'attention_shared' and data_pct == 30 and seed == 1")
    assert found["score"].item() == pytest.approx(one["pearsonr_nc"].mean()) and found["x"].item() == 36
    fits, curves, _ = fit_axis(table, "mapping", "reduced", FITS)
    assert (fits["n"] == 10).all() and (fits["x_scale"] == 10).all() and (fits["form"] == "reduced").all()
    assert set(curves["family"]) == set(table["probe_type"])


@pytest.mark.slow
def test_the_tables_of_readouts_say_what_is_in_the_rows(mapping):
    table, _ = mapping
    fits, _, _ = fit_axis(table, "mapping", "reduced", FITS)
    side_by_side = readout_table(table, fits)
    largest = table[table["data_pct"] == 100]
    of_linear = side_by_side[side_by_side["probe_type"] == "linear_individual"].set_index("benchmark_name")
    assert of_linear.loc["d", "score"] == pytest.approx(largest.query("probe_type == 'linear_individual'")["pearsonr_nc"].mean())
    assert of_linear.loc["average", "n_params_mean"] == np.mean([5 * 49, 3 * 17])
    assert of_linear.loc["average", "n_params_geometric_mean"] == pytest.approx(np.sqrt(5 * 49 * 3 * 17))
    text = unpadded(readable(side_by_side, {"d": "D-EP"}, "n_params_mean"))
    assert "| D-EP |" in text and "| E, D-EP |" in text and text.count("**") == 4
    assert len(readout_table(table, fits[:0], ["linear_individual"])) == 2


@pytest.mark.slow
def test_figures_show_every_readout(mapping):
    table, gates = mapping
    fits, curves, points = fit_axis(table, "mapping", "reduced", FITS)
    found = {"mapping": table, "gates": gates, "fits": fits, "curves": curves, "points": points}
    drawn = (readouts.draw_linear, readouts.draw_laws, readouts.draw_parameters, readouts.draw_gates)
    linear, laws, parameters, depth = (draw(found, some(d="D-EP"))[1] for draw in drawn)
    assert set(linear["family"]) == {"linear_individual"} and (linear["kind"] == "readout").sum() == 10
    assert set(laws["family"]) == set(table["probe_type"])
    assert parameters["kind"].value_counts().to_dict() == {"roi": 10, "centroid": 5}
    of_rois = depth.query("kind == 'roi'").set_index("roi")
    assert of_rois["committed_depth"].to_dict() == {"V1": 0.5, "IT": 1.0}
    expected = table.query("probe_type == 'layer_gate_shared' and data_pct == 100").groupby("roi")["expected_depth"].mean()
    assert of_rois["expected_depth"].to_dict() == pytest.approx(expected.to_dict())


@pytest.mark.slow
def test_figures_without_their_readouts_say_so(mapping):
    table, gates = mapping
    nothing = {
        "mapping": table,
        "gates": gates[:0],
        "points": mapping_points(table, "mapping")[:0],
        "curves": pd.DataFrame({"family": []}),
    }
    for draw in (readouts.draw_linear, readouts.draw_gates):
        with pytest.raises(InputError, match=r"mapping\.readouts, or leave the figure out"):
            draw(nothing, {})


@pytest.mark.slow
def test_figures_of_points_without_a_fit(mapping):
    table, _ = mapping
    few = table[table["data_pct"] > 50]
    fits, curves, points = fit_axis(few, "mapping", "reduced", FITS)
    assert fits.empty
    for draw in (readouts.draw_linear, readouts.draw_laws):
        assert (draw({"fits": fits, "curves": curves, "points": points}, {})[1]["kind"] == "readout").all()
    assert "E" not in readout_table(few, fits)
