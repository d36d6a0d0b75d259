"""A stimulus finds its image whatever disk wrote its name. Where it does not, the message names what is nearly the same."""

import unicodedata
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from cortexscale.errors import InputError
from cortexscale.models.training.data import open_images
from cortexscale.stimuli import StimulusImages, read_stimulus_table, stimulus_rows, stimulus_table
from cortexscale.stimuli.ids import like
from cortexscale.stores import write_table

NAMES = ["caf\u00e9_1", "\u00fcber", "\uac00", "\u1ebf", "plain"]


def nfd(text: str) -> str:
    return unicodedata.normalize("NFD", text)


def picture(file: Path, level: int = 0) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((4, 4, 3), level, np.uint8)).save(file)


def table_of(*ids: str) -> pd.DataFrame:
    return pd.DataFrame({"stimulus_id": ids, "hash": "x", "concept": "c"})


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("spelt", [nfd, str], ids=["NFD", "NFC"])
def test_names_are_compared_in_nfc(tmp_path, name, spelt):
    picture(tmp_path / spelt(f"{name}/{name}.png"), 7)
    table = stimulus_table("image_folder", tmp_path)
    assert list(table["stimulus_id"]) == [f"{name}/{name}.png"] and list(table["concept"]) == [name]
    assert np.asarray(StimulusImages("image_folder", tmp_path, table)[0]).max() == 7
    for wanted in (nfd, str):
        assert stimulus_rows(table, [wanted(f"{name}/{name}.png")], "d/s").tolist() == [0]
    assert stimulus_rows(table_of(nfd(f"{name}.png")), np.array([f"{name}.png"]), "d/s").tolist() == [0]


@pytest.mark.parametrize("spelt", [nfd, str], ids=["NFD", "NFC"])
def test_training_images_too(tmp_path, spelt):
    for split in ("train", "val"):
        picture(tmp_path / split / spelt("caf\u00e9/\u00fc.png"), 9)
    images = open_images(tmp_path, "val")
    assert images.names.tolist() == ["val/caf\u00e9/\u00fc.png".encode()] and np.asarray(images[0]).max() == 9


def test_names_that_look_equal_are_refused(tmp_path):
    for name in ("caf\u00e9.png", "cafe\u0301.png"):
        picture(tmp_path / "c" / name)
    with pytest.raises(InputError, match=r"c\n.*two files whose names look equal.*cafe\\u0301"):
        stimulus_table("image_folder", tmp_path)
    with pytest.raises(InputError, match="two images whose ids look like"):
        stimulus_rows(table_of("caf\u00e9.png", "cafe\u0301.png"), ["caf\u00e9.png"], "d/s")


@pytest.mark.parametrize("kind", ["stimuli", "classes"])
def test_a_name_that_is_not_utf8_is_named(tmp_path, kind):
    name = b"caf\xe9".decode(errors="surrogateescape")
    try:
        for split in ("train", "val"):
            picture(tmp_path / split / name / "a.png")
    except OSError:
        pytest.skip("the file system refuses names that are not UTF-8, as APFS does")
    with pytest.raises(InputError, match=r"the name b'caf\\xe9', which is not UTF-8(.*\n)*.*convmv"):
        stimulus_table("image_folder", tmp_path / "train") if kind == "stimuli" else open_images(tmp_path, "train")


@pytest.mark.parametrize(
    ("there", "wanted"),
    [
        ("scene1/caf\u00e9_001.PNG", "scene1/caf\u00e9_001.png"),
        ("scene1/Photo.png", "scene1/photo.png"),
        ("scene1/photo.jpg", "scene1/photo.png"),
        ("scene1/photo .png", "scene1/photo.png"),
        (" scene1/photo.png", "scene1/photo.png"),
    ],
)
def test_what_is_spelt_otherwise_is_named(tmp_path, there, wanted):
    write_table(table_of("other/x.png", there), tmp_path / "set.parquet", {})
    with pytest.raises(InputError) as error:
        stimulus_rows(read_stimulus_table(tmp_path / "set.parquet"), ["other/x.png", wanted], "mylab/anna (train)")
    assert f"no image for 1 of the 2 stimuli of mylab/anna (train), e.g. {wanted} (there is {there}, spelt otherwise)" in str(
        error.value
    )
    assert error.value.where == str(tmp_path / "set.parquet") and "set.parquet" in error.value.remedy


def test_a_file_that_was_renamed_is_named(tmp_path):
    picture(tmp_path / "c/a.png")
    table = stimulus_table("image_folder", tmp_path)
    (tmp_path / "c/a.png").rename(tmp_path / "c/a.PNG")
    with pytest.raises(InputError, match=r"c/a\.png\n.*nothing \(there is c/a\.PNG, spelt otherwise\)"):
        StimulusImages("image_folder", tmp_path, table)[0]


def test_the_nearest_is_named():
    assert like("scene1/photograph_001.png", ["scene1/photograph_011.png", "x"]) == " (the nearest is scene1/photograph_011.png)"
    assert like("scene1/photo.png", ["scene2/photo.jpg"]) == " (there is scene2/photo.jpg, in another folder)"
    assert like("abc", ["xyz"]) == "" and like("abc", []) == ""
    ids = [f"{number:05d}/{number:05d}.png" for number in range(30_000)]
    assert like("00017/00017_b.png", ids) == " (the nearest is 00017/00017.png)"


def test_case_and_suffix_make_two_images(tmp_path):
    for name in ("a.png", "A.png", "a.PNG"):
        picture(tmp_path / "c" / name)
    if len(list((tmp_path / "c").iterdir())) < 3:
        pytest.skip("the file system keeps one file for a.png and A.png, as APFS and exFAT do")
    table = stimulus_table("image_folder", tmp_path)
    assert stimulus_rows(table, ["c/a.png", "c/A.png", "c/a.PNG"], "d/s").tolist() == [2, 0, 1]
