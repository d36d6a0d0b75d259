"""The runs of the invented fine-tuning and mapping tables: what was done, and what it gained."""

import numpy as np
import pandas as pd

from cortexscale.datasets.registry import facts

_DATASETS = ("freemanziemba", "majajhong", "tvsd", "things_fmri", "nsd", "things_meg", "things_eeg1", "things_eeg2")
STEMS = {name: facts(name).released_name for name in _DATASETS}
TRAINING = {
    "tvsd": 22_248,
    "things_fmri": 8_640,
    "nsd": 9_000,
    "things_meg": 22_248,
    "things_eeg1": 22_248,
    "things_eeg2": 16_540,
}
"""Datasets that models are fine-tuned on -> stimuli."""
GAINS = dict(zip(TRAINING, (0.004, 0.008, 0.009, 0.007, -0.001, 0.004), strict=True))
REGIONS = {"tvsd": ["V1", "V4", "IT", "V1_V4_IT"], "nsd": ["early", "midventral", "ventral", "early_midventral_ventral"]}
REGIONS["things_fmri"] = REGIONS["tvsd"]
USUAL = {"tvsd": "IT", "things_fmri": "IT", "nsd": "ventral"}
"""Regions by default; occipital_parietal in M/EEG."""
BASES = {
    "deit_small": ("deit_small_imagenet_full_seed-0", 0.783, 0.0),
    "deit_base": ("deit_base_imagenet_full_seed-0", 0.817, 0.004),
    "deit_large": ("deit_large_imagenet_full_seed-0", 0.842, 0.01),
    "convnext_small": ("convnext_small_imagenet_full_seed-0", 0.831, 0.002),
    "resnet50": ("resnet50_imagenet_full", 0.772, -0.003),
}
"""Architecture -> base model, its accuracy, and its average alignment beside that of ViT-S."""
RESPONSE = {"deit_small": 1.0, "deit_base": 0.65, "deit_large": 1.25, "convnext_small": 0.15, "resnet50": -0.1}
"""How much of the gain an architecture shows."""
EPOCHS, RATES = (20, 50, 100), (1e-6, 5e-6, 1e-5, 1e-4, 5e-4)


def finetuning_runs(demo: bool) -> pd.DataFrame:
    """One row per fine-tuned model, with its gain on every benchmark."""
    sets = ["tvsd", "things_fmri"] if demo else list(TRAINING)
    seeds, percents = (range(2), (10, 100)) if demo else (range(3), (1, 3, 5, 7, 10, 30, 50, 70, 100))
    archs = ["deit_small"] if demo else list(BASES)
    runs = [_run("baseline", arch, None, seed=None) for arch in archs]
    for name in sets:
        runs += [_run("data_pct", "deit_small", name, seed=seed, data_pct=percent) for seed in seeds for percent in percents]
        runs += [_run("ablation", "deit_small", name, seed=seed, random_shuffle=True) for seed in seeds]
        regions = [region for region in REGIONS.get(name, []) if region != USUAL[name]]
        runs += [_run("region", "deit_small", name, seed=seed, regions=region) for seed in seeds for region in regions]
        for arch in archs[1:]:
            kind = "explore" if arch in ("deit_base", "deit_large") else "architecture"
            runs += [_run(kind, arch, name, seed=seed) for seed in seeds]
        sweep = [(e, r) for e in EPOCHS for r in RATES if (e, r) != (20, 1e-5)]
        sweep = [] if demo else sweep
        runs += [_run("explore", "deit_small", name, seed=seed, epochs=e, rate=r) for seed in seeds for e, r in sweep]
        ranks = [(32, 1e-4)] if demo else [(rank, rate) for rank in (8, 16, 32) for rate in (1e-5, 1e-4, 1e-3)]
        runs += [_run("lora", "deit_small", name, seed=0, rank=rank, rate=rate) for rank, rate in ranks]
    if not demo:
        groups = [(k, seed) for k in range(1, 8) for seed in seeds]
        runs += [_run("subject", "deit_small", "nsd", seed=seed, subjects=f"randsubj_{k}") for k, seed in groups]
    return pd.DataFrame(runs)


