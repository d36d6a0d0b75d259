"""The border between rules and scripts: each script's ``main`` takes by name, and with a type, what its rule gives."""

import ast
import json
import subprocess
import sys

import pytest
from places import ROOT

SCRIPTS = {file.stem: file for file in sorted((ROOT / "workflow/scripts").glob("*.py"))}
ALIASES = {"sweep_features": "features"}
"""Rules that run the script of another rule."""
GUARD = 'if "snakemake" in globals():\n    run(main, snakemake)'
FREE = {"config", "options", "settings"}
"""Parameters of any content: a whole config, and the options that the module of a dataset checks itself."""

LIST_NAMES = """
import json, sys
from pathlib import Path
from snakemake.api import SnakemakeApi
from snakemake.settings.types import ConfigSettings, OutputSettings, ResourceSettings

studies = json.loads(sys.argv[1])
sys.argv = ["snakemake", "estimate"]  # a rule that runs before any data are there
names = {}
for file, overrides in studies:
    config = ConfigSettings(configfiles=[Path(file)], config=overrides)
    with SnakemakeApi(OutputSettings()) as api:
        workflow = api.workflow(ResourceSettings(), config, snakefile=Path("Snakefile"))._workflow
        for rule in workflow.rules:
            names[rule.name] = {kind: list(getattr(rule, kind).keys()) for kind in ("input", "output", "params", "resources")}
print("NAMES" + json.dumps(names))
"""


def main_of(script: str) -> ast.FunctionDef:
    tree = ast.parse(SCRIPTS[script].read_text(encoding="utf-8"))
    return next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "main")


@pytest.fixture(scope="module")
def rules(tmp_path_factory):
    """Rule -> kind -> names, of every rule that some study has."""
    folder = tmp_path_factory.mktemp("study")
    layer = {"layer_name": "blocks.0", "layer_position": 1, "layer_position_normalized": 0.5, "score": 0.5}
    layers = folder / "layer_commitments.json"
    layers.write_text(json.dumps({"vit_base_objects_full_seed-0": {"tvsd": {"V1": layer}}}), encoding="utf-8")
    published = {"layer_commitment": {"commit": "published", "file": str(layers)}}
    ours = {"results": str(folder), "plan_without_data": True}
    studies = [("complete", published), *((name, {}) for name in ("complete", "paper", "published", "v4"))]
    given = json.dumps([(f"config/{name}.yaml", ours | overrides) for name, overrides in studies])
    command = [sys.executable, "-c", LIST_NAMES, given]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout.split("NAMES")[1])


@pytest.mark.parametrize("script", SCRIPTS)
def test_main_takes_typed_arguments_by_name(script):
    signature = main_of(script).args
    assert not (signature.posonlyargs or signature.args or signature.vararg or signature.kwarg)
    for parameter in signature.kwonlyargs:
        assert parameter.annotation, f"{parameter.arg} has no type"
        names = {node.id for node in ast.walk(parameter.annotation) if isinstance(node, ast.Name)}
        assert "Any" not in names or parameter.arg in FREE, f"{parameter.arg} is {ast.unparse(parameter.annotation)}"
        bare = isinstance(parameter.annotation, ast.Name) and parameter.annotation.id in ("dict", "list", "tuple", "object")
        assert not bare, f"{parameter.arg} is a bare {ast.unparse(parameter.annotation)}"


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_ends_with_its_guard(script):
    assert SCRIPTS[script].read_text(encoding="utf-8").endswith(f"\n\n{GUARD}\n")


def test_every_main_takes_what_its_rule_names(rules):
    known = {rule: kinds for rule, kinds in rules.items() if ALIASES.get(rule, rule) in SCRIPTS}
    assert {ALIASES.get(rule, rule) for rule in known} == set(SCRIPTS)
    wrong = []
    for rule, kinds in known.items():
        signature = main_of(ALIASES.get(rule, rule)).args
        taken = {parameter.arg for parameter in signature.kwonlyargs}
        optional = {p.arg for p, default in zip(signature.kwonlyargs, signature.kw_defaults, strict=True) if default}
        files_and_params = [name for kind in ("input", "output", "params") for name in kinds[kind]]
        given = files_and_params + [name for name in (*kinds["resources"], "threads", "log") if name in taken]
        wrong += [f"{rule} gives {name} twice" for name in set(given) if given.count(name) > 1]
        wrong += [f"{rule} gives {name}, which main does not take" for name in {*given} - taken - {"code", "made_of"}]
        wrong += [f"{rule} does not give {name}, which main takes" for name in taken - {*given} - optional]
    assert not wrong
