"""The house: imports only go down, the Snakefile stays light, names agree, pins agree."""

import ast
import re
import subprocess
import sys

import pytest
import yaml
from places import ROOT

from cortexscale.datasets.registry import NAMES, reader_module, simulator_module

PACKAGE = ROOT / "cortexscale"

FLOORS = [
    {"errors"},
    {"catalogue", "costs", "environment"},
    {
        "arrays",
        "code",
        "contents",
        "download",
        "files",
        "image_files",
        "jobs",
        "kernels",
        "listing",
        "markdown",
        "origins",
        "text_tables",
    },
    {"section", "study", "recipe", "commitments", "stores", "recording"},
    {"stimuli"},
    {"models"},
    {"simulation"},
    {"datasets"},
    {"features"},
    {"check"},
    {"alignment", "qc", "published"},
    {"readouts", "finetuning", "library"},
    {"scaling", "hyperparameters"},
    {"figures"},
    {"pages"},
    {"plan"},
    {"estimate"},
]
"""Parts of the package from the ground up. A part imports its own floor and those below."""


def part_of(module: str) -> str:
    return module.split(".")[1]


@pytest.mark.parametrize("file", sorted(PACKAGE.rglob("*.py")), ids=lambda file: str(file.relative_to(PACKAGE)))
def test_imports_only_go_down(file):
    if file == PACKAGE / "__init__.py":
        return
    level = {part: number for number, floor in enumerate(FLOORS) for part in floor}
    own = level[file.relative_to(PACKAGE).parts[0].removesuffix(".py")]
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import | ast.ImportFrom):
            for name in [node.module] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]:
                if name and name.startswith("cortexscale."):
                    assert level[part_of(name)] <= own, f"{file.name} imports {name}"
                assert not (name or "").startswith("snakemake"), f"{file.name} knows of Snakemake"


def test_the_plan_loads_nothing_heavy():
    """Nor does what it loads: readers, and in a study that simulates its data the modules that do."""
    heavy = ("torch", "timm", "mne", "scipy", "matplotlib", "zarr", "nibabel")
    ours = ", ".join(module(name) for name in NAMES for module in (reader_module, simulator_module))
    code = f"import sys, cortexscale.plan, {ours}; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_the_plan_alone_loads_no_arrays():
    """Every job loads the plan, and pandas would take it half a second."""
    code = "import sys, cortexscale.plan; print([name for name in ('numpy', 'pandas') if name in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


RULES = re.findall(r"^rule (\w+):", "".join(file.read_text() for file in (ROOT / "workflow/rules").glob("*.smk")), re.MULTILINE)


@pytest.mark.parametrize("rule", RULES)
def test_rule_script_and_log_have_one_name(rule):
    text = next(t for f in (ROOT / "workflow/rules").glob("*.smk") if f"rule {rule}:" in (t := f.read_text()))
    body = text.split(f"rule {rule}:")[1].split("\n\n\n")[0]
    assert f'"../scripts/{rule}.py"' in body
    assert (ROOT / f"workflow/scripts/{rule}.py").exists()
    assert f'"<logs>/{rule}' in body
    # A benchmark counts as an output, and a rule without any runs whenever it is asked for.
    assert (f'"<benchmarks>/{rule}' in body) == ("output:" in body)
    assert '"""' in body
    code = re.sub(r"code=(lambda wildcards: )?plan\.code\(\s*", "code=", body)
    assert f'code="{rule}"' in code, "a change of code would not rerun it"


def test_every_script_belongs_to_a_rule():
    assert {file.stem for file in (ROOT / "workflow/scripts").glob("*.py")} == set(RULES)


def pins(lines) -> dict[str, str]:
    return dict(re.findall(r"^([A-Za-z0-9_.-]+)==([\w.]+)", "\n".join(lines), re.MULTILINE))


def test_conda_environments_agree_with_the_lock():
    lock = {
        name.lower().replace("_", "-"): version
        for name, version in pins((ROOT / "requirements.lock").read_text().splitlines()).items()
    }
    environments = sorted((ROOT / "workflow/envs").glob("*.yaml"))
    assert environments
    for file in environments:
        entries = yaml.safe_load(file.read_text())["dependencies"]
        python_packages = next(entry["pip"] for entry in entries if isinstance(entry, dict))
        for name, version in pins(python_packages).items():
            assert lock[name.lower()] == version, f"{file.name}: {name}"


def test_the_lock_holds_every_declared_dependency():
    declared = re.findall(r'^    "([\w-]+)', (ROOT / "pyproject.toml").read_text().split("[tool.")[0], re.MULTILINE)
    lock = {name.lower().replace("_", "-") for name in pins((ROOT / "requirements.lock").read_text().splitlines())}
    assert declared and {name.lower() for name in declared} <= lock


PLAN_FLOORS = [
    {"inputs", "owner", "targets"},
    {"data", "models"},
    {"alignment", "counts", "mapping", "sizes"},
    {"finetuning"},
    {"costs", "figures", "tables"},
    {"pages", "progress"},
    {"__init__"},
]
"""Parts of the plan from the ground up. A part imports parts below its floor only; ``__init__`` alone puts them together."""


@pytest.mark.parametrize("file", sorted((PACKAGE / "plan").glob("*.py")), ids=lambda file: file.stem)
def test_a_part_of_the_plan_knows_only_the_parts_below_it(file):
    level = {part: number for number, floor in enumerate(PLAN_FLOORS) for part in floor}
    tree = ast.parse(file.read_text(encoding="utf-8"))
    modules = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module]
    for module in modules:
        if module.startswith("cortexscale.plan"):
            part = module.split(".")[2] if module.count(".") > 1 else "__init__"
            assert level[part] < level[file.stem], f"{file.name} imports {module}"
    assert file.stem == "__init__" or not re.search(r"\bPlan\b", file.read_text(encoding="utf-8")), f"{file.name} knows the whole"
