"""Names in released tables and files: spaces around them and the Unicode form in which they are spelt do not matter."""

import unicodedata

import h5py
import pandas as pd
import pytest

from cortexscale.datasets.formats.assembly import open_assembly
from cortexscale.datasets.formats.matlab import open_matlab, read_strings
from cortexscale.simulation.assembly import write_assembly
from cortexscale.simulation.matlab import write_matlab
from cortexscale.stimuli.brainscore import read_stimuli
from cortexscale.text_tables import read_table

NAMES = ["café/café_01b.jpg", "Ångström/Ångström_02s.jpg", "plain/plain_03s.jpg"]
SPELT = [lambda name: f" {name}\t", lambda name: unicodedata.normalize("NFD", name), lambda name: name]


@pytest.fixture(params=SPELT, ids=["spaces", "NFD", "plain"])
def spelt(request):
    return [request.param(name) for name in NAMES]


def test_text_of_tables(tmp_path, spelt):
    pd.DataFrame({"stimulus": spelt}).to_csv(tmp_path / "table.csv", index=False)
    assert read_table(tmp_path / "table.csv", ",", text=["stimulus"], remedy="")["stimulus"].tolist() == NAMES


def test_records_of_matlab(tmp_path, spelt):
    write_matlab(tmp_path / "list.mat", {"images": {"things_path": spelt}})
    with open_matlab(tmp_path / "list.mat", ["images"], "") as file:
        assert read_strings(file, "images", "things_path").tolist() == NAMES


def test_stimulus_tables_of_brainscore(tmp_path, spelt):
    pd.DataFrame({"image_id": spelt, "filename": spelt}).to_csv(tmp_path / "stimuli.csv", index=False)
    table = read_stimuli(tmp_path / "stimuli.csv", ["image_id", "filename"], "")
    assert table["image_id"].tolist() == table["filename"].tolist() == NAMES


def test_coordinates_of_assemblies(tmp_path, spelt):
    names = pd.Series(spelt).to_numpy()
    coordinates = {"neuroid": {"region": names}, "presentation": {"image_id": names}, "time_bin": {"start": names[:1]}}
    write_assembly(tmp_path / "assembly.nc", [[[1.0]] * 3] * 3, coordinates, "f4")
    assert h5py.is_hdf5(tmp_path / "assembly.nc")
    with open_assembly(tmp_path / "assembly.nc", "") as assembly:
        assert assembly.table("neuroid")["region"].tolist() == NAMES
        values, codes = assembly.coded("presentation", "image_id")
        assert values[codes].tolist() == NAMES
