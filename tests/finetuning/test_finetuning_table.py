"""The result table of fine-tuned models, computed by hand from small files."""

import json

import numpy as np
import pandas as pd
import pytest

from cortexscale.errors import InputError
from cortexscale.finetuning.table import finetuning_table
from cortexscale.models.tuning import TunedModel, Tuning
from cortexscale.recipe import Lora, NeuralRecipe
from cortexscale.stores import write_table

SOME = Tuning("vit", "full", "tvsd", ("V1", "IT"), None, False, 10, 3)
MODELS = {
    "whole": TunedModel(SOME, NeuralRecipe(epochs=7, learning_rate=2e-5), ("data_pct", "region")),
    "adapted": TunedModel(
        Tuning("vit", "lora", "nsd", ("early",), 2, True, 100, 0),
        NeuralRecipe(lora=Lora(rank=8, alpha=16.0, dropout=0.2, targets=("qkv", "fc1"), train_head=False)),
        ("lora",),
    ),
    "other": TunedModel(Tuning("cnn", "full", "tvsd", ("V1",), None, False, 100, 0), NeuralRecipe(), ("architecture",)),
}
ACCURACIES = {"whole": (0.7, 0.6), "adapted": (0.8, 0.6), "other": (None, None)}
PLACE = {"benchmark_name": "tvsd", "subject": "s"}
SCORES = {"whole": 0.1, "adapted": 0.2, "other": 0.3, "vit+baseline": 0.4, "cnn+baseline": 0.5}


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finetuning_table")
    scores = pd.DataFrame({"model_id": SCORES.keys(), "pearsonr_nc": SCORES.values(), "roi": "IT"}).assign(**PLACE)
    files = [folder / "one.parquet", folder / "two.parquet"]
    write_table(scores[:2], files[0], {})
    write_table(pd.concat([scores[2:], scores[4:].assign(roi="V1", pearsonr_nc=0.6)]), files[1], {})
    for model, (after, before) in ACCURACIES.items():
        card = {
            "fitting_samples": 40,
            "subjects": ["s"],
            "n_trainable_params": 9,
            "task_evaluation_acc": after,
            "task_evaluation_acc_before": before,
        }
        (folder / f"{model}.json").write_text(json.dumps(card), encoding="utf-8")
    cards = {"model_id": ["cnn", "unused", "vit"], "backbone_arch": ["resnet", "alexnet", "deit"]}
    cards |= {"task_evaluation_acc": [0.55, 0.1, 0.65], "backbone_n_params": [1, 2, 3]}
    write_table(pd.DataFrame(cards), folder / "cards.parquet", {})
    shown = [("tvsd", "train", "ab"), ("nsd", "train", "cd"), ("tvsd", "test", "ac")]
    rows = [(dataset, "s", split, image) for dataset, split, images in shown for image in images]
    images = pd.DataFrame(rows, columns=["benchmark_name", "subject", "split", "hash"])
    reports = [folder / f"{model}.json" for model in MODELS]
    return finetuning_table(files, reports, folder / "cards.parquet", MODELS, images, {"a"})


def test_the_fraction_of_test_stimuli_that_a_model_has_seen_is_a_column(table):
    """Image a is left out of the training, so a model that is trained on nsd has seen c, and one on tvsd neither."""
    found = table.drop_duplicates("model_id").set_index("model_id")["test_stimuli_seen"]
    assert found[["whole", "adapted", "other"]].tolist() == [0, 0.5, 0] and found[["vit", "cnn"]].isna().all()


def test_a_model_has_rows_for_each_of_its_experiments_and_a_base_model_its_own(table):
    rows = table[["exp_type", "model_id", "roi", "pearsonr_nc"]].apply(tuple, axis=1).tolist()
    assert sorted(rows) == [
        ("finetuning_architecture", "other", "IT", 0.3),
        ("finetuning_baseline", "cnn", "IT", 0.5),
        ("finetuning_baseline", "cnn", "V1", 0.6),
        ("finetuning_baseline", "vit", "IT", 0.4),
        ("finetuning_data_pct", "whole", "IT", 0.1),
        ("finetuning_lora", "adapted", "IT", 0.2),
        ("finetuning_region", "whole", "IT", 0.1),
    ]


def test_rows_say_how_a_model_was_fine_tuned(table):
    whole, adapted = (table[table["model_id"] == model].iloc[0] for model in ("whole", "adapted"))
    expected = {"base_model_id": "vit", "finetuning_dataset": "tvsd", "finetuning_regions": "V1_IT", "finetuning_subjects": "all"}
    expected |= {"data_pct": 10.0, "fitting_samples": 40, "seed": 3, "epochs": 7, "learning_rate": 2e-5, "random_shuffle": False}
    expected |= {"n_trainable_params": 9, "arch": "deit", "backbone_n_params": 3, "task_evaluation_acc": 0.7}
    assert {name: whole[name] for name in expected} == expected
    assert whole[["lora_rank", "lora_alpha", "lora_dropout", "lora_target_modules", "lora_update_head"]].isna().all()
    expected = {
        "finetuning_dataset": "nsd",
        "finetuning_regions": "early",
        "finetuning_subjects": "randsubj_2",
        "data_pct": 100.0,
    }
    expected |= {"seed": 0, "epochs": 20, "learning_rate": 1e-5, "random_shuffle": True, "lora_rank": 8, "lora_alpha": 16.0}
    expected |= {"lora_dropout": 0.2, "lora_target_modules": "qkv,fc1", "lora_update_head": False, "task_evaluation_acc": 0.8}
    assert {name: adapted[name] for name in expected} == expected


def test_the_accuracy_of_a_base_model_was_measured_before_its_fine_tunings_or_is_that_of_its_card(table):
    bases = table[table["exp_type"] == "finetuning_baseline"].drop_duplicates("model_id").set_index("model_id")
    assert bases["task_evaluation_acc"].to_dict() == {"cnn": 0.55, "vit": 0.6}
    assert bases["arch"].to_dict() == {"cnn": "resnet", "vit": "deit"}
    assert bases[["finetuning_dataset", "seed", "epochs"]].isna().all(axis=None)
    assert np.isnan(table.loc[table["model_id"] == "other", "task_evaluation_acc"].astype(float)).all()


def test_cards_and_scores_of_another_kind_are_refused(tmp_path):
    scores, cards = tmp_path / "scores.parquet", tmp_path / "cards.parquet"
    write_table(pd.DataFrame({"model_id": ["whole"]}), scores, {})
    with pytest.raises(InputError, match="no column pearsonr_nc"):
        finetuning_table([scores], [], cards, {}, pd.DataFrame(), set())
    write_table(pd.DataFrame({"model_id": ["whole"], "pearsonr_nc": [0.1]}), scores, {})
    write_table(pd.DataFrame({"model_id": ["vit"]}), cards, {})
    card = {"fitting_samples": 40, "n_trainable_params": 9, "task_evaluation_acc": 0.5, "task_evaluation_acc_before": 0.6}
    (tmp_path / "whole.json").write_text(json.dumps(card), encoding="utf-8")
    with pytest.raises(InputError, match="no column backbone_arch"):
        finetuning_table([scores], [tmp_path / "whole.json"], cards, {"whole": MODELS["whole"]}, pd.DataFrame(), set())
