"""The alignment of a study: searched and published layers, projections of features, and paths of scores."""

from collections.abc import Sequence
from functools import cached_property
from itertools import product
from pathlib import Path

from cortexscale.alignment.published import commitments_for, read_published
from cortexscale.commitments import Commitments
from cortexscale.errors import Problems
from cortexscale.plan.data import DataPlan
from cortexscale.plan.models import ModelPlan
from cortexscale.study import Study
from cortexscale.study.features import Projection
from cortexscale.study.targets import BestSubjects


class AlignmentPlan:
    """The sections ``features``, ``layer_commitment`` and ``projection_study`` of a study."""

    def __init__(self, study: Study, data: DataPlan, models: ModelPlan):
        self.study, self.data, self.models, self.results = study, data, models, study.results

    def check(self, problems: Problems) -> None:
        """Report unknown models of the projection study, and ROIs for which a model has no published layer."""
        remedy = "correct the id, or leave out projection_study with its figures"
        for model in self.study.projection_study.models if self.study.projection_study else ():
            if self.models.lacks(model):
                problems.found.append(self.models.unknown(model, "projection_study.models", remedy))
        for model in self.published_layers:
            with problems.collected():
                commitments_for(self._published, model, self.published_datasets(*self.data.stimuli))

    @cached_property
    def _published(self) -> dict[str, Commitments]:
        file = self.study.layer_commitment.file
        return read_published(file) if file and Path(file).exists() else {}

    @cached_property
    def published_layers(self) -> list[str]:
        """Reference models whose layers the authors published."""
        return [model for model in self.models.references if model in self._published]

    @cached_property
    def searched(self) -> list[str]:
        """Reference models whose layers are searched."""
        return [model for model in self.models.references if model not in self.published_layers]

    @property
    def files(self) -> list[str]:
        """A list with the path of the file of published layers. The list is empty if the study does not read such a file."""
        return [self.study.layer_commitment.file] if self.study.layer_commitment.file else []

    def published_datasets(self, *stimuli: str) -> dict[str, tuple[str | None, Sequence[str]]]:
        """Return dataset -> (name in the authors' files or None, ROIs). Published layers are looked up by these names."""
        known = {name: self.data.facts(name) for each in stimuli for name in self.data.datasets_on(each)}
        return {name: (entry.released_name if entry else None, self.data.datasets[name].rois) for name, entry in known.items()}

    def commitments(self, stimuli: str, model: str) -> str:
        """Return the path of the committed layers that a model takes from its reference model."""
        return f"{self.results}/commitments/{stimuli}/{self.models.inventory[model].reference}.json"

    @property
    def exact(self) -> bool:
        """Whether kernels of all activations are used instead of projected features."""
        return self.study.features.projection.is_exact

    def projections(self, model: str) -> list[Projection]:
        """List the projections whose scores are compared for a model of the projection study."""
        study = self.study.projection_study
        assert study is not None
        wanted = product(study.models[model], study.seeds)
        return [Projection(family=study.family, dimensions=dimensions, seed=seed) for dimensions, seed in wanted]

    @property
    def projected(self) -> list[tuple[str, str]]:
        """All pairs of a stimulus set and a model of the projection study."""
        study = self.study.projection_study
        if study is None:
            return []
        return list(product([each for each in self.data.stimuli if study.stimuli is None or each in study.stimuli], study.models))

    def kernel_subjects(self, stimuli: str) -> dict[str, BestSubjects | None]:
        """Return dataset -> its ``best_subjects``, for the datasets whose stimuli are in the exact kernels."""
        return {name: self.data.datasets[name].best_subjects for name in self.data.datasets_on(stimuli) if self.exact}

    def kernel_recordings(self, stimuli: str) -> list[str]:
        """List the recordings that decide which stimuli are in the exact kernels."""
        return self.data.recordings(*self.kernel_subjects(stimuli))
