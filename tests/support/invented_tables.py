"""Invented tables of what is measured beside the four result tables: units, projections, layer gates, another suite's scores."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from published_tables import CEILINGS, N_SUBJECTS

from cortexscale.datasets.readers import load_reader
from cortexscale.readouts.mapping import gate_summary
from cortexscale.recording import Recording, Split
from cortexscale.scaling.experiments import FLAGS, REGIONS

RELEASED = {"tvsd": "reliability", "things_fmri": "nc_testset", "nsd": "ncsnr"}
"""Datasets whose releases ship a statistic of the units, and its name."""
PROJECTED = {
    "deit_small_imagenet_full_seed-0": (300, 1_000, 3_000, 10_000, 30_000),
    "deit_large_imagenet_full_seed-0": (30_000,),
    "convnext_small_imagenet_full_seed-0": (30_000,),
    "resnet50_imagenet_full": (30_000,),
}
"""Model -> dimensions that it is projected to."""


def recordings(reader: str) -> Iterator[Recording]:
    """The paper's subjects of a dataset, with the units that were looked at in all its ROIs, and no responses."""
    rng = np.random.default_rng(list(CEILINGS).index(reader))
    module = load_reader(reader)
    over_time = reader.startswith(("things_meg", "things_eeg"))
    places, times = (40, np.arange(-0.1, 0.6, 0.02)) if over_time else (400, np.array([np.nan]))
    time = np.tile(times, places)
    evoked = 0.1 + 0.9 * np.exp(-(((time - 0.15) / 0.1) ** 2)) if over_time else 1.0
    for subject in module.SUBJECTS[: N_SUBJECTS[reader]]:
        mean = CEILINGS[reader] ** 2 * evoked * rng.uniform(0.8, 1)
        share = rng.beta(8 * mean, 8 * (1 - mean), len(time))
        units = pd.DataFrame({"unit": [f"u{n}" for n in range(len(time))], "nc_percent": 100 * share, "time": time})
        units["kept"] = units["nc_percent"] > (1 if over_time else 10)
        belongs = np.repeat(rng.random((places, len(module.ROIS))) < 0.3, len(times), axis=0)
        rois = pd.DataFrame(belongs, columns=list(module.ROIS))
        if reader in RELEASED:
            recomputed = share + rng.normal(0, 0.02, len(share))
            units = units.assign(released=share, recomputed=np.where(rng.random(len(share)) < 0.9, recomputed, np.nan))
        nothing = Split(np.array([]), np.empty((0, units["kept"].sum())), np.array([]))
        kept, notes = units["kept"], {"released_statistic": RELEASED.get(reader)}
        yield Recording(reader, subject, nothing, nothing, units[kept], rois[kept], notes, units.join(rois))


def projection_table(pretraining: pd.DataFrame) -> pd.DataFrame:
    """Scores of ``PROJECTED`` as they are, and with fewer dimensions, which cost a wider layer 1 / sqrt(dimensions)."""
    asked = [(model, dimensions, seed) for model, each in PROJECTED.items() for dimensions in each for seed in (42, 43)]
    asked = pd.DataFrame([*((model, None, None) for model in PROJECTED), *asked], columns=["model_id", "dimensions", "seed"])
    columns = ["model_id", "benchmark_name", "subject", "roi", "layer_name", "layer_position", "pearsonr_nc"]
    table = asked.astype({"dimensions": "Int64", "seed": "Int64"}).merge(pretraining[columns], on="model_id")
    table["layer_width"] = 250_000 // (1 + table.pop("layer_position") // 20)
    dimensions = table["dimensions"].to_numpy(float, na_value=np.inf)
    loss = np.random.default_rng(0).normal(1, 0.5, len(table)) / np.sqrt(dimensions)
    return table.assign(pearsonr_nc=table["pearsonr_nc"] - np.where(table["layer_width"] > dimensions, loss, 0))


def gated_tables(mapping: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """``mapping`` with layer gates, which score like attention and read about the committed layer, and their ``gates``."""
    rng, blocks = np.random.default_rng(0), np.arange(12)
    layers, depths = [f"blocks.{block}.norm2" for block in blocks], (20 * blocks + 15) / 260
    attention = mapping[mapping["probe_type"].str.startswith("attention") & mapping["data_pct"].isin((10, 100))]
    read = attention.assign(probe_type=attention["probe_type"].str.replace("attention", "layer_gate"))
    gates, summaries = [], []
    for place in read[["benchmark_name", "probe_type", "data_pct", "seed", "subject", "roi", "layer_name"]].to_dict("records"):
        committed = place.pop("layer_name")
        distance = depths - depths[layers.index(committed)] - rng.normal(0, 0.1)
        shares = np.exp(-((distance / 0.2) ** 2))
        shares /= shares.sum()
        layer = {"layer_name": layers, "layer_position_normalized": depths, "gate": shares}
        gates.append(pd.DataFrame(place | layer).assign(committed=[name == committed for name in layers]))
        summaries.append(gate_summary(shares, depths))
    read = read.assign(layer_name="pooled", **pd.DataFrame(summaries, index=read.index))
    return {"mapping": pd.concat([mapping, read], ignore_index=True), "gates": pd.concat(gates, ignore_index=True)}


def score_table(pretraining: pd.DataFrame) -> pd.DataFrame:
    """The suite of ``pretraining`` on the five benchmarks of Gokce & Schrimpf (2025), in the columns of their table."""
    suite = pretraining[(pretraining["backbone_source"] == "spvvs") & ~pretraining["is_adversarially_finetuned"].astype(bool)]
    suite = suite.drop_duplicates("model_id").rename(columns=lambda name: name.removeprefix("backbone_"))
    names = {"pretraining_dataset": "dataset", "pretraining_samples_per_class": "samples_per_class"}
    names |= {"pretraining_n_samples": "n_samples", "pretraining_total_flops": "total_flops"}
    suite = suite[["model_id", "arch", "arch_family", "flops", "n_params", *names]].rename(columns=names)
    suite = suite.assign(n_samples_seen=100 * suite["n_samples"], ssl_method="", **dict.fromkeys(FLAGS, False))
    limits = pd.DataFrame({"region": REGIONS, "limit": (0.45, 0.5, 0.6, 0.55, 0.7)})
    table = suite.merge(limits, how="cross")
    family = table["arch_family"].str.removesuffix("Flex").astype("category").cat.codes
    cost = (0.7 + 0.05 * family) * (table["total_flops"] / 1e13) ** -0.15
    return table.assign(score=table.pop("limit") * (1 - cost) + np.random.default_rng(0).normal(0, 0.01, len(table)))
