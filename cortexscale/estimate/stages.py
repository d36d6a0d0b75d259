"""The stages of a study with the time, memory and disk that they will take, before the first of them runs."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

from cortexscale.datasets.manifest import released_file
from cortexscale.estimate.costs import distinct_layers, gram_seconds, projection_seconds, ridge_seconds
from cortexscale.estimate.machine import Machine
from cortexscale.estimate.networks import Network
from cortexscale.plan import Plan
from cortexscale.scaling.axes import AXES, COMPOSITE_ROIS, FITTED_SOURCES

_UNIT_ROW = 22
"""Bytes of a row of ``*.units.parquet``."""
_SMALL_MB = 2000
_PUBLISHED_EXPERIMENTS, _PUBLISHED_POINTS = 43, 300


@dataclass(frozen=True)
class Stage:
    """Jobs of one kind.

    Attributes:
        seconds: of each job.
        mb: what the largest job asks for.
        disk: bytes that stay.
        formula: how seconds and disk were reckoned.
    """

    name: str
    seconds: list[float]
    mb: int
    disk: float
    formula: str


class Kernel(NamedTuple):
    """One kernel of a dataset: stimuli and units of the subjects that share it."""

    n_train: int
    n_test: int
    units: float


class Estimate:
    """A plan on a machine.

    Args:
        networks: by model id.

    Attributes:
        unsized: released files whose size is not known.
    """

    def __init__(self, plan: Plan, machine: Machine, networks: dict[str, Network]):
        self.plan, self.machine, self.networks = plan, machine, networks
        self.ridge, self.features = plan.study.ridge, plan.study.features
        self.unsized: list[str] = []

    def stages(self) -> list[Stage]:
        """Those that have jobs, in the order in which they run."""
        stages = [self._preprocess(), self._stimuli(), self._training(), self._cards(), self._sweeps(), self._searches()]
        stages += [self._commitments(), self._stores(), self._alignments(), self._fits(), self._tables()]
        return [stage for stage in stages if stage.seconds]

    # ------------------------------------------------------------------------------------------ sizes

    @cache  # noqa: B019 (one Estimate per process)
    def kernels(self, dataset: str) -> list[Kernel]:
        """A subject has a kernel of its own where the units of one kernel do not grow with the number of subjects (NSD)."""
        plan, subjects = self.plan, self.plan.subjects_scored(dataset)
        n_train, n_test, most = plan.shape(dataset)
        shared = len(subjects) == 1 or plan.shape(dataset, subjects[:1])[2] < most
        units = plan.study.estimate.units.get(dataset)
        if units:
            most = units * len(subjects) if shared else units
        return [Kernel(n_train, n_test, most)] * (1 if shared else len(subjects))

    def _n_images(self, stimuli: str) -> int:
        return self.plan.images(stimuli) or sum(
            k.n_train + k.n_test for d in self.plan.datasets_on(stimuli) for k in self.kernels(d)
        )

    def _rois(self, dataset: str) -> list[str]:
        return self.plan.datasets[dataset].rois

    def _committed(self, stimuli: str, model: str) -> float:
        """Layers of a model that a feature store keeps."""
        rois = sum(len(self._rois(dataset)) for dataset in self.plan.datasets_on(stimuli))
        return distinct_layers(len(self.networks[model].widths), rois)

    def _stored_width(self, model: str) -> float:
        """Mean over the candidate layers."""
        widths, most = self.networks[model].widths, self.features.projection.dimensions
        return sum(min(width, most) for width in widths) / len(widths)

    # ------------------------------------------------------------------------------------------ recordings and images

    def _preprocess(self) -> Stage:
        machine, seconds, disk, mb = self.machine, [], 0.0, 0
        for name, dataset in self.plan.datasets.items():
            mb = max(mb, self.plan.preprocess_mb(name))
            for subject in dataset.subjects:
                n_train, n_test, units = self.plan.shape(name, [subject])
                written = 4 * (n_train + n_test) * self.plan.study.estimate.units.get(name, units)
                read = sum(self._released_bytes(name, Path(file)) for file in self.plan.raw_files(name, subject))
                seconds.append(machine.start + read / machine.release + written / machine.disk_write)
                disk += written
        formula = "start + released bytes / release + written / disk_write; disk: 4 x stimuli x units"
        return Stage("preprocess", seconds, mb, disk, formula)

    def _released_bytes(self, dataset: str, file: Path) -> int:
        if file.is_file():
            return file.stat().st_size
        entry = self.plan.datasets[dataset]
        name = Path(os.path.relpath(file, entry.path))
        known = released_file(entry.reader, name)
        size = (known.bytes or known.at_least) if known else None
        if size is None:
            self.unsized.append(f"{dataset}: {name}")
        return size or 0

    def _stimuli(self) -> Stage:
        seconds = [self.machine.start + self._n_images(stimuli) / self.machine.images for stimuli in self.plan.stimuli]
        return Stage("stimuli", seconds, _SMALL_MB, 0, "start + images / images")

    # ------------------------------------------------------------------------------------------ networks

    def _training(self) -> Stage:
        machine, plan, seconds = self.machine, self.plan, []
        for model in plan.models.values():
            if model.source == "suite":
                recipe = plan.recipe(model.id)
                flops = 3 * self.networks[model.id].flops * recipe["steps"] * recipe["batch"]
                seconds.append(machine.start_network + flops / machine.forward)
        return Stage("train_backbone", seconds, 4000, 0, "start + 3 x FLOPs x steps x batch / forward")

    def _cards(self) -> Stage:
        seconds = [self.machine.start_network + len(self.plan.references)] if self.plan.stimuli else []
        return Stage("model_cards", seconds, 8000, 0, "start + about 1 s per architecture")

    def _store_seconds(self, stimuli: str, model: str, layers: float) -> float:
        machine, network, images = self.machine, self.networks[model], self._n_images(stimuli)
        settings = self.features.projection
        wide = [
            projection_seconds(machine, settings.family, width, settings.dimensions, self.features.batch_size)
            for width in network.widths
        ]
        share = layers / len(network.widths)
        per_image = 1 / machine.images + network.flops / machine.forward + share * sum(wide)
        written = 2 * self._store_bytes(stimuli, model, layers) / machine.disk_write  # as a folder, then as one file
        return machine.start_network + images * per_image + written

    def _store_bytes(self, stimuli: str, model: str, layers: float) -> float:
        return 2 * self._n_images(stimuli) * layers * self._stored_width(model)

    def _sweeps(self) -> Stage:
        sizes = [(s, m, len(self.networks[m].widths)) for s in self.plan.stimuli for m in self.plan.references]
        seconds = [self._store_seconds(*size) for size in sizes]
        largest = max((self._store_bytes(*size) for size in sizes), default=0)
        formula = "as features, for all candidate layers; disk: none stays, up to "
        return Stage(
            "sweep_features", seconds, self.plan.features_mb(layers=64), 0, f"{formula}{largest / 1e9:,.1f} GB each at a time"
        )

    def _stores(self) -> Stage:
        sizes = [(s, m, self._committed(s, m)) for s in self.plan.stimuli for m in self.plan.models]
        seconds = [self._store_seconds(*size) for size in sizes]
        disk = sum(self._store_bytes(*size) for size in sizes)
        formula = (
            "start + images x (1 / images + FLOPs / forward + sum over layers wider than p of p sqrt(d) / projection (sparse; "
            "d countsketch, 2 p d / gemm_float32 gaussian)) + 2 x written / disk_write; disk: 2 x images x layers x min(d, p); "
            "committed layers: L (1 - (1 - 1/L)^ROIs) of L, as if ROIs chose at random, an upper estimate"
        )
        return Stage("features", seconds, self.plan.features_mb(layers=16), disk, formula)

    # ------------------------------------------------------------------------------------------ alignment

    def _ridge(self, kernel: Kernel, layers: float, unit_layers: float, **what: int) -> float:
        """Layers of one kernel, of which each unit is fitted to ``unit_layers``."""
        units = kernel.units * unit_layers / layers
        alphas, precision = self.ridge.alphas.count, self.ridge.precision
        return layers * ridge_seconds(self.machine, precision, kernel.n_train, units, alphas, **what)

    def _grams(self, stimuli: str, width: float, test: bool) -> float:
        """One layer: a kernel of all images that datasets share, or one each, whichever has fewer products."""
        sizes = [k.n_train + k.n_test * test for name in self.plan.datasets_on(stimuli) for k in self.kernels(name)]
        union = min(self._n_images(stimuli), sum(sizes))
        if len(sizes) > 1 and union**2 <= sum(n**2 for n in sizes):
            sizes = [union]
        return sum(gram_seconds(self.machine, self.ridge.precision, n, width) for n in sizes)

    def _searches(self) -> Stage:
        seconds = []
        for stimuli in self.plan.stimuli:
            kernels = [kernel for name in self.plan.datasets_on(stimuli) for kernel in self.kernels(name)]
            per_layer = sum(self._ridge(kernel, 1, 1, folds=self.ridge.folds.count) for kernel in kernels)
            for model in self.plan.references:
                gram = self._grams(stimuli, self._stored_width(model), test=False)
                seconds.append(self.machine.start + len(self.networks[model].widths) * (per_layer + gram))
        formula = (
            "start + layers x (kernels + ridge). Kernel: n^2 p / gemm + 2 n p / disk_read + 3 n p / elementwise. Ridge, for A "
            "penalties and k folds: A (n^3 (1 + 1/k) / inverse + 4 n^2 T / gemm + (10 k + 5) n T / elementwise), T units of all "
            "subjects that share the n stimuli"
        )
        return Stage("layer_search", seconds, self._ridge_mb(), 0, formula)

    def _alignments(self) -> Stage:
        seconds, disk = [], 0.0
        for stimuli in self.plan.stimuli:
            names = self.plan.datasets_on(stimuli)
            scored = sum(k.units * self._rois_per_unit(name) for name in names for k in self.kernels(name))
            for model in self.plan.models:
                ridge = sum(self._aligned(name, kernel, model) for name in names for kernel in self.kernels(name))
                gram = self._committed(stimuli, model) * self._grams(stimuli, self._stored_width(model), test=True)
                seconds.append(self.machine.start + gram + ridge)
                disk += _UNIT_ROW * scored
        formula = (
            "start + committed layers x kernels + per dataset its committed layers x A (n^3 / inverse + 5 n T / elementwise + "
            "(2 n^2 + 2 m n) T / gemm); a unit is fitted to the layers of its own ROI and of those that hold others; "
            f"disk: {_UNIT_ROW} per unit and ROI"
        )
        return Stage("alignment", seconds, self._ridge_mb(), disk, formula)

    def _aligned(self, dataset: str, kernel: Kernel, model: str) -> float:
        layers = distinct_layers(len(self.networks[model].widths), len(self._rois(dataset)))
        return self._ridge(kernel, layers, min(layers, self._rois_per_unit(dataset)), n_test=kernel.n_test)

    def _rois_per_unit(self, dataset: str) -> int:
        """Its own, and those that hold others."""
        rois = set(self._rois(dataset))
        return len(rois & COMPOSITE_ROIS) + bool(rois - COMPOSITE_ROIS)

    def _ridge_mb(self) -> int:
        return max((self.plan.ridge_mb(stimuli) for stimuli in self.plan.stimuli), default=0)

    def _commitments(self) -> Stage:
        jobs = len(self.plan.stimuli) * len(self.plan.references)
        return Stage("commit_layers", [self.machine.start] * jobs, 1000, 0, "start")

    # ------------------------------------------------------------------------------------------ fits and figures

    def _fits(self) -> Stage:
        study, seconds = self.plan.study, []
        if self.plan.datasets:
            fitted = sum(model.source in FITTED_SOURCES for model in self.plan.models.values())
            points = 2 * fitted * (len(self.plan.datasets) + 1)
            seconds += [points * study.fits.bootstraps] * len(set(study.fits.axes) & set(AXES))
        if study.scores:
            chosen = study.scores.experiments
            experiments = _PUBLISHED_EXPERIMENTS if chosen == "all" else len(chosen)
            seconds.append(experiments * _PUBLISHED_POINTS * study.scores.bootstraps)
        formula = (
            "start + points x resamples / fits; points: models x (datasets + 1), all families together and each alone; "
            f"published scores: {_PUBLISHED_POINTS} per experiment"
        )
        return Stage("fits", [self.machine.start + work / self.machine.fits for work in seconds], 4000, 0, formula)

    def _tables(self) -> Stage:
        jobs = len(self.plan.study.figures) + (len(self.plan.datasets) + 3 if self.plan.datasets else 0)
        return Stage("tables, figures", [self.machine.start] * jobs, 8000, 0, "start")


def totals(stages: list[Stage]) -> Iterator[float]:
    """Jobs, seconds, seconds of the longest job, MB of the largest, bytes of disk."""
    yield sum(len(stage.seconds) for stage in stages)
    yield sum(sum(stage.seconds) for stage in stages)
    yield max(max(stage.seconds) for stage in stages)
    yield max(stage.mb for stage in stages)
    yield sum(stage.disk for stage in stages)
