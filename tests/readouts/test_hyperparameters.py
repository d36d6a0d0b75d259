"""Hyper-parameters of a study beside those of the paper (Tables S3, S5, S6)."""

import numpy as np
import pytest
import yaml
from markdown_cells import unpadded
from places import ROOT

from cortexscale.hyperparameters import attention_table, finetuning_table, readable, readout_table
from cortexscale.plan import Plan
from cortexscale.readouts.recipes import ReadoutRecipe, recipe_for
from cortexscale.recipe import Lora, NeuralRecipe

TABLE_S3 = NeuralRecipe()


def test_the_default_attention_readout_is_that_of_table_s5():
    table = attention_table(ReadoutRecipe("attention")).set_index("parameter")
    assert len(table) == 18
    differing = table.index[table["study"] != table["paper"]]
    assert differing.tolist() == ["Precision"]


def test_a_changed_readout_shows_beside_table_s5():
    table = attention_table(ReadoutRecipe("attention", dropout=0.5)).set_index("parameter")
    assert table.loc["Dropout"].to_dict() == {"group": "Architecture", "study": "0.5", "paper": "0.3"}


def test_the_paper_has_values_of_its_attention_readouts_alone():
    labels = {"monkeys": "Macaques", "mine": "Mine"}
    readers = {"monkeys": "tvsd", "mine": "my/reader.py"}
    recipes = {kind: {name: recipe_for(kind, readers[name]) for name in labels} for kind in ("attention", "low_rank")}
    table = readout_table(recipes, readers, labels)
    assert table["paper_epochs"].notna().tolist() == [True, False, False, False]
    first = table.iloc[0]
    assert [first[key] == first[f"paper_{key}"] for key in ("epochs", "learning_rate", "dropout")] == [True] * 3
    assert np.isnan(table.loc[table["readout"] == "low_rank", "dropout"]).all()
    assert "| low_rank | Mine | 10 | 1e-4 |  |" in unpadded(readable(table))


def test_recipes_of_fine_tuning_show_what_differs_from_the_first():
    lora = Lora(rank=8, targets=("qkv", "fc1"))
    recipes = {name: TABLE_S3.model_copy(update={"learning_rate": 1e-4}) for name in ("fast", "fast too")}
    table = finetuning_table({"full": TABLE_S3, **recipes, "lora": TABLE_S3.model_copy(update={"lora": lora})})
    full = table[table["recipe"] == "full"]
    said = full[full["paper"] != ""]
    assert said.loc[said["study"] != said["paper"], "parameter"].tolist() == ["Precision", "Schedule"]
    assert len(full) == 22 and "LoRA" not in set(full["group"])
    for name in recipes:
        row = table[table["recipe"] == name]
        assert row[["parameter", "study", "paper"]].to_numpy().tolist() == [["Encoder learning rate", "1e-4", "1e-5"]]
    assert table.loc[table["recipe"] == "lora", "study"].tolist() == ["8", "32", "0.1", "qkv, fc1", "yes"]


@pytest.mark.parametrize(("readouts", "tables"), [(["linear_individual"], []), (["layer_gate_shared"], ["tableS6"])])
def test_a_study_lists_the_readouts_that_it_trains(readouts, tables, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = yaml.safe_load((ROOT / "config/paper.yaml").read_text())
    config["mapping"] |= {"readouts": readouts}
    config["figures"] = []
    assert Plan(config).tables.hyperparameters == ["tableS3", *tables]
    del config["finetuning"]
    assert Plan(config).tables.hyperparameters == tables


def test_overrides_for_all_datasets_are_the_default_of_a_study(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = yaml.safe_load((ROOT / "config/paper.yaml").read_text())
    config["mapping"]["recipes"] = {"attention": {"all": {"epochs": 7}, "tvsd": {"dropout": 0.1}}}
    plan = Plan(config)
    assert (plan.tables.attention.epochs, plan.tables.attention.dropout) == (7, 0.3)
    readers = {name: dataset.reader for name, dataset in plan.data.datasets.items()}
    table = readout_table(plan.tables.readouts, readers, plan.data.labels).set_index(["readout", "dataset"])
    assert table.loc[("attention", "TVSD-EP"), ["epochs", "dropout", "paper_epochs"]].tolist() == [7, 0.1, 30]
    assert table.loc[("attention", "NSD-fMRI"), "learning_rate"] == 1e-3
