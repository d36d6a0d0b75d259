"""The mapping stage, which fits and scores a readout on a dataset at all percentages of training stimuli and all seeds."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from torch import Tensor

from cortexscale.alignment.layer import dead_layer, is_constant, kernel_dtype
from cortexscale.alignment.targets import Targets
from cortexscale.catalogue.readouts import KINDS
from cortexscale.commitments import RoiLayers, rois_at
from cortexscale.errors import InputError
from cortexscale.kernels.device import best_device
from cortexscale.readouts.linear import LinearFit, linear_fits, linear_scores, linear_weights
from cortexscale.readouts.mapping import Fitted, fit_readouts, gate_tables, score_readouts, validation_scores
from cortexscale.readouts.parts import Parts
from cortexscale.readouts.recipes import ReadoutRecipe
from cortexscale.readouts.saved import Readout
from cortexscale.readouts.token_store import POOLED, TokenStore
from cortexscale.readouts.tokens import Tokens
from cortexscale.readouts.trials import Trials, held_out, training_trials
from cortexscale.study.ridge import Ridge

NO_GATES = pd.DataFrame(columns=["subject", "roi", "probe_type", "layer_name", "layer_position_normalized", "gate"])
Tables = dict[str, pd.DataFrame]
"""Tables by kind. ``scores`` has a row per subject x ROI, ``units`` has scores of units at the largest percentage, and ``gates``
has the weights of the layers in layer-gate readouts."""


@dataclass(frozen=True)
class Stage:
    """Settings that are the same for all readouts of a dataset.

    Attributes:
        targets: responses of one dataset. To compute RSA and CKA, they need prepared geometries.
        stimulus_ids: stimulus id of each row of the stimulus table.
        seeds: seeds for the choice of stimuli and for training.
        parts: finished fits, which a restarted job skips.
        validation_fraction: fraction of the training stimuli that is held out from trained readouts. ``validation_pearsonr`` is
            the score of the readouts on these stimuli.
        save: whether the readouts of the largest percentage and the first seed are saved in the folder ``saved``.
    """

    store: TokenStore
    targets: Sequence[Targets]
    commitments: RoiLayers
    stimulus_ids: np.ndarray
    percents: Sequence[float]
    seeds: Sequence[int]
    parts: Parts
    validation_fraction: float
    save: bool

    @property
    def saved(self) -> Path:
        """Folder of saved readouts. Shared readouts are ``<roi>.safetensors``, all others ``<subject>/<roi>.safetensors``."""
        return self.parts.folder / "readouts"

    def linear(self, ridge: Ridge) -> Tables:
        """Fit ridge to all activations of the committed layers. All percentages and seeds share the Gram matrix of a layer."""
        parts = []
        device = best_device()
        for layer in dict.fromkeys(entry.layer_name for entry in self.commitments.values()):
            committed = [target.restricted(rois_at(self.commitments, layer)) for target in self.targets]
            named = {f"{layer}-{number}": target for number, target in enumerate(committed) if target is not None}
            missing = {name: target for name, target in named.items() if name not in self.parts}
            wanted = [np.concatenate([target.train_rows, target.test_rows]) for target in missing.values()]
            kernels = self.store.kernels(layer, wanted, kernel_dtype(ridge, device), device) if wanted else ()
            for (name, target), kernel in zip(missing.items(), kernels, strict=True):
                if is_constant(kernel):
                    raise self._dead(layer, target)
                self.parts.tables(name, partial(self._linear_part, kernel.K, target, layer, ridge))
            parts += [self.parts.tables(name, dict) for name in named]
        return _together(parts)

    def _dead(self, layer: str, target: Targets) -> InputError:
        n_stimuli = len(target.train_rows) + len(target.test_rows)
        return dead_layer(layer, self.store.attributes["identity"].get("model"), target.dataset, n_stimuli)

    def _linear_part(self, K: Tensor, target: Targets, layer: str, ridge: Ridge) -> Tables:
        tables = []
        for fit in linear_fits(K, target, self.percents, self.seeds, ridge):
            scores, units = linear_scores(fit, target, layer, self.store.width(layer))
            tables.append(self._of_fit(fit.percent, fit.seed, scores, units))
            if self._is_kept(fit.percent, fit.seed):
                for group in range(len(target.groups)):
                    self._save_linear(K, target, layer, fit, group)
        return _together(tables)

    def trained(self, recipe: ReadoutRecipe, *, shared: bool) -> Tables:
        """Train readouts by gradient descent, for all subjects and ROIs at each percentage and seed."""
        gate = KINDS[recipe.readout].reads_all_layers
        depth_of = {name: place["depth"] for name, place in self.store.layers.items()}
        layers = {roi: POOLED if gate else entry.layer_name for roi, entry in self.commitments.items()}
        tokens = {layer: self.store.tokens(layer) for layer in layers.values()}
        for (layer, stored), target in product(tokens.items(), self.targets):
            if _is_constant(stored, target.test_rows):
                raise self._dead(layer, target)
        states = self.parts.folder / "states"

        def part(percent: float, seed: int) -> Tables:
            tables, trials, checked = [], training_trials(self.targets, percent, seed), list[Trials]()
            if self.validation_fraction:
                halves = [held_out(one, self.validation_fraction, seed) for one in trials]
                trials, checked = [seen for seen, _ in halves], [unseen for _, unseen in halves]
            for fitted in fit_readouts(tokens, layers, trials, recipe, shared=shared, seed=seed, states=states):
                scores, units = score_readouts(fitted, tokens[fitted.layer], self.targets)
                if checked:
                    validation = validation_scores(fitted, tokens[fitted.layer], checked)
                    validation = validation.rename(columns={"pearsonr": "validation_pearsonr"})
                    scores = scores.merge(validation, on=["subject", "roi"], validate="one_to_one")
                gates = None
                if gate:
                    gates, depths = gate_tables(fitted, tokens[POOLED], depth_of)
                    scores = scores.merge(depths, on=["subject", "roi", "probe_type"], validate="one_to_one")
                tables.append(self._of_fit(percent, seed, scores, units, gates))
                if self._is_kept(percent, seed):
                    self._save_trained(fitted)
            shutil.rmtree(states, ignore_errors=True)
            return _together(tables)

        fits = [(percent, seed) for seed in self.seeds for percent in self.percents]
        return _together([self.parts.tables(f"{fit[0]:g}-{fit[1]}", partial(part, *fit)) for fit in fits])

    def _of_fit(
        self, percent: float, seed: int, scores: pd.DataFrame, units: pd.DataFrame, gates: pd.DataFrame | None = None
    ) -> Tables:
        committed = [
            asdict(self.commitments[roi]) if layer != POOLED else {}
            for roi, layer in zip(scores["roi"], scores["layer_name"], strict=True)
        ]
        places = pd.DataFrame(committed, columns=["layer_position", "layer_position_normalized", "score"], index=scores.index)
        gates = NO_GATES if gates is None else gates
        tables = {
            "scores": scores.join(places.rename(columns={"score": "cv_score"})),
            "units": units if percent == max(self.percents) else units[:0],
            "gates": gates.assign(
                benchmark_name=self.targets[0].dataset,
                committed=[
                    self.commitments[roi].layer_name == layer
                    for roi, layer in zip(gates["roi"], gates["layer_name"], strict=True)
                ],
            ),
        }
        return {kind: table.assign(data_pct=float(percent), seed=seed) for kind, table in tables.items()}

    def _is_kept(self, percent: float, seed: int) -> bool:
        return self.save and percent == max(self.percents) and seed == self.seeds[0]

    def _facts(self, dataset: str, rows: Mapping[str, np.ndarray], units: Mapping[str, np.ndarray]) -> dict[str, Any]:
        identity = self.store.attributes["identity"]
        return {
            "dataset": dataset,
            "model": identity["model"],
            "weights_hash": identity["weights"],
            "units": {subject: list(names) for subject, names in units.items()},
            "training_stimuli": {subject: self.stimulus_ids[of_subject].tolist() for subject, of_subject in rows.items()},
        }

    def _save_trained(self, fitted: Fitted) -> None:
        rows, dataset = {name: trials.rows for name, trials in fitted.trials.items()}, self.targets[0].dataset
        for roi in fitted.readouts.rois:
            units = {
                subject: target.unit_names[target.members[group]]
                for target in self.targets
                for group, (subject, name) in enumerate(zip(target.groups["subject"], target.groups["roi"], strict=True))
                if name == roi and subject in fitted.trials
            }
            folder = self.saved if fitted.shared else self.saved / fitted.readouts.subjects[0]
            Readout.of_fitted(fitted, roi, **self._facts(dataset, rows, units)).save(folder / f"{roi}.safetensors")

    def _save_linear(self, K: Tensor, target: Targets, layer: str, fit: LinearFit, group: int) -> None:
        subject, roi = (str(target.groups[name].iloc[group]) for name in ("subject", "roi"))
        of_group = fit.group == group
        rows = target.train_rows[fit.chosen]
        weights, intercept = linear_weights(K, self.store.slabs(layer, target.train_rows), target, fit, group)
        facts = self._facts(target.dataset, {subject: rows}, {subject: target.unit_names[fit.unit[of_group]]})
        alpha = {subject: _without_repeats(fit.alpha[of_group])}
        readout = Readout.linear(weights, intercept, **facts, roi=roi, layer=layer, alpha=alpha)
        readout.save(self.saved / subject / f"{roi}.safetensors")


def _without_repeats(alpha: np.ndarray) -> list[float]:
    """Return the penalty of each unit, or only one penalty if it is that of all units."""
    return alpha[: 1 if (alpha == alpha[0]).all() else None].tolist()


def _is_constant(tokens: Tokens, rows: np.ndarray) -> bool:
    """Tell whether all stimuli in some rows of the stimulus table have the same tokens. Reading stops at the first difference."""
    first = tokens.read(rows[:1])
    return all((tokens.read(rows[place : place + 1]) == first).all() for place in range(1, len(rows)))


def _together(parts: Sequence[Tables]) -> Tables:
    return {kind: pd.concat([part[kind] for part in parts], ignore_index=True) for kind in parts[0]}
