"""The explore page and the report: their numbers, and what a reader does with them in a real browser."""

import csv
import io
import json
import re
import time

import numpy as np
import pandas as pd
import pytest
import yaml
from browser import CHROMIUM, NO_CHROMIUM, Browser
from galleries import DATASETS
from jinja2 import UndefinedError
from places import COMPLETE_RESULTS
from published_tables import our_tables

from cortexscale.pages.explore import explore_data, explore_page
from cortexscale.pages.template import render
from cortexscale.plan import ROOT, Plan
from cortexscale.scaling.laws import fit_axis
from cortexscale.study.fits import AverageSettings, FitSettings

SETTINGS = FitSettings(bootstraps=5, seed=0)
ALONE = ["benchmark_name", "roi"]


def in_a_browser(test):
    """Mark a test that needs a browser, whose start is slow."""
    return pytest.mark.slow(pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM)(test))


def fit(table: pd.DataFrame, axis: str) -> dict[str, pd.DataFrame]:
    return dict(zip(("fits", "curves", "points"), fit_axis(table, axis, "reduced", SETTINGS), strict=True))


@pytest.fixture(scope="module")
def tables():
    found = our_tables(0, "demo")
    return {name: found[name] for name in ("pretraining", "finetuning", "mapping")}


@pytest.fixture(scope="module")
def data(tables):
    fits = {axis: fit(tables["pretraining"], axis) for axis in ("compute", "parameters")}
    fits |= {axis: fit(tables[axis], axis) for axis in ("finetuning", "mapping")}
    return explore_data(tables, fits, DATASETS, "test", AverageSettings())


# ------------------------------------------------------------------------------------------ numbers


def test_scores_are_the_plain_means(tables, data):
    """Subjects are averaged first, then ROIs, then benchmarks."""
    part = data["parts"]["pretraining"]
    rows = tables["pretraining"][tables["pretraining"]["model_id"] == part["id"][7]]
    for metric in ("pearsonr_nc", "cka_ve_test"):
        by_roi = rows.groupby(ALONE)[metric].mean()
        shown = {place: scores[7] * data["unit"] for place, scores in part["scores"][metric].items()}
        for (benchmark, roi), score in by_roi.items():
            assert shown[f"{benchmark}/{roi}"] == pytest.approx(score, abs=data["unit"])
        by_benchmark = by_roi.groupby("benchmark_name").mean()
        assert shown["nsd"] == pytest.approx(by_benchmark["nsd"], abs=data["unit"])
        assert shown["average"] == pytest.approx(by_benchmark.mean(), abs=data["unit"])


def test_points_of_neural_data_are_those_of_the_fits(tables, data):
    points = fit(tables["mapping"], "mapping")["points"].query("benchmark_name == 'tvsd'")
    part = data["parts"]["mapping"]
    shown = [score * data["unit"] for score in part["scores"]["pearsonr_nc"]["tvsd"] if score is not None]
    np.testing.assert_allclose(sorted(shown), sorted(points["score"]), atol=data["unit"])
    fitted = [item for item, kind in enumerate(data["parts"]["finetuning"]["source"]["of"]) if kind == "data pct"]
    assert fitted == np.flatnonzero(data["parts"]["finetuning"]["axes"]["finetuning"]["fitted"]).tolist()


def test_laws_have_the_curve_of_their_constants(data):
    law = next(law for law in data["laws"] if law["axis"] == "compute" and law["benchmark_name"] == "average")
    x = np.array(law["x"]) / law["x_scale"]
    np.testing.assert_allclose(law["score"], law["E"] - np.exp(law["ln_A"]) * x ** -law["alpha"], atol=1e-4)


def test_a_study_without_fine_tuning_offers_no_such_axis(tables):
    shown = explore_data({"pretraining": tables["pretraining"]}, {}, DATASETS, "test", AverageSettings())
    assert list(shown["parts"]) == ["pretraining"] and shown["laws"] == []
    assert set(shown["parts"]["pretraining"]["axes"]) == {"compute", "samples", "parameters"}


@pytest.mark.parametrize(("study", "pages"), [("config", ["explore.html", "report.html"]), ("spvvs", ["report.html"])])
def test_a_study_has_the_pages_that_it_can_fill(study, pages):
    config = yaml.safe_load((ROOT / f"config/{study}.yaml").read_text())
    assert Plan(config | {"plan_without_data": True}).pages.names == pages


def test_no_text_ends_the_element_that_data_are_in():
    said = {"z": "</script><b>", "none": None, "a": 1}
    text = re.search(r'<script type="application/json" id="data">(.*?)</script>', explore_page(said), re.DOTALL)[1]
    assert json.loads(text) == said and list(json.loads(text)) == list(said), "the page relies on the order of names"


