"""Model cards: what a model costs, and what it was trained on (paper, appendix B)."""

import json
from typing import Any

import pandas as pd
import torch
from torch.utils.flop_counter import FlopCounterMode

from cortexscale.models.build import build_architecture
from cortexscale.models.vision import timm


def model_cards(models: list[dict[str, Any]]) -> pd.DataFrame:
    """One row per model with the published columns.

    ``backbone_n_params`` counts all parameters, the classifier included. ``backbone_flops`` are those of one forward
    pass of one image, two per multiply-add, over matrix products and convolutions (``torch.utils.flop_counter``);
    ``backbone_macs`` are half of them. Models of one architecture share the count, which needs no weights.
    """
    costs: dict[str, dict[str, float]] = {}
    rows = []
    for model in models:
        key = json.dumps(model["builder"], sort_keys=True)
        if key not in costs:
            costs[key] = architecture_cost(model)
        rows.append(
            {
                "model_id": model["id"],
                "backbone_source": model["source"],
                "backbone_arch": model["arch"],
                "backbone_arch_family": model["family"],
                **costs[key],
                "pretraining_dataset": model["dataset"],
                "pretraining_samples_per_class": model["samples_per_class"],
                "pretraining_seed": model["seed"],
                "pretraining_n_samples": model["n_samples"],
                "is_selfsupervised_learning": False,
                "is_adversarially_finetuned": False,
            }
        )
    return pd.DataFrame(rows)


def architecture_cost(model: dict[str, Any]) -> dict[str, float]:
    """Parameters and forward FLOPs of an architecture, from shapes alone."""
    with torch.device("meta"):
        network = build_architecture(model)
        size = model["builder"].get("image_size") or timm.data.resolve_model_data_config(network)["input_size"][-1]
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            network(torch.empty(1, 3, size, size))
    flops = counter.get_total_flops()
    return {
        "backbone_n_params": sum(parameter.numel() for parameter in network.parameters()),
        "backbone_macs": flops / 2,
        "backbone_flops": float(flops),
        "image_size": size,
    }
