"""The alignment of one model with one recording, from arrays in memory. The functions are those that the workflow runs."""

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from torch import Tensor, nn
from tqdm.auto import tqdm

from cortexscale.alignment.commit import commit_layers
from cortexscale.alignment.score import score_alignment
from cortexscale.alignment.search import search_layers
from cortexscale.alignment.targets import PreparedResponses, prepare_responses, shared_targets
from cortexscale.errors import InputError
from cortexscale.features.extract import ModelOnImages, extract_features, forward_precision
from cortexscale.features.store import FeatureStore, StoreWriter
from cortexscale.kernels.noise_ceiling import ncsnr_from_trials, noise_ceiling_percent
from cortexscale.models.backbone import Backbone
from cortexscale.models.build import load_backbone
from cortexscale.models.families import LAYERS, timm_family
from cortexscale.models.inventory import hub_models
from cortexscale.models.layers import candidate_layers
from cortexscale.qc.calibration import calibrated
from cortexscale.recording import Recording, Split
from cortexscale.stimuli import StimulusImages
from cortexscale.stimuli.layouts import ImageFolder
from cortexscale.study.experiments import Metrics
from cortexscale.study.features import Projection
from cortexscale.study.models import TimmModels
from cortexscale.study.ridge import Ridge

_NAME = "recording"
"""Dataset and subject in the rows, because a recording in memory has no names."""


def align(
    *,
    responses: np.ndarray,
    images: Sequence[str | Path | Image.Image | np.ndarray] | None = None,
    model: str | nn.Module | None = None,
    layers: Sequence[str] | None = None,
    transform: Callable[[Image.Image], Tensor] | None = None,
    features: Mapping[str, np.ndarray] | None = None,
    rois: Mapping[str, np.ndarray] | None = None,
    test: int | np.ndarray = 5,
    noise_ceiling: np.ndarray | None = None,
    min_nc_percent: float = 0.0,
    similarity: bool = True,
    projection: Projection | None = None,
    ridge: Ridge | None = None,
    batch_size: int = 32,
) -> pd.DataFrame:
    """Commit a layer for each ROI on training stimuli, and score its predictions of the test stimuli.

    The features of all candidate layers are written into a temporary folder. They take 2 bytes x stimuli x features. Memory holds
    the responses and a few (stimuli, stimuli) matrices. A network runs on a GPU if there is one.

    Args:
        responses: (stimuli, units), or (stimuli, units, repetitions) with nan for repetitions that a stimulus does not have.
        images: image of each stimulus: a path, a PIL image or a uint8 array (height, width, 3).
        model: id of a pretrained timm model, or a network. It needs ``images``.
        layers: regular expressions of the candidate layers of the model, which match whole module names. A timm model of a
            family with known layers does not need them.
        transform: function that turns an RGB image into the input (3, height, width) of a network. A timm model has its own.
        features: in place of a model, the features (stimuli, features) of each layer, from shallow to deep.
        rois: name of an ROI -> (units,) bool. By default all units are the ROI ``all``.
        test: every ``test``-th stimulus is a test stimulus, or (stimuli,) bool that is True for test stimuli.
        noise_ceiling: (units,) noise ceiling of the averaged test responses, in percent of variance. By default it is computed
            from the repetitions of the test stimuli. Without repetitions, noise ceilings count as 100 %.
        min_nc_percent: units with a noise ceiling of at most this number are left out.
        similarity: whether RSA and CKA are computed, too.
        projection: random projection of wide layers of a model. The default is that of the paper.
        ridge: settings of the regression. The default is that of the paper.
        batch_size: number of images in a forward pass.

    Returns:
        One row per ROI with the columns of ``docs/tables.md``: ``layer_name``, ``pearsonr``, ``pearsonr_nc``,
        ``noise_ceiling``, ``score_calibrated`` with its 95 % interval over test stimuli, RSA and CKA, and others.
        ``attrs["layers"]`` has the cross-validated score of every layer, and ``attrs["units"]`` the scores of units.

    Raises:
        InputError: arguments do not fit together.
    """
    if (model is None) == (features is None):
        raise InputError("align", "both or neither of model and features", "one of them", "give a model with images, or features")
    recording = _recording(np.asarray(responses), rois, test, noise_ceiling, min_nc_percent)
    n, ridge = len(responses), ridge or Ridge()
    table = pd.DataFrame({"stimulus_id": _ids(n), "hash": _ids(n), "concept": _ids(n)})
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cortexscale-")))
        if model is not None:
            _extract(
                model, layers, transform, images, table, projection or Projection(), batch_size, folder / "features.zarr.zip"
            )
        else:
            _store(features or {}, n, folder / "features.zarr.zip")
        store = FeatureStore(folder / "features.zarr.zip")
        targets = shared_targets([recording], table, list(map(str, recording.rois)))
        metrics = Metrics(similarity=["test"] if similarity else [])
        prepare_responses(targets, metrics.similarity, folder / "prepared.h5", {})
        targets = [replace(target, prepared=PreparedResponses(folder / "prepared.h5")) for target in targets]
        searched = search_layers(store, targets, ridge)
        rows, units = score_alignment(store, targets, commit_layers(searched, _NAME), ridge, metrics)
    rows = rows.drop(columns=["benchmark_name", "subject"])
    rows.attrs |= {"layers": searched, "units": units}
    return rows


