"""What the rules of the mapping axis need to know: which readouts of which datasets, their recipes, and what a job may use.

Like :mod:`cortexscale.plan` it imports nothing heavy.
"""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from cortexscale.errors import InputError
from cortexscale.readouts.recipes import ReadoutRecipe, recipe_for

if TYPE_CHECKING:
    from cortexscale.plan import Plan

_WIDTH = 2e5
"""Activations of a layer and image."""


class MappingPlan:
    """The section ``mapping`` of a study.

    Raises:
        InputError: an unknown model, or a recipe with unknown keys or values that do not fit.
    """

    def __init__(self, plan: "Plan"):
        self.plan, self.settings = plan, plan.study.mapping
        self.model = self.settings.model
        if self.model not in plan.models:
            known = ", ".join([*dict.fromkeys([*plan.references, *plan.models])][:8])
            raise InputError("config key mapping.model", self.model, f"a model of the study: {known}, ...", "correct the name")
        for dataset in self.settings.datasets:
            for readout in self.settings.readouts:
                self.recipe(dataset, readout)

    def recipe(self, dataset: str, readout: str) -> dict[str, Any] | None:
        """How a readout is trained; None for the linear one."""
        kind = readout.rsplit("_", 1)[0]
        if kind == "linear":
            return None
        given = self.settings.recipes.get(kind, {})
        overrides = given.get("all", {}) | given.get(dataset, {})
        unknown = sorted(set(overrides) - set(ReadoutRecipe.__dataclass_fields__))
        if unknown:
            known = ", ".join(ReadoutRecipe.__dataclass_fields__)
            raise InputError(f"config key mapping.recipes.{kind}", ", ".join(unknown), f"keys among {known}", "correct the keys")
        return asdict(recipe_for(kind, self.plan.datasets[dataset].reader, **overrides))

    @property
    def hyperparameters(self) -> dict[str, dict[str, Any]]:
        """Tables S5 and S6: arguments of :mod:`cortexscale.hyperparameters`."""
        trained = [readout for readout in self.settings.readouts if not readout.startswith("linear")]
        recipes = {
            readout.rsplit("_", 1)[0]: {name: self.recipe(name, readout) for name in self.settings.datasets}
            for readout in trained
        }
        default = recipe_for("attention", "", **self.settings.recipes.get("attention", {}).get("all", {}))
        labels = {name: self.plan.labels[name] for name in self.settings.datasets}
        tables = {"tableS5": {"recipe": asdict(default)}} if "attention" in recipes else {}
        return tables | ({"tableS6": {"recipes": recipes, "labels": labels}} if recipes else {})

    @property
    def stimuli(self) -> list[str]:
        """Stimulus sets that a dataset of the mapping axis shows."""
        return list(dict.fromkeys(self.plan.datasets[name].stimuli for name in self.settings.datasets))

    def datasets_on(self, stimuli: str) -> list[str]:
        return [name for name in self.settings.datasets if self.plan.datasets[name].stimuli == stimuli]

    def shown(self, stimuli: str) -> dict[str, dict[str, Any]]:
        """Datasets whose images have tokens, and which of their subjects."""
        return {name: {"best_subjects": self.plan.best_subjects(name)} for name in self.datasets_on(stimuli)}

    def targets(self, dataset: str) -> dict[str, Any]:
        return self.plan.targets(self.plan.datasets[dataset].stimuli)[dataset]

    def path(self, pattern: str, dataset: str) -> str:
        """``pattern`` with the model, and the stimulus set of a dataset."""
        return pattern.format(results=self.plan.results, stimuli=self.plan.datasets[dataset].stimuli, model=self.model)

    def prepared(self, dataset: str) -> dict[str, str]:
        """What RSA and CKA of test responses need, if the study wants them."""
        wanted = "test" in self.plan.study.similarity.splits
        return {"prepared": self.path("{results}/prepared/{stimuli}.h5", dataset)} if wanted else {}

    def per_readout(self, pattern: str) -> list[str]:
        """A path for every dataset x readout."""
        of = {"results": self.plan.results}
        return [pattern.format(**of, dataset=d, readout=r) for d in self.settings.datasets for r in self.settings.readouts]

    # ------------------------------------------------------------------------------------------ resources

    def tokens_mb(self, stimuli: str) -> int:
        """Network and images; waiting rows of 16 committed layers, and a batch at 64 candidate layers in float32."""
        batch = self.plan.study.features.batch_size
        return 8000 + int(_WIDTH * (16 * 2 * (512 + batch) + 64 * 4 * batch) / 1e6)

    def tokens_minutes(self, stimuli: str) -> int:
        """A generous bound: 25 images/s."""
        return 30 + int((self.plan.images(stimuli) or 0) / 25 / 60)

    def mb(self, dataset: str, readout: str) -> int:
        """Responses twice and a third of them once more. Of the linear readout also a kernel, its copy for a subset with its
        factors, and the weights of a subject and ROI twice; of others what trained readouts and batches take.
        """
        n_train, n_test, n_units = self.plan.shape(dataset)
        responses = 4 * sum(
            (n_train + n_test) * self.plan.shape(dataset, [subject])[2] for subject in self.plan.subjects_scored(dataset)
        )
        total = 3 * responses
        if readout.startswith("linear"):
            most = max(self.plan.shape(dataset, [subject])[2] for subject in self.plan.subjects_scored(dataset))
            total += 8 * (5 * (n_train + n_test) ** 2 + 3 * n_train * n_units)
            total += 2 * 4 * most * _WIDTH if self.settings.save else 0
        return 6000 + int(total / 1e6)

    def minutes(self, dataset: str, readout: str) -> int:
        """A generous bound: products and inverses at 5 TFLOP/s for 16 layers, a unit in three ROIs; trained readouts at 5,000
        images/s and ROI. At most two days, after which a further try goes on where it stopped.
        """
        n_train, n_test, _ = self.plan.shape(dataset)
        recipe, fractions, seeds = self.recipe(dataset, readout), self.settings.fractions, len(self.settings.seeds)
        subjects = self.plan.subjects_scored(dataset)
        if recipe is None:
            kernels = 16 * len(subjects) * (n_train + n_test) ** 2 * _WIDTH
            units = sum(self.plan.shape(dataset, [subject])[2] for subject in subjects)
            ridge = self.plan.study.ridge.alphas.count * (16 * len(subjects) * 2 * n_train**3 + 3 * 4 * n_train**2 * units)
            seconds = (kernels + seeds * sum((percent / 100) ** 2 for percent in fractions) * ridge) / 5e12
        else:
            share = sum(fractions) / 100 * seeds
            seconds = share * recipe["epochs"] * n_train * len(subjects) * len(self.plan.datasets[dataset].rois) / 5000
        return min(30 + int(seconds / 60), 2 * 24 * 60)
