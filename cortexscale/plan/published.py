"""The published tables of a study: which files there are, and which of them are downloaded."""

from functools import cached_property
from pathlib import Path

from cortexscale.datasets.readers import require_known
from cortexscale.datasets.registry import NAMES
from cortexscale.errors import Problems
from cortexscale.published import FILES
from cortexscale.study.data import Published


class PublishedPlan:
    """The section ``published`` of a study."""

    def __init__(self, settings: Published):
        self.settings = settings

    def check(self, problems: Problems) -> None:
        """Report labels of something that is no dataset of the published tables."""
        with problems.collected():
            require_known(list(self.settings.labels), NAMES, "config key published.labels")

    def file(self, table: str) -> str:
        """Return the path of a published table."""
        return f"{self.settings.path}/{FILES[table]}.parquet"

    @property
    def files(self) -> list[str]:
        """The paths of all published tables."""
        return [self.file(table) for table in FILES]

    @cached_property
    def downloads(self) -> dict[str, str]:
        """File that the folder lacked when the plan was made -> its name in the repository.

        Only these have a rule. A file that exists is never fetched again.
        """
        return {
            self.file(table): name for table, name in FILES.items() if self.settings.repo and not Path(self.file(table)).exists()
        }