def _ids(n: int) -> np.ndarray:
    return np.array([f"stimulus {number}" for number in range(n)])


def _recording(
    responses: np.ndarray,
    rois: Mapping[str, np.ndarray] | None,
    test: int | np.ndarray,
    noise_ceiling: np.ndarray | None,
    min_nc_percent: float,
) -> Recording:
    """Average responses over repetitions, select units, and divide the stimuli into training and test stimuli."""
    if responses.ndim not in (2, 3) or responses.dtype.kind not in "iuf":
        expected = "numbers of shape (stimuli, units) or (stimuli, units, repetitions)"
        found = f"an array of {responses.dtype} and shape {responses.shape}"
        raise InputError("align: responses", found, expected, "transpose or convert the array")
    trials = responses[:, :, None] if responses.ndim == 2 else responses
    n, n_units, _ = trials.shape
    known = np.isfinite(trials)
    shown = known.any(axis=1)  # (stimuli, repetitions)
    if (known.any(axis=1) != known.all(axis=1)).any():
        stimulus, repetition = np.argwhere(known.any(axis=1) != known.all(axis=1))[0]
        found = f"repetition {repetition} of stimulus {stimulus} has responses of some units and not of others"
        raise InputError("align: responses", found, "nan for all units where a repetition is missing", "leave these units out")
    if (counts := shown.sum(axis=1)).min(initial=1) < 1:
        found = f"stimulus {counts.argmin()} has no repetition"
        raise InputError("align: responses", found, "at least one repetition of every stimulus", "leave this stimulus out")
    tested = _test_stimuli(test, n)
    nc_percent = _ceilings(trials[tested], shown[tested], noise_ceiling)
    masks = {
        name: _mask(mask, n_units, f"rois: {name}", "unit") for name, mask in (rois or {"all": np.ones(n_units, bool)}).items()
    }
    kept = nc_percent > min_nc_percent
    if not kept.any():
        found = f"none of {n_units} units has a noise ceiling above {min_nc_percent:g} %"
        raise InputError("align: responses", found, "units with signal", "lower min_nc_percent, or give other units")
    screening = pd.DataFrame({"unit": [f"unit {number}" for number in range(n_units)], "nc_percent": nc_percent, "kept": kept})
    screening = screening.join(pd.DataFrame(masks))
    means, ids = np.nanmean(trials, axis=2), _ids(n)
    train, tests = (Split(ids[rows], means[rows][:, kept].astype(np.float32), counts[rows]) for rows in (~tested, tested))
    units = screening.loc[kept, ["unit", "nc_percent"]].reset_index(drop=True)
    of_kept = screening.loc[kept, list(masks)].reset_index(drop=True)
    return calibrated(Recording(_NAME, _NAME, train, tests, units, of_kept, {}, screening).check())


def _test_stimuli(test: int | np.ndarray, n: int) -> np.ndarray:
    tested = np.arange(n) % test == test - 1 if isinstance(test, int) and test > 1 else _mask(test, n, "test", "stimulus")
    if min(tested.sum(), n - tested.sum()) < 2:
        found = f"{tested.sum()} test stimuli of {n}"
        raise InputError("align: test", found, "two training stimuli and two test stimuli, or more", "choose others")
    return tested


def _mask(mask: object, length: int, what: str, one: str) -> np.ndarray:
    """Check a boolean mask with a value for each unit or stimulus."""
    values = np.asarray(mask)
    if values.dtype != bool or values.shape != (length,):
        found = f"an array of {values.dtype} and shape {values.shape}"
        raise InputError(f"align: {what}", found, f"a boolean for each {one}, ({length},)", "give such a mask")
    return values


