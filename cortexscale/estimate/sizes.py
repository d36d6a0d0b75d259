"""How large the arrays of a planned study are, as far as it can be known before they exist."""

import os
from functools import cache
from pathlib import Path
from typing import NamedTuple

from cortexscale.alignment.averages import COMPOSITE_ROIS
from cortexscale.datasets.manifest import released_file
from cortexscale.estimate.costs import distinct_layers
from cortexscale.estimate.networks import Network
from cortexscale.plan import Plan
from cortexscale.recording import load_recording


class Kernel(NamedTuple):
    """One kernel of a dataset: stimuli and units of the subjects that share it."""

    n_train: int
    n_test: int
    units: float


class Sizes:
    """Sizes of a plan.

    Args:
        networks: by model id.
        finetuned: of the scores of fine-tuned models, which have benchmarks of their own.

    Attributes:
        models: those that are scored, by the ids of their networks, on the stimulus sets ``stimuli``.
        unsized: released files whose size is not known, as they are asked for.
    """

    def __init__(self, plan: Plan, networks: dict[str, Network], *, finetuned: bool = False):
        self.plan, self.networks = plan, networks
        tuned = plan.finetuning if finetuned else None
        self.models = [tuned.base(model).id for model in tuned.evaluated] if tuned else list(plan.models.inventory)
        self.stimuli = tuned.stimuli if tuned else plan.data.stimuli
        self.scored_on = tuned.benchmarks_on if tuned else plan.data.datasets_on
        self.unsized: list[str] = []

    @cache  # noqa: B019 (one Sizes per process)
    def kernels(self, dataset: str) -> list[Kernel]:
        """One that subjects share, or one each, as in NSD: there the units of a kernel do not grow with the number of subjects,
        and the stimulus set has enough images for all of them.
        """
        subjects = self.plan.data.subjects_scored(dataset)
        n_train, n_test, most = self.plan.data.shape(dataset)
        grows = self.plan.data.shape(dataset, subjects[:1])[2] < most
        images = self.plan.data.images(self.plan.data.datasets[dataset].stimuli) or 0
        shared = len(subjects) == 1 or grows or images < len(subjects) * n_train
        kept, _ = self.units_kept(dataset)
        units = most if kept is None else kept * len(subjects) if shared else kept
        return [Kernel(n_train, n_test, units)] * (1 if shared else len(subjects))

    @cache  # noqa: B019 (one Sizes per process)
    def units_kept(self, dataset: str) -> tuple[float | None, str]:
        """Units that a subject keeps on average, and how that is known; None where only the reader's bound is."""
        recorded = [file for file in self.plan.data.recordings(dataset) if Path(file).exists()]
        if recorded:
            units = [len(load_recording(file, responses=False).units) for file in recorded]
            return sum(units) / len(units), f"as in {len(units)} recording(s)"
        if dataset in self.plan.study.estimate.units:
            return self.plan.study.estimate.units[dataset], "as estimate.units says"
        return None, "at most"

    def rois(self, dataset: str) -> list[str]:
        return self.plan.data.datasets[dataset].rois

    def rois_per_unit(self, dataset: str) -> int:
        """Its own, and those that hold others."""
        rois = set(self.rois(dataset))
        return len(rois & COMPOSITE_ROIS) + bool(rois - COMPOSITE_ROIS)

    def images(self, stimuli: str) -> int:
        shown = (k.n_train + k.n_test for name in self.plan.data.datasets_on(stimuli) for k in self.kernels(name))
        return self.plan.data.images(stimuli) or sum(shown)

    def layers(self, model: str) -> int:
        """Candidates."""
        return len(self.networks[model].widths)

    def committed(self, stimuli: str, model: str) -> float:
        """Layers of a model that its feature store keeps."""
        rois = sum(len(self.rois(dataset)) for dataset in self.scored_on(stimuli))
        return distinct_layers(self.layers(model), rois)

    def committed_by(self, dataset: str, model: str) -> float:
        """Those that the ROIs of one dataset are scored at."""
        return distinct_layers(self.layers(model), len(self.rois(dataset)))

    def kernel_images(self, stimuli: str, *, test: bool) -> list[int]:
        """Images of each kernel of a layer: one of all that datasets share, or one each, whichever has fewer products."""
        kernels = (kernel for name in self.scored_on(stimuli) for kernel in self.kernels(name))
        sizes = [kernel.n_train + kernel.n_test * test for kernel in kernels]
        union = min(self.images(stimuli), sum(sizes))
        return [union] if len(sizes) > 1 and union**2 <= sum(n**2 for n in sizes) else sizes

    def images_shown(self, stimuli: str) -> int:
        """Images that pass a network for exact kernels."""
        return min(self.images(stimuli), sum(self.kernel_images(stimuli, test=True)))

    def activations(self, model: str) -> float:
        """Width of a layer, mean over the candidates."""
        widths = self.networks[model].widths
        return sum(widths) / len(widths)

    def stored_width(self, model: str) -> float:
        """Features of a stored layer, mean over the candidates."""
        widths, most = self.networks[model].widths, self.plan.study.features.projection.dimensions
        return sum(min(width, most) for width in widths) / len(widths)

    def store_bytes(self, stimuli: str, model: str, layers: float) -> float:
        """float16 features; or of exact kernels half a square in float32, or the activations where those are fewer."""
        if not self.plan.alignment.exact:
            return 2 * self.images(stimuli) * layers * self.stored_width(model)
        widths, sizes = self.networks[model].widths, self.kernel_images(stimuli, test=True)
        return layers * sum(2 * n * min(n, width) for n in sizes for width in widths) / len(widths)

    def released_bytes(self, dataset: str, file: Path) -> int:
        """Of a file that is there, or as the release has it; 0 if neither is known, or it will be simulated: those are small."""
        if file.is_file():
            return file.stat().st_size
        if dataset in self.plan.data.simulated:
            return 0
        entry = self.plan.data.datasets[dataset]
        name = Path(os.path.relpath(file, entry.path))
        known = released_file(entry.reader, name)
        size = (known.bytes or known.at_least) if known else None
        if size is None:
            self.unsized.append(f"{name} of {dataset}")
        return size or 0
