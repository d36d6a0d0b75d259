"""Images of test stimuli that a fine-tuning has seen are counted, and can be left out of the training."""

from types import SimpleNamespace

import galleries
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from finetuning_data import recordings, targets_of, write_stimuli
from published_tables import our_tables

from cortexscale.errors import InputError
from cortexscale.finetuning.batches import neural_pairs
from cortexscale.finetuning.overlap import fractions_seen, images_of_tests, split_images, without_images
from cortexscale.models.tuning import SEEN, Tuning
from cortexscale.scaling.finetuning import finetuning_scores

N, N_TEST = 60, 20


def tuning(**changed: object) -> Tuning:
    plain = {"base": "b", "recipe": "full", "dataset": "d", "rois": ("IT",), "subjects": None, "permuted": False}
    return Tuning(**plain | {"percent": 100.0, "seed": 0} | changed)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Two datasets with other ids for the same images.

    The last 10 images of dataset e are its test images: 5 are training images of dataset d, and 5 are only in e. All test images
    of d are training images of e.
    """
    folder = tmp_path_factory.mktemp("overlap")
    pictures, table = write_stimuli(folder / "images", N, seed=1)
    chosen = [*range(N - N_TEST, N), *range(5)]
    own = pd.DataFrame({"hash": [f"h{n}" for n in range(5)], "concept": ""})
    other = pd.concat([table.iloc[chosen], own], ignore_index=True)
    other["stimulus_id"] = [f"other{n}" for n in range(len(other))]
    made = recordings(pictures, table, N_TEST, subjects=3)
    made += recordings(pictures[[*chosen, *range(5)]], other, 10, dataset="e", subjects=1)
    files = [folder / f"{recording.dataset}/{recording.subject}.h5" for recording in made]
    for recording, file in zip(made, files, strict=True):
        file.parent.mkdir(exist_ok=True)
        recording.save(file)
    return SimpleNamespace(pictures=pictures, table=table, images=split_images(files, {"d": table, "e": other}))


def seen(world, tunings: dict[str, Tuning], subjects=("s0", "s1", "s2"), left_out=()) -> dict[tuple[str, str], float]:
    cards = {id: {"subjects": list(subjects)} for id in tunings}
    found = fractions_seen(world.images, tunings, cards, set(left_out))
    return found.groupby(["model_id", "benchmark_name"])[SEEN].mean().to_dict()


def test_planted_overlap_is_counted(world):
    assert seen(world, {"m": tuning()}) == {("m", "d"): 0, ("m", "e"): 0.5}
    assert seen(world, {"m": tuning(dataset="e")}, ["s0"]) == {("m", "d"): 1, ("m", "e"): 0}


def test_only_the_stimuli_of_the_run_count(world):
    """The stimuli are those that the fine-tuning is trained on."""
    targets = targets_of(recordings(world.pictures, world.table, N_TEST, subjects=3), world.table)
    some = {f"s{seed}": tuning(percent=30.0, seed=seed) for seed in range(6)}
    found, counts = seen(world, some), set()
    for id, of_run in some.items():
        rows = np.concatenate([trials.rows for trials in neural_pairs(targets, percent=30, seed=of_run.seed)])
        counts.add(number := len(set(rows) & set(range(5))))
        assert found[id, "e"] == pytest.approx(number / 10)
    assert len(counts) > 1


def test_images_can_be_left_out_of_the_training(world):
    targets = targets_of(recordings(world.pictures, world.table, N_TEST, subjects=3), world.table)
    left_out = images_of_tests(world.images, ["d", "e"])
    (whole,), (fewer,) = targets, without_images(targets, world.table, left_out)
    assert fewer.train_rows.tolist() == list(range(5, N - N_TEST))
    for name in ("train", "train_concepts"):
        np.testing.assert_array_equal(getattr(fewer, name), getattr(whole, name)[5:])
    for name in ("test", "test_rows"):
        np.testing.assert_array_equal(getattr(fewer, name), getattr(whole, name))
    some = {"m": tuning(), "half": tuning(percent=50.0)}
    assert seen(world, some, left_out=left_out) == {(id, name): 0 for id in some for name in "de"}
    with pytest.raises(InputError, match="0 training stimuli of d"):
        without_images(targets, world.table, set(world.table["hash"]))


def test_gains_and_the_transfer_figure_show_the_fraction():
    table = our_tables(size="thin")["finetuning"]
    names = table["benchmark_name"].unique()
    parts = {name: {"tvsd": 0.25, "nsd": 0.0}.get(name, 0.75) for name in names}
    table = table.assign(**{SEEN: table["benchmark_name"].map(parts).where(table["exp_type"] != "finetuning_baseline")})
    expected = parts | {"average": sum(parts.values()) / len(names)}
    scores = finetuning_scores(table)
    assert scores[SEEN].tolist() == pytest.approx(scores["benchmark_name"].map(expected).tolist())
    figure, numbers = galleries.draw(galleries.gallery().drawing("transfer"), {"finetuning": table})
    assert numbers[SEEN].tolist() == pytest.approx(numbers["benchmark_name"].map(expected).tolist())
    written = [text.get_text() for text in figure.axes[0].texts]
    assert written.count("25%") == 1 and written.count("75%") == len(names) - 2 and "0%" not in written
    plt.close(figure)
