"""Invented result tables in the published schema, with the sizes and about the effects of the paper.

Every score is E - A (C / 1e12)**-alpha of its benchmark, plus what its ROI, subject, layer and fine-tuning do, plus noise.
"""

from functools import cache

import numpy as np
import pandas as pd
from published_runs import BASES, STEMS, finetuning_runs, mapping_runs

from cortexscale.datasets.readers import load_reader
from cortexscale.models.spvvs import Checkpoint, checkpoints
from cortexscale.published.tables import normalised

LABELS = {
    "freemanziemba": "FZ-EP",
    "majajhong": "MH-EP",
    "tvsd": "TVSD-EP",
    "things_fmri": "T-fMRI",
    "nsd": "NSD-fMRI",
    "things_meg": "T-MEG",
    "things_eeg1": "T-EEG1",
    "things_eeg2": "T-EEG2",
}
"""Dataset, by its reader -> handle, in the order of the paper."""
LIMITS = dict(zip(LABELS, (0.46, 0.73, 0.82, 0.47, 0.71, 0.47, 0.26, 0.46), strict=True))
CEILINGS = dict(zip(LABELS, (0.88, 0.87, 0.98, 0.51, 0.55, 0.35, 0.30, 0.49), strict=True))
N_SUBJECTS = dict(zip(LABELS, (1, 2, 2, 3, 8, 4, 10, 10), strict=True))
SIZES = {"alexnet": (6.1e7, 1.4e9), "cornet_s": (5.3e7, 3.2e10), "flex": (2e6, 6e8)}
SIZES |= {
    f"resnet{n}": size
    for n, size in zip(
        (18, 34, 50, 101, 152), ((1.2e7, 3.6e9), (2.2e7, 7.3e9), (2.6e7, 8.2e9), (4.5e7, 1.6e10), (6e7, 2.3e10)), strict=True
    )
}
SIZES |= {f"efficientnet_b{n}": size for n, size in enumerate(((5.3e6, 8e8), (7.8e6, 1.4e9), (9.1e6, 2.3e9)))}
SIZES |= {
    "convnext_tiny": (2.9e7, 9e9),
    "convnext_small": (5e7, 1.7e10),
    "convnext_base": (8.9e7, 3.1e10),
    "convnext_large": (2e8, 6.9e10),
}
SIZES |= {"deit_tiny": (5.7e6, 2.2e9), "deit_small": (2.2e7, 8.5e9), "deit_base": (8.7e7, 3.4e10), "deit_large": (3e8, 1.2e11)}
HELD_OUT = {
    "convnext_large.fb_in22k_ft_in1k": ("timm", "ConvNeXt", 2e8, 6.9e10, 14.2e6, False),
    "convnext_xxlarge.clip_laion2b_soup_ft_in1k": ("timm", "ConvNeXt", 8.5e8, 4e11, 2.2e9, False),
    "vit_base_patch14_dinov2.lvd142m": ("timm", "ViT", 8.7e7, 3e11, 142e6, True),
    "vit_large_patch14_clip_224.openai_ft_in1k": ("timm", "ViT", 3e8, 1.6e11, 4e8, False),
    "Qwen3-VL-2B-Instruct": ("hf", "Qwen3-VL", 2.1e9, 2e12, np.nan, False),
    "vjepa2-vitl-fpc64-256": ("hf", "VJEPA2", 3.3e8, 4e11, np.nan, True),
}
"""Model -> source, family, parameters, FLOPs, training images, self-supervised."""


