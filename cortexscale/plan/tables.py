"""The result tables of a study, the published tables, and the scaling fits to both."""

from collections.abc import Collection
from functools import cached_property
from pathlib import Path

from cortexscale.catalogue.axes import AXES, Form
from cortexscale.catalogue.metrics import ALIGNMENT, FITTED, PLS
from cortexscale.datasets.readers import require_known
from cortexscale.datasets.registry import NAMES
from cortexscale.errors import InputError, Problems
from cortexscale.plan.alignment import AlignmentPlan
from cortexscale.plan.finetuning import FinetuningPlan
from cortexscale.plan.inputs import asked_files
from cortexscale.plan.mapping import MappingPlan
from cortexscale.published import FILES
from cortexscale.readouts.recipes import ReadoutRecipe
from cortexscale.recipe import NeuralRecipe
from cortexscale.study import Study
from cortexscale.study.data import Published
from cortexscale.study.fits import FitSettings

FIT = rf"(?:{'|'.join(AXES)})(?:\.(?:{'|'.join(metric for metric in FITTED if metric != ALIGNMENT)}))?"
"""Regular expression that matches the names of fits, such as ``compute`` or ``compute.rsa_c_test``."""


class TablePlan:
    """The names of the tables that a study makes, and the recipes in these tables."""

    def __init__(self, study: Study, alignment: AlignmentPlan, mapping: MappingPlan | None, finetuning: FinetuningPlan | None):
        self.study, self.alignment, self.mapping, self.finetuning = study, alignment, mapping, finetuning

    @cached_property
    def names(self) -> list[str]:
        """The names of the tables that ``snakemake`` makes as ``tables/<name>.parquet``."""
        if self.study.published:
            return [*FILES, "table2", "tableS4"]
        if not self.study.datasets:
            return []
        searched = ["layer_search"] if self.alignment.searched else []
        projected = ["projection"] if self.study.projection_study else []
        mapped = ["mapping", "table2", "tableS4"] if self.mapping else []
        tuned = ["finetuning"] if self.finetuning else []
        return ["pretraining", *searched, *projected, "datasets", "models", *mapped, *tuned, *self.hyperparameters]

    @property
    def hyperparameters(self) -> list[str]:
        """The names of the tables of hyper-parameters, one for every kind of training on responses in the study."""
        made = {"tableS3": self.finetuning, "tableS5": self.attention, "tableS6": self.readouts}
        return [name for name, recipes in made.items() if recipes]

    @property
    def finetuned(self) -> dict[str, NeuralRecipe]:
        """Name -> recipe of the fine-tuning."""
        return self.finetuning.settings.recipes if self.finetuning else {}

    @property
    def attention(self) -> ReadoutRecipe | None:
        """The attention readout's recipe for datasets without a recipe of their own; None in a study without this readout."""
        return self.mapping.attention if self.mapping else None

    @property
    def readouts(self) -> dict[str, dict[str, ReadoutRecipe]]:
        """Trained readout -> dataset -> recipe."""
        return self.mapping.trained if self.mapping else {}


class PublishedPlan:
    """The section ``published`` of a study."""

    def __init__(self, settings: Published):
        self.settings = settings
        self.files = [self.file(table) for table in FILES]

    def check(self, problems: Problems) -> None:
        """Report labels whose reader is unknown."""
        with problems.collected():
            require_known(list(self.settings.labels), NAMES, "config key published.labels")

    def file(self, table: str) -> str:
        """Return the path of a published table."""
        return f"{self.settings.path}/{FILES[table]}.parquet"

    @cached_property
    def downloads(self) -> dict[str, str]:
        """File that was missing when the plan was made -> name of the file in the repository.

        A rule downloads the missing files only. An existing file is never downloaded again.
        """
        files = zip(self.files, FILES.values(), strict=True)
        return {file: name for file, name in files if self.settings.repo and not Path(file).exists()}


class FitPlan:
    """The section ``fits`` of a study. The name of a fit consists of its axis and its metric."""

    def __init__(self, study: Study):
        self.results, self.settings, self.unscored = study.results, study.fits, study.unscored

    def check(self, problems: Problems, targets: Collection[str]) -> None:
        """Report requested fits whose metric the study does not compute."""
        for fit in asked_files(targets, self.results, rf"fits/({FIT})(?:\.points|\.curves)?\.parquet"):
            readouts = AXES[self.axis(fit)].table == "mapping" and self.metric(fit) in PLS
            if reason := "readouts are not fitted by PLS" if readouts else self.unscored.get(self.metric(fit)):
                expected, remedy = "a metric that the study computes", "ask for it in the section metrics, or leave the fit out"
                problems.found.append(InputError(f"fit {fit}", reason, expected, remedy))

    def table(self, fit: str) -> str:
        """Return the path of the result table that a fit reads."""
        return f"{self.results}/tables/{AXES[self.axis(fit)].table}.parquet"

    def axis(self, fit: str) -> str:
        return fit.partition(".")[0]

    def metric(self, fit: str) -> str:
        return fit.partition(".")[2] or ALIGNMENT

    def form(self, fit: str) -> Form:
        """Return the form of the laws of a fit."""
        return self.settings.axes[self.axis(fit)]

    def resampling(self, fit: str | None = None) -> FitSettings:
        """Return the settings of a fit. Without a fit, return the settings that axes have by default."""
        values = {key: getattr(self.settings, key) for key in FitSettings.model_fields}
        delta = {"delta": getattr(self.settings, AXES[self.axis(fit)].delta)} if fit else {}
        return FitSettings(**values | delta)
