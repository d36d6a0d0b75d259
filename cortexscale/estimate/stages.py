"""The stages of a study, with the time, memory and disk space that they are expected to take."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import product

from cortexscale.alignment import bounds as alignment
from cortexscale.costs import Cost, Machine, formula
from cortexscale.datasets import bounds as datasets
from cortexscale.estimate.networks import numbers_kept
from cortexscale.estimate.sizes import ExpectedSizes
from cortexscale.features import bounds as features
from cortexscale.finetuning import bounds as finetuning
from cortexscale.models import bounds as models
from cortexscale.plan import Plan
from cortexscale.readouts import bounds as readouts
from cortexscale.scaling import bounds as scaling


@dataclass(frozen=True)
class Stage:
    """One line of an estimate: the jobs of one rule."""

    name: str
    costs: list[Cost]  # expected costs of each job
    limits: list[Cost]  # resources that each job requests from the scheduler
    formula: str  # how the costs are calculated from sizes and rates
    temporary: bool = False  # whether the files of the jobs are deleted after use

    @property
    def seconds(self) -> list[float]:
        return [cost.seconds for cost in self.costs]

    @property
    def mb(self) -> int:
        """Memory in MB that the largest job requests."""
        return max(limit.mb for limit in self.limits)

    @property
    def disk(self) -> float:
        """Disk space in bytes that is in use after all jobs."""
        return 0.0 if self.temporary else sum(cost.disk for cost in self.costs)


class Estimate:
    """The costs of the stages of a study on a machine, calculated from expected sizes."""

    def __init__(self, plan: Plan, sizes: ExpectedSizes, machine: Machine):
        self.plan, self.sizes, self.machine = plan, sizes, machine
        self.costs = plan.costs(sizes, machine)

    def stages(self) -> list[Stage]:
        """List the stages that have jobs, in the order in which they run."""
        stages = [*self._preparation(), *self._alignment(), *self._mapping(), *self._finetuning(), *self._fits(), self._tables()]
        return [stage for stage in stages if stage.costs]

    def _stage(self, name: str, cost: Callable[..., Cost], jobs: Iterable[tuple[str, ...]]) -> Stage:
        """Make the stage of a rule. ``cost`` returns the costs of one job. ``jobs`` has a tuple of arguments for each job."""
        jobs = list(jobs)
        costs, limits = ([getattr(each, name)(*job) for job in jobs] for each in (self.costs, self.plan.limits))
        return Stage(name, costs, limits, formula(cost))

    def _preparation(self) -> list[Stage]:
        data, inventory = self.plan.data, self.plan.models.inventory
        subjects = [(name, subject) for name, dataset in data.datasets.items() for subject in dataset.subjects]
        trained = [(model.id,) for model in inventory.values() if model.source == "suite"]
        return [
            self._stage("preprocess", datasets.preprocess, subjects),
            self._stage("stimuli", datasets.stimulus_table, [(stimuli,) for stimuli in data.stimuli]),
            self._stage("download_checkpoint", models.checkpoint_download, [(id,) for id in self.plan.models.downloads.values()]),
            self._stage("train_backbone", models.backbone_training, trained),
            self._stage("model_cards", models.model_cards, [()] * bool(data.stimuli)),
            self._stage("prepare_responses", alignment.prepared_responses, [(stimuli,) for stimuli in data.stimuli]),
        ]

    def _alignment(self) -> list[Stage]:
        sets, plan = self.plan.data.stimuli, self.plan.alignment
        searched, scored = list(product(sets, plan.searched)), list(product(sets, self.plan.models.inventory))
        committed = [()] * len(sets) * len(self.plan.models.references)
        stored = features.exact_kernels if plan.exact else features.projected_features
        sweep, store = self._stage("sweep_features", stored, searched), self._stage("features", stored, scored)
        largest = max((cost.disk for cost in sweep.costs), default=0)
        of_sweep = f"as features, for all candidate layers; disk: temporary, the largest {largest / 1e9:,.2f} GB"
        of_store = f"{store.formula}; committed layers: about sqrt(ROIs), as in the published commitments"
        return [
            replace(sweep, formula=of_sweep, temporary=True),
            self._stage("layer_search", alignment.layer_search, searched),
            self._stage("commit_layers", alignment.commitment, committed),
            replace(store, formula=of_store),
            self._stage("alignment", alignment.alignment, scored),
            self._stage("projection_study", alignment.projection_study, plan.projected),
        ]

    def _mapping(self) -> list[Stage]:
        plan = self.plan.mapping
        if not plan:
            return []
        fits = self._stage("mapping", readouts.linear_readouts, product(plan.settings.datasets, plan.settings.readouts))
        both = f"linear: {fits.formula}. Trained: {formula(readouts.trained_readouts)}"
        tokens = self._stage("tokens", readouts.tokens, [(stimuli,) for stimuli in plan.stimuli])
        return [tokens, replace(fits, formula=both)]

    def _finetuning(self) -> list[Stage]:
        plan = self.plan.finetuning
        if not plan:
            return []
        tuned = self._stage("finetune", finetuning.finetuning, [(model,) for model in plan.finetuned])
        steps = [self.costs.finetuning_step(model, activations=numbers_kept(plan.base(model))) for model in plan.finetuned]
        step = max(finetuning.step_bytes(step, half=True) for step in steps)
        of_step = f"{tuned.formula}. The largest step takes {step / 1e9:,.1f} GB of a GPU (micro_batch makes it smaller)"
        return [
            self._stage("finetuning_heads", finetuning.heads, plan.headed),
            replace(tuned, formula=of_step),
            self._stage("finetuned_alignment", alignment.unprojected_alignment, product(plan.stimuli, plan.evaluated)),
        ]

    def _fits(self) -> list[Stage]:
        laws = self._stage("fit", scaling.scaling_fit, [(fit,) for fit in self.plan.figures.fits])
        scores = [()] * bool(self.plan.study.scores and "published_scores" in self.plan.figures.asked)
        published = self._stage("fit_scores", scaling.scaling_fit, scores)
        return [Stage("fits", laws.costs + published.costs, laws.limits + published.limits, laws.formula)]

    def _tables(self) -> Stage:
        """Make the stage of the jobs for figures, small tables, the report and the explore page."""
        plan = self.plan
        jobs = len(plan.figures.asked) + (len(plan.data.datasets) + 4 if plan.data.datasets else 0)
        jobs += len(plan.tables.names) if plan.published else 0
        jobs += bool(plan.alignment.projected) + 2 * (plan.mapping is not None) + (plan.finetuning is not None)
        jobs += bool(plan.tables.hyperparameters) + 2 + bool(plan.pages.explored)
        cost = scaling.table(self.machine)
        return Stage("tables, figures", [cost] * jobs, [cost] * jobs, formula(scaling.table))
