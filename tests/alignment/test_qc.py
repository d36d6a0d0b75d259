"""Quality control: tables of ceilings, of datasets beside the paper's, of released statistics, and their figures."""

import dataclasses

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from markdown_cells import unpadded

mpl.use("agg")

from galleries import some

from cortexscale.datasets.registry import NAMES, all_facts, facts
from cortexscale.datasets.things_meg import reader as things_meg
from cortexscale.datasets.tvsd import reader as tvsd
from cortexscale.errors import InputError
from cortexscale.figures.paper import PAPER as PAPER_FIGURES
from cortexscale.figures.recordings import draw_noise_ceilings, draw_released_statistics
from cortexscale.qc.ceilings import noise_ceilings, released_statistics, released_units
from cortexscale.qc.dataset_table import dataset_table, readable
from cortexscale.recording import Recording, Split


def recording(
    dataset: str,
    subject: str,
    *,
    nc_percent: list[float],
    rois: dict[str, list[bool]],
    threshold: float = 10,
    train: int = 4,
    first_image: int = 0,
    **columns: list,
) -> Recording:
    """Make a recording whose responses are nan, because nobody looks at them."""
    nc = np.array(nc_percent)
    kept = nc > threshold
    screening = pd.DataFrame({"unit": [f"u{n}" for n in range(len(nc))], "nc_percent": nc, "kept": kept, **rois, **columns})
    images = np.array([f"image{n}" for n in range(first_image, first_image + train)])
    nothing = np.full((1, kept.sum()), np.nan, dtype=np.float32)
    return Recording(
        dataset,
        subject,
        Split(images, np.repeat(nothing, train, 0), np.array([1] + [3] * (train - 1))),
        Split(np.array(["test0", "test1"]), np.repeat(nothing, 2, 0), np.array([12, 12])),
        screening.loc[kept, ["unit", "nc_percent"]].reset_index(drop=True),
        screening.loc[kept, list(rois)].reset_index(drop=True),
        {"released_statistic": "ncsnr"},
        screening,
    )


def two_subjects() -> list[Recording]:
    rois = {"V1": [True, True, False, True], "all": [True] * 4, "absent": [False] * 4}
    return [
        recording("nsd", "s1", nc_percent=[36, 5, np.nan, 64], rois=rois),
        recording("nsd", "s2", nc_percent=[81, 16, 49, 25], rois=rois, train=6, first_image=2),
    ]


# --- tables -----------------------------------------------------------------------------------------------------------


def test_ceilings_have_a_row_per_roi_of_a_unit():
    table = noise_ceilings(iter(two_subjects()))
    assert list(table) == ["benchmark_name", "subject", "roi", "unit", "kept", "nc_percent", "time"]
    assert table.groupby(["subject", "roi"], observed=True).size().to_dict() == {
        ("s1", "V1"): 3,
        ("s1", "all"): 4,
        ("s2", "V1"): 3,
        ("s2", "all"): 4,
    }
    first = table[(table["subject"] == "s1") & (table["roi"] == "V1")]
    assert first["unit"].tolist() == ["u0", "u1", "u3"]
    assert first["nc_percent"].tolist() == [36, 5, 64] and first["kept"].tolist() == [True, False, True]
    assert table["time"].isna().all()
    assert set(table["benchmark_name"]) == {"nsd"}


def test_units_of_meeg_keep_their_time():
    rois = {"occipital": [True, True], "whole_brain": [True, True]}
    table = noise_ceilings([recording("meg", "P1", nc_percent=[20, 30], rois=rois, time=[0.1, 0.2], channel=["a", "a"])])
    assert table["time"].tolist() == [0.1, 0.2, 0.1, 0.2]
    assert table["roi"].tolist() == ["occipital"] * 2 + ["whole_brain"] * 2


def test_a_recording_without_screening_is_refused():
    bare = dataclasses.replace(two_subjects()[0], screening=pd.DataFrame())
    with pytest.raises(InputError, match=r"nsd/s1[\s\S]*no table of the examined units"):
        noise_ceilings([bare])


