"""The figures: one module each, which reads result tables and nothing else.

A module has ``draw(tables, labels) -> (Figure, DataFrame)``: the figure, and every number that is plotted in it.
"""

AXES = ("compute", "samples", "parameters")
FIGURES: dict[str, dict[str, str]] = {
    "fig2": {f"{axis}_{what}": f"fits/{axis}.{what}.parquet" for axis in AXES for what in ("points", "curves")},
    "fig3": {f"{axis}_points": f"fits/{axis}.points.parquet" for axis in ("compute", "samples")},
    "published_scores": {
        "fits": "fits/spvvs.parquet",
        "curves": "fits/spvvs.curves.parquet",
        "points": "fits/spvvs.points.parquet",
    },
}
"""Tables that each figure reads, by name, under the results root."""
