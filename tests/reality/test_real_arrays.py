"""Real MATLAB files of many kinds of values, and the real trial table of a subject of THINGS-fMRI."""

import gzip

import h5py
import numpy as np
import pytest
from places import SHARED

from cortexscale.datasets.formats.matlab import numbers, open_matlab, read_integers, read_strings
from cortexscale.datasets.things_fmri.files import Release
from cortexscale.datasets.things_fmri.tables import read_trials
from cortexscale.errors import InputError

REAL = SHARED / "data/real"
pytestmark = pytest.mark.skipif(not REAL.exists(), reason="the real files are not beside this checkout")


@pytest.mark.parametrize("file", sorted((REAL / "matlab73").glob("*.mat")), ids=lambda file: file.stem)
def test_every_value_of_a_real_matlab_file_is_read_or_refused(file):
    with open_matlab(file, [], "fetch it") as content:
        fields = {name: [*item, "no"] if isinstance(item, h5py.Group) else ["no"] for name, item in content.items()}
        for name, known in fields.items():
            for field in known:
                try:
                    assert read_strings(content, name, field).dtype.kind == "U"
                except InputError as error:
                    assert name in error.where + error.found
            with pytest.raises(InputError, match=name):
                numbers(content, name, (1, 2, 3, 4), "fetch it")
    for name in fields:
        try:
            assert read_integers(file, [name], "fetch it")[name].ndim == 2
        except InputError as error:
            assert name in error.found


def test_wanted_fields_of_a_real_file_are_read():
    with open_matlab(REAL / "matlab73/struct_table_datetime.mat", ["s"], "") as content:
        assert read_strings(content, "#refs#", "v").tolist() == ["FlightNum", "Customer", "Date", "Rating", "Comment"]


def test_the_real_trial_table_has_the_counts_of_the_release(tmp_path):
    table = tmp_path / "sub-01_StimulusMetadata.csv"
    table.write_bytes(gzip.decompress((REAL / "t_fmri/sub-01_StimulusMetadata.csv.gz").read_bytes()))
    trials = read_trials(Release("sub-01", tmp_path / "r.h5", table, tmp_path / "v.csv"), 8640, 100, 12)
    assert (len(trials.train_ids), trials.test.shape) == (8640, (12, 100))
    assert np.bincount(trials.session)[1:].tolist() == [820] * 12
