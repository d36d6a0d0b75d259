"""Partial least squares as a metric, from the config to the tables, on responses whose truth is known."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from places import COMPLETE
from scripts import script
from sklearn.cross_decomposition import PLSRegression

from cortexscale.commitments import Commitments, CommittedLayer
from cortexscale.errors import InputError
from cortexscale.features.store import FeatureStore, StoreWriter
from cortexscale.plan import Plan
from cortexscale.recording import Recording, Split
from cortexscale.stimuli import table_hash
from cortexscale.stores import read_table, write_table
from cortexscale.study.experiments import Metrics
from cortexscale.study.ridge import Alphas, Ridge
from cortexscale.study.targets import DatasetTargets

N_TRAIN, N_TEST, UNITS, RANK = 300, 100, 12, 5
ROIS = ["V1", "IT"]
PLS = {"metrics": {"similarity": [], "pls_components": 25}}


class World:
    """Features, and two subjects whose units read a few directions of them; or noise, where responses are shuffled."""

    def __init__(self, root: Path, *, shuffled: bool):
        self.root, n = root, N_TRAIN + N_TEST
        stimuli = pd.DataFrame({"stimulus_id": [f"i{k:03d}" for k in range(n)], "hash": "h"}).assign(concept="c")
        write_table(stimuli, root / "stimuli.parquet", {})
        rng = np.random.default_rng(0)
        writer = StoreWriter(root / "m.zarr.zip", {"model": "m", "stimuli": table_hash(stimuli)}, n)
        writer.write({"layer": 2 + rng.normal(size=(n, 200)) * np.arange(1, 201) ** -0.5})
        writer.finish({"layers": {"layer": {"position": 1, "depth": 0.5}}})
        self.features = np.concatenate(list(FeatureStore(root / "m.zarr.zip").slabs("layer")), axis=1).astype(np.float64)
        layer = CommittedLayer("layer", 1, 0.5, score=0.1)
        Commitments("m", {"d": dict.fromkeys(ROIS, layer)}).save(root / "commitments.json", {})
        self.recordings = {}
        for subject in ("s1", "s2"):
            signal = self.features[:, :RANK] @ rng.normal(size=(RANK, UNITS))
            responses = (signal + 0.3 * rng.normal(size=signal.shape)).astype(np.float32)
            responses = rng.permutation(responses) if shuffled else responses
            units = pd.DataFrame({"unit": [f"u{k}" for k in range(UNITS)], "nc_percent": rng.uniform(50, 90, UNITS)})
            rois = pd.DataFrame({"V1": np.arange(UNITS) < 5, "IT": np.arange(UNITS) >= 5})
            ids, ones = stimuli["stimulus_id"].to_numpy(), np.ones(n, int)
            splits = (Split(ids[part], responses[part], ones[part]) for part in (slice(0, N_TRAIN), slice(N_TRAIN, n)))
            self.recordings[subject] = Recording("d", subject, *splits, units, rois).check()
            (root / "d").mkdir(exist_ok=True)
            self.recordings[subject].save(root / "d" / f"{subject}.h5")

    def score(self, **metrics) -> tuple[pd.DataFrame, pd.DataFrame]:
        """The tables of the script: rows per subject and ROI, and rows per unit."""
        outputs = {"table": self.root / "table.parquet", "units": self.root / "units.parquet"}
        script("alignment").main(
            features=self.root / "m.zarr.zip",
            stimuli=self.root / "stimuli.parquet",
            recordings=[self.root / "d" / f"{subject}.h5" for subject in self.recordings],
            prepared=None,
            truths=[],
            commitments=self.root / "commitments.json",
            model="m",
            datasets={"d": DatasetTargets(ROIS)},
            ridge=Ridge(alphas=Alphas(low=-1, high=4, count=6)),
            metrics=Metrics(similarity=[], **metrics),
            **outputs,
            code="code",
        )
        return read_table(outputs["table"]), read_table(outputs["units"])


@pytest.fixture(scope="module")
def planted(tmp_path_factory) -> World:
    return World(tmp_path_factory.mktemp("planted"), shuffled=False)


def test_a_planted_mapping_is_recovered_as_by_scikit_learn(planted):
    rows, units = planted.score(pls_components=25)
    assert len(rows) == 4 and (rows["pls"] > 0.9).all()
    for (subject, roi), found in units.groupby(["subject", "roi"]):
        recording = planted.recordings[subject]
        members = recording.rois[roi].to_numpy()
        theirs = PLSRegression(25, scale=False, max_iter=100_000, tol=1e-24)
        theirs.fit(planted.features[:N_TRAIN], recording.train.responses[:, members].astype(np.float64))
        predicted = theirs.predict(planted.features[N_TRAIN:])
        r = [np.corrcoef(predicted[:, u], recording.test.responses[:, members][:, u])[0, 1] for u in range(members.sum())]
        np.testing.assert_allclose(found["pls"], r, atol=1e-6)
        ceiling = recording.units["nc_percent"].to_numpy()[members] / 100
        np.testing.assert_allclose(found["pls_nc"], r / np.sqrt(ceiling), atol=1e-6)
        row = rows[(rows["subject"] == subject) & (rows["roi"] == roi)].iloc[0]
        assert row["pls"] == pytest.approx(found["pls"].mean()) and row["pls_nc"] == pytest.approx(found["pls_nc"].mean())


def test_shuffled_responses_score_about_zero(tmp_path):
    rows, _ = World(tmp_path, shuffled=True).score(pls_components=25)
    assert (rows["pls"].abs() < 0.12).all()


def test_without_the_key_there_is_no_such_column(planted):
    for table in planted.score():
        assert not {"pls", "pls_nc"} & set(table)
    without, with_pls = planted.score()[0], planted.score(pls_components=3)[0]
    pd.testing.assert_frame_equal(with_pls.drop(columns=["pls", "pls_nc"]), without)


# ---------------------------------------------------------------------------------------------- the plan


def study(results: Path, **changes) -> dict:
    return yaml.safe_load(COMPLETE.read_text()) | {"results": str(results)} | changes


def test_a_study_that_asks_for_it_plans_its_figures_fits_and_costs(tmp_path):
    figures = ["scaling_by_metric/pls_nc"]
    fits = [f"{tmp_path}/fits/{name}.pls.parquet" for name in ("compute", "finetuning.curves")]
    plain, with_pls = Plan(study(tmp_path)), Plan(study(tmp_path, figures=figures, **PLS), fits)
    assert with_pls.figures.fits[:3] == ["compute.pls_nc", "samples.pls_nc", "parameters.pls_nc"]
    stimuli, model = next(iter(plain.data.stimuli)), next(iter(plain.models.inventory))
    cheap, dear = (
        plan.limits.alignment(stimuli, model) for plan in (Plan(study(tmp_path, metrics={"similarity": []})), with_pls)
    )
    assert dear.seconds > cheap.seconds and dear.memory >= cheap.memory and dear.disk > cheap.disk


@pytest.mark.parametrize(
    ("metric", "metrics", "reason"),
    [
        ("pls_nc", {}, "metrics has no pls_components"),
        ("cka_c_test", {"similarity": ["train"]}, "metrics.similarity has no test"),
    ],
)
def test_a_metric_that_is_not_computed_is_refused_with_the_reason(tmp_path, metric, metrics, reason):
    with pytest.raises(InputError, match=rf"scaling_by_metric/{metric}: {reason}"):
        Plan(study(tmp_path, metrics=metrics, figures=[f"scaling_by_metric/{metric}"]))
    with pytest.raises(InputError, match=rf"fit compute\.{metric}\n.*{reason}"):
        Plan(study(tmp_path, metrics=metrics, figures=[]), [f"{tmp_path}/fits/compute.{metric}.parquet"])


def test_readouts_have_no_pls(tmp_path):
    with pytest.raises(InputError, match=r"fit mapping\.pls\n.*readouts are not fitted by PLS"):
        Plan(study(tmp_path, figures=[], **PLS), [f"{tmp_path}/fits/mapping.pls.parquet"])


def test_all_figures_leave_out_metrics_that_are_not_computed(tmp_path):
    drawn = [drawing.name for drawing in Plan(study(tmp_path, figures="all")).figures.drawings]
    assert "scaling_by_metric/rsa_c_test" in drawn and "scaling_by_metric/pls" not in drawn
