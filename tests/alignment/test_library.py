"""The function ``align``: the scores of the workflow from arrays in memory."""

import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from places import ROOT
from sklearn.linear_model import RidgeCV
from torch import nn

from cortexscale import InputError, align
from cortexscale.kernels.noise_ceiling import ncsnr_from_repetitions, noise_ceiling_percent

N, UNITS, REPETITIONS = 60, 6, 5
ROIS = {"V4": np.arange(UNITS) < 4, "IT": np.arange(UNITS) >= 3}


@pytest.fixture(scope="module")
def world() -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Features of two layers, and responses to the second of them."""
    rng = np.random.default_rng(0)
    features = {"a": rng.standard_normal((N, 10)), "b": 10 * rng.standard_normal((N, 8))}
    signal = features["b"] @ rng.standard_normal((8, UNITS)) / 20
    return features, signal[:, :, None] + rng.standard_normal((N, UNITS, REPETITIONS))


def test_scores_are_those_of_plain_ridge_at_the_layer_that_explains_the_responses(world):
    features, responses = world
    rows = align(features=features, responses=responses, rois=ROIS).set_index("roi")
    assert rows["layer_name"].tolist() == ["b", "b"] and rows["n_test"].tolist() == [12, 12]
    tested = np.arange(N) % 5 == 4
    means = responses.mean(axis=2)
    ceiling = noise_ceiling_percent(ncsnr_from_repetitions(responses[tested].transpose(2, 0, 1)), REPETITIONS) / 100
    assert (ceiling > 0).all()
    for roi, mask in ROIS.items():
        ridge = RidgeCV(np.logspace(1, 7, 10)).fit(features["b"][~tested], means[~tested][:, mask])
        predicted = ridge.predict(features["b"][tested])
        r = np.array([np.corrcoef(*pair)[0, 1] for pair in zip(predicted.T, means[tested][:, mask].T, strict=True)])
        # Stored features have an error of at most 2^-11 of their distance from an offset.
        assert rows.loc[roi, "pearsonr"] == pytest.approx(r.mean(), abs=1e-3)
        assert rows.loc[roi, "pearsonr_nc"] == pytest.approx((r / np.sqrt(ceiling[mask])).mean(), abs=1e-3)
        assert rows.loc[roi, "score_calibrated_low"] < rows.loc[roi, "score_calibrated"] < rows.loc[roi, "score_calibrated_high"]
    assert rows[["rsa_c_test", "cka_c_test"]].notna().all(axis=None)
    assert set(rows.attrs["layers"]["layer_name"]) == {"a", "b"} and len(rows.attrs["units"]) == 4 + 3


@pytest.mark.parametrize("kind", ["files", "arrays", "pictures"])
def test_a_network_on_images_scores_as_its_features_do(tmp_path, kind):
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 255, (N, 8, 8, 3), dtype=np.uint8)
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5)).eval()

    def transform(image: Image.Image) -> torch.Tensor:
        return torch.from_numpy(np.asarray(image).astype(np.float32)).permute(2, 0, 1) / 255

    with torch.no_grad():
        inputs = torch.stack([transform(Image.fromarray(each)) for each in pixels])
        convolved = network[0](inputs)
        features = {"0": convolved.numpy(), "3": network(inputs).numpy()}
    responses = 100 * features["3"] @ rng.standard_normal((5, UNITS)) + rng.standard_normal((N, UNITS))
    images = {"arrays": list(pixels), "pictures": [Image.fromarray(each) for each in pixels]}.get(kind)
    if not images:
        images = [tmp_path / f"{number}.png" for number in range(N)]
        for file, each in zip(images, pixels, strict=True):
            Image.fromarray(each).save(file)
    rows = align(model=network, transform=transform, layers=["0", "3"], images=images, responses=responses, similarity=False)
    same = align(features=features, responses=responses, similarity=False)
    assert rows["layer_name"].tolist() == same["layer_name"].tolist()
    np.testing.assert_allclose(rows["pearsonr"], same["pearsonr"], atol=1e-3)
    assert (rows["noise_ceiling"] == 1).all(), "without repetitions"


def test_repetitions_can_be_missing_and_ceilings_can_be_given(world):
    features, responses = world
    some = responses.copy()
    some[::2, :, 3:] = np.nan
    tested = np.zeros(N, bool)
    tested[:20] = True
    given = np.array([0, 50, 60, 70, 80, 90.0])
    rows = align(features=features, responses=some, test=tested, noise_ceiling=given, min_nc_percent=55, similarity=False)
    assert rows["n_units"].tolist() == [4] and rows["n_test"].tolist() == [20]
    assert rows["noise_ceiling"].tolist() == pytest.approx([np.sqrt(given[2:] / 100).mean()])


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"features": None}, "both or neither of model and features"),
        ({"features": {"a": np.ones((5, 3))}}, r"a \(5, 3\)"),
        ({"features": {}}, "no layer"),
        ({"responses": np.ones(N)}, r"shape \(60,\)"),
        ({"rois": {"V4": np.ones(3, bool)}}, r"rois: V4\n.*shape \(3,\)"),
        ({"rois": {"V4": np.arange(UNITS)}}, "an array of int64"),
        ({"test": np.ones(N, bool)}, "60 test stimuli of 60"),
        ({"test": 1}, "an array of int64"),
        ({"noise_ceiling": np.full(UNITS, 300.0)}, "to 300"),
        ({"min_nc_percent": 100}, "none of 6 units has a noise ceiling above 100 %"),
        ({"features": None, "model": nn.ReLU()}, "none"),
        ({"features": None, "model": nn.ReLU(), "images": [np.zeros((4, 4, 3), np.uint8)] * N}, "without layers or transform"),
        ({"features": None, "model": "some_net", "images": [np.zeros((4, 4, 3), np.uint8)] * N}, "no known layers"),
    ],
)
def test_arguments_that_do_not_fit_are_named(world, changes, found):
    features, responses = world
    with pytest.raises(InputError, match=found):
        align(**({"features": features, "responses": responses} | changes))


def test_a_hole_of_some_units_and_a_stimulus_without_repetitions_are_named(world):
    features, responses = world
    hole = responses.copy()
    hole[7, 2, 1] = np.nan
    with pytest.raises(InputError, match="repetition 1 of stimulus 7 has responses of some units"):
        align(features=features, responses=hole)
    hole[7] = np.nan
    with pytest.raises(InputError, match="stimulus 7 has no repetition"):
        align(features=features, responses=hole)


def test_the_example_of_the_page_runs():
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/library.md").read_text(encoding="utf-8"), re.DOTALL)
    known: dict = {}
    exec(example, known)
    assert known["scores"]["layer_name"].tolist() == ["deep", "deep"] and (known["scores"]["pearsonr_nc"] > 0.9).all()


def test_importing_the_package_loads_no_heavy_library():
    heavy = "{'torch', 'pandas', 'numpy'} & set(sys.modules)"
    code = f"import sys, cortexscale; print({heavy}); cortexscale.align; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["set()", "True"]
