"""Default counts of readers are those of the releases, as their publications give them; and counts of nothing are refused."""

import pytest
from pydantic import ValidationError

from cortexscale.datasets.readers import load_reader

COUNTS = {
    # Freeman et al. 2013 and Majaj et al. 2015, as Brain-Score packs them: 20 presentations of each of 135 textures
    "freemanziemba": {"neuroids": {"V1": 102, "V2": 103}, "images": 135, "presentations": 135 * 20},
    "majajhong": {"neuroids": {"V4": 88, "IT": 168}, "images": 640 + 2560, "presentations": 148_480},
    # Papale et al. 2025
    "tvsd": {"n_train": 22_248, "n_test": 100, "n_repetitions": 30},
    # Hebart et al. 2023: 12 sessions of fMRI; 12 of MEG, each with 200 test images and 200 catch trials
    "things_fmri": {"n_train": 8_640, "n_test": 100, "n_repetitions": 12},
    "things_meg": {"n_train": 22_248, "n_test": 200, "n_sessions": 12, "n_catch": 12 * 200},
    # Grootswagers et al. 2022
    "things_eeg1": {"n_train": 22_248, "n_test": 200, "n_repetitions": 12, "recorded_rate": 1000},
    # Gifford et al. 2022: 5 parts of 56 sequences x 3 blocks x 20 images, 4 test parts of 51 sequences x 20 images
    "things_eeg2": {
        "n_train": 16_540,
        "n_test": 200,
        "n_sessions": 4,
        "train_images_per_session": 16_540 // 2,
        "train_repetitions": 2,
        "test_repetitions": 20,
        "train_presentations": 5 * 56 * 3 * 20,
        "test_presentations": 4 * 51 * 20,
        "train_targets": 5 * 56 * 3 * 20 - 2 * 8_270 - 170,
        "test_targets": 24,
        "source_parts": 5,
    },
}


@pytest.mark.parametrize("reader", COUNTS)
def test_default_counts_are_those_of_the_release(reader):
    options = load_reader(reader).Options()
    assert {name: getattr(options, name) for name in COUNTS[reader]} == COUNTS[reader]


@pytest.mark.parametrize("reader", [name for name, counts in COUNTS.items() if "n_test" in counts])
def test_scores_need_two_test_images(reader):
    Options = load_reader(reader).Options
    assert Options(n_test=2).n_test == 2
    with pytest.raises(ValidationError, match="n_test"):
        Options(n_test=1)
