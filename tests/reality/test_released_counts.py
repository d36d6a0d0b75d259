"""Numbers of units of real releases: check_data names files of another subject, and a study with such files still runs."""

import re

import numpy as np
import pytest

from cortexscale.check.raw_data import check_data
from cortexscale.check.released_counts import compare_counts
from cortexscale.check.report import ReportSection
from cortexscale.datasets.facts import ReleasedUnits
from cortexscale.datasets.registry import all_facts
from cortexscale.datasets.things_fmri import reader as things_fmri
from cortexscale.datasets.tvsd import reader as tvsd
from cortexscale.datasets.tvsd.simulate import write_tvsd
from cortexscale.errors import InputError
from cortexscale.simulation.matlab import write_matlab
from cortexscale.study.data import Dataset

READERS = {"tvsd": tvsd, "things_fmri": things_fmri}
COUNTED = [
    (
        "tvsd",
        "reliab",
        0.3,
        {"monkeyF": {"V1": 332, "V4": 117, "IT": 157}, "monkeyN": {"V1": 410, "V4": 198, "IT": 141}},
    ),
    (
        "things_fmri",
        "nc_testset",
        30,
        {
            "sub-01": {"V1": 385, "V2": 257, "V4": 152, "IT_glasser": 250},
            "sub-02": {"V1": 356, "V2": 278, "V4": 225, "IT_glasser": 389},
            "sub-03": {"V1": 174, "V2": 131, "V4": 101, "IT_glasser": 120},
        },
    ),
]
"""Numbers of units above a threshold, counted in the real files of both datasets."""
PAIRS = [(name, own, other) for name in READERS for own in READERS[name].SUBJECTS for other in READERS[name].SUBJECTS]


@pytest.mark.parametrize(("dataset", "statistic", "above", "counts"), COUNTED)
def test_numbers_are_those_of_the_real_releases(dataset, statistic, above, counts):
    released = all_facts()[dataset].released_units
    assert (released.statistic, released.above, released.counts) == (statistic, above, counts)


class CountedReader:
    """A reader that only counts units."""

    def __init__(self, counts):
        self.counts = counts

    def count_units(self, root, subject, options, above):
        return root / "file", self.counts


@pytest.mark.parametrize(("dataset", "own", "other"), PAIRS)
def test_files_of_another_subject_are_named(dataset, own, other, tmp_path):
    released, section = all_facts()[dataset].released_units, ReportSection("")
    counts = {"V3": 77, **released.counts[other]}
    arguments = section, dataset, CountedReader(counts), tmp_path, own, READERS[dataset].Options()
    if own == other:
        compare_counts(*arguments)
        assert section.facts == [
            f"{own} has about as many units as in the release: units with a {released.statistic} above {released.above:g}: "
            + ", ".join(f"{roi} {count}" for roi, count in released.counts[own].items())
        ]
        return
    with pytest.raises(InputError) as caught:
        compare_counts(*arguments)
    assert caught.value.where == str(tmp_path / "file")
    for roi, count in released.counts[other].items():
        assert f"{roi} {count}" in caught.value.found
    for roi, count in released.counts[own].items():
        assert f"{roi} {count}" in caught.value.expected
    assert f"as {other} has" in caught.value.found and "exchanged" in caught.value.remedy


@pytest.mark.parametrize(("factor", "passes"), [(0.96, True), (1.04, True), (0.94, False), (1.06, False), (0, False)])
def test_counts_may_differ_by_a_twentieth(factor, passes, tmp_path):
    counts = {roi: round(factor * count) for roi, count in all_facts()["tvsd"].released_units.counts["monkeyN"].items()}
    section = ReportSection("")
    with section.collect("", ""):
        compare_counts(section, "tvsd", CountedReader(counts), tmp_path, "monkeyN", tvsd.Options())
    assert (len(section.facts), len(section.problems)) == ((1, 0) if passes else (0, 1))


def test_readers_and_rois_without_known_numbers_are_not_compared(tmp_path):
    section = ReportSection("")
    compare_counts(section, "nsd", CountedReader({}), tmp_path, "subj01", None)
    compare_counts(section, "mylab.py", CountedReader({}), tmp_path, "anna", None)
    assert section.facts == []
    first = {"V1": 385, "V2": 257, "V4": 152}  # the first version of the table has no IT_glasser
    compare_counts(section, "things_fmri", CountedReader(first), tmp_path, "sub-01", things_fmri.Options(voxel_metadata="v1"))
    assert len(section.facts) == 1


