"""Training and scoring of readouts for all ROIs and subjects of a dataset together."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from cortexscale.alignment.score_rows import Predictions, score_rows
from cortexscale.alignment.targets import Targets
from cortexscale.kernels.correlation import pearson
from cortexscale.kernels.device import Blocks
from cortexscale.models.training.steps import TrainingState
from cortexscale.readouts.recipes import ReadoutRecipe
from cortexscale.readouts.roi_readouts import RoiReadouts
from cortexscale.readouts.tokens import Tokens
from cortexscale.readouts.train import train_readouts
from cortexscale.readouts.trials import Trials


@dataclass(frozen=True)
class Fitted:
    """Trained readouts of some ROIs, all of which read the same layer.

    Attributes:
        trials: training trials of each subject.
        shared: whether the subjects share one trunk for each ROI (multi-subject).
    """

    layer: str
    readouts: RoiReadouts
    trials: dict[str, Trials]
    shared: bool

    @property
    def probe_type(self) -> str:
        """Name of the readout in published tables, such as ``attention_individual`` or ``attention_shared``."""
        return f"{self.readouts.recipe.readout}_{'shared' if self.shared else 'individual'}"


def fit_readouts(
    tokens: Mapping[str, Tokens],
    layers: Mapping[str, str],
    trials: Sequence[Trials],
    recipe: ReadoutRecipe,
    *,
    shared: bool,
    seed: int,
    states: Path | None = None,
) -> Iterator[Fitted]:
    """Train the readouts of all subjects and ROIs. ROIs with the same layer are trained together, as many as the device can hold.

    Args:
        tokens: tokens of each layer. For a layer gate, ``POOLED`` has the mean tokens of all layers.
        layers: ROI -> its committed layer, or ``POOLED`` for a layer gate. A subject need not have all ROIs.
        shared: whether all subjects share one trunk for each ROI (multi-subject), or each subject has its own (single-subject).
        states: folder of states from which interrupted trainings continue. The caller deletes it after saving the results.
    """

    def fit(layer: str, rois: list[str], subjects: list[Trials]) -> list[Fitted]:
        fitted = []

        def train(block: slice) -> None:
            present, state = rois[block], None
            if states:
                identity = _identity(layer, subjects, present, recipe, seed)
                state = TrainingState(states / f"{identity}.pt", identity, seconds=60)
            readouts = train_readouts(tokens[layer], subjects, present, recipe, seed=seed, state=state)
            fitted.append(Fitted(layer, readouts, {subject.subject: subject for subject in subjects}, shared))

        Blocks(len(rois)).run(len(rois), train)
        return fitted

    for together in [list(trials)] if shared else [[subject] for subject in trials]:
        for side_by_side in _side_by_side(layers, together):
            yield from fit(*side_by_side)


def _side_by_side(layers: Mapping[str, str], trials: Sequence[Trials]) -> Iterator[tuple[str, list[str], list[Trials]]]:
    """Yield each layer with ROIs that read this layer and with the subjects that have all of these ROIs."""
    jobs: dict[tuple[str, tuple[int, ...]], list[str]] = {}
    for roi, layer in layers.items():
        having = tuple(number for number, subject in enumerate(trials) if roi in subject.units)
        if having:
            jobs.setdefault((layer, having), []).append(roi)
    for (layer, having), rois in jobs.items():
        yield layer, rois, [trials[number] for number in having]


def _identity(layer: str, trials: Sequence[Trials], rois: Sequence[str], recipe: ReadoutRecipe, seed: int) -> str:
    digest = hashlib.blake2b(digest_size=16)
    digest.update(json.dumps([layer, list(rois), asdict(recipe), seed]).encode())
    for subject in trials:
        digest.update(subject.subject.encode())
        for array in (subject.rows, subject.responses, *(subject.units[roi] for roi in rois)):
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def score_readouts(fitted: Fitted, tokens: Tokens, targets: Sequence[Targets]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Score trained readouts on the test split, in float32.

    Returns:
        The two tables of :func:`cortexscale.alignment.score_rows.score_rows`. The table with rows per subject x ROI also has
        ``probe_type``, ``layer_name``, ``fitting_samples`` and ``n_params``. ``n_params`` counts the whole readout. For a shared
        readout, this includes the heads of all subjects, so all its subjects have the same number.
    """
    rows, units = [], []
    for target in targets:
        part = target.restricted(fitted.readouts.rois, list(fitted.trials))
        if part is None:
            continue
        places = list(zip(part.groups["subject"], part.groups["roi"], strict=True))
        of_subjects = {name: fitted.readouts.predict(tokens, part.test_rows, name) for name, _ in places}
        predicted = [of_subjects[name][roi] for name, roi in places]
        r = [_correlations(each, part.test[:, inside]) for each, inside in zip(predicted, part.members, strict=True)]
        columns = {
            "probe_type": fitted.probe_type,
            "layer_name": fitted.layer,
            "fitting_samples": [len(fitted.trials[name].rows) for name, _ in places],
            "n_params": [fitted.readouts.n_parameters(roi) for _, roi in places],
        }
        together = Predictions(np.concatenate(r), np.concatenate(predicted, axis=1).astype(np.float64))
        of_target, of_units = score_rows(part, together, columns, splits=["test"] if part.prepared else [])
        rows.append(of_target)
        units.append(of_units)
    return pd.concat(rows, ignore_index=True), pd.concat(units, ignore_index=True)


