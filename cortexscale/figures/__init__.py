"""The figures: one module each, which reads result tables and nothing else.

A module has ``draw(tables, labels) -> (Figure, DataFrame)``: the figure, and every number that is plotted in it.
"""

from dataclasses import dataclass

from cortexscale.qc import NOISE_CEILING_FIGURES


@dataclass(frozen=True)
class FigureSource:
    """
    Attributes:
        module: module of this package that draws it.
        tables: what it reads, by name: paths under the results root. ``{dataset}`` stands for the dataset that it shows.
        reader: of that dataset, for a figure of one dataset.
        section: of the config, for a figure of an experiment that not every study has.
    """

    module: str
    tables: dict[str, str]
    reader: str | None = None
    section: str | None = None


AXES = ("compute", "samples", "parameters")
FIGURES = {
    "fig2": FigureSource(
        "fig2", {f"{axis}_{what}": f"fits/{axis}.{what}.parquet" for axis in AXES for what in ("points", "curves")}
    ),
    "fig3": FigureSource("fig3", {f"{axis}_points": f"fits/{axis}.points.parquet" for axis in ("compute", "samples")}),
    "published_scores": FigureSource(
        "published_scores",
        {"fits": "fits/spvvs.parquet", "curves": "fits/spvvs.curves.parquet", "points": "fits/spvvs.points.parquet"},
    ),
    "fig6": FigureSource("fig6", {what: f"fits/mapping.{what}.parquet" for what in ("points", "curves")}, section="mapping"),
    "figS62": FigureSource(
        "figS62",
        {"fits": "fits/mapping.parquet", **{what: f"fits/mapping.{what}.parquet" for what in ("points", "curves")}},
        section="mapping",
    ),
    "figS63": FigureSource("figS63", {"mapping": "tables/mapping.parquet"}, section="mapping"),
    "gate_depth": FigureSource(
        "gate_depth", {"mapping": "tables/mapping.parquet", "gates": "tables/gates.parquet"}, section="mapping"
    ),
    **{
        figure: FigureSource("noise_ceilings", {"noise_ceilings": "qc/noise_ceilings/{dataset}.parquet"}, reader)
        for figure, reader in NOISE_CEILING_FIGURES.items()
    },
    "figS9": FigureSource("figS9", {"projection": "tables/projection.parquet"}, section="projection_study"),
    "figS10": FigureSource("figS10", {"projection": "tables/projection.parquet"}, section="projection_study"),
    "qc_released": FigureSource("qc_released", {"released_units": "qc/released_units.parquet"}),
}
