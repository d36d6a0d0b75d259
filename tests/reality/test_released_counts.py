"""Counts of the real releases: files of another subject are refused, and files of other sizes are not compared."""

import numpy as np
import pytest

from cortexscale.datasets.nsd import reader as nsd
from cortexscale.datasets.registry import all_facts
from cortexscale.datasets.released import of_release, require_released_grid, require_released_units
from cortexscale.datasets.things_fmri import reader as things_fmri
from cortexscale.datasets.tvsd import reader as tvsd
from cortexscale.errors import InputError

READERS = {"tvsd": tvsd, "things_fmri": things_fmri}
PAIRS = [(name, own, other) for name in READERS for own in READERS[name].SUBJECTS for other in READERS[name].SUBJECTS]


def units_of(dataset, subject, factor=1.0):
    """Return the statistic and ROIs of units with the counts of a subject of the release, and as many units below."""
    facts = all_facts()[dataset].released_units
    roi = np.repeat(list(facts.counts[subject]), 2000)
    statistic = np.full(len(roi), np.nan)
    for name, count in facts.counts[subject].items():
        places = np.flatnonzero(roi == name)
        statistic[places[:1000]] = facts.above
        statistic[places[: round(count * factor)]] = facts.above + 1
    return statistic, {name: roi == name for name in facts.counts[subject]}


@pytest.mark.parametrize(("dataset", "own", "other"), PAIRS)
def test_files_of_another_subject_are_refused(dataset, own, other):
    statistic, rois = units_of(dataset, other)
    if own == other:
        require_released_units("file", dataset, own, READERS[dataset].Options(), statistic, rois)
        return
    with pytest.raises(InputError, match=f"as {other} has[\\s\\S]*as in the release of {own}[\\s\\S]*exchanged"):
        require_released_units("file", dataset, own, READERS[dataset].Options(), statistic, rois)


@pytest.mark.parametrize(("factor", "passes"), [(0.97, True), (1.03, True), (0.9, False), (1.1, False), (0, False)])
def test_counts_may_differ_a_little(factor, passes):
    statistic, rois = units_of("tvsd", "monkeyN", factor)
    if passes:
        require_released_units("file", "tvsd", "monkeyN", tvsd.Options(), statistic, rois)
        return
    with pytest.raises(InputError, match=r"reliab above 0.3: V1 \d+"):
        require_released_units("file", "tvsd", "monkeyN", tvsd.Options(), statistic, rois)


@pytest.mark.parametrize(
    ("options", "compared"),
    [
        (tvsd.Options(), True),
        (tvsd.Options(min_reliability=0.3), True),
        (tvsd.Options(n_train=100), False),
        (tvsd.Options(areas={"monkeyF": {"V1": (0, 9)}, "monkeyN": {"V1": (0, 9)}}), False),
        (things_fmri.Options(max_voxels=5, min_nc_percent=3), True),
        (things_fmri.Options(voxel_metadata="v1"), False),
        (things_fmri.Options(selection="rois"), False),
        (nsd.Options(sessions={"subj01": 2}), False),
    ],
)
def test_only_options_of_the_release_are_compared(options, compared):
    assert of_release(options) == compared


def test_a_volume_of_another_subject_is_refused():
    require_released_grid("ncsnr.nii.gz", "nsd", "subj01", nsd.Options(), (81, 104, 83))
    require_released_grid("ncsnr.nii.gz", "nsd", "subj02", nsd.Options(), (9, 9, 9))
    require_released_grid("ncsnr.nii.gz", "nsd", "subj01", nsd.Options(space="func1mm"), (9, 9, 9))
    with pytest.raises(InputError, match=r"shape \(82, 106, 84\)[\s\S]*\(81, 104, 83\)"):
        require_released_grid("ncsnr.nii.gz", "nsd", "subj01", nsd.Options(), (82, 106, 84))


def test_exchanged_files_of_the_monkeys_are_noticed_by_inspection(tmp_path, monkeypatch):
    from cortexscale.datasets.tvsd.simulate import write_tvsd

    rng, ids = np.random.default_rng(0), [f"cat/cat_{number:02d}s.jpg" for number in range(12)]
    options = tvsd.Options(n_train=12, n_test=12, n_repetitions=3)
    monkeypatch.setattr("cortexscale.datasets.released.of_release", lambda _: True)
    for monkey in tvsd.SUBJECTS:
        counts, live = all_facts()["tvsd"].released_units.counts[monkey], np.zeros(1024, bool)
        for roi, (first, _) in options.areas[monkey].items():
            live[first : first + counts[roi]] = True
        noise = np.where(live, 0.01, 1e6)
        repetitions = rng.normal(size=(12, 1024)) * live + rng.normal(size=(3, 12, 1024)) * noise
        repetitions[:, :, ~live] = np.nan
        train = rng.normal(size=(12, 1024))
        write_tvsd(tmp_path, monkey, train_ids=ids, test_ids=ids, train=train, test_repetitions=repetitions)
        tvsd.inspect(tmp_path, monkey, options)
    one, other = (tmp_path / monkey / "THINGS_normMUA.mat" for monkey in tvsd.SUBJECTS)
    one.rename(tmp_path / "aside"), other.rename(one), (tmp_path / "aside").rename(other)
    for monkey in tvsd.SUBJECTS:
        with pytest.raises(InputError, match=rf"{monkey}/THINGS_normMUA.mat[\s\S]*as in the release of {monkey}"):
            tvsd.inspect(tmp_path, monkey, options)