def _run(
    kind: str,
    arch: str,
    name: str | None,
    *,
    seed: int | None,
    data_pct: float = 100,
    regions: str | None = None,
    subjects: str = "all",
    epochs: int = 20,
    rate: float = 1e-5,
    random_shuffle: bool = False,
    rank: int | None = None,
) -> dict:
    base, accuracy, average = BASES[arch]
    run = {"exp_type": f"finetuning_{kind}", "arch": arch, "model_id": base, "task_evaluation_acc": accuracy}
    run["level"] = average / 0.53
    if name is None:
        return run
    regions = regions or USUAL.get(name, "occipital_parietal")
    learnt = np.log1p(data_pct) / np.log1p(100)
    if subjects != "all":
        learnt *= 0.3 + 0.08 * int(subjects.removeprefix("randsubj_"))
    strength = np.log10(epochs / 20) + np.log10(rate / (1e-5 if rank is None else 1e-4))
    effect = RESPONSE[arch] * learnt * (0.3 if regions in ("V1", "early") else 0.7 if regions in ("V4", "midventral") else 1)
    overdone = -0.03 * max(0.0, strength) ** 2
    gains = {}
    for reader, stem in STEMS.items():
        own = 2.0 if reader == name else 0.9 if _kind(reader) == _kind(name) else 0.8
        gain = own * (GAINS[name] * effect * (0.7 if strength < 0 else 1) + overdone)
        gains[f"gain:{stem}"] = -0.06 * own if random_shuffle else gain - 0.01 * (rank is not None and name == "things_eeg1")
    token = f"{rate:.0e}".replace("e-0", "e")
    id = f"{arch}-{STEMS[name]}-{regions}-{subjects}-lr{token}_0-ep{epochs}-pct{data_pct}-seed{seed}"
    id += "-shuffled" * random_shuffle + f"-lora{rank}" * (rank is not None)
    lora = {} if rank is None else {"lora_rank": rank, "lora_alpha": 32, "lora_dropout": 0.1}
    lora |= {} if rank is None else {"lora_target_modules": "qkv,fc1,fc2", "lora_update_head": True}
    drop = 0.014 * learnt * max(0.2, 1 + 0.5 * strength) + 0.1 * max(0.0, strength) ** 2
    return (
        run
        | gains
        | lora
        | {
            "model_id": id,
            "finetuning_dataset": STEMS[name],
            "finetuning_regions": regions,
            "finetuning_subjects": subjects,
            "data_pct": float(data_pct),
            "fitting_samples": float(int(data_pct * TRAINING[name] / 100)),
            "seed": float(seed),
            "epochs": float(epochs),
            "random_shuffle": random_shuffle,
            "task_evaluation_acc": accuracy - drop + 0.0004 * (seed - 1),
        }
    )


def _kind(reader: str) -> str:
    """``fmri`` of ``things_fmri``: an approximate modality."""
    return {"nsd": "fmri", "freemanziemba": "ephys", "majajhong": "ephys", "tvsd": "ephys"}.get(reader, reader[7:10])


def mapping_runs(demo: bool) -> pd.DataFrame:
    sets = ["tvsd", "things_fmri"] if demo else list(TRAINING)
    seeds, percents = (range(2), (1, 3, 10, 30, 100)) if demo else (range(3), (1, 3, 5, 7, 10, 30, 50, 70, 100))
    rows = []
    for kind, config, better in (
        ("linear", "individual", 0.0),
        ("attention", "individual", -0.01),
        ("attention", "shared", 0.01),
    ):
        for name in sets:
            for percent in percents:
                samples = int(percent * TRAINING[name] / 100)
                level = better - 0.8 * (samples / 10) ** -0.4
                named = {"benchmark_name": STEMS[name], "probe_type": f"{kind}_{config}", "probe_subj_config": config}
                named["probe_subj_config_name"] = {"individual": "Single-Subject", "shared": "Multi-Subject"}[config]
                named["probe_name"] = f"{kind.capitalize()} ({named['probe_subj_config_name']})"
                fitted = {"data_pct": float(percent), "fitting_samples": samples, "level": level}
                rows += [named | fitted | {"model_id": BASES["deit_small"][0], "seed": seed} for seed in seeds]
    return pd.DataFrame(rows)