def _ceilings(trials: np.ndarray, shown: np.ndarray, given: np.ndarray | None) -> np.ndarray:
    """Return the noise ceiling of each unit in percent, from the trials (stimuli, units, repetitions) of the test stimuli."""
    n_units = trials.shape[1]
    if given is not None:
        values = np.asarray(given, float)
        if values.shape != (n_units,) or not ((values >= 0) & (values <= 100)).all():
            found = f"an array of shape {values.shape} from {values.min(initial=0):g} to {values.max(initial=0):g}"
            raise InputError(
                "align: noise_ceiling", found, f"({n_units},) percent of variance", "square r, and multiply it by 100"
            )
        return values
    counts = shown.sum(axis=1)
    if counts.max() < 2:
        return np.full(n_units, 100.0)
    stimulus, repetition = np.nonzero(shown)
    return noise_ceiling_percent(ncsnr_from_trials(trials[stimulus, :, repetition], stimulus), counts)


class _Pictures(StimulusImages):
    """Images that are given in memory or by their paths, as RGB images, with a bar that shows how many were read."""

    def __init__(self, images: Sequence[str | Path | Image.Image | np.ndarray]):
        self.given, self.bar = images, tqdm(total=len(images), desc="images", unit="image")

    def __len__(self) -> int:
        return len(self.given)

    def __getitem__(self, row: int) -> Image.Image:
        image = self.given[row]
        self.bar.update()
        if isinstance(image, str | Path):
            files = ImageFolder(Path(os.path.abspath(image)).parent)  # noqa: PTH100
            name = Path(image).name
            return files.decoded(name, files.read(name))
        return (Image.fromarray(image) if isinstance(image, np.ndarray) else image).convert("RGB")


def _extract(
    model: str | nn.Module,
    layers: Sequence[str] | None,
    transform: Callable[[Image.Image], Tensor] | None,
    images: Sequence[str | Path | Image.Image | np.ndarray] | None,
    table: pd.DataFrame,
    projection: Projection,
    batch_size: int,
    path: Path,
) -> None:
    """Write the features of all candidate layers of a model."""
    if images is None or len(images) != len(table):
        found = "none" if images is None else f"{len(images)} images for {len(table)} stimuli"
        raise InputError("align: images", found, "an image for each stimulus, in the order of the responses", "give them")
    if isinstance(model, str):
        family = timm_family(model.split("/")[-1].split(".")[0])
        family = next((name for name in (f"{family}-timm", family) if name in LAYERS), family)
        if layers is None and family not in LAYERS:
            found = f"none for {model}, whose family {family} has no known layers"
            raise InputError("align: layers", found, "regular expressions of module names", "give them, as in layers=['layer.']")
        (known,) = hub_models(TimmModels(source="timm", ids=[model], layers=family if layers is None else list(layers)))
        backbone, patterns = load_backbone(known), known.layers
    elif layers is None or transform is None:
        raise InputError("align: model", "a network without layers or transform", "both", "give `layers` and `transform`")
    else:
        backbone, patterns = Backbone(model.eval(), transform), tuple(layers)
    candidates = candidate_layers(backbone.network, patterns)
    identity = {"model": model if isinstance(model, str) else type(model).__name__}
    precision = forward_precision("float16")
    job = ModelOnImages(
        backbone=backbone,
        images=_Pictures(images),
        identity=identity,
        batch_size=batch_size,
        precision=precision,
        candidates=candidates,
        table=table,
    )
    extract_features(job, candidates, path, projection=projection, made_by={})


def _store(features: Mapping[str, np.ndarray], n: int, path: Path) -> None:
    """Write given features of each layer, unprojected."""
    arrays = {name: np.asarray(values, np.float32).reshape(len(values), -1) for name, values in features.items()}
    if not arrays or any(len(values) != n for values in arrays.values()):
        found = ", ".join(f"{name} {np.shape(values)}" for name, values in features.items()) or "no layer"
        raise InputError("align: features", found, f"an array of ({n}, features) for each layer", "give one row per stimulus")
    writer = StoreWriter(path, {"layers": list(arrays)}, n)
    writer.write(arrays)
    places = {name: {"position": place, "depth": place / len(arrays)} for place, name in enumerate(arrays, start=1)}
    writer.finish({"layers": places})
