"""What the rules of fine-tuning need to know: which models there are, how each is made and scored, and what a job may use.

Like :mod:`cortexscale.plan` it imports nothing heavy.
"""

import difflib
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cortexscale.errors import InputError
from cortexscale.finetuning.cost import epoch_steps
from cortexscale.models.finetuned import BASELINE, baseline, finetuned_model, tunings
from cortexscale.models.inventory import Model
from cortexscale.models.training.recipes import resolve
from cortexscale.recipe import NeuralRecipe, Recipe

if TYPE_CHECKING:
    from cortexscale.plan import Plan

_PRESETS = {
    "AlexNet": "alexnet",
    "CORnet-S": "cornet_s",
    "ResNet": "resnet",
    "EfficientNet": "efficientnet",
    "ConvNeXt": "convnext",
    "ViT": "deit3",
}
"""The recipe by which the published suite trained a family."""
_WIDTH = 2e5
"""Activations of a layer and image."""
_PARAMS = 3e8
"""Of a network: a ViT-L."""
_DEVICE = 80e9
"""Bytes of a GPU, which has to hold all heads of a training."""


class FinetuningPlan:
    """The section ``finetuning`` of a study.

    Attributes:
        tunings: what each fine-tuned model is trained on, by id.
        experiments: names of the experiments that want it, by id.
        models: their inventory entries.
        baselines: those of the base models, by the ids under which they are evaluated without projection.
        evaluated: both.

    Raises:
        InputError: an unknown base model, or one without labelled images or a known recipe for them.
    """

    def __init__(self, plan: "Plan"):
        self.plan, self.settings = plan, plan.study.finetuning
        self._require_base_models()
        self.tunings, self.experiments = tunings(self.settings, plan.datasets)
        bases = [plan.models[base] for base in dict.fromkeys(tuning.base for tuning in self.tunings.values())]
        self.baselines: dict[str, Model] = {entry.id: entry for entry in map(baseline, bases)}
        self.models: dict[str, Model] = {
            id: finetuned_model(id, plan.models[tuning.base], f"{plan.results}/finetuning/models/{id}.pt")
            for id, tuning in self.tunings.items()
        }
        self.evaluated = self.baselines | self.models
        for id, tuning in self.tunings.items():
            if self.recipe(id).lambda_img and self.images(tuning.base) is None:
                found, expected = f"none for {tuning.base}, the base model of {id}", "labelled images, as of a suite"
                raise InputError("config key finetuning.images", found, expected, "add their path, or set lambda_img: 0")
        for base in bases:
            self.image_recipe(base.id)

    def _require_base_models(self) -> None:
        for place, grid in self.settings.grids():
            for model in grid.models:
                if model not in self.plan.models:
                    names = ", ".join([*difflib.get_close_matches(model, self.plan.models, n=3), *self.plan.models][:6])
                    key = f"config key finetuning.{'.'.join(map(str, place))}.models"
                    raise InputError(key, model, f"a model of the study: {names}, ...", "correct the name")

    @property
    def hyperparameters(self) -> dict[str, dict[str, Any]]:
        """Table S3: arguments of :mod:`cortexscale.hyperparameters`."""
        return {"tableS3": {"recipes": {name: recipe.model_dump(mode="json") for name, recipe in self.settings.recipes.items()}}}

    # ------------------------------------------------------------------------------------------ how a model is made

    def tuning(self, model: str) -> dict[str, Any]:
        """What a fine-tuned model is trained on, as plain values."""
        return self.tunings[model].as_dict()

    def base(self, model: str) -> Model:
        """The base model of a fine-tuned one, or of a baseline."""
        return self.plan.models[self.tunings[model].base if model in self.tunings else model.removesuffix(BASELINE)]

    def dataset(self, model: str) -> str:
        """Whose responses a model is fitted to."""
        return self.tunings[model].dataset

    def recipe(self, model: str) -> NeuralRecipe:
        return self.settings.recipes[self.tunings[model].recipe]

    def images(self, base: str) -> str | None:
        """Labelled images of a base model: those that a suite is trained on, or those of the section."""
        return self.plan._suite(base).images if self.plan.models[base].source == "suite" else self.settings.images

    def images_at_hand(self, model: str) -> list[str]:
        """What a model's training waits for: its labelled images, where it has some and they can be had."""
        images = self.images(self.base(model).id)
        return self.plan._planned([images]) if images else []

    def image_recipe(self, base: str) -> dict[str, Any]:
        """How those images are augmented.

        Raises:
            InputError: the family of the model has no published recipe, and the section none.
        """
        model, given = self.plan.models[base], self.settings.image_recipe
        if model.source == "suite":
            return self.plan.recipe(base)
        preset = _PRESETS.get(model.family.removesuffix("Flex"))
        if preset is None and given is None:
            found = f"none for {base} of the family {model.family}, which has no published recipe"
            raise InputError("config key finetuning.image_recipe", found, "a recipe", "add one, such as `image_recipe: resnet`")
        layers = [Recipe(preset=preset)] if preset else []
        return resolve(*layers, *([given] if given else [])).model_dump(mode="json")

    def weights(self, model: str) -> list[str]:
        """The checkpoint of a fine-tuned model or a baseline; empty for weights that the source of the latter fetches."""
        return [self.models[model].checkpoint] if model in self.models else self.plan.weights(self.base(model).id)

    def heads(self, model: str) -> str:
        """The heads that a fine-tuned model is trained with."""
        tuning = self.tunings[model]
        return f"{self.plan.results}/finetuning/heads/{tuning.base}/{tuning.dataset}"

    @cached_property
    def headed(self) -> dict[tuple[str, str], set[str]]:
        """Base model and dataset -> ROIs that any experiment wants heads for."""
        rois: dict[tuple[str, str], set[str]] = {}
        for tuning in self.tunings.values():
            rois.setdefault((tuning.base, tuning.dataset), set()).update(tuning.rois)
        return rois

    def head_targets(self, base: str, dataset: str) -> dict[str, Any]:
        """What heads are fitted to: the ROIs that any experiment wants, and which subjects."""
        rois = [roi for roi in self.plan.datasets[dataset].rois if roi in self.headed[base, dataset]]
        return {"rois": rois, "best_subjects": self.plan.best_subjects(dataset)}

    def targets(self, model: str) -> dict[str, Any]:
        """What a model is fitted to; the number of subjects is that before some of them are chosen."""
        tuning = self.tunings[model]
        return {"rois": list(tuning.rois), "best_subjects": self.plan.best_subjects(tuning.dataset)}

    def stimuli_of(self, dataset: str) -> str:
        """The stimulus table of a dataset."""
        return f"{self.plan.results}/stimuli/{self.plan.datasets[dataset].stimuli}.parquet"

    def pictures(self, dataset: str) -> dict[str, str]:
        """Where the images of a dataset lie, and how."""
        return self.plan.study.stimuli[self.plan.datasets[dataset].stimuli].model_dump(include={"layout", "path"})

    def model_code(self, model: str) -> list[str | Path]:
        """The modules that build a fine-tuned model or a baseline."""
        sources = ["cortexscale.models.sources.finetuned"] if model in self.models else []
        return [*sources, *self.plan.model_code(self.base(model).id)]

    # ------------------------------------------------------------------------------------------ where it is scored

    @cached_property
    def stimuli(self) -> list[str]:
        """Stimulus sets that a benchmark shows."""
        return [stimuli for stimuli in self.plan.stimuli if self.benchmarks_on(stimuli)]

    def benchmarks_on(self, stimuli: str) -> list[str]:
        """Datasets on a stimulus set that models are scored on."""
        wanted = self.settings.benchmarks or self.plan.datasets
        return [name for name in self.plan.datasets_on(stimuli) if name in wanted]

    def scored(self, stimuli: str) -> dict[str, dict[str, Any]]:
        """What is scored on a stimulus set: dataset -> ROIs, and which subjects."""
        return {name: entry for name, entry in self.plan.targets(stimuli).items() if name in self.benchmarks_on(stimuli)}

    def recordings(self, stimuli: str) -> list[str]:
        return self.plan.recordings(*self.benchmarks_on(stimuli))

    def commitments(self, stimuli: str, model: str) -> str:
        """The commitment file of the reference of a model's base."""
        return self.plan.commitments(stimuli, self.base(model).id)

    def per_evaluated(self, pattern: str) -> list[str]:
        """A path for every stimulus set x fine-tuned model or baseline."""
        return [pattern.format(results=self.plan.results, stimuli=s, model=m) for s in self.stimuli for m in self.evaluated]

    def per_model(self, pattern: str) -> list[str]:
        """A path for every fine-tuned model."""
        return [pattern.format(results=self.plan.results, model=model) for model in self.models]

    @property
    def facts(self) -> dict[str, dict[str, Any]]:
        """What the result table says of every fine-tuned model."""
        return {
            id: {**self.tuning(id), "recipe": self.recipe(id).model_dump(mode="json"), "experiments": self.experiments[id]}
            for id in self.models
        }

    # ------------------------------------------------------------------------------------------ resources

    def heads_mb(self, dataset: str) -> int:
        """Network and images; responses three times, a kernel of a subject with its factors, and the weights of a head twice."""
        n_train, n_test, n_units = self.plan.shape(dataset)
        responses = 4 * (n_train + n_test) * sum(self._units(dataset))
        kernels = 8 * (5 * (n_train + n_test) ** 2 + 3 * n_train * n_units)
        return 8000 + int((3 * responses + kernels + min(2 * 4 * max(self._units(dataset)) * _WIDTH, _DEVICE)) / 1e6)

    def heads_minutes(self, base: str, dataset: str) -> int:
        """A generous bound: 25 images/s, then kernels, ridge and weights at 5 TFLOP/s, with a layer for each ROI."""
        n_train, n_test, _ = self.plan.shape(dataset)
        layers, units = len(self.headed[base, dataset]), self._units(dataset)
        kernels = layers * len(units) * (n_train + n_test) ** 2 * _WIDTH
        inverses = self.plan.study.ridge.alphas.count * layers * len(units) * 2 * n_train**3
        weights = 2 * n_train * _WIDTH * sum(units)
        images = len(units) * (n_train + n_test)
        return 30 + int(images / 25 / 60 + (kernels + inverses + weights) / 5e12 / 60)

    def mb(self, model: str) -> int:
        """Libraries, what loaders hold, and labelled images in one file; weights, gradients and moments; responses twice, and all
        heads, if a GPU can hold them.
        """
        dataset, base = self.dataset(model), self.base(model)
        n_train, n_test, _ = self.plan.shape(dataset)
        responses = 4 * (n_train + n_test) * sum(self._units(dataset))
        heads = min(4 * _WIDTH * sum(self._units(dataset)), _DEVICE)
        loaded = self.plan.resources.training_mb(base.id) if base.source == "suite" else 20_000
        return loaded + int((16 * _PARAMS + 2 * responses + heads) / 1e6)

    def minutes(self, model: str) -> int:
        """A generous bound: 300 images/s, as if every subject saw its own; at most two days, after which a further try goes on
        where it stopped.
        """
        tuning, recipe = self.tunings[model], self.recipe(model)
        samples = int(self.plan.shape(tuning.dataset)[0] * tuning.percent / 100)
        subjects = tuning.subjects or len(self.plan.subjects_scored(tuning.dataset))
        pictures = recipe.image_batch * (recipe.lambda_img > 0) + recipe.neural_batch * subjects
        steps = recipe.epochs * epoch_steps(samples, recipe.neural_batch)
        return min(60 + int(steps * pictures / 300 / 60), 2 * 24 * 60)

    def alignment_minutes(self, stimuli: str) -> int:
        """One extraction, then kernels of all activations and ridge."""
        return self.plan.resources.features_minutes(stimuli, 16, exact=True) + self.plan.resources.ridge_minutes(
            stimuli, layers=16
        )

    def _units(self, dataset: str) -> list[int]:
        """Of each subject that is scored, at most."""
        return [self.plan.shape(dataset, [subject])[2] for subject in self.plan.subjects_scored(dataset)]
