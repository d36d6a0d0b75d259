"""One image under two names: check_data tells of it, and a warning tells of one that is in both splits of a recording."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from cortexscale.alignment.targets import Targets, warn_of_shared_images
from cortexscale.check.images import check_stimuli
from cortexscale.check.report import ReportSection
from cortexscale.stimuli import stimulus_table
from cortexscale.study.images import StimulusSet


@pytest.fixture
def pictures(tmp_path) -> Path:
    rng = np.random.default_rng(0)
    for number in range(12):
        file = tmp_path / f"pictures/c{number % 3}/p{number:02d}.bmp"  # all BMP files of one shape have one size
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)).save(file)
    return tmp_path / "pictures"


def facts(folder: Path) -> str:
    section = ReportSection("images")
    check_stimuli(section, StimulusSet(layout="image_folder", path=str(folder)))
    assert not section.problems
    return "\n".join(section.facts)


def test_check_data_tells_of_copies_and_names_both(pictures):
    assert "copies" not in facts(pictures)
    shutil.copy(pictures / "c0/p00.bmp", pictures / "c1/again.bmp")
    shutil.copy(pictures / "c0/p00.bmp", pictures / "c2/third.bmp")
    text = facts(pictures)
    assert "2 images are copies of another one, e.g. c1/again.bmp of c0/p00.bmp" in text and "scores are too high" in text


def test_images_that_end_alike_are_no_copies(pictures):
    for number, name in enumerate(("x", "y")):
        pixels = np.zeros((40, 40, 3), np.uint8)
        pixels[-1, 0] = number  # BMP files begin with the last row
        Image.fromarray(pixels).save(pictures / f"c0/{name}.bmp")
    assert "copies" not in facts(pictures)


def targets(train: list[int], test: list[int]) -> Targets:
    groups = pd.DataFrame({"benchmark_name": "d", "subject": ["anna", "bruno"], "roi": "V4", "n_units": 1})
    rows, tested = np.array(train), np.array(test)
    ceilings, names = np.full(2, 50.0), np.array(["a", "b"])
    responses = [np.zeros((len(each), 2), np.float32) for each in (train, test)]
    return Targets("d", rows, tested, rows, *responses, ceilings, groups, np.eye(2, dtype=bool), names, np.eye(2))


def test_a_training_stimulus_among_the_test_stimuli_is_a_warning_that_names_both(pictures, caplog):
    shutil.copy(pictures / "c0/p00.bmp", pictures / "c2/zz.bmp")
    table = stimulus_table("image_folder", pictures)
    rows = {id: row for row, id in enumerate(table["stimulus_id"])}
    first, copy = rows["c0/p00.bmp"], rows["c2/zz.bmp"]
    others = [row for row in range(len(table)) if row not in (first, copy)]
    warn_of_shared_images([targets([first, copy, *others[:5]], others[5:])], table)
    assert not caplog.records, "two copies in one split do not make scores too high"
    warn_of_shared_images([targets([first, *others[:5]], [*others[5:], copy])], table)
    text = caplog.text
    assert "d (anna, bruno): 1 of 7 test stimuli are the same images as training stimuli" in text
    assert "c2/zz.bmp and c0/p00.bmp" in text
