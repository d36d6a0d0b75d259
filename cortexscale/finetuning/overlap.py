"""Test stimuli whose images a fine-tuning has seen, because they are training stimuli of another dataset.

Two stimuli have the same image if the contents of their files are the same (``hash`` in the stimulus tables). Their ids and their
stimulus sets may differ.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cortexscale.alignment.targets import Targets, recording_rows
from cortexscale.errors import InputError
from cortexscale.finetuning.batches import drawn_places
from cortexscale.models.tuning import SEEN, Tuning
from cortexscale.recording import load_recording

SPLITS = ("train", "test")


def split_images(recordings: Sequence[Path], stimuli: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """List the images of both splits of every recording, in the order of the recording.

    ``stimuli`` has the stimulus table of each dataset. The columns are ``benchmark_name``, ``subject``, ``split`` and ``hash``.
    """
    tables = []
    for file in recordings:
        recording = load_recording(file, responses=False)
        table = stimuli[recording.dataset]
        for split, rows in zip(SPLITS, recording_rows(recording, table), strict=True):
            of_split = {"benchmark_name": recording.dataset, "subject": recording.subject, "split": split}
            tables.append(pd.DataFrame({"hash": table["hash"].to_numpy()[rows]}).assign(**of_split))
    columns = ["benchmark_name", "subject", "split", "hash"]
    return pd.concat(tables, ignore_index=True)[columns]


def images_of_tests(images: pd.DataFrame, benchmarks: Sequence[str]) -> set[str]:
    """Return the hashes of all test images of some datasets, from a table of :func:`split_images`."""
    return set(images.loc[(images["split"] == "test") & images["benchmark_name"].isin(benchmarks), "hash"])


def without_images(targets: Sequence[Targets], stimuli: pd.DataFrame, left_out: set[str]) -> list[Targets]:
    """Remove training stimuli whose images are ``left_out``. If fewer than two remain, an InputError is raised."""
    hashes, remaining = stimuli["hash"].to_numpy(), []
    for target in targets:
        kept = ~np.isin(hashes[target.train_rows], list(left_out))
        if kept.sum() < 2:
            found = f"{kept.sum()} training stimuli of {target.dataset} that are not test images of another dataset"
            remedy = "name fewer `benchmarks`, or set `train_on_test_images: true`"
            raise InputError("config key finetuning.train_on_test_images: false", found, "at least 2", remedy)
        rows, concepts, train = (of[kept] for of in (target.train_rows, target.train_concepts, target.train))
        remaining.append(replace(target, train_rows=rows, train_concepts=concepts, train=train))
    return remaining


def fractions_seen(
    images: pd.DataFrame, tunings: Mapping[str, Tuning], cards: Mapping[str, Mapping[str, Any]], left_out: set[str]
) -> pd.DataFrame:
    """Compute which fraction of the test stimuli of every subject has images that a fine-tuned model was trained on.

    Args:
        images: a table of :func:`split_images` with the recordings that the models are trained and scored on.
        cards: id of a fine-tuned model -> its card, which names the subjects of the fine-tuning.
        left_out: images that were removed from the training stimuli.

    Returns:
        One row per model, dataset and subject, with the columns ``model_id``, ``benchmark_name``, ``subject`` and ``SEEN``.
    """
    code, all_images = pd.factorize(images["hash"])
    shown = images.assign(code=code)[(images["split"] == "test") | ~images["hash"].isin(left_out)]
    groups = {key: rows["code"].to_numpy() for key, rows in shown.groupby(["split", "benchmark_name", "subject"], observed=True)}
    tests = {key[1:]: rows for key, rows in groups.items() if key[0] == "test"}
    found = []
    for id, tuning in tunings.items():
        trained = [groups["train", tuning.dataset, subject] for subject in cards[id]["subjects"]]
        places = drawn_places(min(map(len, trained)), tuning.percent, tuning.seed)
        seen = np.zeros(len(all_images), bool)
        for rows in trained:
            seen[rows[places]] = True
        found += [(id, *key, seen[rows].mean()) for key, rows in tests.items()]
    return pd.DataFrame(found, columns=["model_id", "benchmark_name", "subject", SEEN])
