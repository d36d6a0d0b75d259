"""The figures by name: what each shows, the function that draws it, and what it needs.

A new figure is a function in a module of this package and an entry here.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from cortexscale.catalogue.axes import MODEL_AXES
from cortexscale.catalogue.metrics import ALIGNMENT, FITTED, METRICS
from cortexscale.figures import needs
from cortexscale.figures.content import PER_DATASET, Content, Need

_FACETS = {
    "average": "averaged over datasets",
    "finetuned_on": "for every dataset of the fine-tuning",
    "scored_on": "on every dataset",
    "same_dataset": "on the dataset of the fine-tuning itself",
    "relation": "by the relation of both datasets",
}
_SEEDS = "Values are means over seeds with 95 % bootstrap intervals."
_HEAT = "Cells are 100 ΔS, a change in alignment, averaged over seeds and over everything that the panel does not tell apart."


def _tables(*names: str) -> dict[str, str]:
    return {name: f"tables/{name}.parquet" for name in names}


def _fits(name: str, *kinds: str) -> dict[str, str]:
    return {kind: f"fits/{name}.{kind}.parquet" for kind in kinds}


def _axes(metric: str = "") -> dict[str, str]:
    return {f"{axis}_{kind}": f"fits/{axis}{metric}.{kind}.parquet" for axis in MODEL_AXES for kind in ("points", "curves")}


def _content(tables: Mapping[str, str], title: str, caption: str, draw: str, *needed: Need, **known: Any) -> Content:
    return Content(title, caption, draw, tables, needs=needed, **known)


_layers = partial(_content, _tables("layer_search"))
_projected = partial(_content, _tables("projection"))
_pretrained = partial(_content, _tables("pretraining"))
_tuned = partial(_content, _tables("finetuning"))

CONTENTS = {
    # ---------------------------------------------------------------------------------- recordings
    "noise_ceilings": Content(
        title="Noise ceilings of {variant} by ROI and subject",
        caption="One panel shows one ROI and one colour one subject. Histograms count the units that passed the selection. For "
        "EEG and MEG, curves are averages over all channels of a ROI, selected or not, at each time.",
        draw="recordings.draw_noise_ceilings",
        tables={"noise_ceilings": "qc/noise_ceilings/{variant}.parquet"},
        variants=PER_DATASET,
    ),
    "released_statistics": Content(
        title="Statistics that releases ship, against the same statistics recomputed from single trials",
        caption="One panel shows one dataset and one point one unit. The dotted line is equality.",
        draw="recordings.draw_released_statistics",
        tables={"released_units": "qc/released_units.parquet"},
    ),
    # ---------------------------------------------------------------------------------- layers and projection
    "layers": _layers(
        "Alignment along the depth of a reference model in every ROI of {variant}",
        "One panel shows one ROI and one line one metric. Lines are means over subjects, and bands are their standard errors.",
        "layers.draw_profiles",
        variants=PER_DATASET,
    ),
    "layer_agreement": _layers(
        "Agreement of {variant} with other datasets on the layers that predict early, mid and high visual cortex",
        "One point is one layer of a reference model: its rank within the model on two datasets in the first row of a pair, its "
        "score in the second. Titles give Pearson's r over all layers of all models.",
        "layers.draw_agreement",
        needs.another_dataset,
        variants=PER_DATASET,
        select=needs.comparable,
    ),
    "projection_scores": _projected(
        "Alignment with projected features against alignment with all activations",
        "One panel shows one model. One point is one ROI of a dataset under one projection, averaged over subjects; the dotted "
        "line is equality. The projection has the largest number of dimensions that all models share. Layers that are not wider "
        "are left out, because they are not projected.",
        "layers.draw_projected_scores",
        needs.shared_projection,
    ),
    "projection_dimensions": _projected(
        "Alignment by the number of dimensions that features are projected to",
        "One panel shows one model that was projected to several numbers of dimensions, and one line one dataset. Scores are "
        "averaged over subjects, then over ROIs. Lines are means over seeds in bands from the lowest to the highest seed; dashed "
        "lines are scores with all activations.",
        "layers.draw_dimensions",
        needs.several_projections,
    ),
    # ---------------------------------------------------------------------------------- pretraining
    "scaling_laws": Content(
        title="Alignment against pretraining compute, samples and parameters, with the fitted scaling laws",
        caption="Points are models. Lines are laws that were fitted to the models of the suites, with 95 % bootstrap bands; they "
        "are dotted beyond the fitted models. Large markers are models that were held out of the fits.",
        draw="scaling_laws.draw",
        tables=_axes(),
    ),
    "scaling_by_metric": Content(
        title="Scaling laws and convergence of alignment measured by {variant}",
        caption="Panels a to c show scaling laws of compute, samples and parameters with 95 % bootstrap bands. Panel d shows "
        "architectures over compute, and panel e families over samples.",
        draw="scaling_laws.draw_with_convergence",
        tables=_axes(".{variant}"),
        variants={metric: METRICS[metric] for metric in FITTED if metric != ALIGNMENT},
        needs=(needs.scored,),
    ),
    "convergence": Content(
        title="Convergence of architectures with pretraining",
        caption="Points are the average alignment of a model. Lines join the models of an architecture (a) and the means of a "
        "family with 95 % intervals (b), dashed for models that are held out. Flexible widths, self-supervised models and "
        "adversarial copies are left out.",
        draw="convergence.draw",
        tables={f"{axis}_points": f"fits/{axis}.points.parquet" for axis in ("compute", "samples")},
    ),
    "families": Content(
        title="Alignment on every dataset against pretraining {variant}, family by family",
        caption="One panel shows one family and one line one dataset. Lines are means over models of the same X with 95 % "
        "bootstrap intervals; nothing is fitted.",
        draw="convergence.draw_by_dataset",
        tables={"points": "fits/{variant}.points.parquet"},
        variants={axis: axis for axis in MODEL_AXES},
        arguments={"axis": "{variant}"},
    ),
    "compute_optimal": Content(
        title="Parameters, samples and alignment along the compute-optimal frontier",
        caption="Lines are optima of S = E - A N^-alpha - B D^-beta of each dataset, dotted beyond the compute of the fitted "
        "models. The thick line is the optimum of the average with its 95 % bootstrap band. Points are the fitted models.",
        draw="scaling_laws.draw_optima",
        tables=_fits("model_and_data", "points", "curves"),
    ),
    "selected_models": _pretrained(
        "Alignment of one model of every kind on the whole scale from 0 to 1",
        "One group of bars is one dataset and one bar one model: the largest of every family and kind.",
        "selected_models.draw_together",
    ),
    "selected_models_by_dataset": _pretrained(
        "Alignment of one model of every kind, every dataset on a scale of its own",
        "One panel shows one dataset and one bar one model. Axes are cut near the lowest bar.",
        "selected_models.draw_by_dataset",
    ),
    "selected_models_table": _pretrained(
        "Alignment of one model of every kind with every dataset, in numbers",
        "One row is one model and one column one dataset.",
        "selected_models.draw_table",
    ),
    "selected_models_size": _pretrained(
        "Number of parameters and average alignment of one model of every kind",
        "One point is one model, which the legend names.",
        "selected_models.draw_size",
    ),
    "published_scores": Content(
        title="Scaling of the published scores of Gokce & Schrimpf (2025)",
        caption="Points are models and lines fitted laws with 95 % bootstrap bands, dashed beyond the models. The legend gives "
        "the limit E with its 95 % interval, or says that the law does not saturate.",
        draw="scaling_laws.draw_published_scores",
        tables={"fits": "fits/spvvs.parquet", **_fits("spvvs", "curves", "points")},
    ),
    # ---------------------------------------------------------------------------------- task accuracy
    "accuracy_overview": Content(
        title="Task accuracy and alignment in pretraining and in fine-tuning",
        caption="One point of panel a is one supervised model of a suite. The next panels show how fine-tuning moves base models "
        "(stars) and how one model moves as its data grow, and the last compares LoRA with full fine-tuning; the dotted line is "
        "equality. Panels of experiments that the study does not have are left out.",
        draw="accuracy.draw_overview",
        tables=_tables("pretraining", "finetuning"),
        optional=("finetuning",),
        needs=(needs.rated_or_finetuned,),
    ),
    "accuracy_by_dataset": _pretrained(
        "Task accuracy and alignment on every dataset",
        "One panel shows one dataset and one point one supervised model of a suite; nothing is fitted.",
        "accuracy.draw_by_dataset",
        needs.rated(1),
    ),
    "accuracy": _pretrained(
        "Task accuracy and alignment in every ROI of {variant}",
        "One panel shows one ROI and one point one supervised model of a suite. A line and Pearson's r belong to one pretraining "
        "set. False discoveries (Benjamini and Hochberg) are controlled among all ROIs and pretraining sets of the study.",
        "accuracy.draw_by_roi",
        needs.rated(1),
        variants=PER_DATASET,
    ),
    "accurate_models": _pretrained(
        "Task accuracy and average alignment among accurate models",
        "Points are supervised models of a suite with a top-1 accuracy of 0.4 or more. A line and Pearson's r belong to one "
        "pretraining set.",
        "accuracy.draw_accurate",
        needs.rated(1),
    ),
    "accuracy_correlations": _pretrained(
        "Correlation of task accuracy and alignment in every ROI",
        "One panel shows one dataset. One point is Pearson's r over models of one pretraining set in one ROI, with its 95 % "
        "bootstrap interval.",
        "accuracy.draw_correlations",
        needs.rated(3),
    ),
    # ---------------------------------------------------------------------------------- fine-tuning
    "finetuning_gains": _tuned(
        "Gain in alignment from fine-tuning, by the number of stimuli, the region and the architecture",
        f"{_SEEDS} Panels of experiments that the study does not have are left out.",
        "finetuning.draw",
        needs.one_experiment("data_pct", "region", "architecture"),
    ),
    "transfer": _tuned(
        "Change in alignment on every dataset after fine-tuning on one of them",
        "One panel shows one dataset of the fine-tuning, and one bar one dataset that models are scored on: the mean over seeds "
        "at the largest percentage of stimuli, with its 95 % bootstrap interval. A black edge marks the dataset of the "
        "fine-tuning.",
        "finetuning.draw_transfer",
        needs.experiments("data_pct"),
    ),
    "finetuning_samples": _tuned(
        "Alignment on every dataset against the number of stimuli that a model is fine-tuned on",
        "One panel shows one dataset that models are scored on, and one line one dataset of the fine-tuning, wide where both "
        f"are the same. {_SEEDS} The dotted line is the base model.",
        "finetuning.draw_samples",
        needs.experiments("data_pct"),
    ),
    "finetuning_accuracy": _tuned(
        "Task accuracy against the number of stimuli that a model is fine-tuned on",
        f"One line shows one dataset of the fine-tuning. {_SEEDS} The dotted line is the base model.",
        "finetuning.draw_accuracy",
        needs.experiments("data_pct"),
    ),
    "finetuning_paths": _tuned(
        "Task accuracy and alignment on every dataset as the data of the fine-tuning grow",
        "One panel shows one dataset that models are scored on. Lines lead from the base model (star) over growing numbers of "
        "stimuli to all data, one line for each dataset of the fine-tuning. Points are means over seeds; the last has 95 % "
        "bootstrap intervals of both values.",
        "finetuning.draw_all_paths",
        needs.experiments("data_pct"),
    ),
    "finetuning_controls": _tuned(
        "Controls of the fine-tuning: permuted stimuli and the number of subjects",
        f"Values are averages over datasets. {_SEEDS} A control that the study does not have is left out.",
        "finetuning.draw_controls",
        needs.one_experiment("ablation", "subject"),
    ),
    "finetuning_permuted": _tuned(
        "Gain in alignment from fine-tuning on permuted stimuli, dataset by dataset",
        f"One panel shows one dataset of the fine-tuning. {_SEEDS}",
        "finetuning.draw_permuted_by_dataset",
        needs.experiments("ablation"),
    ),
    "finetuning_subjects": _tuned(
        "Alignment on every dataset against the number of subjects that a model is fine-tuned on",
        f"One panel shows one dataset that models are scored on. {_SEEDS} The dotted line is the base model.",
        "finetuning.draw_subjects_by_dataset",
        needs.experiments("subject"),
    ),
    "finetuning_sizes": _tuned(
        "Gain in alignment from fine-tuning by the size of the model, on every dataset",
        "Bars are means over datasets of the fine-tuning and seeds, with standard errors.",
        "finetuning.draw_sizes",
        needs.experiments("explore"),
    ),
    "finetuning_sizes_by_dataset": _tuned(
        "Gain in alignment from fine-tuning by the size of the model, for every dataset of the fine-tuning",
        "One panel shows one dataset of the fine-tuning. Bars are means over seeds, with standard errors.",
        "finetuning.draw_sizes_by_dataset",
        needs.experiments("explore"),
    ),
    "finetuning_rates": _tuned(
        "Gain in alignment by epochs and learning rate, {variant}",
        _HEAT,
        "finetuning_heat.draw_sweep",
        needs.experiments("explore"),
        variants=_FACETS,
        arguments={"rows": "epochs", "facets": "{variant}"},
    ),
    "lora_ranks": _tuned(
        "Gain in alignment by rank and learning rate of LoRA, {variant}",
        _HEAT,
        "finetuning_heat.draw_sweep",
        needs.experiments("lora"),
        variants=_FACETS,
        arguments={"rows": "lora_rank", "facets": "{variant}"},
    ),
    "lora_against_full": _tuned(
        "Difference in gain between LoRA and full fine-tuning",
        "Cells are differences of 100 ΔS, averaged over seeds: the LoRA setting that all datasets share minus full fine-tuning "
        "at the common setting. One row is one dataset of the fine-tuning, and one column one that models are scored on.",
        "finetuning_heat.draw_lora_against_full",
        needs.experiments("data_pct", "lora"),
    ),
    "lora_best": _tuned(
        "Best LoRA setting of every dataset beside full fine-tuning",
        "Values are averages over datasets, means over seeds with 95 % bootstrap intervals; the last group is over all datasets "
        "of the fine-tuning and seeds. The settings of LoRA were chosen by these very numbers, which are an upper bound.",
        "finetuning.draw_lora",
        needs.experiments("data_pct", "lora"),
    ),
    # ---------------------------------------------------------------------------------- readouts
    "readouts_linear": Content(
        title="Alignment of the linear readout against the number of stimuli that it is fitted to",
        caption="Points are readouts of one percentage and seed, averaged over the subjects with that many stimuli. Lines are "
        "fitted scaling laws with 95 % bootstrap bands, dotted beyond the points.",
        draw="readouts.draw_linear",
        tables=_fits("mapping", "points", "curves"),
        needs=(needs.linear_readout,),
    ),
    "readouts_laws": Content(
        title="Scaling laws of the readouts, dataset by dataset",
        caption="One panel shows one dataset and one curve one readout, with 95 % bootstrap bands. In the formulas F is counted "
        "in tens of stimuli.",
        draw="readouts.draw_laws",
        tables={"fits": "fits/mapping.parquet", **_fits("mapping", "points", "curves")},
    ),
    "readouts_parameters": Content(
        title="Alignment against the number of parameters of the readout",
        caption="Small points are ROIs of a dataset at the largest percentage of stimuli, averaged over subjects and seeds. "
        "Large points are the geometric mean of the parameters and the mean score of one readout. The parameters of a shared "
        "trunk are divided among its subjects.",
        draw="readouts.draw_parameters",
        tables=_tables("mapping"),
        needs=(needs.counted_parameters,),
    ),
    "gate_depth": Content(
        title="Depth at which layer gates read, beside the committed layers",
        caption="One column is one ROI, and grey values are the weights of the layers by depth, averaged over subjects and seeds "
        "at the largest percentage of stimuli. Points are the expected depth with the standard deviation over layers, and "
        "diamonds the committed layer. Bars are the entropy of the gates relative to that of even gates. ROIs are sorted by "
        "expected depth; where there are gates of single subjects and shared gates, shared gates are shown.",
        draw="readouts.draw_gates",
        tables=_tables("mapping", "gates"),
    ),
}
"""Name of a figure -> what it shows. A figure with variants is asked for as ``<name>/<variant>``."""
