"""The report: captions, cost, and a page whose images are inside it."""

import json

import matplotlib as mpl
import pandas as pd
import pytest
from browser import CHROMIUM, NO_CHROMIUM, Browser
from galleries import gallery

mpl.use("agg")

import matplotlib.pyplot as plt

from cortexscale.markdown import markdown_table
from cortexscale.pages.report import caption, origins, recovered_truth, report_page, run_facts
from cortexscale.pages.template import MARKDOWN
from cortexscale.qc.cost import cost_table, readable
from cortexscale.stores import provenance, write_table

CONFIG = {"study": "test", "datasets": {"tvsd": {"label": "TVSD-EP"}}}


def test_a_caption_names_its_tables_and_counts_its_values():
    drawing = gallery().drawing("figS62")
    text = caption(drawing, pd.DataFrame({"model_id": ["a", "b", "a"], "roi": "V1", "score": 0.5}))
    assert text.startswith(f"{drawing.title}. {drawing.caption} From ")
    assert text.endswith("From fits/mapping; n = 3 plotted values, 2 models.")


def test_a_caption_says_how_far_laws_are_from_the_simulated_truth():
    fits = pd.DataFrame({"kind": "fit", "axis": "compute", "benchmark_name": "average", "x": [1.0, 2.0, 3.0]})
    fits = fits.assign(score=[0.5, 0.6, 0.9], truth=[0.51, 0.57, 0.2])
    others = fits.assign(benchmark_name="tvsd", truth=0.0)
    numbers = pd.concat([fits, others, pd.DataFrame({"kind": ["model"], "axis": "compute", "x": [2.5], "score": [0.5]})])
    text = caption(gallery().drawing("fig2"), numbers)
    assert "differ from the simulated truth by at most 0.030 (compute). From " in text
    assert "truth" not in caption(gallery().drawing("fig3"), numbers.assign(truth=float("nan"))).partition(" From ")[0]


def test_the_report_says_which_true_limits_the_laws_recover(tmp_path):
    keys = {"family": ["all", "all", "ViT"], "benchmark_name": ["tvsd", "average", "average"]}
    laws = {"compute": [0.8, 0.7, 0.1], "compute.score_true": [0.82, 0.9, 0.1]}
    for stem, limits in laws.items():
        table = pd.DataFrame({**keys, "E": limits, "E_low": 0.6, "E_high": 0.85})
        write_table(table, tmp_path / f"{stem}.parquet", provenance(inputs={"script": __file__}, code="abc"))
    files = [tmp_path / f"{stem}.parquet" for stem in laws]
    said = "E is {} (95 % interval 0.600 to 0.850), and the law of the true scores has {}, {} the interval."
    assert recovered_truth(files, {"tvsd": "TVSD-EP"}) == [
        "compute, TVSD-EP: " + said.format("0.800", "0.820", "inside"),
        "compute, average: " + said.format("0.700", "0.900", "outside"),
    ]
    assert recovered_truth(files[:1], {}) == []


def test_a_figure_without_anything_to_show_says_why():
    text = caption(gallery().drawing("figS39"), pd.DataFrame({"nothing_to_show": ["no accurate model"]}))
    assert text.endswith("There is nothing to show: no accurate model.")


def job(file, seconds: float, cpu: str, rss: float) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    head = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time"
    file.write_text(f"{head}\n{seconds}\t0:00:01\t{rss}\t1\t1\t1\t0\t0\t50\t{cpu}\n")


