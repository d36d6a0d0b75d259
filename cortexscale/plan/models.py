"""The models of a study: their weights, the training of suites, and the code that builds the networks."""

from functools import cache, cached_property
from pathlib import Path

from cortexscale.code import helpers, parsed
from cortexscale.errors import InputError, Problems, suggestions
from cortexscale.models.inventory import fitted_models, model_inventory
from cortexscale.models.model import FunctionBuilder, Model
from cortexscale.models.training.recipes import Length, resolve, training_length
from cortexscale.plan.inputs import Inputs
from cortexscale.recipe import Recipe
from cortexscale.study import Study
from cortexscale.study.models import PublishedSuite, Suite


class ModelPlan:
    """The sections ``models`` and ``training`` of a study.

    Args:
        complete: whether all sources of models in the config are correct. If not, an unknown name is not reported, because a
            wrong source may define it.

    Attributes:
        inventory: id of a model -> its entry, for all models of correct sources.
        left_out: ids of the models that an offline study lacks, because their weights, or those of their reference model, are
            missing.
    """

    def __init__(self, study: Study, inputs: Inputs, *, complete: bool = True):
        self.study, self.inputs, self.results, self.complete = study, inputs, study.results, complete
        self._problems = Problems()
        listed = model_inventory(study, self._problems)
        lacking = {id for id, model in listed.items() if self._is_out_of_reach(model.checkpoint)}
        self.inventory: dict[str, Model] = {id: model for id, model in listed.items() if not lacking & {id, model.reference}}
        self.left_out = [id for id in listed if id not in self.inventory]
        self._suites = [source for source in study.models if isinstance(source, Suite)]

    def _is_out_of_reach(self, checkpoint: str | None) -> bool:
        """Tell whether a checkpoint of the section ``downloads`` is missing in an offline study."""
        declared = checkpoint is not None and self.inputs.downloaded([checkpoint])
        return bool(declared) and self.study.offline and not self.inputs.at_hand(str(checkpoint))

    def check(self, problems: Problems) -> None:
        """Report wrong sources and references, recipes that cannot be resolved, and Python files that cannot be read."""
        problems.found += self._problems.found
        for model in self.inventory.values():
            with problems.collected():
                if model.source == "suite":
                    self.recipe(model.id)
                if isinstance(model.builder, FunctionBuilder):
                    _require_python(model.id, Path(model.builder.file))

    def lacks(self, model: str) -> bool:
        """Tell whether the study certainly has no model of this name.

        If a source is wrong, this is not certain, and False is returned.
        """
        return self.complete and model not in self.inventory

    def unknown(self, model: str, where: str, remedy: str = "correct the name") -> InputError:
        """Return the error for a config key with an unknown model."""
        expected = f"a model of the study: {suggestions(model, [*self.references, *self.inventory])}"
        return InputError(f"config key {where}", model, expected, remedy)

    @cached_property
    def fitted(self) -> list[str]:
        """The models to which scaling laws are fitted."""
        return [model for model in fitted_models(self.study) if model in self.inventory]

    @cached_property
    def references(self) -> list[str]:
        """The reference models, whose layers are searched or published."""
        return list(dict.fromkeys(model.reference for model in self.inventory.values()))

    def code(self, *models: str) -> list[str | Path]:
        """List the Python code that builds some models: modules of this library and files of the user.

        The digests of stages include this code.
        """
        entries = [self.inventory[model] for model in models]
        own = [Path(entry.builder.file) for entry in entries if isinstance(entry.builder, FunctionBuilder)]
        return list(dict.fromkeys([*(entry.built_in for entry in entries), *own]))

    def weights(self, model: str) -> list[str]:
        """List the checkpoint of a model if the study trains or downloads this file, except files of the section ``downloads``.

        Jobs of the model wait for the listed file.
        """
        checkpoint = self.inventory[model].checkpoint
        if checkpoint is None or self.downloaded(model):
            return []
        return [checkpoint] if self.weights_follow(model) or self._downloadable(checkpoint) else []

    def downloaded(self, model: str) -> list[str]:
        """List the checkpoint of a model if the section ``downloads`` names it. Jobs of the model wait for it, and its date does
        not matter."""
        checkpoint = self.inventory[model].checkpoint
        return self.inputs.downloaded([checkpoint]) if checkpoint else []

    def weights_contents(self, model: str) -> list[str]:
        """Return the digests of a model's files: its checkpoint, and the files that its arguments name.

        A checkpoint that the study trains or downloads has no digest.
        """
        checkpoint = self.inventory[model].checkpoint
        own = self.inputs.contents([checkpoint]) if checkpoint and not self.weights(model) else []
        return own + self.inputs.named(getattr(self.inventory[model].builder, "arguments", {}))

    def weights_follow(self, model: str) -> bool:
        """Tell whether a rule of the study trains or downloads the weights of a model."""
        checkpoint = self.inventory[model].checkpoint
        return self.inventory[model].source == "suite" or checkpoint in (*self.downloads, *self.inputs.to_download)

    def _downloadable(self, checkpoint: str) -> bool:
        """Tell whether a checkpoint lies, or will lie, in the folder that published checkpoints are downloaded to."""
        folder = self.checkpoint_folder
        return folder is not None and Path(folder) in Path(checkpoint).parents

    @property
    def checkpoint_folder(self) -> str | None:
        """The folder to which published checkpoints are downloaded."""
        suites = (source for source in self.study.models if isinstance(source, PublishedSuite))
        return next((source.path for source in suites if source.download), None)

    @cached_property
    def downloads(self) -> dict[str, str]:
        """Published checkpoint that was missing when the plan was made -> its model.

        A rule downloads the missing checkpoints only. An existing checkpoint is never downloaded again, even if the code changes.
        """
        folder = self.checkpoint_folder
        files = {model.checkpoint: model.id for model in self.inventory.values() if model.source == "spvvs"}
        return {
            file: model
            for file, model in files.items()
            if file and folder and Path(file).parents[1] == Path(folder) and not Path(file).exists()
        }

    @property
    def checkpoints(self) -> list[str]:
        """Paths of the checkpoints that the study loads but does not train."""
        return [model.checkpoint for model in self.inventory.values() if model.checkpoint and model.source != "suite"]

    @property
    def files(self) -> list[str]:
        """Paths of the input files of models: labelled images of suites, and checkpoints."""
        return [suite.images for suite in self._suites] + self.checkpoints

    def suite(self, model: str) -> Suite:
        arch, dataset = self.inventory[model].arch, self.inventory[model].dataset
        return next(suite for suite in self._suites if suite.dataset == dataset and arch in suite.architectures)

    @cache  # noqa: B019 (one plan per process)
    def recipe(self, model: str) -> Recipe:
        suite, entry = self.suite(model), self.inventory[model]
        if entry.begins_with:
            assert suite.adversarial is not None
            return resolve(suite.adversarial.recipe)
        return resolve(suite.recipe, suite.architectures[entry.arch].recipe)

    def base_weights(self, model: str) -> list[str]:
        """List the weights with which the training of a suite's model begins. The list is empty if these weights are random."""
        base = self.inventory[model].begins_with
        return self.weights(base) if base else []

    def training_length(self, model: str) -> Length:
        """Return the length of the training of a suite's model, assuming that the image set has the expected size."""
        suite, samples = self.suite(model), self.inventory[model].samples_per_class
        assert samples is not None
        return training_length(self.recipe(model), samples * suite.classes or suite.expected, self.study.training.gpus)

    @property
    def training_reports(self) -> list[str]:
        return [report for model in self.inventory for report in self.training_report(model)]

    def training_report(self, model: str) -> list[str]:
        """Return the path of the report of a model's training; an empty list if the study does not train the model."""
        return [f"{self.results}/models/{model}.training.json"] if self.inventory[model].source == "suite" else []


def _require_python(model: str, file: Path) -> None:
    """Raise an InputError if a model's Python file, or a helper that it imports, cannot be parsed."""
    try:
        parsed(file)
    except (OSError, SyntaxError, ValueError) as error:
        where = f"config key `file` of the model {model}"
        raise InputError(where, f"{file}: {error}", "a Python file", "correct the path or the file") from None
    helpers(file)
