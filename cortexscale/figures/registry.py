"""The registry of figures: the function that draws each figure, and the tables that the figure needs.

``captions.toml`` has the titles and captions. A new figure needs a function in a module of this package, an entry in this
registry and an entry in ``captions.toml``.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cortexscale.catalogue.axes import MODEL_AXES
from cortexscale.catalogue.metrics import ALIGNMENT, FITTED, METRICS, TRUE
from cortexscale.figures import needs
from cortexscale.figures.content import PER_DATASET, Content, Need

TEXTS = tomllib.loads(Path(__file__).with_name("captions.toml").read_text(encoding="utf-8"))
"""Name of a figure -> ``title`` and ``caption``."""
_FACETS = {
    "average": "averaged over datasets",
    "finetuned_on": "for every dataset of the fine-tuning",
    "scored_on": "on every dataset",
    "same_dataset": "on the dataset of the fine-tuning itself",
    "relation": "by the relation of both datasets",
}


def _tables(*names: str) -> dict[str, str]:
    return {name: f"tables/{name}.parquet" for name in names}


def _fits(name: str, *kinds: str) -> dict[str, str]:
    return {kind: f"fits/{name}.{kind}.parquet" for kind in kinds}


def _axes(metric: str = "") -> dict[str, str]:
    return {f"{axis}_{kind}": f"fits/{axis}{metric}.{kind}.parquet" for axis in MODEL_AXES for kind in ("points", "curves")}


def _figure(name: str, draw: str, tables: Mapping[str, str], *needed: Need, **known: Any) -> tuple[str, Content]:
    return name, Content(**TEXTS[name], draw=draw, tables=tables, needs=needed, **known)


_TRUTHS = {f"{axis}_truth": f"fits/{axis}.{TRUE}.curves.parquet" for axis in MODEL_AXES}
_LAYERS = _tables("layer_search")
_PROJECTION = _tables("projection")
_PRETRAINING = _tables("pretraining")
_FINETUNING = _tables("finetuning")

CONTENTS = dict(
    [
        # recordings
        _figure(
            "noise_ceilings",
            "recordings.draw_noise_ceilings",
            {"noise_ceilings": "qc/noise_ceilings/{variant}.parquet"},
            variants=PER_DATASET,
            every_roi=True,
        ),
        _figure(
            "released_statistics",
            "recordings.draw_released_statistics",
            {"released_units": "qc/released_units.parquet"},
            every_roi=True,
        ),
        # layers and projection
        _figure("layers", "layers.draw_profiles", _LAYERS, variants=PER_DATASET, every_roi=True),
        _figure(
            "layer_agreement",
            "layers.draw_agreement",
            _LAYERS,
            needs.another_dataset,
            variants=PER_DATASET,
            select=needs.comparable,
        ),
        _figure("projection_scores", "layers.draw_projected_scores", _PROJECTION, needs.shared_projection, every_roi=True),
        _figure("projection_dimensions", "layers.draw_dimensions", _PROJECTION, needs.several_projections),
        # pretraining
        _figure("scaling_laws", "scaling_laws.draw", _axes() | _TRUTHS, optional=tuple(_TRUTHS)),
        _figure(
            "scaling_by_metric",
            "scaling_laws.draw_with_convergence",
            _axes(".{variant}"),
            needs.scored,
            variants={metric: METRICS[metric] for metric in FITTED if metric != ALIGNMENT},
        ),
        _figure(
            "convergence",
            "convergence.draw",
            {f"{axis}_points": f"fits/{axis}.points.parquet" for axis in ("compute", "samples")},
        ),
        _figure(
            "families",
            "convergence.draw_by_dataset",
            _fits("{variant}", "points"),
            variants={axis: axis for axis in MODEL_AXES},
            arguments={"axis": "{variant}"},
        ),
        _figure("compute_optimal", "scaling_laws.draw_optima", _fits("model_and_data", "points", "curves")),
        _figure("selected_models", "selected_models.draw_together", _PRETRAINING),
        _figure("selected_models_by_dataset", "selected_models.draw_by_dataset", _PRETRAINING),
        _figure("selected_models_table", "selected_models.draw_table", _PRETRAINING),
        _figure("selected_models_size", "selected_models.draw_size", _PRETRAINING),
        _figure(
            "published_scores",
            "scaling_laws.draw_published_scores",
            {"fits": "fits/spvvs.parquet", **_fits("spvvs", "curves", "points")},
        ),
        # task accuracy
        _figure(
            "accuracy_overview",
            "accuracy.draw_overview",
            _PRETRAINING | _FINETUNING,
            needs.rated_or_finetuned,
            optional=("finetuning",),
        ),
        _figure("accuracy_by_dataset", "accuracy.draw_by_dataset", _PRETRAINING, needs.rated(1)),
        _figure("accuracy", "accuracy.draw_by_roi", _PRETRAINING, needs.rated(1), variants=PER_DATASET, every_roi=True),
        _figure("accurate_models", "accuracy.draw_accurate", _PRETRAINING, needs.rated(1)),
        _figure("accuracy_correlations", "accuracy.draw_correlations", _PRETRAINING, needs.rated(3), every_roi=True),
        # fine-tuning
        _figure("finetuning_gains", "finetuning.draw", _FINETUNING, needs.one_experiment("data_pct", "region", "architecture")),
        _figure("transfer", "finetuning.draw_transfer", _FINETUNING, needs.experiments("data_pct")),
        _figure("finetuning_samples", "finetuning.draw_samples", _FINETUNING, needs.experiments("data_pct")),
        _figure("finetuning_accuracy", "finetuning.draw_accuracy", _FINETUNING, needs.experiments("data_pct")),
        _figure("finetuning_paths", "finetuning.draw_all_paths", _FINETUNING, needs.experiments("data_pct")),
        _figure("finetuning_controls", "finetuning.draw_controls", _FINETUNING, needs.one_experiment("ablation", "subject")),
        _figure("finetuning_permuted", "finetuning.draw_permuted_by_dataset", _FINETUNING, needs.experiments("ablation")),
        _figure("finetuning_subjects", "finetuning.draw_subjects_by_dataset", _FINETUNING, needs.experiments("subject")),
        _figure("finetuning_sizes", "finetuning.draw_sizes", _FINETUNING, needs.experiments("explore")),
        _figure("finetuning_sizes_by_dataset", "finetuning.draw_sizes_by_dataset", _FINETUNING, needs.experiments("explore")),
        _figure(
            "finetuning_rates",
            "finetuning_heat.draw_sweep",
            _FINETUNING,
            needs.experiments("explore"),
            variants=_FACETS,
            arguments={"rows": "epochs", "facets": "{variant}"},
        ),
        _figure(
            "lora_ranks",
            "finetuning_heat.draw_sweep",
            _FINETUNING,
            needs.experiments("lora"),
            variants=_FACETS,
            arguments={"rows": "lora_rank", "facets": "{variant}"},
        ),
        _figure(
            "lora_against_full", "finetuning_heat.draw_lora_against_full", _FINETUNING, needs.experiments("data_pct", "lora")
        ),
        _figure("lora_best", "finetuning.draw_lora", _FINETUNING, needs.experiments("data_pct", "lora")),
        # readouts
        _figure("readouts_linear", "readouts.draw_linear", _fits("mapping", "points", "curves"), needs.linear_readout),
        _figure("readouts_laws", "readouts.draw_laws", {"fits": "fits/mapping.parquet", **_fits("mapping", "points", "curves")}),
        _figure("readouts_parameters", "readouts.draw_parameters", _tables("mapping"), needs.counted_parameters),
        _figure("gate_depth", "readouts.draw_gates", _tables("mapping", "gates"), every_roi=True),
    ]
)
"""Name of a figure -> definition. A figure with variants is requested as ``<name>/<variant>``."""