def table_of_two() -> pd.DataFrame:
    labels, modalities = {"nsd": "Scenes", "mine": "Mine"}, {"nsd": "fmri", "mine": None}
    paper = {"nsd": dataclasses.asdict(facts("nsd").counts)}
    return dataset_table({"nsd": iter(two_subjects()), "mine": two_subjects()[:1]}, labels, modalities, paper)


def test_the_dataset_table_counts_what_the_study_has():
    nsd_row, mine = table_of_two().iloc[0], table_of_two().iloc[1]
    assert (nsd_row["handle"], nsd_row["modality"]) == ("Scenes", "fMRI")
    assert (nsd_row["stimuli"], nsd_row["subjects"], nsd_row["rois"]) == (10, 2, 2)  # images 0 to 7, and two test images
    assert (nsd_row["units"], nsd_row["train"], nsd_row["test"]) == (3, 5, 2)
    assert nsd_row["train_repetitions"] == pytest.approx((10 / 4 + 16 / 6) / 2)
    assert nsd_row["test_repetitions"] == 12
    assert nsd_row["nc_percent"] == pytest.approx((50 + 42.75) / 2)
    assert nsd_row["nc_r"] == pytest.approx((0.7 + (0.9 + 0.4 + 0.7 + 0.5) / 4) / 2)
    assert nsd_row["paper_stimuli"] == 70_000 and nsd_row["paper_noise_ceiling"] == 0.551898
    assert (mine["handle"], mine["modality"], mine["subjects"]) == ("Mine", "", 1)
    assert np.isnan(mine["paper_train"])


def test_the_readable_table_has_both_numbers():
    text = unpadded(readable(table_of_two()))
    lines = text.splitlines()
    assert len({line.count("|") for line in lines[:4]}) == 1
    assert "| 10 (70,000) | 2 (8) | 2 (28) | 3 | 5 (9,000) |" in lines[2]
    assert "| 46.4 | 0.662 | 0.552 |" in lines[2]
    assert "| 6 | 1 | 2 | 2 | 4 |" in lines[3] and "nan" not in text


def test_the_papers_table_is_copied_right():
    counts = {name: entry.counts for name, entry in all_facts().items() if entry.counts}
    assert len(counts) == 8
    for name, reader in {"tvsd": tvsd, "things_meg": things_meg}.items():
        assert (counts[name].train, counts[name].test) == (reader.Options().n_train, reader.Options().n_test)
    assert counts["things_meg"].test_repetitions == things_meg.Options().n_sessions
    assert counts["tvsd"].test_repetitions == tvsd.Options().n_repetitions
    for name in ("freemanziemba", "majajhong"):
        assert counts[name].train + counts[name].test == counts[name].stimuli


def test_released_statistics_are_compared_unit_by_unit():
    released, recomputed = [0.2, 0.4, 0.6, 0.8], [0.21, 0.4, np.nan, 0.7]
    rois = {"V1": [True] * 4}
    one = recording("nsd", "s1", nc_percent=[50] * 4, rois=rois, released=released, recomputed=recomputed)
    without = recording("mh", "m", nc_percent=[50] * 4, rois=rois)
    units = released_units([one, without])
    assert units["unit"].tolist() == ["u0", "u1", "u3"] and set(units["statistic"]) == {"ncsnr"}
    row = released_statistics(units).iloc[0]
    assert (row["benchmark_name"], row["subject"], row["n_units"]) == ("nsd", "s1", 3)
    assert row["median_difference"] == pytest.approx(0.01) and row["largest_difference"] == pytest.approx(0.1)
    assert row["pearsonr"] == pytest.approx(np.corrcoef([0.2, 0.4, 0.8], [0.21, 0.4, 0.7])[0, 1])
    none = released_units([without])
    assert none.empty and released_statistics(none).empty
    assert list(released_statistics(none)) == list(released_statistics(units))


def test_one_compared_unit_has_no_correlation():
    one = recording("nsd", "s1", nc_percent=[50], rois={"V1": [True]}, released=[0.2], recomputed=[0.3])
    assert np.isnan(released_statistics(released_units([one]))["pearsonr"].iloc[0])


# --- figures ----------------------------------------------------------------------------------------------------------