@cache
def published_tables(seed: int = 0, size: str = "paper") -> dict[str, pd.DataFrame]:
    """``pretraining``, ``layer_search``, ``finetuning`` and ``mapping``, in the columns and names of the authors' tables.

    Args:
        size: ``paper``: all subjects, ROIs, models and runs (0.6 million rows). ``demo``: the same eight benchmarks with at most
            two subjects and four ROIs, 60 models, two fine-tuning sets, two fractions and seeds. ``thin``: models and runs of
            the paper, subjects and ROIs of the demo.

    Returns:
        Shared between calls: copy before you write.
    """
    rng, demo = np.random.default_rng(seed), size == "demo"
    rooms = _cells(few=size != "paper")
    models, runs = _models(demo), finetuning_runs(demo)
    fits = mapping_runs(demo)
    reference = models[models["model_id"] == BASES["deit_small"][0]]
    layers = reference.drop(columns=[c for c in reference if c not in ("model_id", "level")]).merge(_layers(demo), how="cross")
    tables = {"pretraining": models, "layer_search": layers, "finetuning": runs, "mapping": fits}
    return {name: _scored(table, rooms, rng) for name, table in tables.items()}


def our_tables(seed: int = 0, size: str = "paper") -> dict[str, pd.DataFrame]:
    """The same as a study has them: names of this product, and parameter counts, which the authors do not publish."""
    tables = {name: normalised(table.copy(), name, "made up") for name, table in published_tables(seed, size).items()}
    runs, fits = tables["finetuning"], tables["mapping"]
    runs["n_trainable_params"] = runs["arch"].map({arch: SIZES[arch][0] for arch in BASES}).where(runs["lora_rank"].isna(), 2e6)
    params = {"linear_individual": 2.3e8, "attention_individual": 2.5e7, "attention_shared": 2.1e7}
    fits["n_params"] = fits["n_params_per_subject"] = fits["probe_type"].map(params)
    return tables


