"""Commands of contributors and of continuous integration exist, and their versions are those of the lock."""

import re
import tomllib

import pytest
import yaml
from places import ROOT

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([\w-]+):", MAKEFILE, re.MULTILINE))
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCK = dict(re.findall(r"^([\w.-]+)==(\S+)", (ROOT / "requirements.lock").read_text(encoding="utf-8"), re.MULTILINE))
CI = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
STEPS = [step for job in CI["jobs"].values() for step in job["steps"]]


def test_continuous_integration_calls_targets_and_files_that_exist():
    commands = "\n".join(step.get("run", "") for step in STEPS)
    called = re.findall(r"\bmake ([\w-]+)", commands)
    assert {"lint", "test-fast"} <= set(called) <= TARGETS
    planned = re.findall(r"--configfile (\S+)", commands)
    assert set(planned) == {f"config/{name}.yaml" for name in ("config", "complete", "paper")}
    assert all((ROOT / file).is_file() for file in planned)


def test_continuous_integration_pins_its_actions_and_runs_every_supported_python():
    assert all(re.fullmatch(r"[\w./-]+@v\d+", step["uses"]) for step in STEPS if "uses" in step)
    versions = CI["jobs"]["check"]["strategy"]["matrix"]["python"]
    first, end = re.fullmatch(r">=3\.(\d+),<3\.(\d+)", SETTINGS["project"]["requires-python"]).groups()
    assert versions == [f"3.{minor}" for minor in range(int(first), int(end))]


def test_pre_commit_uses_the_versions_of_the_lock():
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    revisions = {repo["repo"].rsplit("/", 1)[1].removesuffix("-pre-commit"): repo["rev"] for repo in config["repos"]}
    assert all(re.fullmatch(r"v[\d.]+", revision) for revision in revisions.values())
    for tool in ("ruff", "snakefmt", "codespell"):
        assert revisions[tool] == f"v{LOCK[tool]}"


@pytest.mark.parametrize("tool", ["ruff", "snakefmt", "codespell", "mypy"])
def test_lint_runs_every_checker(tool):
    assert re.search(rf"^lint:.*\n(\t.*\n)*\t{tool}\b", MAKEFILE, re.MULTILINE)


def test_types_are_checked_everywhere():
    mypy = SETTINGS["tool"]["mypy"]
    assert mypy["strict"] and mypy["files"] == ["cortexscale", "workflow/scripts"]
    assert not [part for part in mypy["overrides"] if {"ignore_errors", "follow_imports"} & set(part)]


def test_contributing_names_targets_and_files_that_exist():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert {"lint", "test-fast", "test"} <= set(re.findall(r"\bmake ([\w-]+)", text)) <= TARGETS
    named = re.findall(r"`((?:cortexscale|workflow|tests|docs|config|benchmarks|resources)/[\w./-]*)`", text)
    named += [target.split("#")[0] for target in re.findall(r"\]\(([\w./#-]+)\)", text)]
    assert len(named) > 20
    assert [name for name in named if not (ROOT / name).exists()] == []
