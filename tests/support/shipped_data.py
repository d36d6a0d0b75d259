"""Published values that are part of the checkout, in ``tests/data``. Its README names their sources and licences."""

import gzip
import json
from functools import cache

import pandas as pd
from places import ROOT

DATA = ROOT / "tests/data"
SCORES = DATA / "scaling_primate_vvs/benchmark_scores.csv.gz"
"""The score table of 993 models."""
COMMITMENTS = DATA / "multimodal_brain_scaling/layer_commitments.json.gz"
"""The committed layers of 85 models on eight datasets."""


def read_json(name: str) -> dict:
    """Read a compressed JSON file of ``tests/data``."""
    return json.loads(gzip.decompress((DATA / name).read_bytes()))


@cache
def suite() -> pd.DataFrame:
    """Read the first row of the score table for each of the 620 models that the paper has, by their ids."""
    table = pd.read_csv(SCORES)
    flags = ["is_pretrained", "is_random", "is_ssl", "is_adv", "is_ablation"]
    core = table[~table[flags].any(axis=1) & table["dataset"].isin(["imagenet", "ecoset"])]
    return core.drop_duplicates("model_id").set_index("model_id").sort_index()