def test_a_name_without_a_value_is_an_error():
    with pytest.raises(UndefinedError, match="'library' is undefined"):
        render("explore.html", data={})


# ------------------------------------------------------------------------------------------ in a browser


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    tab = Browser(tmp_path_factory.mktemp("browser"))
    yield tab
    tab.close()


@pytest.fixture(scope="module")
def explore(tmp_path_factory, data):
    file = tmp_path_factory.mktemp("page") / "explore.html"
    file.write_text(explore_page(data))
    return file


@pytest.fixture
def tab(browser, explore):
    """The page in a wide window. After every test there, the browser has no error and has asked for no other file."""
    browser.requests.clear()
    browser.errors.clear()
    browser.window(1200, 900)
    browser.open(explore)
    yield browser
    assert browser.errors == []
    assert [url for url in browser.requests if url != explore.as_uri() and not url.startswith(("blob:", "data:"))] == []


def choose(tab: Browser, name: str, value: str) -> None:
    tab.run(f"form.elements.{name}.value = '{value}', form.elements.{name}.dispatchEvent(new Event('change', {{bubbles: true}}))")
    tab.settle()


def marks(tab: Browser) -> int:
    return tab.run("plot.querySelectorAll('.scatterlayer .points path').length")


def texts(tab: Browser, selector: str) -> list[str]:
    return tab.run(f"[...document.querySelectorAll('{selector}')].map(each => each.textContent)")


def focused(tab: Browser) -> str:
    return tab.run("(at => at.name || at.id || at.textContent.trim())(document.activeElement)")


def tab_to(tab: Browser, name: str) -> None:
    for _ in range(60):
        tab.press("Tab")
        if focused(tab) == name:
            return
    raise AssertionError(f"{name} is not reached by the keyboard")


@in_a_browser
def test_choices_change_the_plot_the_laws_and_the_table(tab, data):
    part = data["parts"]["pretraining"]
    on_axis = sum(x is not None for x in part["axes"]["compute"]["x"])
    assert marks(tab) == on_axis and texts(tab, "#laws tbody tr td")[:2] == ["all", "Average"]
    choose(tab, "benchmark", "*")
    assert marks(tab) == on_axis * 9 and len(texts(tab, "#laws tbody tr")) == 9
    choose(tab, "benchmark", "nsd")
    choose(tab, "roi", data["rois"]["nsd"][0])
    assert marks(tab) == on_axis and texts(tab, "#laws tbody tr") == []
    assert texts(tab, "#points tbody tr:first-child td")[3] == f"NSD-fMRI, {data['rois']['nsd'][0]}"
    choose(tab, "metric", "cka_c_test")
    assert "cCKA" in texts(tab, "#plot-title")[0]
    choose(tab, "axis", "mapping")
    assert texts(tab, "#family-legend") == ["Readout"] and "average" not in tab.run("[...form.benchmark].map(each => each.value)")
    choose(tab, "axis", "parameters")
    tab.run("document.querySelector('#families input[value=ResNet]').click()")
    tab.settle()
    assert "ResNet" not in tab.run("[...document.querySelectorAll('#points td:nth-child(2)')].map(each => each.textContent)")
    tab.run("form.querySelector('[value=linear]').click()")
    assert tab.run("plot.layout.xaxis.type") == "linear"


@in_a_browser
def test_the_keyboard_is_enough(tab):
    tab_to(tab, "axis")
    before = texts(tab, "#points thead th")[4]
    tab.press("ArrowDown")
    assert texts(tab, "#points thead th")[4] != before
    tab_to(tab, "family")
    shown = marks(tab)
    tab.press("Space")
    assert marks(tab) < shown
    tab_to(tab, "Name")
    tab.press("Enter")
    assert tab.run("document.querySelector('#points th').ariaSort") == "ascending" and focused(tab) == "Name"
    names = texts(tab, "#points td:first-child")
    tab.press("Enter")
    assert tab.run("document.querySelector('#points th').ariaSort") == "descending"
    assert texts(tab, "#points td:first-child")[0] != names[0]
    first = texts(tab, "#points td:first-child")[0]
    tab_to(tab, first)
    tab.press("Enter")
    assert focused(tab) == "card-title" and texts(tab, "#card-title") == [first] and len(texts(tab, "#card dd")) > 8
    tab_to(tab, "back")
    tab.press("Enter")
    assert focused(tab) == first
    tab.run("[...document.querySelectorAll('#points td button')].at(-1).focus()")
    tab.press("Tab")  # past the end, where the page begins again
    tab_to(tab, "axis")


