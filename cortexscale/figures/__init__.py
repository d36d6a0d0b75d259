"""The figures: one module each, which reads result tables and nothing else.

A module has ``draw(tables, labels) -> (Figure, DataFrame)``: the figure, and every number that is plotted in it.
"""

AXES = ("compute", "samples", "parameters")
FIGURES: dict[str, dict[str, str]] = {
    "fig2": {
        "pretraining": "tables/pretraining.parquet",
        **{f"{axis}_fits": f"fits/{axis}.parquet" for axis in AXES},
        **{f"{axis}_curves": f"fits/{axis}.curves.parquet" for axis in AXES},
    },
    "fig3": {"pretraining": "tables/pretraining.parquet"},
    "published_scores": {
        "fits": "fits/spvvs.parquet",
        "curves": "fits/spvvs.curves.parquet",
        "points": "fits/spvvs.points.parquet",
    },
}
"""Tables that each figure reads, by name, under the results root."""