def _cells(few: bool) -> pd.DataFrame:
    """Every benchmark x subject x ROI, and the depth at which the ROI is read."""
    cells = []
    for reader, stem in STEMS.items():
        module = load_reader(reader)
        rois = list(module.ROIS)[:: max(1, len(module.ROIS) // 4) if few else 1][: 4 if few else None]
        for subject in list(module.SUBJECTS)[: min(2, N_SUBJECTS[reader]) if few else N_SUBJECTS[reader]]:
            for place, roi in enumerate(rois):
                depth = 0.3 + 0.6 * place / max(1, len(rois) - 1)
                cells.append((stem, subject, roi, depth, LIMITS[reader], CEILINGS[reader]))
    return pd.DataFrame(cells, columns=["benchmark_name", "subject", "roi", "depth", "limit", "ceiling"])


def _models(demo: bool) -> pd.DataFrame:
    """The suite and the models held out; ``level``: what a model's scale costs it of its limit."""
    suite = list(checkpoints())
    rows = [_suite_model(each) for each in suite if not demo or (each.seed == 0 and each.arch in DEMO)]
    adversarial = next(row for row in rows if row["model_id"] == "resnet50_imagenet_full")
    rows.append(
        {
            **adversarial,
            "model_id": "adv_resnet50_imagenet_full_ffgsm_eps-1_alpha-125-ep10_seed-0",
            "is_adversarially_finetuned": True,
        }
    )
    for id, (source, family, n_params, flops, samples, supervised_not) in HELD_OUT.items():
        row = {"model_id": id, "backbone_source": source, "backbone_arch": id.split(".")[0], "backbone_arch_family": family}
        row |= {"backbone_n_params": n_params, "backbone_flops": flops, "pretraining_n_samples": samples}
        rows.append(row | {"is_selfsupervised_learning": supervised_not, "task_evaluation_acc": np.nan})
    models = pd.DataFrame(rows)
    compute = models["backbone_flops"] * models["pretraining_n_samples"]
    models["backbone_macs"] = models["backbone_flops"] / 2
    models["pretraining_total_flops_estimate"] = compute
    models["pretraining_total_flops"] = 300 * compute
    level = 0.45 * (compute.fillna(1e17) / 1e12 + 1).pow(-0.25)
    return models.assign(level=-level)


DEMO = ("alexnet", "cornet_s", "resnet18", "resnet50", "convnext_small", "deit_small", "deit_base", "deit_large", "deitflex-l-0")


def _suite_model(model: Checkpoint) -> dict:
    n_params, flops = SIZES.get(model.arch, SIZES["flex"])
    if model.arch not in SIZES:
        share = 1 + int(model.arch.replace("-", "")[-1])
        n_params, flops = n_params * share, flops * share
    accuracy = {arch: accuracy for arch, (_, accuracy, _) in BASES.items()}.get(model.arch, 0.75)
    return {
        "model_id": model.id,
        "backbone_source": "spvvs",
        "backbone_arch": model.arch,
        "backbone_arch_family": model.family,
        "backbone_n_params": n_params,
        "backbone_flops": flops,
        "pretraining_dataset": model.dataset,
        "pretraining_n_samples": model.n_samples,
        "pretraining_samples_per_class": model.samples_per_class,
        "pretraining_seed": model.seed,
        "is_selfsupervised_learning": False,
        "is_adversarially_finetuned": False,
        "task_evaluation_acc": accuracy * (1 - (model.n_samples / 500) ** -0.35) ** 2 / (1 - 2800**-0.35) ** 2,
    }


def _layers(demo: bool) -> pd.DataFrame:
    """The candidates of ViT-S, in its 12 blocks."""
    names = [f"blocks.{block}.{part}" for block in range(12) for part in ("norm1", "attn", "norm2", "mlp")] + ["norm"]
    layers = pd.DataFrame({"layer_name": names, "layer_position": range(6, 6 + 5 * len(names), 5)})
    return layers[layers["layer_name"].str.contains("norm")] if demo else layers


def _scored(runs: pd.DataFrame, cells: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Every run in every cell of its benchmarks, with all columns of an evaluation."""
    how = {"on": "benchmark_name"} if "benchmark_name" in runs else {"how": "cross"}
    runs = runs.assign(luck=rng.normal(0, 0.0005, len(runs)))
    table = runs.merge(cells.assign(cell=np.arange(len(cells))), **how)
    gain = table["luck"].to_numpy(copy=True)
    for stem in STEMS.values():
        if f"gain:{stem}" in table:
            gain += np.where(table["benchmark_name"] == stem, table[f"gain:{stem}"].fillna(0), 0)
    offset = np.random.default_rng(0).normal(0, 0.03, len(cells))[table["cell"]]
    depth = table["depth"].to_numpy()
    if "layer_position" in table:
        place = table["layer_position"] / table["layer_position"].max()
        gain -= 0.4 * (place - depth) ** 2
    else:
        block = (12 * depth).astype(int).clip(0, 11)
        table["layer_name"] = pd.Series(block).astype(str).radd("blocks.") + ".norm2"
        table["layer_position"], table["layer_position_normalized"] = 20 * block + 15, (20 * block + 15) / 260
    limit, ceiling = table["limit"], table["ceiling"]
    score = limit * (1 + table["level"]) + offset + gain + rng.normal(0, 0.004, len(table))
    r = score * ceiling
    table = table.assign(
        pearsonr_nc=score,
        pearsonr=r,
        noise_ceiling=ceiling,
        cv_score=0.8 * score,
        r2=r**2,
        evs=r**2,
        mae=0.8 * np.sqrt(1 - r**2),
        mse=1 - r**2,
        approx_exp_var=r**2,
        approx_exp_var_nc=score**2,
    )
    for metric, share in (("rsa_c", 0.3), ("rsa_ve", 0.7), ("cka_c", 0.4), ("cka_ve", 0.9)):
        for split in ("train", "test"):
            table[f"{metric}_{split}"] = share * r + rng.normal(0, 0.002, len(table))
    ours = ["level", "luck", "cell", "depth", "limit", "ceiling"]
    return table.drop(columns=[*ours, *(column for column in table if column.startswith("gain:"))])