@pytest.mark.parametrize("monkey", tvsd.SUBJECTS)
def test_electrodes_are_counted_in_the_areas_of_the_release(monkey, tmp_path):
    """In every area, the first electrodes have a mean reliability just above 0.3, and others lie just below."""
    counts = all_facts()["tvsd"].released_units.counts[monkey]
    pairs = np.full((1024, 3), 0.29)
    for area, (first, _) in tvsd.Options().areas[monkey].items():
        pairs[first : first + counts[area]] = [0.1, 0.41, 0.4]
    pairs[:200:7, 1] = np.nan  # means over finite pairs: 0.25 and 0.29
    expected = counts | {"V1": counts["V1"] - 29}
    arrays = {"train_MUA": (1024, 1), "test_MUA": (1024, 2), "test_MUA_reps": (1024, 2, 3), "oracle": (1, 1024)}
    content = {name: np.zeros(shape) for name, shape in arrays.items()} | {"reliab": pairs}
    write_matlab(tmp_path / monkey / "THINGS_normMUA.mat", content)
    options = tvsd.Options(n_train=1, n_test=2, n_repetitions=3, areas={name: {"V1": (0, 9)} for name in tvsd.SUBJECTS})
    file, found = tvsd.count_units(tmp_path, monkey, options, 0.3)
    assert file == tmp_path / monkey / "THINGS_normMUA.mat" and found == expected


@pytest.fixture
def exchanged(tmp_path, monkeypatch):
    """Options and files of two monkeys whose responses were exchanged, of a release whose numbers of units are known."""
    ids = [[f"{concept}/{concept}_{number:02d}s.jpg" for number in range(12)] for concept in ("cat", "dog")]
    options = tvsd.Options(n_train=12, n_test=12, n_repetitions=3)
    counts = {"monkeyF": {"V1": 300, "V4": 60, "IT": 90}, "monkeyN": {"V1": 200, "V4": 90, "IT": 60}}
    for number, monkey in enumerate(tvsd.SUBJECTS):
        rng, live = np.random.default_rng(number), np.zeros(1024, bool)
        for roi, (first, _) in options.areas[monkey].items():
            live[first : first + counts[monkey][roi]] = True
        repetitions = rng.normal(size=(12, 1024)) * live + rng.normal(size=(3, 12, 1024)) * np.where(live, 0.1, 1)
        repetitions[:, :, ~live] = np.nan
        train = rng.normal(size=(12, 1024))
        write_tvsd(tmp_path, monkey, train_ids=ids[0], test_ids=ids[1], train=train, test_repetitions=repetitions)
    released = ReleasedUnits(statistic="reliab", above=0.3, counts=counts)
    facts = all_facts()["tvsd"].__class__(**vars(all_facts()["tvsd"]) | {"released_units": released})
    monkeypatch.setattr("cortexscale.check.released_counts.facts", {"tvsd": facts}.get)
    return options


def report(root, options) -> str:
    entry = {"label": "TVSD", "reader": "tvsd", "path": str(root), "stimuli": "x", "subjects": [*tvsd.SUBJECTS], "rois": ["V1"]}
    return check_data("mine", {"tvsd": Dataset(**entry, options=options.model_dump())}, {}).text()


def test_exchanged_files_are_a_problem_of_check_data_and_a_study_still_runs(exchanged, tmp_path, monkeypatch):
    assert "units with" not in report(tmp_path, exchanged), "the config changes counts of the release"
    monkeypatch.setattr("cortexscale.check.raw_data.changed_counts", lambda options: [])
    monkeypatch.setattr("cortexscale.check.raw_data.released_file", lambda reader, path: None)
    text = report(tmp_path, exchanged)
    assert "in order" in text
    assert "monkeyN has about as many units as in the release: units with a reliab above 0.3: V1 200, V4 90, IT 60" in text

    one, other = (tmp_path / monkey / "THINGS_normMUA.mat" for monkey in tvsd.SUBJECTS)
    one.rename(tmp_path / "aside"), other.rename(one), (tmp_path / "aside").rename(other)
    text = report(tmp_path, exchanged)
    assert "2 problem(s)" in text
    for monkey in tvsd.SUBJECTS:
        assert re.search(rf"{monkey}/THINGS_normMUA.mat\s+found: +units with a reliab above 0.3: V1 \d+, .*\s+expected: V1", text)
        assert len(tvsd.read(tmp_path, monkey, exchanged).units)
