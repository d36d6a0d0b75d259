"""The models of a study whose sources are right."""

from cortexscale.errors import Problems
from cortexscale.models.inventory import model_inventory
from cortexscale.models.model import Model
from cortexscale.study import Study


def inventory(study: Study) -> dict[str, Model]:
    """Return all models by id.

    Raises:
        InputError: a source or a reference is wrong.
    """
    problems = Problems()
    models = model_inventory(study, problems)
    problems.require_none()
    return models
