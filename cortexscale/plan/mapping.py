"""The mapping axis of a study: its readouts, their datasets and their recipes."""

from dataclasses import fields
from typing import Any

from pydantic import ConfigDict, create_model

from cortexscale.catalogue.readouts import KINDS, kind_of, subjects_of
from cortexscale.errors import Problems
from cortexscale.plan.data import DataPlan
from cortexscale.plan.models import ModelPlan
from cortexscale.readouts.recipes import ReadoutRecipe, recipe_for
from cortexscale.study import Study
from cortexscale.study.experiments import Mapping
from cortexscale.study.problems import checked
from cortexscale.study.targets import BestSubjects

_Keys = create_model(  # type: ignore[call-overload]  # mypy does not read names that are computed
    "_Keys",
    __config__=ConfigDict(extra="forbid"),
    **{each.name: (each.type, each.default) for each in fields(ReadoutRecipe) if each.name != "readout"},
)
"""The keys of a readout's recipe in the config, with their types."""


class MappingPlan:
    """The section ``mapping`` of a study.

    Attributes:
        model: id of the model whose tokens all readouts read.
    """

    def __init__(self, study: Study, settings: Mapping, data: DataPlan, models: ModelPlan):
        self.study, self.settings, self.data, self.models, self.results = study, settings, data, models, study.results
        self.model = settings.model

    def check(self, problems: Problems) -> None:
        """Report an unknown model, and recipes with unknown keys or wrong values."""
        if self.models.lacks(self.model):
            problems.found.append(self.models.unknown(self.model, "mapping.model"))
        kinds = {kind_of(readout): readout for readout in self.settings.readouts}
        for readout in kinds.values():
            with problems.collected():
                for dataset in filter(self.data.datasets.__contains__, self.settings.datasets):
                    self.recipe(dataset, readout)

    def recipe(self, dataset: str, readout: str) -> ReadoutRecipe | None:
        """Return the recipe of a readout; None for the linear readout. Wrong keys or values in the config raise an InputError."""
        kind = kind_of(readout)
        if not KINDS[kind].trained:
            return None
        given, overrides = self.settings.recipes.get(kind, {}), dict[str, Any]()
        for name in ("all", dataset):
            keys = checked(_Keys, given.get(name, {}), f"config key mapping.recipes.{kind}.{name}")
            overrides |= keys.model_dump(exclude_unset=True)
        return recipe_for(kind, self.data.datasets[dataset].reader, **overrides)

    def shared(self, readout: str) -> bool:
        """Tell whether the subjects of a dataset share all layers of a readout but the last."""
        return subjects_of(readout) == "shared"

    @property
    def trained(self) -> dict[str, dict[str, ReadoutRecipe]]:
        """Trained readout -> dataset -> recipe."""
        return {
            kind_of(readout): {name: recipe for name in self.settings.datasets if (recipe := self.recipe(name, readout))}
            for readout in self.settings.readouts
            if KINDS[kind_of(readout)].trained
        }

    @property
    def attention(self) -> ReadoutRecipe | None:
        """The attention readout's recipe for datasets without a recipe of their own; None in a study without this readout."""
        overrides = self.settings.recipes.get("attention", {}).get("all", {})
        return recipe_for("attention", "", **overrides) if "attention" in self.trained else None

    @property
    def stimuli(self) -> list[str]:
        """The stimulus sets of the datasets of the mapping axis."""
        return list(dict.fromkeys(self.data.datasets[name].stimuli for name in self.settings.datasets))

    def datasets_on(self, stimuli: str) -> list[str]:
        return [name for name in self.settings.datasets if self.data.datasets[name].stimuli == stimuli]

    def token_subjects(self, stimuli: str) -> dict[str, BestSubjects | None]:
        """Return dataset -> its ``best_subjects``, for the datasets whose stimuli need tokens."""
        return {name: self.data.datasets[name].best_subjects for name in self.datasets_on(stimuli)}

    def path(self, pattern: str, dataset: str) -> str:
        """Fill the pattern of a path with the results folder, the stimulus set of a dataset, and the model of the readouts."""
        return pattern.format(results=self.results, stimuli=self.data.datasets[dataset].stimuli, model=self.model)

    def prepared(self, dataset: str) -> list[str]:
        """List the file of prepared responses, if the study computes RSA and CKA of test responses."""
        wanted = "test" in self.study.metrics.similarity
        return [self.path("{results}/prepared/{stimuli}.h5", dataset)] if wanted else []
