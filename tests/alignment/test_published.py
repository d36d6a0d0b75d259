"""Published result tables as input: checked, renamed, and the same figures from there on."""

import http.server
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from places import ROOT
from published_tables import LABELS, published_tables

from cortexscale.alignment.similarity import COLUMNS
from cortexscale.errors import InputError
from cortexscale.plan import Plan
from cortexscale.published import FILES
from cortexscale.published.tables import IN_SAMPLE, RATE, normalised, published_table


def published(name: str) -> pd.DataFrame:
    return published_tables(size="demo")[name].copy()


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The four files, as downloaded; few models."""
    folder = tmp_path_factory.mktemp("published")
    for name, table in published_tables(size="demo").items():
        rows = table["benchmark_name"].isin(["tvsd", "things_fmri"]) if name == "pretraining" else slice(None)
        table[rows].to_parquet(folder / f"{FILES[name]}.parquet")
    return folder


# ------------------------------------------------------------------------------------------ the tables


@pytest.mark.parametrize("name", FILES)
def test_scores_are_those_of_the_file(name, folder):
    file = folder / f"{FILES[name]}.parquet"
    before, after = pd.read_parquet(file), published_table(file, name)
    for column in ("pearsonr_nc", "noise_ceiling", "cka_ve_test", "layer_position"):
        np.testing.assert_array_equal(before[column], after[column])
    for column in ("model_id", "subject", "roi", "layer_name"):
        assert before[column].tolist() == after[column].tolist()
    assert set(after["benchmark_name"]) <= set(LABELS)
    assert set(before) - set(IN_SAMPLE) <= set(after)
    for column, name in IN_SAMPLE.items():
        np.testing.assert_array_equal(before[column], after[name])
        assert column not in after and name.replace("in_sample", "held_out") in COLUMNS


def test_benchmarks_sources_and_flags_have_our_names_and_types():
    table = normalised(published("pretraining"), "pretraining", "file")
    assert set(table["benchmark_name"]) == set(LABELS)
    assert set(table["backbone_source"]) == {"spvvs", "timm", "huggingface"}
    for flag in ("is_selfsupervised_learning", "is_adversarially_finetuned"):
        assert table[flag].dtype == bool
    assert table.loc[table["is_adversarially_finetuned"], "model_id"].str.startswith("adv_").all()
    assert not table.loc[table["backbone_source"] == "timm", "is_adversarially_finetuned"].any()
    assert (table["held_out"] == (table["backbone_source"] != "spvvs")).all(), "no model of the suite is self-supervised"


def test_bytes_and_numbered_subjects_are_read_as_text():
    table = published("mapping").assign(subject=3)
    table["model_id"] = table["model_id"].str.encode("utf-8")
    table["probe_type"] = table["probe_type"].astype("category")
    read = normalised(table, "mapping", "file")
    assert set(read["subject"]) == {"3"} and set(read["model_id"]) == set(published("mapping")["model_id"])
    assert read["probe_type"].tolist() == published("mapping")["probe_type"].tolist()


def test_a_layer_search_gains_normalised_positions():
    table = normalised(published("layer_search"), "layer_search", "file")
    assert table["layer_position_normalized"].max() == 1 and (table["layer_position_normalized"] > 0).all()


def test_fine_tuned_models_know_what_they_began_as():
    runs = normalised(published_tables(size="thin")["finetuning"].copy(), "finetuning", "file")
    assert set(zip(runs["arch"], runs["base_model_id"], strict=True)) == {
        (arch, f"{arch}_imagenet_full{'' if arch == 'resnet50' else '_seed-0'}")
        for arch in ("deit_small", "deit_base", "deit_large", "convnext_small", "resnet50")
    }
    assert set(runs["finetuning_dataset"].dropna()) == set(LABELS) - {"freemanziemba", "majajhong"}


@settings(max_examples=25)
@given(st.integers(1, 9), st.integers(1, 8))
def test_learning_rates_are_read_from_ids(digit, exponent):
    runs = published("finetuning").query("benchmark_name == 'tvsd'").drop_duplicates("model_id")
    base = runs["exp_type"] == "finetuning_baseline"
    ids = runs["model_id"].str.replace(r"-lr\w+-", f"-lr{digit}e{exponent}_0-", regex=True)
    read = normalised(runs.assign(model_id=ids), "finetuning", "file")
    assert read.loc[~base, "learning_rate"].to_numpy() == pytest.approx(float(f"{digit}e-{exponent}"))
    assert read.loc[base, "learning_rate"].isna().all()


def test_without_a_token_the_learning_rate_is_that_of_the_paper_and_a_column_goes_before_both():
    runs = published("finetuning")
    ids = runs["model_id"].str.replace(r"-lr\w+-", "-", regex=True)
    tuned = runs["exp_type"] != "finetuning_baseline"
    assert (normalised(runs.assign(model_id=ids), "finetuning", "file").loc[tuned, "learning_rate"] == RATE).all()
    assert (normalised(runs.assign(learning_rate=0.5), "finetuning", "file")["learning_rate"] == 0.5).all()


# ------------------------------------------------------------------------------------------ what is wrong with a file


def test_all_that_is_wrong_is_said_at_once():
    table = published("finetuning").drop(columns=["lora_rank", "roi"]).assign(novel=1)
    table["pearsonr"] = ["low", True, *table["pearsonr"][2:]]
    table["benchmark_name"] = table["benchmark_name"].replace("tvsd", "tvsd2")
    table["random_shuffle"] = "maybe"
    table["finetuning_subjects"] = 0.5
    table.loc[table.index[:3], "model_id"] = None
    with pytest.raises(InputError) as caught:
        normalised(table, "finetuning", "results.parquet")
    message = str(caught.value)
    assert message.startswith("results.parquet") and "published table finetuning_results" in message
    for problem in (
        "8 problem(s)",
        "- roi: no such column",
        "- lora_rank: no such column",
        "- pearsonr: holds 'low', True, expected numbers",
        "- benchmark_name: holds 'tvsd2', expected one of bs_fz, bs_mh, tvsd,",
        "- random_shuffle: holds 'maybe', expected true or false",
        "- finetuning_subjects: holds 0.5, expected text",
        f"- model_id: empty in 3 of {len(table):,} rows, expected text in every row",
        "- columns that are not known here: novel",
    ):
        assert problem in message


def test_unknown_columns_alone_are_kept_with_a_warning(caplog):
    table = normalised(published("mapping").assign(novel=1), "mapping", "file.parquet")
    assert (table["novel"] == 1).all()
    assert "file.parquet: columns that are not known here are kept: novel" in caplog.text


def test_an_empty_table_and_another_file_are_refused(tmp_path):
    with pytest.raises(InputError, match="no rows"):
        normalised(published("mapping").head(0), "mapping", "file")
    (tmp_path / "mapping_results.parquet").write_text("<html>")
    with pytest.raises(InputError, match="not a readable table"):
        published_table(tmp_path / "mapping_results.parquet", "mapping")


def test_fine_tuned_models_without_a_base_are_refused():
    runs = published("finetuning")
    with pytest.raises(InputError, match="0 base models of deit_small"):
        normalised(runs[runs["exp_type"] != "finetuning_baseline"], "finetuning", "file")
    base = runs[runs["exp_type"] == "finetuning_baseline"]
    with pytest.raises(InputError, match="2 base models of deit_small"):
        normalised(pd.concat([runs, base.assign(model_id="deit_small_ecoset")]), "finetuning", "file")


# ------------------------------------------------------------------------------------------ the study


def study(path: Path | str, **changed) -> dict:
    config = yaml.safe_load((ROOT / "config/published.yaml").read_text())
    config["published"] = {"path": str(path), "labels": LABELS}
    return config | changed


def test_a_study_of_published_tables_is_planned_with_their_labels(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plan = Plan(study(folder))
    assert plan.data.labels == LABELS and plan.data.readers == {name: name for name in LABELS}
    drawable = plan.figures.gallery.drawable
    assert {"readouts_laws", "finetuning_gains"} - {name.partition("/")[0] for name in drawable} == set()
    assert "projection_scores" not in drawable
    assert not plan.published.downloads


def test_figures_of_other_tables_are_refused(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for figure in ("figS1", "figS9", "gate_depth", "published_scores", "released_statistics"):
        with pytest.raises(InputError, match=f"config key figures\n.*{figure}"):
            Plan(study(folder, figures=["fig2", figure]))


def test_files_that_are_missing_are_downloaded_or_named(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "mapping_results.parquet").symlink_to(folder / "mapping_results.parquet")
    with pytest.raises(InputError, match="3 of 4 files are missing"):
        Plan(study("here"))
    config = study("here")
    config["published"]["repo"] = "owner/tables"
    wanted = {f"here/{FILES[name]}.parquet": FILES[name] for name in FILES if name != "mapping"}
    assert Plan(config).published.downloads == wanted


def test_datasets_beside_published_tables_and_unknown_labels_are_refused(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    other = {"source": "checkpoint", "id": "mine", "file": "mine.pt", "architecture": "resnet50", "classes": 10}
    with pytest.raises(InputError, match=r"config key published\n.*given with models\n"):
        Plan(study(folder, models=[other]))
    config = study(folder)
    config["published"]["labels"] = {"tvsd2": "TVSD"}
    with pytest.raises(InputError, match=r"published\.labels\n.*tvsd2"):
        Plan(config)


@pytest.mark.slow
def test_from_published_tables_to_a_figure_and_a_table(folder, tmp_path):
    config = study(folder, results=str(tmp_path / "results"), figures=["fig2"], fits={"bootstraps": 3})
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--directory", str(tmp_path)]
    command += ["--configfile", str(tmp_path / "config.yaml"), "--workflow-profile", str(ROOT / "profiles/default")]
    command += ["--cores", "2", "--"]
    targets = ["results/figures/fig2.csv", "results/tables/table2.md"]
    done = subprocess.run([*command, *(str(tmp_path / target) for target in targets)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    numbers = pd.read_csv(tmp_path / targets[0])
    raw = published_tables(size="demo")["pretraining"]
    for id in ("deit_small_imagenet_full_seed-0", "vit_large_patch14_clip_224.openai_ft_in1k"):
        plotted = numbers[(numbers["model_id"] == id) & (numbers["benchmark_name"] == "tvsd") & (numbers["axis"] == "compute")]
        scores = raw[(raw["model_id"] == id) & (raw["benchmark_name"] == "tvsd")].groupby("roi")["pearsonr_nc"].mean()
        assert plotted["score"].item() == pytest.approx(scores.mean())
    text = (tmp_path / targets[1]).read_text()
    assert "TVSD-EP" in text and "Parameters |" not in text


# ------------------------------------------------------------------------------------------ the download


@pytest.fixture
def fetch(tmp_path):
    """:func:`download_table` from a hub of one dataset with one file, in a process that has this hub for its endpoint."""

    class Hub(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.do_GET()

        def do_GET(self):
            found = self.path == "/datasets/owner/tables/resolve/main/data/mapping_results.parquet"
            content = b"rows" if found else b"no such file"
            self.send_response(200 if found else 404)
            headers = {"Content-Length": len(content), "X-Repo-Commit": 40 * "a", "ETag": '"1234"'}
            for name, value in (headers if found else headers | {"X-Error-Code": "EntryNotFound"}).items():
                self.send_header(name, str(value))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    environment = {**os.environ, "HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}", "HF_HOME": str(tmp_path / "cache")}
    code = "import sys, pathlib; from cortexscale.published.download import download_table; "
    code += "download_table('owner/tables', 'main', pathlib.Path(sys.argv[1]))"

    def fetch(path: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-c", code, path], env=environment, capture_output=True, text=True)

    yield fetch
    server.shutdown()


def test_a_table_is_downloaded_from_the_hub(fetch, tmp_path):
    done = fetch(tmp_path / "folder" / "mapping_results.parquet")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "folder" / "mapping_results.parquet").read_bytes() == b"rows"


def test_a_table_that_the_hub_lacks_is_an_error_that_names_it(fetch, tmp_path):
    done = fetch(tmp_path / "folder" / "finetuning_results.parquet")
    assert "InputError: owner/tables, data/finetuning_results.parquet at main" in done.stderr
    assert not (tmp_path / "folder" / "finetuning_results.parquet").exists()