def validation_scores(fitted: Fitted, tokens: Tokens, trials: Sequence[Trials]) -> pd.DataFrame:
    """Score trained readouts on held-out training trials.

    The columns are ``subject``, ``roi`` and ``pearsonr`` (mean over units).
    """
    rows = []
    for subject in trials:
        if subject.subject in fitted.trials:
            for roi, predicted in fitted.readouts.predict(tokens, subject.rows, subject.subject).items():
                r = _correlations(predicted, subject.responses[:, subject.units[roi]])
                rows.append({"subject": subject.subject, "roi": roi, "pearsonr": r.mean()})
    return pd.DataFrame(rows)


def _correlations(predicted: np.ndarray, observed: np.ndarray) -> np.ndarray:
    return pearson(torch.from_numpy(predicted), torch.from_numpy(observed)).numpy()


def gate_tables(fitted: Fitted, tokens: Tokens, depths: Mapping[str, float]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Average the gates of trained layer gates over each subject's training stimuli. ``depths`` is layer -> depth.

    Returns:
        Two tables. The first has ``layer_name``, ``layer_position_normalized`` and ``gate`` for each subject x ROI x layer. The
        second has the columns of :func:`gate_summary` for each subject x ROI.
    """
    layers, positions = list(depths), np.array(list(depths.values()))
    gates, summaries = [], []
    for subject, trials in fitted.trials.items():
        for roi, gate in zip(fitted.readouts.rois, fitted.readouts.gates(tokens, trials.rows), strict=True):
            place = {"subject": subject, "roi": roi, "probe_type": fitted.probe_type}
            gates.append(pd.DataFrame({**place, "layer_name": layers, "layer_position_normalized": positions, "gate": gate}))
            summaries.append({**place, **gate_summary(gate, positions)})
    return pd.concat(gates, ignore_index=True), pd.DataFrame(summaries)


def gate_summary(gates: np.ndarray, depths: np.ndarray) -> dict[str, float]:
    """Summarise the depths at which an ROI reads a network, from the gates (L,) and depths (L,) of L layers.

    Returns:
        ``expected_depth``, ``depth_sd`` and ``gate_entropy``. The entropy, in nats, is 0 if one layer has all the weight, and log
        L if all gates are equal.
    """
    expected = float(gates @ depths)
    positive = gates[gates > 0]
    return {
        "expected_depth": expected,
        "depth_sd": float(np.sqrt(gates @ (depths - expected) ** 2)),
        "gate_entropy": float(-(positive * np.log(positive)).sum()),
    }