def test_every_dataset_of_the_paper_has_its_figure():
    figures = [PAPER_FIGURES[f"figS{number}"] for number in range(1, 9)]
    assert {reader for figure in figures for reader in figure.readers} == {name for name in NAMES if facts(name).counts}
    assert {figure.content for figure in figures} == {"noise_ceilings"}


def test_histograms_count_the_kept_units():
    figure, numbers = draw_noise_ceilings({"noise_ceilings": noise_ceilings(two_subjects())}, some("nsd"))
    drawn = [panel for panel in figure.axes if panel.axison]
    assert [panel.get_title() for panel in drawn] == ["V1", "all"]
    assert numbers.groupby(["subject", "roi"])["units"].sum().to_dict() == {
        ("s1", "V1"): 2,
        ("s1", "all"): 2,
        ("s2", "V1"): 3,
        ("s2", "all"): 4,
    }
    assert numbers["low"].min() == 10 and numbers["high"].max() == 100 and numbers["low"].nunique() == 29
    holds = numbers[(numbers["low"] <= 64) & (numbers["high"] > 64) & (numbers["subject"] == "s1") & (numbers["roi"] == "V1")]
    assert holds["units"].tolist() == [1]
    legend = figure.legends[0]
    assert legend.get_title().get_text() == "NSD-fMRI" and [text.get_text() for text in legend.texts] == ["s1", "s2"]


@pytest.mark.parametrize(("lowest", "first"), [(3, 0), (12, 10), (71, 70)])
def test_no_unit_falls_out_of_the_histogram(lowest, first):
    one = recording("tvsd", "m", nc_percent=[lowest, 100, 85], rois={"V1": [True] * 3}, threshold=1)
    _, numbers = draw_noise_ceilings({"noise_ceilings": noise_ceilings([one])}, {})
    assert numbers["units"].sum() == 3 and numbers["low"].min() == first


def test_curves_average_over_all_channels():
    times = [0.0, 0.1, 0.0, 0.1, 0.0, 0.1]
    rois = {"occipital": [True, True, True, True, False, False], "whole_brain": [True] * 6}
    one = recording("meg", "P1", nc_percent=[0, 40, 2, 20, np.nan, 6], rois=rois, threshold=1, time=times, channel=list("aabbcc"))
    figure, numbers = draw_noise_ceilings({"noise_ceilings": noise_ceilings([one])}, {})
    assert [panel.get_title() for panel in figure.axes] == ["occipital", "whole brain"]
    assert all(panel.get_ylim() == (0, 100) for panel in figure.axes)
    curves = numbers.set_index(["roi", "time"])
    assert curves.loc[("occipital", 0.1), "nc_percent"] == 30 and curves.loc[("occipital", 0.0), "nc_percent"] == 1
    assert curves.loc[("whole_brain", 0.1), "nc_percent"] == 22 and curves.loc[("whole_brain", 0.0), "channels"] == 2


def test_nothing_to_draw_is_said():
    nothing = noise_ceilings([recording("nsd", "s", nc_percent=[2.0], rois={"V1": [True]})])
    with pytest.raises(InputError, match="no unit with a known noise ceiling"):
        draw_noise_ceilings({"noise_ceilings": nothing}, {})
    with pytest.raises(InputError, match="released_statistics"):
        draw_released_statistics({"released_units": released_units([])}, {})


def test_released_statistics_are_drawn_by_dataset():
    rois, rng = {"V1": [True] * 20}, np.random.default_rng(0)
    parts = [
        recording(name, subject, nc_percent=[50] * 20, rois=rois, released=(x := rng.random(20)), recomputed=x + 0.01)
        for name in ("nsd", "tvsd")
        for subject in ("a", "b")
    ]
    figure, numbers = draw_released_statistics({"released_units": released_units(parts)}, some("nsd"))
    assert [panel.get_title() for panel in figure.axes] == ["NSD-fMRI: ncsnr", "tvsd: ncsnr"]
    assert len(numbers) == 80
    assert [text.get_text() for text in figure.axes[0].get_legend().texts] == ["a: 0.01", "b: 0.01"]
