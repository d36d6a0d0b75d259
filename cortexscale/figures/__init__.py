"""The figures: one module each, which reads result tables and nothing else.

A module has ``draw(tables, labels) -> (Figure, DataFrame)``: the figure, and every number that is plotted in it.
"""

from dataclasses import dataclass, field

from cortexscale.catalogue.axes import MODEL_AXES
from cortexscale.qc import NOISE_CEILING_FIGURES


@dataclass(frozen=True)
class FigureSource:
    """
    Attributes:
        module: module of this package that draws it.
        tables: what it reads, by name: paths under the results root. ``{dataset}`` stands for the dataset that it shows.
        readers: of the datasets that it shows, for a figure of certain datasets. One of several is enough.
        section: of the config, for a figure of an experiment that not every study has.
        optional: of ``tables``, those that it reads only in a study with a certain section of the config.
        experiments: of the section ``finetuning``, which it cannot do without.
    """

    module: str
    tables: dict[str, str]
    readers: tuple[str, ...] = ()
    section: str | None = None
    optional: dict[str, str] = field(default_factory=dict)
    experiments: tuple[str, ...] = ()


FINETUNING = {"finetuning": "tables/finetuning.parquet"}
FINETUNING_FIGURES = {
    (): ("fig4", "figS47"),
    ("data_pct",): ("fig5", "figS44", "figS45", "figS46"),
    ("ablation",): ("figS48",),
    ("subject",): ("figS49",),
    ("explore",): ("figS50", "figS51", "figS52", "figS53", "figS54", "figS55", "figS56"),
    ("lora",): ("figS57", "figS58", "figS59"),
    ("data_pct", "lora"): ("figS60", "figS61"),
}
"""Experiments -> figures that show them. Those that show several show what is there."""
MODULES = {
    "fig4": "finetuning_gains",
    "fig5": "transfer",
    "figS22": "selected_models",
    "figS44": "finetuning_samples",
    "figS47": "finetuning_controls",
    "figS52": "finetuning_sweeps",
    "figS60": "lora",
}
"""Modules that are named by what they draw."""
READERS = ("freemanziemba", "majajhong", "tvsd", "things_fmri", "nsd", "things_eeg1", "things_eeg2", "things_meg")
"""In the order of the paper's supplement."""
LAYER_PROFILE_FIGURES = {f"figS{number}": reader for number, reader in enumerate(READERS, start=12)}
ACCURACY_FIGURES = {f"figS{number}": reader for number, reader in enumerate(READERS, start=31)}
CORRELATION_FIGURES = {
    "figS40": ("freemanziemba", "majajhong", "tvsd"),
    "figS41": ("things_eeg1", "things_eeg2", "things_meg"),
    "figS42": ("nsd",),
    "figS43": ("things_fmri",),
}
METRIC_FIGURES = {"figS26": "rsa_c_test", "figS27": "rsa_ve_test", "figS28": "cka_c_test", "figS29": "cka_ve_test"}
LAYER_SEARCH = {"layer_search": "tables/layer_search.parquet"}
PRETRAINING = {"pretraining": "tables/pretraining.parquet"}
FIGURES = {
    "fig2": FigureSource(
        "scaling_laws", {f"{axis}_{what}": f"fits/{axis}.{what}.parquet" for axis in MODEL_AXES for what in ("points", "curves")}
    ),
    "compute_optimal": FigureSource(
        "compute_optimal", {what: f"fits/model_and_data.{what}.parquet" for what in ("points", "curves")}
    ),
    "fig3": FigureSource("convergence", {f"{axis}_points": f"fits/{axis}.points.parquet" for axis in ("compute", "samples")}),
    "published_scores": FigureSource(
        "published_scores",
        {"fits": "fits/spvvs.parquet", "curves": "fits/spvvs.curves.parquet", "points": "fits/spvvs.points.parquet"},
    ),
    "fig7": FigureSource("accuracy_overview", {**PRETRAINING, **FINETUNING}, optional={"finetuning": "finetuning"}),
    **{
        figure: FigureSource(MODULES.get(figure, figure), FINETUNING, section="finetuning", experiments=experiments)
        for experiments, figures in FINETUNING_FIGURES.items()
        for figure in figures
    },
    "fig6": FigureSource("readouts", {what: f"fits/mapping.{what}.parquet" for what in ("points", "curves")}, section="mapping"),
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
        figure: FigureSource("noise_ceilings", {"noise_ceilings": "qc/noise_ceilings/{dataset}.parquet"}, (reader,))
        for figure, reader in NOISE_CEILING_FIGURES.items()
    },
    "figS9": FigureSource("projection", {"projection": "tables/projection.parquet"}, section="projection_study"),
    "figS10": FigureSource("figS10", {"projection": "tables/projection.parquet"}, section="projection_study"),
    "figS11": FigureSource("layer_agreement", LAYER_SEARCH, ("nsd", "things_fmri", "tvsd")),
    **{figure: FigureSource("layers", LAYER_SEARCH, (reader,)) for figure, reader in LAYER_PROFILE_FIGURES.items()},
    "figS20": FigureSource("families", {"samples": "fits/samples.points.parquet"}),
    "figS21": FigureSource("families", {"parameters": "fits/parameters.points.parquet"}),
    **{
        figure: FigureSource(MODULES.get(figure, figure), PRETRAINING)
        for figure in ("figS22", "figS23", "figS24", "figS25", "figS30", "figS39")
    },
    **{
        figure: FigureSource(
            "metric",
            {f"{axis}_{what}": f"fits/{axis}.{metric}.{what}.parquet" for axis in MODEL_AXES for what in ("points", "curves")},
        )
        for figure, metric in METRIC_FIGURES.items()
    },
    **{figure: FigureSource("accuracy_rois", PRETRAINING, (reader,)) for figure, reader in ACCURACY_FIGURES.items()},
    **{figure: FigureSource("accuracy_correlations", PRETRAINING, readers) for figure, readers in CORRELATION_FIGURES.items()},
    "qc_released": FigureSource("released_statistics", {"released_units": "qc/released_units.parquet"}),
}
