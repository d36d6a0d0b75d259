"""A helper that an own reader or model imports counts in the digest of results, or a warning says that it does not."""

import sys

import pytest
from inventories import inventory
from places import ROOT

from cortexscale import code
from cortexscale.errors import InputError
from cortexscale.models.build import build_backbone
from cortexscale.plan import Plan
from cortexscale.study import load_study

SCRIPT = ROOT / "workflow/scripts/preprocess.py"


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """A folder with an empty own module, and an empty folder of ``PYTHONPATH``."""
    (tmp_path / "own").mkdir()
    (tmp_path / "lab").mkdir()
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{tmp_path / 'lab'}")
    monkeypatch.syspath_prepend(tmp_path / "lab")
    loaded = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - loaded:
        del sys.modules[name]
    code.parsed.cache_clear()


def write(file, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def digest(file) -> str:
    for function in (code.stage_digest, code.parsed):
        function.cache_clear()
    return code.stage_digest(SCRIPT, file)


@pytest.mark.parametrize(
    ("own", "files", "changed"),
    [
        ("import labtools", {"lab/labtools.py": "x = 1"}, "lab/labtools.py"),
        ("import labtools", {"own/labtools.py": "x = 1"}, "own/labtools.py"),
        ("from labtools import x", {"lab/labtools.py": "x = 1"}, "lab/labtools.py"),
        (
            "from labtools.clean import x",
            {"lab/labtools/__init__.py": "", "lab/labtools/clean.py": "x = 1"},
            "lab/labtools/clean.py",
        ),
        (
            "from labtools import clean",
            {"lab/labtools/__init__.py": "", "lab/labtools/clean.py": "x = 1"},
            "lab/labtools/clean.py",
        ),
        (
            "import labtools.clean as c",
            {"lab/labtools/__init__.py": "y = 1", "lab/labtools/clean.py": ""},
            "lab/labtools/__init__.py",
        ),
        ("import labtools.clean", {"lab/labtools/clean.py": "x = 1"}, "lab/labtools/clean.py"),
        ("def f():\n    import labtools", {"lab/labtools.py": "x = 1"}, "lab/labtools.py"),
        ("import one", {"lab/one.py": "import two", "lab/two.py": "x = 1"}, "lab/two.py"),
        ("import p.a", {"lab/p/a.py": "from .b import x", "lab/p/b.py": "x = 1"}, "lab/p/b.py"),
        ("import p.a", {"lab/p/a.py": "from . import b", "lab/p/b.py": "x = 1"}, "lab/p/b.py"),
        ("import p.q.a", {"lab/p/q/a.py": "from ..b import x", "lab/p/b.py": "x = 1"}, "lab/p/b.py"),
        ("import one", {"lab/one.py": "import two", "lab/two.py": "import one\nx = 1"}, "lab/two.py"),
    ],
)
def test_a_changed_helper_changes_the_digest(lab, own, files, changed):
    write(lab / "own/reader.py", own)
    for file, text in files.items():
        write(lab / file, text)
    before = digest(lab / "own/reader.py")
    write(lab / changed, '"""Words."""\n' + (lab / changed).read_text())
    assert digest(lab / "own/reader.py") == before, "a docstring does not count"
    write(lab / changed, (lab / changed).read_text() + "\nchanged = True\n")
    assert digest(lab / "own/reader.py") != before


def test_other_files_do_not_count(lab):
    write(lab / "own/reader.py", "import numpy, labtools")
    write(lab / "lab/labtools.py", "x = 1")
    before = digest(lab / "own/reader.py")
    write(lab / "lab/other.py", "x = 2")
    write(lab / "own/notes.txt", "x = 3")
    assert digest(lab / "own/reader.py") == before
    assert code.helpers(ROOT / "cortexscale/datasets/tvsd/reader.py") == ()


def test_a_helper_with_a_mistake_is_named(lab):
    write(lab / "own/reader.py", "def f():\n    import labtools")
    write(lab / "lab/labtools.py", "x = (")
    with pytest.raises(InputError, match=r"labtools\.py, imported by reader\.py\n.*SyntaxError"):
        digest(lab / "own/reader.py")


def test_the_plan_names_a_helper_of_a_model_with_a_mistake(lab):
    example = (ROOT / "docs/example_model.py").read_text(encoding="utf-8")
    write(lab / "own/model.py", example.replace("import math\n", "import math\nimport labtools\n", 1))
    write(lab / "lab/labtools.py", "x = (")
    own = {"source": "python", "id": "own", "file": str(lab / "own/model.py"), "family": "F", "layers": ["simple"]}
    with pytest.raises(InputError, match=r"labtools\.py, imported by model\.py"):
        Plan({"study": "s", "results": str(lab / "r"), "plan_without_data": True, "models": [own]})


def test_a_changed_helper_changes_the_transform_that_features_record(lab):
    example = (ROOT / "docs/example_model.py").read_text(encoding="utf-8")
    write(lab / "own/model.py", example.replace("import math\n", "import math\nimport labtools\n", 1))
    write(lab / "lab/labtools.py", "x = 1")
    own = {"source": "python", "id": "own", "file": str(lab / "own/model.py"), "transform": "transform"}
    own |= {"family": "F", "layers": ["simple"], "arguments": {"orientations": 2}}
    model = inventory(load_study({"study": "s", "results": "r", "models": [own]}))["own"]
    before = str(build_backbone(model).transform)
    write(lab / "lab/labtools.py", "x = 2")
    for function in (code.stage_digest, code.parsed):
        function.cache_clear()
    assert str(build_backbone(model).transform) != before


def test_a_warning_names_helpers_whose_changes_are_not_noticed(lab, caplog):
    write(lab / "elsewhere/far.py", "x = 1")
    write(lab / "lab/near.py", "x = 1")
    write(
        lab / "own/reader.py", f"import sys\nsys.path.insert(0, {str(lab / 'elsewhere')!r})\nimport far, near, colorsys, pydantic"
    )
    code.load_module(lab / "own/reader.py", "reader")
    assert [record.args[1] for record in caplog.records] == [lab / "elsewhere/far.py"]
    assert "results are not made again if that file changes" in caplog.text


def test_a_helper_beside_the_file_that_python_does_not_find_has_a_remedy(lab):
    write(lab / "own/reader.py", "import beside")
    write(lab / "own/beside.py", "x = 1")
    with pytest.raises(InputError, match=rf"No module named 'beside'[\s\S]*export PYTHONPATH={lab / 'own'}"):
        code.load_module(lab / "own/reader.py", "reader")
    write(lab / "own/other.py", "import nowhere_at_all")
    with pytest.raises(InputError, match=r"No module named 'nowhere_at_all'[\s\S]*correct the module"):
        code.load_module(lab / "own/other.py", "reader")