@in_a_browser
def test_every_control_has_a_name(tab):
    tab.call("Accessibility.enable")
    nodes = tab.call("Accessibility.getFullAXTree")["nodes"]
    controls = ("combobox", "button", "checkbox", "radio", "region")
    named = [
        (node["role"]["value"], node["name"]["value"])
        for node in nodes
        if not node["ignored"] and node["role"]["value"] in controls
    ]
    assert len(named) > 20 and all(name for _, name in named)


@in_a_browser
def test_pointing_at_a_mark_shows_its_card(tab):
    tab.run("plot.scrollIntoView()")
    place = tab.run(
        "(box => [box.x + box.width / 2, box.y + box.height / 2])(plot.querySelector('.points path').getBoundingClientRect())"
    )
    tab.move(*place)
    end = time.monotonic() + 5
    while not (card := texts(tab, "#plot .hoverlayer .hovertext text")) and time.monotonic() < end:
        tab.settle()
    assert "Architecture" in card[0] and "Task accuracy" in card[0]


@in_a_browser
def test_the_download_has_what_is_shown(tab):
    choose(tab, "benchmark", "tvsd")
    tab.run("document.querySelector('#families input[value=ViT]').click(), document.getElementById('download').click()")
    file = tab.downloads / "test_compute_pearsonr_nc_tvsd.csv"
    end = time.monotonic() + 10
    while not file.exists() and time.monotonic() < end:
        tab.settle()
    rows = list(csv.DictReader(io.StringIO(file.read_text())))
    assert len(rows) == marks(tab) and "ViT" not in {row["family"] for row in rows}
    assert [row["id"] for row in rows][:20] == texts(tab, "#points td:first-child")[:20]
    assert rows[0]["Parameters"] and 0 < float(rows[0]["pearsonr_nc"]) < 1


@pytest.mark.slow
@in_a_browser
def test_a_phone_needs_no_sideways_scrolling_and_dark_is_dark(tab, explore):
    for width in (360, 1200, 360):
        tab.window(width, 740, phone=width < 500)
        tab.open(explore)
        assert tab.run("document.documentElement.scrollWidth") <= width
        assert tab.run("document.querySelector('.main-svg').getBoundingClientRect().width") <= width
    paper = tab.run("getComputedStyle(document.body).backgroundColor")
    tab.window(1200, 900, dark=True)
    assert tab.run("getComputedStyle(document.body).backgroundColor") != paper
    assert tab.run("plot.layout.font.color") == tab.run("css('--ink')")
    assert tab.run("document.getAnimations().length") == 0


@pytest.mark.slow
@in_a_browser
def test_five_thousand_points_open_quickly(browser, data, tmp_path, capsys):
    """The page opens within two seconds on an idle machine, and the bound leaves room for a busy one."""
    part = data["parts"]["pretraining"]
    copies = -(-5000 // sum(x is not None for x in part["axes"]["compute"]["x"]))
    many = part | {"id": [f"{name} {copy}" for copy in range(copies) for name in part["id"]]}
    many["scores"] = {metric: {place: of * copies for place, of in places.items()} for metric, places in part["scores"].items()}
    many["card"] = {label: values * copies for label, values in part["card"].items()}
    many |= {group: part[group] | {"of": part[group]["of"] * copies} for group in ("family", "source")}
    compute = part["axes"]["compute"]
    many["axes"] = {"compute": {"label": compute["label"], "x": compute["x"] * copies, "fitted": compute["fitted"] * copies}}
    file = tmp_path / "many.html"
    file.write_text(explore_page(data | {"parts": {"pretraining": many}}))
    browser.window(1200, 900)
    seconds = min(browser.open(file) for _ in range(2))
    with capsys.disabled():
        print(f"\n{marks(browser):,} points open in {seconds:.2f} s")
    assert marks(browser) >= 5000 and seconds < 10


@in_a_browser
@pytest.mark.complete
@pytest.mark.skipif(not (COMPLETE_RESULTS / "report.html").exists(), reason="the complete study has not run: make complete")
@pytest.mark.parametrize("name", ["explore", "report"])
def test_the_pages_of_the_demo_study_open_alone(browser, name):
    browser.requests.clear()
    browser.errors.clear()
    file = COMPLETE_RESULTS / f"{name}.html"
    browser.open(file)
    assert browser.errors == [] and all(url == file.as_uri() or url.startswith("data:") for url in browser.requests)
    assert browser.run("document.querySelectorAll('table tbody tr').length") > 10