@pytest.fixture
def root(tmp_path):
    """Results of a study with one figure, one readable table and three jobs."""
    job(tmp_path / "benchmarks/fit/compute.tsv", 100, "150", 500)
    job(tmp_path / "benchmarks/fit/samples.tsv", 20, "30", 900)
    job(tmp_path / "benchmarks/collect.tsv", 0.2, "-", 100)
    made_by = provenance(inputs={"script": __file__}, code="abc")
    table = pd.DataFrame({"benchmark_name": ["tvsd"], "n_units": [10], "n_units_above_1": [1], "alpha_at_edge": [0.5]})
    write_table(table, tmp_path / "tables/pretraining.parquet", made_by)
    (tmp_path / "tables/pretraining.md").write_text("| Name | n |\n| :-- | --: |\n| **x<y** | 1,000 |\n\nA note.\n")
    fits = pd.DataFrame({"family": "all", "benchmark_name": ["tvsd", "nsd"], "n": [9, 9], "warnings": ["E at its cap", ""]})
    write_table(fits, tmp_path / "fits/compute.parquet", made_by)
    costs = cost_table(tmp_path / "benchmarks")
    write_table(costs, tmp_path / "tables/cost.parquet", made_by)
    (tmp_path / "tables/cost.md").write_text(readable(costs))
    figure, panel = plt.subplots()
    panel.plot([0, 1])
    (tmp_path / "figures").mkdir()
    figure.savefig(tmp_path / "figures/fig3.png")
    pd.DataFrame({"model_id": ["a", "b"]}).to_csv(tmp_path / "figures/fig3.csv", index=False)
    return tmp_path


@pytest.fixture
def report(root):
    figures = [gallery().drawing("fig3")]
    tables = [root / "tables/pretraining.parquet", root / "tables/cost.parquet"]
    files = {"root": root, "tables": tables, "checks": [], "fits": [root / "fits/compute.parquet"]}
    page = report_page(config=CONFIG, labels={"tvsd": "TVSD-EP"}, figures=figures, pages=["explore.html"], **files)
    file = root / "report.html"
    file.write_text(page)
    return file


def test_cost_is_the_sum_over_jobs(root):
    table = cost_table(root / "benchmarks").set_index("stage")
    assert list(table.index) == ["fit", "collect", "total"]
    assert table.loc["fit"].to_dict() == {"jobs": 2, "wall_s": 120, "cpu_s": 180, "longest_s": 100, "peak_rss_mb": 900}
    assert table.loc["total", "jobs"] == 3 and table.loc["total", "wall_s"] == pytest.approx(120.2)
    assert table.loc["collect", "cpu_s"] == 0


def test_origins_are_those_that_the_tables_carry(root):
    table = root / "tables/pretraining.parquet"
    found, inputs = origins([table], root)
    assert found[["table", "rows", "code", "inputs"]].to_numpy().tolist() == [["tables/pretraining.parquet", 1, "abc", 1]]
    assert inputs["input"].tolist() == ["script"] and len(found["content"][0]) == 32
    facts = run_facts(CONFIG, [table])
    assert (
        "numpy" in facts["Versions"]
        and facts["Code"]
        and facts["Config"] != run_facts(CONFIG | {"study": "b"}, [table])["Config"]
    )
    assert json.loads(json.dumps(facts)) == facts


def test_a_table_in_markdown_is_the_same_table_in_html():
    cells = pd.DataFrame({"Name": ["**x<y**", "a|b"], "n": ["**1.5**", ""]})
    text = MARKDOWN.render(markdown_table(cells, "A note.", left=["Name"]))
    left, right = (f'<td style="text-align:{side}">' for side in ("left", "right"))
    assert f"{left}**x&lt;y**</td>\n{right}<strong>1.5</strong></td>" in text
    assert f"{left}a|b</td>\n{right}</td>" in text and text.endswith("<p>A note.</p>\n")


def test_the_report_has_all_sections(report):
    text = report.read_text()
    for expected in ("E at its cap", "1 laws with a warning", "TVSD-EP", "x&lt;y", "2.0 min", "n = 2 plotted values", "abc"):
        assert expected in text, expected


@pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM)
def test_the_report_opens_without_a_network(report, tmp_path):
    tab = Browser(tmp_path)
    try:
        for width in (1200, 360):
            tab.window(width, 800, phone=width < 500)
            tab.open(report)
            pictures = "Promise.all([...document.images].map(each => (each.loading = 'eager', each.decode(), each.naturalWidth)))"
            assert tab.run(pictures) and min(tab.run(pictures)) > 100
            assert tab.run("document.documentElement.scrollWidth") <= width
        assert tab.errors == [] and all(url == report.as_uri() or url.startswith("data:") for url in tab.requests)
    finally:
        tab.close()
