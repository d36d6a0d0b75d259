"""The description of a recording in the config: which file has the responses, and what its axes are."""

from collections.abc import Sequence
from string import Formatter
from typing import Literal, Self

from pydantic import BaseModel, Field, NonNegativeInt, PositiveInt, field_validator, model_validator

from cortexscale.section import Seed

Axis = Literal["stimulus", "unit", "repetition", "time"]

SUBJECT = "{subject}"
"""Stands for the name of the subject in the names of files."""


class Responses(BaseModel, extra="forbid", frozen=True):
    """The array of responses."""

    file: str = Field(
        description="File with the array, relative to `path`: `.npy`, `.npz`, `.h5`, `.mat`, `.nc` or `.zarr`. `{subject}` "
        "stands for the name of the subject."
    )
    variable: str | None = Field(None, description="Name of the array in the file. It is needed if the file has several arrays.")
    axes: dict[Axis, PositiveInt] = Field(
        description="The axes of the array, in their order, with their lengths: `stimulus` and `unit`, and if the array has them "
        "`repetition` and `time`. Responses are averaged over `time`. If every subject has its own file, these are the largest "
        "lengths."
    )

    @field_validator("axes")
    @classmethod
    def _needed(cls, axes: dict[Axis, int]) -> dict[Axis, int]:
        if absent := {"stimulus", "unit"} - axes.keys():
            raise ValueError(f"there is no axis `{min(absent)}`; an array of responses has stimuli and units")
        return axes


class Stimuli(BaseModel, extra="forbid", frozen=True):
    """The stimuli along the axis `stimulus`. If a stimulus is listed several times, its entries are repetitions."""

    table: str | None = Field(
        None,
        description="Table with a row for each entry of the axis: `.csv`, `.tsv` or `.parquet`, relative to `path`. The default "
        "is the table of coordinates in an `.nc` or `.zarr` file that xarray wrote.",
    )
    images: str | None = Field(
        None,
        description="In place of a table: a pattern of the image files, such as `images/*.jpg`, or a zip file of images. Their "
        "names are in the order of the axis.",
    )
    id: str = Field(
        "{stimulus_id}",
        description="How the stimulus set calls an image, written with columns of the table in braces: `{concept}/{file}.jpg`. "
        "`{number:04d}` writes a number with four digits.",
    )

    @model_validator(mode="after")
    def _one_list(self) -> Self:
        if self.table and self.images:
            raise ValueError("`table` and `images` both list the stimuli; one of them is expected")
        try:
            fields = fields_of(self.id)
        except ValueError:
            raise ValueError(f"`id` is {self.id!r}; a closing brace for every opening one is expected") from None
        if not self.images and not fields:
            raise ValueError(f"`id` is {self.id!r}, the same for all stimuli; a column in braces is expected: {{{self.id}}}")
        return self


class Units(BaseModel, extra="forbid", frozen=True):
    """The units along the axis `unit`, and their ROIs. All other columns of the table are kept with the units."""

    table: str | None = Field(
        None,
        description="Table with a row for each unit: `.csv`, `.tsv` or `.parquet`, relative to `path`. The default is the table "
        "of coordinates in an `.nc` or `.zarr` file that xarray wrote, if there is one.",
    )
    unit: str | None = Field(None, description="Column with the name of each unit. By default units are numbered.")
    roi: str | None = Field(None, description="The ROI of all units.")
    roi_column: str | None = Field(None, description="Column with the ROI of each unit.")
    roi_columns: list[str] = Field([], description="Columns of true and false, one for each ROI, with the names of the ROIs.")
    subject: str | None = Field(None, description="Column with the subject of each unit, if subjects share a file.")
    nc_percent: str | None = Field(
        None,
        description="Column with the noise ceiling of each unit, in percent of the variance of averaged test responses. By "
        "default noise ceilings are computed from the trials of the test stimuli.",
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        given = [key for key in ("roi", "roi_column", "roi_columns") if getattr(self, key)]
        if len(given) != 1:
            raise ValueError(f"{' and '.join(given) or 'none of roi, roi_column and roi_columns'} given; one of them is expected")
        return self


class SplitRule(BaseModel, extra="forbid", frozen=True):
    """The division into training and test stimuli: exactly one of `column`, `file`, `every` and `random`."""

    column: str | None = Field(None, description="Column of the stimuli. Stimuli with neither of the two values are left out.")
    train: str | bool | int = Field("train", description="Value of `column` for training stimuli.")
    test: str | bool | int = Field("test", description="Value of `column` for test stimuli.")
    file: str | None = Field(None, description="Text file, relative to `path`, with the id of a test stimulus on each line.")
    every: int | None = Field(None, ge=2, description="With 5, the first of every five stimuli is a test stimulus.")
    first: NonNegativeInt = Field(0, description="Number of stimuli before the first test stimulus of `every`.")
    random: float | None = Field(None, gt=0, lt=1, description="Fraction of the stimuli that is drawn for the test.")
    seed: Seed = Field(42, description="Seed of `random`. The draw does not depend on the order of the stimuli.")
    by: str | None = Field(None, description="Column of the stimuli. `random` draws the same fraction for each of its values.")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        given = [key for key in ("column", "file", "every", "random") if getattr(self, key) is not None]
        if len(given) != 1:
            raise ValueError(f"{' and '.join(given) or 'nothing'} given; one of column, file, every and random is expected")
        if self.every is not None and self.first >= self.every:
            raise ValueError(f"`first` is {self.first}; a number below `every`, {self.every}, is expected")
        return self


class Options(BaseModel, extra="forbid", frozen=True):
    """Options of the reader `table`."""

    responses: Responses = Field(description="The array of responses.")
    stimuli: Stimuli = Field(default_factory=Stimuli, description="The stimuli.")
    units: Units = Field(description="The units and their ROIs.")
    split: SplitRule = Field(description="Training and test stimuli.")
    min_nc_percent: float = Field(10, ge=0, lt=100, description="Keep units with a noise ceiling above this.")

    @property
    def is_shared(self) -> bool:
        """Whether all subjects are in one file."""
        return SUBJECT not in self.responses.file


def fields_of(template: str) -> list[str]:
    """List the names in braces of a template."""
    return [name for _, name, _, _ in Formatter().parse(template) if name]


def filled(template: str, values: Sequence[str]) -> str:
    """Return a template in which the names in braces are replaced by ``values``, in the same order.

    ``{number:04d}`` writes a whole number with four digits. A ValueError is raised if a value cannot be written in this form.
    """
    text, rest = "", iter(values)
    for literal, name, form, _ in Formatter().parse(template):
        value = next(rest) if name else ""
        text += literal + (format(int(value) if value.isdecimal() else value, form) if form else value)
    return text
