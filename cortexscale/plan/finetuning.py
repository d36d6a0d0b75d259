"""The fine-tuning of a study: its models, and the recipes, files and datasets with which each model is trained and scored."""

from functools import cached_property

from cortexscale.errors import InputError, Problems
from cortexscale.models.finetuned import BASELINE, baseline, finetuned_model, tunings
from cortexscale.models.model import Model
from cortexscale.models.training.recipes import resolve
from cortexscale.models.tuning import TunedModel
from cortexscale.plan.alignment import AlignmentPlan
from cortexscale.plan.data import DataPlan
from cortexscale.plan.models import ModelPlan
from cortexscale.recipe import NeuralRecipe, Recipe
from cortexscale.study import Study
from cortexscale.study.experiments import Finetuning
from cortexscale.study.targets import DatasetTargets

_PRESETS = {
    "AlexNet": "alexnet",
    "CORnet-S": "cornet_s",
    "ResNet": "resnet",
    "EfficientNet": "efficientnet",
    "ConvNeXt": "convnext",
    "ViT": "deit3",
}
"""Family -> recipe with which the published suite trained the family."""


class FinetuningPlan:
    """The section ``finetuning`` of a study.

    Attributes:
        tunings: id of a fine-tuned model -> how it is fine-tuned, such as its base model, dataset, ROIs and recipe.
        experiments: id of a fine-tuned model -> names of the experiments that use it.
        finetuned: id of a fine-tuned model -> its entry in the inventory.
        evaluated: the entries of fine-tuned models and baselines. The keys are the ids under which they are scored without
            projection.

    Raises:
        InputError: a grid names a base model that is not in the study, or two different models have the same id.
    """

    def __init__(self, study: Study, settings: Finetuning, data: DataPlan, models: ModelPlan, alignment: AlignmentPlan):
        self.study, self.settings, self.results = study, settings, study.results
        self.data, self.models, self.alignment = data, models, alignment
        self._require_base_models()
        self.tunings, self.experiments = tunings(settings, data.datasets)
        self._bases = list(dict.fromkeys(tuning.base for tuning in self.tunings.values()))
        self.finetuned: dict[str, Model] = {
            id: finetuned_model(id, models.inventory[tuning.base], self._weights_file(id)) for id, tuning in self.tunings.items()
        }
        baselines = [baseline(models.inventory[base]) for base in self._bases]
        self.evaluated = {model.id: model for model in baselines} | self.finetuned

    def check(self, problems: Problems) -> None:
        """Report base models that need labelled images but have none, or have no recipe for augmenting them."""
        unlabelled: dict[str, str] = {}
        for id, tuning in self.tunings.items():
            if self.recipe(id).lambda_img and self.images(tuning.base) is None:
                unlabelled.setdefault(tuning.base, id)
        for base, id in unlabelled.items():
            found, expected = f"none for {base}, the base model of {id}", "labelled images, as of a suite"
            remedy = "add their path, or set lambda_img: 0"
            problems.found.append(InputError("config key finetuning.images", found, expected, remedy))
        seen = {tuning.base for id, tuning in self.tunings.items() if self.recipe(id).lambda_img}
        for base in self._bases:
            with problems.collected():
                if self.image_recipe(base) is None and base in seen:
                    found = f"none for {base} of the family {self.models.inventory[base].family}, which has no published recipe"
                    remedy = "add one, such as `image_recipe: resnet`, or set lambda_img: 0"
                    problems.found.append(InputError("config key finetuning.image_recipe", found, "a recipe", remedy))

    def _require_base_models(self) -> None:
        problems = Problems()
        for place, grid in self.settings.grids():
            for model in grid.models:
                if model not in self.models.inventory:
                    problems.found.append(self.models.unknown(model, f"finetuning.{'.'.join(map(str, place))}.models"))
        problems.require_none()

    def base(self, model: str) -> Model:
        """Return the base model of a fine-tuned model or of a baseline."""
        return self.models.inventory[self.tunings[model].base if model in self.tunings else model.removesuffix(BASELINE)]

    def dataset(self, model: str) -> str:
        return self.tunings[model].dataset

    def recipe(self, model: str) -> NeuralRecipe:
        return self.settings.recipes[self.tunings[model].recipe]

    def images(self, base: str) -> str | None:
        """Return the path of the labelled images for a base model.

        A model of a suite has the images of the suite. Other models have the images of the section ``finetuning``.
        """
        return self.models.suite(base).images if self.models.inventory[base].source == "suite" else self.settings.images

    @property
    def labelled_images(self) -> dict[str, dict[str, int | None]]:
        """Path of the labelled images -> base model that is not of a suite -> its number of classes, None if unknown."""
        own = [base for base in self._bases if self.models.inventory[base].source != "suite"]
        classes = {base: self.models.inventory[base].classes for base in own}
        return {self.settings.images: classes} if self.settings.images and own else {}

    def images_of(self, model: str) -> str | None:
        """Return the path of the labelled images that a model is trained on; None if there are none."""
        return self.images(self.base(model).id)

    def contents(self, model: str) -> list[str | None]:
        """Return the digests of a model's checkpoint and labelled images, except what the study makes or downloads itself."""
        return [*self.models.weights_contents(self.base(model).id), self.data.inputs.names(self.images_of(model))]

    def image_recipe(self, base: str) -> Recipe | None:
        """Return the recipe with which the labelled images of a base model are augmented.

        Return None if neither the family of the model nor the section has a recipe.
        """
        model, given = self.models.inventory[base], self.settings.image_recipe
        if model.source == "suite":
            return self.models.recipe(base)
        preset = _PRESETS.get(model.family.removesuffix("Flex"))
        if preset is None and given is None:
            return None
        layers = [Recipe(preset=preset)] if preset else []
        return resolve(*layers, *([given] if given else []))

    def weights(self, model: str) -> list[str]:
        """List the checkpoint of a fine-tuned model or a baseline.

        The list is empty for a baseline whose weights no rule trains or downloads.
        """
        return [self._weights_file(model)] if model in self.finetuned else self.models.weights(self.base(model).id)

    def _weights_file(self, model: str) -> str:
        return f"{self.results}/finetuning/models/{model}.pt"

    def heads(self, model: str) -> str:
        """Return the folder of the frozen heads with which a fine-tuned model is trained."""
        tuning = self.tunings[model]
        return f"{self.results}/finetuning/heads/{tuning.base}/{tuning.dataset}"

    @cached_property
    def headed(self) -> dict[tuple[str, str], set[str]]:
        """(base model, dataset) -> ROIs for which experiments need heads."""
        rois: dict[tuple[str, str], set[str]] = {}
        for tuning in self.tunings.values():
            rois.setdefault((tuning.base, tuning.dataset), set()).update(tuning.rois)
        return rois

    def head_targets(self, base: str, dataset: str) -> DatasetTargets:
        """Return the ROIs and subjects to which the heads of a base model are fitted, for all experiments together."""
        rois = [roi for roi in self.data.datasets[dataset].rois if roi in self.headed[base, dataset]]
        return DatasetTargets(rois, self.data.datasets[dataset].best_subjects)

    def targets(self, model: str) -> DatasetTargets:
        """Return the ROIs that a model is fitted to, and the subjects from which its subjects are drawn at random."""
        tuning = self.tunings[model]
        return DatasetTargets(list(tuning.rois), self.data.datasets[tuning.dataset].best_subjects)

    @cached_property
    def stimuli(self) -> list[str]:
        """The stimulus sets of the datasets on which fine-tuned models are scored."""
        return [stimuli for stimuli in self.data.stimuli if self.benchmarks_on(stimuli)]

    def benchmarks_on(self, stimuli: str) -> list[str]:
        """List the datasets that fine-tuned models are scored on and that were recorded with a stimulus set."""
        wanted = self.settings.benchmarks or self.data.datasets
        return [name for name in self.data.datasets_on(stimuli) if name in wanted]

    @property
    def benchmarks(self) -> list[str]:
        """The datasets on which fine-tuned models are scored."""
        return [name for stimuli in self.stimuli for name in self.benchmarks_on(stimuli)]

    @property
    def left_out(self) -> list[str]:
        """The datasets whose test images are left out of the training stimuli."""
        return [] if self.settings.train_on_test_images else self.benchmarks

    @property
    def shown(self) -> dict[str, str]:
        """Dataset -> stimulus set, for all datasets that models are fine-tuned on or scored on."""
        names = dict.fromkeys([*self.benchmarks, *(tuning.dataset for tuning in self.tunings.values())])
        return {name: self.data.datasets[name].stimuli for name in names}

    @property
    def split_images(self) -> str:
        """Path of the table of the images of all splits."""
        return f"{self.results}/finetuning/split_images.parquet"

    def scored(self, stimuli: str) -> dict[str, DatasetTargets]:
        """Return dataset -> ROIs and subjects that are scored, for the datasets in ``benchmarks_on(stimuli)``."""
        return {name: entry for name, entry in self.data.targets(stimuli).items() if name in self.benchmarks_on(stimuli)}

    def commitments(self, stimuli: str, model: str) -> str:
        """Return the path of the committed layers that a model takes from its base model."""
        return self.alignment.commitments(stimuli, self.base(model).id)

    @property
    def facts(self) -> dict[str, TunedModel]:
        """Fine-tuned model -> facts about it for the result table."""
        return {id: TunedModel(self.tunings[id], self.recipe(id), tuple(self.experiments[id])) for id in self.finetuned}
