"""Definition of a figure, and of what a study must have so that it can be drawn.

Every job of the workflow loads this module and the registry, so they import nothing heavy.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cortexscale.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

LACKING = {
    "pretraining": "the study scores no models, because it has no datasets",
    "layer_search": "the study searches no layers: layer_commitment takes all of them from a file",
    "projection": "the config has no section projection_study",
    "mapping": "the config has no section mapping",
    "gates": "the mapping has no layer gate among its readouts",
    "finetuning": "the config has no section finetuning",
    "scores": "the config has no section scores",
    "noise_ceilings": "the study has no recordings",
    "released_units": "the study has no recordings",
}
"""Result table -> the reason why a study lacks it."""


class NothingToShow(InputError):
    """The results of a study leave nothing to draw in a figure. The figure is then a page that says so."""

    def __init__(self, where: str, found: str, expected: str, remedy: str = "leave the figure out of `figures`"):
        super().__init__(where, found, expected, remedy)


@dataclass(frozen=True)
class FigureDataset:
    """A dataset of the study, as figures see it.

    Attributes:
        reader: the built-in reader, whose dataset has a colour and a marker in the paper, or the path of a module.
        modality: None if unknown.
        rois: the ROIs that are scored; empty if unknown.
    """

    label: str
    reader: str
    modality: str | None = None
    rois: tuple[str, ...] = ()


Datasets = Mapping[str, FigureDataset]
"""Datasets by their names, in the order of the config."""
Tables = Mapping[str, "pd.DataFrame"]
"""Result tables by the names that the registry gives them."""
Drawn = tuple["Figure", "pd.DataFrame"]
"""A figure, and a table of every number in it."""


@dataclass(frozen=True)
class Available:
    """Contents of a study that figures can show. Fields are None where only the result tables have them.

    Attributes:
        tables: the result tables that the study makes or imports: keys of ``LACKING``.
        experiments: experiments of the section ``finetuning``.
        readouts: readouts of the section ``mapping``.
        projections: model of the projection study -> numbers of dimensions that it is projected to.
        rated: number of supervised models of suites, whose task accuracy is known.
        unscored: metric that the tables lack -> the reason.
    """

    datasets: Datasets
    tables: frozenset[str]
    experiments: frozenset[str] | None = None
    readouts: tuple[str, ...] | None = None
    projections: Mapping[str, Sequence[int]] = field(default_factory=dict)
    rated: int | None = None
    unscored: Mapping[str, str] = field(default_factory=dict)


Need = Callable[[Available, str], str | None]
"""Takes what a study has and the variant of the figure, if any, and returns the reason why it cannot be drawn, or None."""


@dataclass(frozen=True)
class Content:
    """One figure, or one figure for every dataset or other variant, whose name takes the place of ``{variant}`` in its fields.

    Attributes:
        title: what the figure shows, as one phrase, with the words of the variant.
        caption: how to read it, in one or more sentences.
        draw: ``module.function`` of this package.
        tables: names of the tables that it reads -> paths below the results root.
        variants: names that follow the slash in the name of the figure -> words for them; ``PER_DATASET`` for the datasets of
            the study.
        arguments: further arguments of ``draw``.
        optional: tables that it reads only in a study that has them.
        needs: what it needs besides its tables.
        select: returns the datasets that it shows, by default the dataset that it is drawn for, or all of the study.
    """

    title: str
    caption: str
    draw: str
    tables: Mapping[str, str]
    variants: Mapping[str, str] = field(default_factory=dict)
    arguments: Mapping[str, str] = field(default_factory=dict)
    optional: tuple[str, ...] = ()
    needs: tuple[Need, ...] = ()
    select: Callable[[Available, str], list[str]] | None = None


PER_DATASET = {"<dataset>": "a dataset"}


def table_of(path: str) -> str:
    """Return the result table that a file comes from: a fit comes from the table that it was fitted to.

    >>> table_of("fits/compute.rsa_c_test.points.parquet")
    'pretraining'
    """
    folder, _, name = path.partition("/")
    name = name.split("/")[0].split(".")[0]
    if folder != "fits":
        return name
    return {"spvvs": "scores", "mapping": "mapping", "finetuning": "finetuning"}.get(name, "pretraining")
