"""What the rules of a study of published tables need to know: which files there are, and which figures they allow.

Like :mod:`cortexscale.plan` it imports nothing heavy.
"""

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from cortexscale.alignment.published import STEMS
from cortexscale.datasets.readers import require_known
from cortexscale.figures import FigureSource
from cortexscale.published import FILES

if TYPE_CHECKING:
    from cortexscale.plan import Plan


class PublishedPlan:
    """The section ``published`` of a study.

    Raises:
        InputError: a label of something that is no dataset of the published tables.
    """

    def __init__(self, plan: "Plan"):
        self.settings = plan.study.published
        require_known(list(self.settings.labels), list(STEMS), "config key published.labels")

    def file(self, table: str) -> str:
        return f"{self.settings.path}/{FILES[table]}.parquet"

    @property
    def files(self) -> list[str]:
        return [self.file(table) for table in FILES]

    @cached_property
    def downloads(self) -> dict[str, str]:
        """Files that the folder lacked when the plan was made, and their names. Only these have a rule: what is there is never
        fetched again.
        """
        return {
            self.file(table): name for table, name in FILES.items() if self.settings.repo and not Path(self.file(table)).exists()
        }

    def allows(self, figure: FigureSource) -> bool:
        """Whether a figure reads nothing but these tables and fits to them."""
        made = (*(f"tables/{table}.parquet" for table in FILES), "fits/")
        paths = figure.tables.values()
        return all(path.startswith(made) and not path.startswith("fits/spvvs") for path in paths)
