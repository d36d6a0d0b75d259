"""The figures of a study: the requested figures, the figures that can be drawn, and the tables that each figure reads."""

import re
from collections.abc import Collection
from functools import cached_property
from pathlib import Path

from cortexscale.catalogue.metrics import TRUE
from cortexscale.errors import Problems
from cortexscale.figures.content import LACKING, Available, FigureDataset
from cortexscale.figures.gallery import KINDS, Drawing, Gallery
from cortexscale.figures.paper import PAPER
from cortexscale.figures.registry import CONTENTS
from cortexscale.models.inventory import SUITES
from cortexscale.plan.alignment import AlignmentPlan
from cortexscale.plan.data import DataPlan
from cortexscale.plan.inputs import asked_files
from cortexscale.plan.models import ModelPlan
from cortexscale.published import FILES
from cortexscale.study import Study

NAMES = {*CONTENTS, *PAPER}
ALL = "all"
"""Value of the config key ``figures`` that requests every figure that the study can draw."""


class FigurePlan:
    """The section ``figures`` of a study."""

    def __init__(self, study: Study, data: DataPlan, models: ModelPlan, alignment: AlignmentPlan):
        self.study, self.data, self.models, self.alignment, self.results = study, data, models, alignment, study.results

    @cached_property
    def gallery(self) -> Gallery:
        """All figures of the study."""
        study = self.study
        if study.published:
            has = Available(self.datasets, frozenset(FILES), unscored=study.unscored, averages=study.fits.averages)
            return Gallery(has)
        readouts = tuple(study.mapping.readouts) if study.mapping else ()
        has = {
            "pretraining": study.datasets,
            "layer_search": self.alignment.searched,
            "projection": study.projection_study,
            "mapping": study.mapping,
            "gates": any(name.startswith("layer_gate") for name in readouts),
            "finetuning": study.finetuning,
            "scores": study.scores,
            "true_scores": TRUE not in study.unscored,
            "noise_ceilings": study.datasets,
            "released_units": study.datasets,
        }
        available = Available(
            datasets=self.datasets,
            tables=frozenset(table for table in LACKING if has[table]),
            experiments=frozenset(study.finetuning.experiments) if study.finetuning else frozenset(),
            readouts=readouts,
            projections=study.projection_study.models if study.projection_study else {},
            unscored=study.unscored,
            averages=study.fits.averages,
            rated=sum(self.models.inventory[model].source in SUITES for model in self.models.fitted),
        )
        return Gallery(available)

    @property
    def datasets(self) -> dict[str, FigureDataset]:
        """The datasets of the study or of the published tables, with the facts that figures need."""
        rois = {name: tuple(dataset.rois) for name, dataset in self.study.datasets.items()}
        return {
            name: FigureDataset(label, self.data.readers[name], self.data.modality(name), rois.get(name, ()))
            for name, label in self.data.labels.items()
        }

    def check(self, problems: Problems, targets: Collection[str] = (), *, complete: bool = True) -> None:
        """Report requested figures that do not exist or cannot be drawn, both in the config and among ``targets``.

        Args:
            complete: whether every section of the config could be read. If not, only unknown names of figures are reported.
                Other figures can become possible when the mistakes in their sections are corrected.
        """
        files = asked_files(targets, self.results, rf"figures/(.+)\.(?:{'|'.join(KINDS)})")
        for where, names in (("config key figures", self.asked), ("figure", files)):
            refused: dict[str, list[str]] = {}
            for name in names:
                reason = self.gallery.reason(name)
                if reason and (complete or name.partition("/")[0] not in NAMES):
                    refused.setdefault(reason, []).append(name)
            problems.found += [self.gallery.refusal(names, reason, where) for reason, names in refused.items()]

    @property
    def asked(self) -> list[str]:
        """Names of the figures that the config asks for."""
        return self.gallery.drawable if self.study.figures == ALL else list(dict.fromkeys(self.study.figures))

    @property
    def drawings(self) -> list[Drawing]:
        """The figures that the config asks for and that can be drawn."""
        return [self.gallery.drawing(name) for name in self.asked if not self.gallery.reason(name)]

    def tables(self, name: str) -> list[str]:
        """Return the paths of the tables that a figure reads, in the order of ``Drawing.tables``."""
        return [f"{self.results}/{path}" for path in self.gallery.drawing(name).tables.values()]

    def files(self, *kinds: str) -> list[str]:
        """Return the paths of the figures that the config asks for. Without ``kinds`` all kinds of files are returned."""
        return [f"{self.results}/figures/{drawing.name}.{kind}" for drawing in self.drawings for kind in kinds or KINDS]

    @property
    def fits(self) -> list[str]:
        """The names of the fits that the requested figures read, and ``mapping`` if the study has this axis."""
        paths = [path for drawing in self.drawings for path in drawing.tables.values() if path.startswith("fits/")]
        names = [re.sub(r"(\.points|\.curves)?\.parquet$", "", Path(path).name) for path in paths]
        names += ["mapping"] if self.study.mapping else []
        return [name for name in dict.fromkeys(names) if name != "spvvs"]
