"""The expected sizes of the arrays of a study, which are calculated before the study runs."""

import os
from functools import cache
from pathlib import Path

from cortexscale.alignment.bounds import committed_layers
from cortexscale.datasets.manifest import released_file
from cortexscale.models.bounds import Network
from cortexscale.plan import Plan
from cortexscale.plan.sizes import Sizes
from cortexscale.recording import load_recording


class ExpectedSizes(Sizes):
    """Expected sizes in place of the largest possible sizes. ``networks`` maps the id of every model to its network."""

    def __init__(self, plan: Plan, networks: dict[str, Network]):
        super().__init__(plan.study, plan.data, plan.models)
        self.networks = networks
        self.unsized: list[str] = []  # missing released files whose size is unknown

    def network(self, model: str) -> Network:
        return self.networks[model]

    def units_kept(self, dataset: str) -> float | None:
        return self.units_source(dataset)[0]

    @cache  # noqa: B019 (one ExpectedSizes per process)
    def units_source(self, dataset: str) -> tuple[float | None, str]:
        """Return the mean number of units per subject that pass the selection, and where the number comes from.

        The number is None if only the largest possible number is known.
        """
        recorded = [file for file in self.data.recordings(dataset) if Path(file).exists()]
        if recorded:
            units = [len(load_recording(file, responses=False).units) for file in recorded]
            return sum(units) / len(units), f"as in {len(units)} recording(s)"
        if dataset in self.study.estimate.units:
            return self.study.estimate.units[dataset], "as estimate.units says"
        return None, "at most"

    def committed_layers(self, layers: int, rois: int) -> float:
        """Return the expected number of different committed layers of ``rois`` ROIs."""
        return committed_layers(layers, rois)

    @cache  # noqa: B019 (one ExpectedSizes per process)
    def released_bytes(self, dataset: str, subject: str) -> float:
        """Return the size of a subject's released files in bytes.

        For a missing file, the size in the release is used. If this size is unknown, the file counts as 0 bytes.
        """
        return sum(self._released_bytes(dataset, Path(file)) for file in self.data.raw_files(dataset, subject))

    def _released_bytes(self, dataset: str, file: Path) -> int:
        if file.is_file():
            return file.stat().st_size
        if dataset in self.data.simulated:
            return 0
        entry = self.data.datasets[dataset]
        name = Path(os.path.relpath(file, entry.path))
        known = released_file(entry.reader, name)
        size = (known.bytes or known.at_least) if known else None
        if size is None:
            self.unsized.append(f"{name} of {dataset}")
        return size or 0
