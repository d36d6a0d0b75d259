"""Copies of the published score table: cut, compressed, or saved by another program."""

import gzip

import numpy as np
import pandas as pd
import pytest

from cortexscale.errors import InputError
from cortexscale.scaling.experiments import FLAGS, read_scores, select_rows

SCORES = np.linspace(0.2, 0.5, 6)


def scores() -> pd.DataFrame:
    """Six models with one score in IT."""
    about = {"model_id": [f"resnet18_{n}" for n in range(6)], "arch": "resnet18", "arch_family": "ResNet", "dataset": "imagenet"}
    numbers = {"samples_per_class": 0, "flops": 1.8e9, "n_params": 1.1e7, "n_samples": 1281167, "n_samples_seen": 128116700}
    rest = {"total_flops": 2.3e17, "region": "IT", "score": SCORES, "ssl_method": None}
    return pd.DataFrame(about | numbers | rest | dict.fromkeys(FLAGS, False))


def written(table: pd.DataFrame, **how) -> bytes:
    return table.to_csv(index=False, **how).encode()


TABLES = {
    "plain": written(scores()),
    "compressed": gzip.compress(written(scores())),
    "with line ends of Windows": written(scores(), lineterminator="\r\n"),
    "with columns in another order": written(scores()[sorted(scores())]),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_copy_has_the_scores_of_the_original(tmp_path, name):
    (tmp_path / "scores.csv").write_bytes(TABLES[name])
    np.testing.assert_array_equal(select_rows(read_scores(tmp_path / "scores.csv"), "region_it_group1")["score"], SCORES)


DAMAGED = {
    "cut": (TABLES["plain"][:-20], "fields in line 7"),
    "compressed and cut": (TABLES["compressed"][:-20], "compressed text that is cut or damaged"),
    "decimal commas": (written(scores(), decimal=",", sep=";"), "columns separated by semicolons"),
    "decimal commas in quotes": (written(scores(), decimal=","), "in line 2, column flops|in line 2, column score"),
    "thousands": (written(scores().assign(n_samples="1,281,167")), "'1,281,167' in line 2, column n_samples"),
    "percent": (written(scores().assign(score=100 * SCORES)), "a score of 50"),
    "other flags": (written(scores().assign(is_ssl="no")), "'no' in the column is_ssl"),
    "a model without flags": (written(scores().assign(is_adv=[False] * 5 + [None])), "nothing in line 7"),
    "a web page": (b"<!DOCTYPE html><html>429: Too Many Requests</html>", "HTML"),
    "nothing": (b"", "scores.csv"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_what_would_give_other_laws_is_refused(tmp_path, name):
    content, found = DAMAGED[name]
    (tmp_path / "scores.csv").write_bytes(content)
    with pytest.raises(InputError, match=found) as caught:
        read_scores(tmp_path / "scores.csv")
    assert str(tmp_path) in str(caught.value)
