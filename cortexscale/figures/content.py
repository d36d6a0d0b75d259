"""Definitions of a figure and of what a study must have so that the figure can be drawn.

Every job of the workflow loads this module and the registry, so they import nothing heavy.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cortexscale.catalogue.metrics import TRUE
from cortexscale.errors import InputError
from cortexscale.study.fits import AverageSettings

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
    "true_scores": "the study has recordings that are not simulated",
    "noise_ceilings": "the study has no recordings",
    "released_units": "the study has no recordings",
}
"""Result table -> reason why a study lacks the table."""


class NothingToShow(InputError):
    """An error: the results of a study have nothing that a figure can draw. A page with the message replaces the figure."""

    def __init__(self, where: str, found: str, expected: str, remedy: str = "leave the figure out of `figures`"):
        super().__init__(where, found, expected, remedy)


@dataclass(frozen=True)
class FigureDataset:
    """Facts about a dataset of the study that figures need.

    Attributes:
        reader: the built-in reader or the path of a module. Datasets of built-in readers have a colour and marker in the paper.
        modality: the modality; None if it is unknown.
        rois: the ROIs that are scored; empty if they are unknown.
    """

    label: str
    reader: str
    modality: str | None = None
    rois: tuple[str, ...] = ()


Datasets = Mapping[str, FigureDataset]
"""Name -> dataset, in the order of the config."""
Tables = Mapping[str, "pd.DataFrame"]
"""Name in the registry -> result table."""
Drawn = tuple["Figure", "pd.DataFrame"]
"""A figure, and a table of every plotted number."""


@dataclass(frozen=True)
class Available:
    """Contents of a study that figures can show. A field is None if only the result tables tell its value.

    Attributes:
        tables: names of the result tables that the study makes or imports. They are keys of ``LACKING``.
        experiments: names of the experiments in the section ``finetuning``.
        readouts: readouts in the section ``mapping``.
        projections: model of the projection study -> numbers of dimensions to which its features are projected.
        rated: number of models whose task accuracy is known, which are the supervised models of suites.
        unscored: metric that is missing from the tables -> reason.
        averages: settings of averages over ROIs and datasets.
    """

    datasets: Datasets
    tables: frozenset[str]
    experiments: frozenset[str] | None = None
    readouts: tuple[str, ...] | None = None
    projections: Mapping[str, Sequence[int]] = field(default_factory=dict)
    rated: int | None = None
    unscored: Mapping[str, str] = field(default_factory=dict)
    averages: AverageSettings = field(default_factory=AverageSettings)


Need = Callable[[Available, str], str | None]
"""Function that takes the contents of a study and the variant of a figure. It returns the reason why the figure cannot be drawn,
or None if it can be drawn."""


@dataclass(frozen=True)
class Content:
    """A figure, or a figure that is drawn in several variants, such as one per dataset.

    In the fields, ``{variant}`` stands for the name of the variant.

    Attributes:
        title: a phrase that says what the figure shows.
        caption: one or more sentences that say how to read the figure.
        draw: function of this package that draws the figure, as ``module.function``.
        tables: name of a table that the figure reads -> path below the results folder.
        variants: name of a variant, which follows the slash in the name of the figure -> words for it in titles. ``PER_DATASET``
            stands for one variant per dataset of the study.
        arguments: further arguments of the function.
        optional: names of tables that the figure reads only if the study has them.
        needs: needs of the figure besides its tables.
        select: function that returns the datasets that the figure shows. By default it shows the dataset of the variant, or all
            datasets of the study.
        every_roi: whether the figure shows every ROI on its own, so that the settings of averages do not apply to it.
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
    every_roi: bool = False


PER_DATASET = {"<dataset>": "a dataset"}


def table_of(path: str) -> str:
    """Return the name of the result table in a file. For a fit, return the table to which the law was fitted.

    >>> table_of("fits/compute.rsa_c_test.points.parquet")
    'pretraining'
    """
    folder, _, name = path.partition("/")
    if name.split(".")[1:2] == [TRUE]:
        return "true_scores"
    name = name.split("/")[0].split(".")[0]
    if folder != "fits":
        return name
    return {"spvvs": "scores", "mapping": "mapping", "finetuning": "finetuning"}.get(name, "pretraining")
