"""Tables that are made of the results of all models, from small files."""

import pandas as pd
import pytest

from cortexscale.alignment.collect import pretraining_table
from cortexscale.alignment.layer_profiles import layer_profiles
from cortexscale.errors import InputError
from cortexscale.stores import write_table


def test_scores_of_all_models_are_kept_with_the_cards_that_are_known(tmp_path):
    files = [tmp_path / f"{model}.parquet" for model in ("one", "two")]
    for file in files:
        write_table(pd.DataFrame({"model_id": file.stem, "roi": ["V1", "IT"], "pearsonr_nc": [0.1, 0.2]}), file, {})
    cards = tmp_path / "cards.parquet"
    write_table(pd.DataFrame({"model_id": ["two", "three"], "pretraining_total_flops_estimate": [5.0, 7.0]}), cards, {})
    table = pretraining_table(files, cards)
    assert table["model_id"].tolist() == ["one", "one", "two", "two"] and table["pearsonr_nc"].tolist() == [0.1, 0.2] * 2
    assert table["pretraining_total_flops_estimate"].isna().tolist() == [True, True, False, False]
    write_table(pd.DataFrame({"model_id": ["two"]}), cards, {})
    with pytest.raises(InputError, match="no column pretraining_total_flops_estimate"):
        pretraining_table(files, cards)


@pytest.mark.parametrize(("blocks", "shown"), [(5, 10), (6, 6)])
def test_a_transformer_of_six_blocks_is_shown_with_one_layer_per_block(blocks, shown):
    layers = [f"blocks.{block}.{part}" for block in range(blocks) for part in ("attn", "norm2")]
    search = pd.DataFrame({"layer_name": layers, "layer_position_normalized": [n / len(layers) for n in range(len(layers))]})
    search = search.assign(model_id="vit", benchmark_name="tvsd", subject="a", roi="V1", cv_score=0.5)
    profiles = layer_profiles(search, "tvsd")
    assert len(profiles) == shown and profiles["layer_name"].str.endswith("norm2").sum() == blocks
