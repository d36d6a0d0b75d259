"""The pages of a study: the tables and fits that the explore page and the report show."""

import os
import re
from pathlib import Path

from cortexscale.catalogue.axes import axes_of
from cortexscale.listing import files_in
from cortexscale.plan.figures import FigurePlan
from cortexscale.plan.tables import FIT, TablePlan
from cortexscale.study import Study

ASSETS = Path(__file__).parents[1] / "pages" / "assets"
EXPLORED = ("pretraining", "finetuning", "mapping")
"""Names of the tables that the explore page shows."""


class PagePlan:
    """The pages of a study."""

    def __init__(self, study: Study, tables: TablePlan, figures: FigurePlan):
        self.study, self.results, self._tables, self._figures = study, study.results, tables, figures

    @property
    def names(self) -> list[str]:
        return [*(["explore.html"] if self.explored else []), "report.html"]

    @property
    def tables(self) -> list[str]:
        return [f"{self.results}/tables/{table}.parquet" for table in self._tables.names]

    @property
    def explored(self) -> list[str]:
        """Paths of the score tables that the explore page shows."""
        return [f"{self.results}/tables/{table}.parquet" for table in self._explored]

    @property
    def _explored(self) -> list[str]:
        return [table for table in EXPLORED if table in self._tables.names]

    def fits(self, what: str = "") -> list[str]:
        """List the fits of the explored tables: one fit per axis, and the fits of other metrics that the figures show.

        If ``what`` is ``.curves`` or ``.points``, the files of curves or points are listed instead of the fits.
        """
        axes = [axis for table in self._explored for axis in axes_of(table)]
        others = [fit for fit in self._figures.fits if re.fullmatch(FIT, fit) and fit.split(".")[0] in axes]
        return [f"{self.results}/fits/{fit}{what}.parquet" for fit in dict.fromkeys([*axes, *others])]

    @property
    def laws(self) -> list[str]:
        """Paths of all fits that the explore page or a figure shows."""
        paths = (path for drawing in self._figures.drawings for path in drawing.tables.values() if path.startswith("fits/"))
        return list(dict.fromkeys([*self.fits(), *(f"{self.results}/{path}" for path in paths if path.count(".") == 1)]))

    @property
    def assets(self) -> list[str]:
        """Paths of the templates, styles and scripts of the pages.

        Rules take them as inputs, because digests of code cover only Python modules.
        """
        return [os.path.relpath(file) for file in files_in(ASSETS)]

    @property
    def checks(self) -> list[str]:
        """Paths of the quality-control tables that the report shows."""
        return [f"{self.results}/qc/{table}.parquet" for table in ("subjects", "released") if self.study.datasets]
