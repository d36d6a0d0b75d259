"""The stages of a study with the time, memory and disk that they will take, before the first of them runs."""

import math
from pathlib import Path

from cortexscale.estimate.costs import (
    ADAPTIVE_EVALUATIONS,
    ADAPTIVE_INVERSES,
    geometry_seconds,
    gram_seconds,
    projection_seconds,
    ridge_seconds,
    stored_kernel_seconds,
)
from cortexscale.estimate.finetuning import FinetuningEstimate
from cortexscale.estimate.machine import Machine
from cortexscale.estimate.mapping import MappingEstimate
from cortexscale.estimate.sizes import Kernel, Sizes
from cortexscale.estimate.stage import Stage
from cortexscale.models.spvvs import AVERAGED, checkpoints

_UNIT_ROW = 22
"""Bytes of a row of ``*.units.parquet``."""
_PUBLISHED_EXPERIMENTS, _PUBLISHED_POINTS = 43, 300
_PUBLISHED_READOUTS = 18 * 27
"""Points of the published mapping table: three readouts of six datasets, nine fractions, three seeds."""


class Estimate:
    """A plan on a machine."""

    def __init__(self, sizes: Sizes, machine: Machine):
        self.sizes, self.machine, self.plan = sizes, machine, sizes.plan
        self.ridge, self.features = self.plan.study.ridge, self.plan.study.features

    def stages(self) -> list[Stage]:
        """Those that have jobs, in the order in which they run."""
        stages = [self._preprocess(), self._stimuli(), self._downloads(), self._training(), self._cards(), self._prepared()]
        stages += [self._sweeps(), self._searches(), self._commitments(), self._stores(), self._alignments(), self._projections()]
        stages += [*self._mapping(), *self._finetuning(), self._fits(), self._tables()]
        return [stage for stage in stages if stage.seconds]

    def _preprocess(self) -> Stage:
        machine, seconds, disk = self.machine, [], 0.0
        for name, dataset in self.plan.data.datasets.items():
            kept, _ = self.sizes.units_kept(name)
            for subject in dataset.subjects:
                n_train, n_test, most = self.plan.data.shape(name, [subject])
                written = 4 * (n_train + n_test) * (kept or most)
                read = sum(self.sizes.released_bytes(name, Path(file)) for file in self.plan.data.raw_files(name, subject))
                seconds.append(machine.start + read / machine.release + written / machine.disk_write)
                disk += written
        mb = max((self.plan.resources.preprocess_mb(name) for name in self.plan.data.datasets), default=0)
        formula = "start + released bytes / release + written / disk_write; disk: 4 x images x units"
        return Stage("preprocess", seconds, mb, disk, formula)

    def _stimuli(self) -> Stage:
        seconds = [self.machine.start + self.sizes.images(stimuli) / self.machine.images for stimuli in self.plan.data.stimuli]
        return Stage("stimuli", seconds, 2000, 0, "start + number of images / images")

    def _downloads(self) -> Stage:
        disk = 0.0
        for id in self.plan.models.downloads.values():
            copies = 2 if self.plan.models.inventory[id].family.startswith(AVERAGED) else 1
            disk += 4 * copies * self.sizes.networks[id].parameters
        formula = "start, the connection not counted; disk: 4 per parameter, twice where a file holds averaged weights too"
        return Stage("download_checkpoint", [self.machine.start] * len(self.plan.models.downloads), 1000, disk, formula)

    def _training(self) -> Stage:
        seconds = []
        for model in self.plan.models.inventory.values():
            if model.source == "suite":
                flops = 3 * self.sizes.networks[model.id].flops * self.plan.models.training_length(model.id).images_seen
                seconds.append(self.machine.start_network + flops / self.machine.forward)
        mb = max(
            (
                self.plan.resources.training_mb(model.id)
                for model in self.plan.models.inventory.values()
                if model.source == "suite"
            ),
            default=0,
        )
        return Stage("train_backbone", seconds, mb, 0, "start_network + 3 x FLOPs x images seen / forward")

    def _cards(self) -> Stage:
        seconds = [self.machine.start_network + len(self.plan.models.references)] if self.plan.data.stimuli else []
        return Stage("model_cards", seconds, 8000, 0, "start_network + about 1 s per architecture")

    # ------------------------------------------------------------------------------------------ features

    def _sweeps(self) -> Stage:
        stores = [(s, m, self.sizes.layers(m)) for s in self.plan.data.stimuli for m in self.plan.alignment.searched]
        seconds = [self._store_seconds(*store) for store in stores]
        largest = max((self.sizes.store_bytes(*store) for store in stores), default=0)
        formula = f"as features, for all candidate layers; disk: temporary, the largest {largest / 1e9:,.2f} GB"
        return Stage("sweep_features", seconds, self._features_mb(layers=64), 0, formula)

    def _stores(self) -> Stage:
        stores = [(s, m, self.sizes.committed(s, m)) for s in self.plan.data.stimuli for m in self.plan.models.inventory]
        seconds = [self._store_seconds(*store) for store in stores]
        disk = sum(self.sizes.store_bytes(*store) for store in stores)
        formula = (
            "start_network + passes x number of images x (1 / images + FLOPs / forward) + 2 N d / disk_write (N images shown) + "
            "per kernel n^2 d / gemm + 2 n d / disk_read + 3 n d / elementwise + written / disk_write; as many passes as "
            "activations fill scratch_gb; disk: 2 n min(n, d) per layer and kernel"
            if self.plan.alignment.exact
            else "start_network + number of images x (1 / images + FLOPs / forward + sum over layers wider than p of p sqrt(d) / "
            "projection (sparse; d countsketch, 2 p d / gemm_float32 gaussian)) + written / disk_write; disk: 2 x images x "
            "layers x min(d, p)"
        )
        formula += "; committed layers: about sqrt(ROIs), as in the published commitments"
        return Stage("features", seconds, self._features_mb(layers=16), disk, formula)

    def _features_mb(self, layers: int) -> int:
        return max((self.plan.resources.features_mb(stimuli, layers) for stimuli in self.plan.data.stimuli), default=0)

    def _store_seconds(self, stimuli: str, model: str, layers: float) -> float:
        if self.plan.alignment.exact:
            return self._exact_seconds(stimuli, model, layers)
        machine, network, projection = self.machine, self.sizes.networks[model], self.features.projection
        all_layers = sum(
            projection_seconds(machine, projection.family, width, projection.dimensions, self.features.batch_size)
            for width in network.widths
        )
        projecting = all_layers * layers / len(network.widths)
        per_image = 1 / machine.images + network.flops / machine.forward + projecting
        written = self.sizes.store_bytes(stimuli, model, layers)
        return machine.start_network + self.sizes.images(stimuli) * per_image + written / machine.disk_write

    def _exact_seconds(self, stimuli: str, model: str, layers: float) -> float:
        machine, network, images = self.machine, self.sizes.networks[model], self.sizes.images_shown(stimuli)
        scratch = 2 * images * layers * self.sizes.activations(model)
        passes = math.ceil(scratch / (1e9 * self.features.scratch_gb))
        forward = passes * images * (1 / machine.images + network.flops / machine.forward)
        sizes, width = self.sizes.kernel_images(stimuli, test=True), self.sizes.activations(model)
        kernels = layers * sum(gram_seconds(machine, "auto", n, width) for n in sizes)
        written = scratch + self.sizes.store_bytes(stimuli, model, layers)
        return machine.start_network + forward + kernels + written / machine.disk_write

    # ------------------------------------------------------------------------------------------ alignment

    def _prepared(self) -> Stage:
        seconds, disk = [], 0.0
        for stimuli in self.plan.data.stimuli:
            seconds.append(self.machine.start + sum(self._geometries(*kernel) for kernel in self._kernels(stimuli)))
            disk += sum(4 * n**2 * self._groups(name) for name, kernel in self._kernels(stimuli) for n in self._compared(kernel))
        mb = max((self.plan.resources.prepare_mb(stimuli) for stimuli in self.plan.data.stimuli), default=0)
        formula = (
            "start + per split of `similarity` n^2 U / gemm + 10 n^2 G / elementwise, U units in G subjects and ROIs; "
            "disk: 4 n^2 G"
        )
        return Stage("prepare_responses", seconds, mb, disk, formula)

    def _compared(self, kernel: Kernel) -> list[int]:
        """Stimuli of each split of which RSA and CKA are wanted."""
        n = {"train": kernel.n_train, "test": kernel.n_test}
        return [n[split] for split in self.plan.study.similarity.splits]

    def _groups(self, dataset: str) -> float:
        """Subjects and ROIs that share a kernel, as if every subject had every ROI."""
        return len(self.sizes.rois(dataset)) * len(self.plan.data.subjects_scored(dataset)) / len(self.sizes.kernels(dataset))

    def _geometries(self, dataset: str, kernel: Kernel) -> float:
        units, groups = kernel.units * self.sizes.rois_per_unit(dataset), self._groups(dataset)
        return sum(geometry_seconds(self.machine, self.ridge.precision, n, groups, units) for n in self._compared(kernel))

    def _kernels(self, stimuli: str) -> list[tuple[str, Kernel]]:
        return [(name, kernel) for name in self.sizes.scored_on(stimuli) for kernel in self.sizes.kernels(name)]

    def _searches(self) -> Stage:
        seconds = []
        for stimuli in self.plan.data.stimuli:
            kernels = self._kernels(stimuli)
            per_layer = sum(self._ridge(kernel, 1, 1, folds=self.ridge.folds.count) for _, kernel in kernels)
            for model in self.plan.alignment.searched:
                gram = self._grams(stimuli, model, test=False)
                seconds.append(self.machine.start + self.sizes.layers(model) * (per_layer + gram))
        kernel = "n^2 p / gemm + 2 n p / disk_read + 3 n p / elementwise"
        if self.plan.alignment.exact:
            kernel = "2 n^2 / disk_read + 2 n^2 / elementwise; of layers with p <= n activations " + kernel
        formula = (
            f"start + layers x (kernels + ridge). Kernel: {kernel}. Ridge, for I of "
            "A penalties inverted, E evaluated, k folds: (I (1 + 1/k) + A/8) n^3 / inverse + E (4 n^2 T / gemm + (10 k + 5) n T "
            f"/ elementwise), T units of all subjects that share the n images. I = {ADAPTIVE_INVERSES}, "
            f"E = {ADAPTIVE_EVALUATIONS}; with `search: full` I = E = A, and no A/8"
        )
        return Stage("layer_search", seconds, self._ridge_mb(), 0, formula)

    def _commitments(self) -> Stage:
        jobs = len(self.plan.data.stimuli) * len(self.plan.models.references)
        return Stage("commit_layers", [self.machine.start] * jobs, 1000, 0, "start")

    def _alignments(self) -> Stage:
        seconds, disk = [], 0.0
        for stimuli in self.plan.data.stimuli:
            kernels = self._kernels(stimuli)
            rows = sum(kernel.units * self.sizes.rois_per_unit(name) for name, kernel in kernels)
            for model in self.plan.models.inventory:
                gram = self.sizes.committed(stimuli, model) * self._grams(stimuli, model, test=True)
                seconds.append(self.machine.start + gram + sum(self._aligned(*kernel, model) for kernel in kernels))
                disk += _UNIT_ROW * rows
        formula = (
            "start + committed layers x kernels + per dataset its committed layers x ((I + A/8) n^3 / inverse + E ((2 n^2 + "
            "2 m n) T / gemm + 5 n T / elementwise)), m test images; a unit is fitted to the layers of its own ROI and of those "
            "that hold others; RSA and CKA of the predictions as in prepare_responses; on the training split with folds as "
            f"in layer_search; disk: {_UNIT_ROW} per unit and ROI"
        )
        return Stage("alignment", seconds, self._ridge_mb(), disk, formula)

    def _aligned(self, dataset: str, kernel: Kernel, model: str) -> float:
        return self._fitted(dataset, kernel, model, self._folds) + self._geometries(dataset, kernel)

    @property
    def _folds(self) -> int:
        """Of an alignment that compares predictions of the training split."""
        return self.ridge.folds.count if "train" in self.plan.study.similarity.splits else 0

    def _fitted(self, dataset: str, kernel: Kernel, model: str, folds: int = 0) -> float:
        layers = self.sizes.committed_by(dataset, model)
        return self._ridge(kernel, layers, min(layers, self.sizes.rois_per_unit(dataset)), n_test=kernel.n_test, folds=folds)

    def _projections(self) -> Stage:
        seconds = [self._projection_seconds(*job) for job in self.plan.alignment.projected]
        mb = max((self.plan.resources.projection_mb(stimuli) for stimuli, _ in self.plan.alignment.projected), default=0)
        formula = (
            "features with all activations kept on disk, N d values, then for these and each projection kernels and ridge "
            "as in alignment; each projection reads them, 2 N d / disk_read, and projects them as in features"
        )
        return Stage("projection_study", seconds, mb, 0, formula)

    def _projection_seconds(self, stimuli: str, model: str) -> float:
        machine, network = self.machine, self.sizes.networks[model]
        layers, sizes = self.sizes.committed(stimuli, model), self.sizes.kernel_images(stimuli, test=True)
        images, seconds = self.sizes.images(stimuli), self._unprojected(stimuli, model)
        for projection in self.plan.alignment.projections(model):
            for width in network.widths:
                how = (projection["dimensions"], self.features.batch_size)
                each = images * projection_seconds(machine, projection["family"], width, *how)
                each += sum(gram_seconds(machine, self.ridge.precision, n, min(width, projection["dimensions"])) for n in sizes)
                seconds += (each + 2 * images * width / machine.disk_read) * layers / len(network.widths)
            seconds += sum(self._fitted(*kernel, model) for kernel in self._kernels(stimuli))
        return machine.start_network + seconds

    def _unprojected(self, stimuli: str, model: str, folds: int = 0) -> float:
        """Extraction of all activations, their kernels, and ridge."""
        machine, network, images = self.machine, self.sizes.networks[model], self.sizes.images(stimuli)
        layers, width = self.sizes.committed(stimuli, model), self.sizes.activations(model)
        scratch = 2 * images * layers * width
        passes = math.ceil(scratch / (1e9 * self.features.scratch_gb))
        seconds = passes * images * (1 / machine.images + network.flops / machine.forward) + scratch / machine.disk_write
        kernels = sum(gram_seconds(machine, self.ridge.precision, n, width) for n in self.sizes.kernel_images(stimuli, test=True))
        return seconds + layers * kernels + sum(self._fitted(*kernel, model, folds) for kernel in self._kernels(stimuli))

    def _ridge(self, kernel: Kernel, layers: float, unit_layers: float, **what: int) -> float:
        """So many layers of one kernel, of which each unit is fitted to ``unit_layers``."""
        grid, precision, units = self.ridge.alphas, self.ridge.precision, kernel.units * unit_layers / layers
        per_layer = ridge_seconds(self.machine, precision, kernel.n_train, units, grid.count, search=grid.search, **what)
        return layers * per_layer

    def _grams(self, stimuli: str, model: str, test: bool) -> float:
        """The kernels of one layer: made of features, or read."""
        precision = self.ridge.precision
        if self.plan.alignment.exact:
            widths, sizes = self.sizes.networks[model].widths, self.sizes.kernel_images(stimuli, test=True)
            every = (stored_kernel_seconds(self.machine, precision, n, width) for n in sizes for width in widths)
            return sum(every) / len(widths)
        width = self.sizes.stored_width(model)
        return sum(gram_seconds(self.machine, precision, n, width) for n in self.sizes.kernel_images(stimuli, test=test))

    def _ridge_mb(self) -> int:
        return max((self.plan.resources.ridge_mb(stimuli) for stimuli in self.plan.data.stimuli), default=0)

    def _mapping(self) -> list[Stage]:
        if not self.plan.mapping:
            return []
        estimate = MappingEstimate(self.sizes, self.machine)
        return [estimate.tokens(), estimate.readouts()]

    def _finetuning(self) -> list[Stage]:
        if not self.plan.finetuning:
            return []
        estimate, scored = FinetuningEstimate(self.sizes, self.machine), Sizes(self.plan, self.sizes.networks, finetuned=True)
        return [estimate.heads(), estimate.finetune(), Estimate(scored, self.machine).finetuned_alignments()]

    def finetuned_alignments(self) -> Stage:
        seconds, disk = [], 0.0
        for stimuli in self.sizes.stimuli:
            kernels = self._kernels(stimuli)
            similarity = self.machine.start_network + sum(self._geometries(*kernel) for kernel in kernels)
            each = {
                model: similarity + self._unprojected(stimuli, model, self._folds) for model in dict.fromkeys(self.sizes.models)
            }
            seconds += [each[model] for model in self.sizes.models]
            rows = sum(kernel.units * self.sizes.rois_per_unit(name) for name, kernel in kernels)
            disk += len(self.sizes.models) * _UNIT_ROW * rows
        mb = max(self.plan.resources.projection_mb(stimuli) for stimuli in self.sizes.stimuli)
        formula = "projection_study without projections, with RSA and CKA as in alignment; disk: as there"
        return Stage("finetuned_alignment", seconds, mb, disk, formula)

    # ------------------------------------------------------------------------------------------ fits and figures

    def _fits(self) -> Stage:
        study, work = self.plan.study, []
        fitted = sum(model.fit for model in self.plan.models.inventory.values())
        if self.plan.published:
            fitted = sum(1 for _ in checkpoints())
        for fit in self.plan.figures.fits:
            if fit == "mapping" and study.mapping:
                fits = len(study.mapping.readouts) * len(study.mapping.datasets)
                points = fits * len(study.mapping.percent) * len(study.mapping.seeds)
            elif fit == "mapping":
                points = _PUBLISHED_READOUTS
            elif fit == "finetuning" and self.plan.finetuning:
                points = len(self.plan.finetuning.finetuned) * (len(self.plan.data.labels) + 1)
            else:
                points = 2 * fitted * (len(self.plan.data.labels) + 1)
            work.append(points * study.fits.bootstraps)
        if study.scores and "published_scores" in self.plan.figures.names:
            chosen = study.scores.experiments
            experiments = _PUBLISHED_EXPERIMENTS if chosen == "all" else len(chosen)
            work.append(experiments * _PUBLISHED_POINTS * study.scores.bootstraps)
        formula = (
            "start + points x resamples / fits; points: models x (datasets + 1), all families together and each alone; "
            "of mapping: fractions x seeds of each; of fine-tuning: models; "
            f"published scores: about {_PUBLISHED_POINTS} per experiment"
        )
        return Stage("fits", [self.machine.start + each / self.machine.fits for each in work], 4000, 0, formula)

    def _tables(self) -> Stage:
        """A table of ceilings per dataset, that of the datasets, of models, and two of scores; one of projections, two of
        readouts, one of fine-tuned models, one of hyper-parameters; figures; costs, the report, the page to explore.
        """
        plan = self.plan
        jobs = len(plan.figures.names) + (len(plan.data.datasets) + 4 if plan.data.datasets else 0)
        jobs += len(plan.tables.names) if plan.published else 0
        jobs += bool(plan.alignment.projected) + 2 * (plan.mapping is not None) + (plan.finetuning is not None)
        jobs += bool(plan.tables.hyperparameters) + 2 + bool(plan.pages.explored)
        return Stage("tables, figures", [self.machine.start] * jobs, 8000, 0, "start")
